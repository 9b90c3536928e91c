use std::collections::BTreeMap;

use anyhow::Result;
use bugbrother_wire::{
    UnixMs,
    api::{SeriesList, SignalList, StopList, Track, TripList, TripTotals},
};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use crate::{
    drive::{DAY, HOUR, START, fold, two_days, values},
    rig::{Rig, expect_refusal, vin},
};

/// A rig that knows vehicle 1, and what it takes to ask for it.
struct Past {
    rig: Rig,
    token: String,
}

impl Past {
    async fn of_two_days() -> Result<Self> {
        let rig = Rig::start().await?;
        two_days(&rig.store, vin(1)).await?;
        let token = rig.token().await?;
        Ok(Past { rig, token })
    }

    async fn get<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        let path = format!("/api/frontend/vehicles/{}/{what}", vin(1));
        Ok(self.rig.get(&path, &self.token).await?.error_for_status()?.json().await?)
    }
}

/// Lowest, highest and mean of a signal's values in buckets of that width.
fn buckets(signal: &str, width: i64, span: std::ops::RangeInclusive<UnixMs>) -> BTreeMap<UnixMs, (f64, f64, f64)> {
    let mut all: BTreeMap<UnixMs, Vec<f64>> = BTreeMap::new();
    for ((ts, key), value) in values(vin(1)) {
        if key == signal && span.contains(&ts) {
            all.entry(ts / width * width).or_default().push(value);
        }
    }
    let sums = all.into_iter().map(|(ts, values)| {
        let (low, high) =
            (values.iter().copied().fold(f64::MAX, f64::min), values.iter().copied().fold(f64::MIN, f64::max));
        (ts, (low, high, values.iter().sum::<f64>() / values.len() as f64))
    });
    sums.collect()
}

#[tokio::test]
async fn series_are_what_the_values_of_each_bucket_amount_to_folded_or_not() -> Result<()> {
    let past = Past::of_two_days().await?;
    // Hours from summaries, minutes from columns, and both days from the tail where it is.
    for (from, to, most, width) in [
        (START, START + 2 * DAY - 1, 48, HOUR),
        (START + 8 * HOUR, START + 9 * HOUR - 1, 60, 60_000),
        (START + 41 * HOUR, START + 42 * HOUR - 1, 3600, 1000),
    ] {
        let list: SeriesList =
            past.get(&format!("series?signal=rpm&signals=gspd,x.own&from={from}&to={to}&buckets={most}")).await?;
        let asked: Vec<_> = list.series.iter().map(|series| (series.signal.as_str(), series.unit.as_str())).collect();
        assert_eq!(asked, [("rpm", "rpm"), ("gspd", "km/h"), ("x.own", "")]);
        for series in &list.series {
            let expected = buckets(&series.signal, width, from..=to);
            assert_eq!(series.bucket_ms, width);
            assert_eq!(series.ts, expected.keys().copied().collect::<Vec<_>>(), "{}", series.signal);
            assert!(!series.ts.is_empty());
            for (n, (low, high, mean)) in expected.values().enumerate() {
                assert_eq!((series.low[n], series.high[n]), (*low, *high));
                assert!((series.mean[n] - mean).abs() < 1e-6, "{} {}", series.mean[n], mean);
            }
            assert_eq!([series.low.len(), series.high.len(), series.mean.len()], [series.ts.len(); 3]);
        }
    }
    let nothing: SeriesList = past.get(&format!("series?signal=rpm&from={}&to={}", 5, 6)).await?;
    assert!(nothing.series[0].ts.is_empty());
    past.rig.stop().await
}

#[tokio::test]
async fn signals_of_a_span_come_with_name_and_unit() -> Result<()> {
    let past = Past::of_two_days().await?;
    let list: SignalList = past.get(&format!("signals?from={START}&to={}", START + DAY)).await?;
    let found: Vec<_> = list.signals.iter().map(|s| (s.key.as_str(), s.label.as_str(), s.unit.as_str())).collect();
    assert_eq!(
        found,
        [
            ("gspd", "Speed over ground", "km/h"),
            ("lat", "Latitude", "degrees"),
            ("lon", "Longitude", "degrees"),
            ("rpm", "Engine speed", "rpm"),
            ("x.own", "x.own", ""),
        ]
    );
    let before: SignalList = past.get(&format!("signals?from=0&to={}", START - DAY)).await?;
    assert!(before.signals.is_empty());
    past.rig.stop().await
}

#[tokio::test]
async fn a_track_has_a_line_for_each_drive_and_few_points_of_a_straight_one() -> Result<()> {
    let past = Past::of_two_days().await?;
    let track: Track = past.get(&format!("track?from={START}&to={}&zoom=12", START + 2 * DAY)).await?;
    assert_eq!(track.lines.len(), 4);
    assert!((5.0..20.0).contains(&track.tolerance_m), "{}", track.tolerance_m);
    let fixes = values(vin(1));
    for (line, hour) in track.lines.iter().zip([8, 17, 32, 41]) {
        let begin = START + hour * HOUR;
        assert_eq!((line.ts[0], line.ts[line.ts.len() - 1]), (begin, begin + HOUR - 2000));
        // The parallel is no great circle, but nearly: of 1800 fixes a handful is needed.
        assert!((2..20).contains(&line.ts.len()), "{}", line.ts.len());
        assert_eq!([line.lat.len(), line.lon.len(), line.speed_kmh.len()], [line.ts.len(); 3]);
        for (n, ts) in line.ts.iter().enumerate() {
            assert_eq!((line.lat[n], Some(&line.lon[n])), (46.5, fixes.get(&(*ts, "lon".to_owned()))));
            assert_eq!(line.speed_kmh[n], Some(72.0));
        }
    }
    past.rig.stop().await
}

#[tokio::test]
async fn trips_and_stops_come_page_by_page_and_amount_to_their_totals() -> Result<()> {
    let past = Past::of_two_days().await?;
    fold(&past.rig.store, vin(1)).await?;
    let all: TripList = past.get("trips").await?;
    let begins: Vec<_> = all.trips.iter().map(|trip| (trip.start - START) / HOUR).collect();
    assert_eq!((begins.as_slice(), all.next), (&[41, 32, 17, 8][..], None));
    for trip in &all.trips {
        assert!((trip.distance_m - 72_000.0).abs() < 200.0, "{}", trip.distance_m);
        assert!(trip.start_place.is_some() && !trip.track.is_empty());
    }
    let (mut paged, mut before) = (Vec::new(), String::new());
    loop {
        let page: TripList = past.get(&format!("trips?limit=3{before}")).await?;
        assert!(page.trips.len() <= 3);
        paged.extend(page.trips);
        let Some(next) = page.next else { break };
        before = format!("&before={next}");
    }
    assert_eq!(paged, all.trips);
    let first_day: TripList = past.get(&format!("trips?from={START}&to={}", START + DAY)).await?;
    assert_eq!(first_day.trips, all.trips[2..]);
    let totals: TripTotals = past.get(&format!("totals?from={START}&to={}", START + DAY)).await?;
    let sum: f64 = first_day.trips.iter().map(|trip| trip.distance_m).sum();
    assert!(totals.trips == 2 && (totals.distance_m - sum).abs() < 1e-6, "{totals:?}");
    assert_eq!(totals.moving_ms, first_day.trips.iter().map(|trip| trip.moving_ms).sum::<i64>());

    let stops: StopList = past.get("stops?limit=2").await?;
    assert_eq!(stops.stops.len(), 2);
    let next = stops.next.unwrap_or_default();
    assert_eq!(next, stops.stops[1].start);
    let earlier: StopList = past.get(&format!("stops?before={next}")).await?;
    assert!(earlier.next.is_none() && earlier.stops.iter().all(|stop| stop.start < next));
    past.rig.stop().await
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_words() -> Result<()> {
    let past = Past::of_two_days().await?;
    let many: Vec<_> = (0..17).map(|n| format!("x.s{n}")).collect();
    let many = format!("series?signals={}", many.join(","));
    for (what, error) in [
        ("series", "invalid_signal"),
        ("series?signal=Speed", "invalid_signal"),
        (many.as_str(), "invalid_signal"),
        ("series?signal=spd&buckets=0", "invalid_buckets"),
        ("series?signal=spd&buckets=5001", "invalid_buckets"),
        ("series?signal=spd&buckets=-1", "invalid_query"),
        ("series?signal=spd&from=6&to=5", "invalid_span"),
        ("series?signal=spd&from=yesterday", "invalid_query"),
        ("signals?from=6&to=5", "invalid_span"),
        ("track?from=6&to=5", "invalid_span"),
        ("track?from=0&to=2678400001", "invalid_span"),
        ("track?zoom=25", "invalid_zoom"),
        ("track?zoom=256", "invalid_query"),
        ("trips?from=6&to=5", "invalid_span"),
        ("stops?before=never", "invalid_query"),
        ("totals?to=x", "invalid_query"),
        ("export", "invalid_query"),
        ("export?format=xls", "invalid_format"),
        ("export?format=csv&from=6&to=5", "invalid_span"),
        ("export?format=csv&signals=a,,b", "invalid_signal"),
    ] {
        let path = format!("/api/frontend/vehicles/{}/{what}", vin(1));
        let said = expect_refusal(past.rig.get(&path, &past.token).await?, StatusCode::BAD_REQUEST, error).await?;
        assert!(said.detail.len() > 10, "{what}: {}", said.detail);
    }
    past.rig.stop().await
}

#[tokio::test]
async fn a_stranger_learns_nothing_and_an_unknown_vehicle_is_not_found() -> Result<()> {
    let past = Past::of_two_days().await?;
    for what in ["signals", "series?signal=spd", "track", "trips", "stops", "totals", "export?format=csv"] {
        let path = |n| format!("/api/frontend/vehicles/{}/{what}", vin(n));
        let unsigned = past.rig.request(reqwest::Method::GET, &path(1)).send().await?;
        expect_refusal(unsigned, StatusCode::UNAUTHORIZED, "not_signed_in").await?;
        let forged = past.rig.get(&path(1), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.").await?;
        expect_refusal(forged, StatusCode::UNAUTHORIZED, "token_invalid").await?;
        let unknown = past.rig.get(&path(2), &past.token).await?;
        expect_refusal(unknown, StatusCode::NOT_FOUND, "not_found").await?;
    }
    past.rig.stop().await
}

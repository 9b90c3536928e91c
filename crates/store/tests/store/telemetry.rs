//! What vehicles measured: it comes back as it was told, before and after it is folded, from whichever store keeps it.

use std::collections::BTreeMap;

use bugbrother_store::{Arrival, Question, Samples, Store};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, UnixMs, Vin,
    message::{Clock, Row, Telemetry},
};
use proptest::prelude::*;

use crate::{
    fleet::{NOW, batch, everything, fiesta, golf, late, live, store},
    home::CASES,
};

const HOUR: i64 = 3_600_000;

/// A batch of a fix and an engine's value in turn, every second, beginning at `t0`.
fn sparse(seq: u64, t0: UnixMs, rows: u32) -> Telemetry {
    let row = |n: u32| {
        let value = f64::from(n % 100);
        let values =
            if n.is_multiple_of(2) { [Some(47.5), Some(value), None] } else { [None, None, Some(value * 10.0)] };
        Row { dt_ms: n * 1000, values: values.to_vec() }
    };
    Telemetry {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(seq),
        t0,
        clock: Clock::Gnss,
        keys: ["lat", "gspd", "rpm"].map(str::to_owned).to_vec(),
        rows: (0..rows).map(row).collect(),
        gap: None,
    }
}

async fn keep_all(store: &Store, vin: Vin) {
    while store.keep(&[vin]).await.unwrap()[0].more {}
}

/// Every value by its time and signal.
fn values(samples: &Samples) -> BTreeMap<(UnixMs, String), f64> {
    let rows = samples.rows.iter().flat_map(|row| {
        let named = samples.keys.iter().zip(&row.values);
        named.filter_map(|(key, value)| Some(((row.ts, key.clone()), (*value)?)))
    });
    rows.collect()
}

fn expected(batches: &[Telemetry]) -> BTreeMap<(UnixMs, String), f64> {
    let all = batches.iter().flat_map(Telemetry::samples);
    all.map(|(ts, key, value)| ((ts, key.to_owned()), value)).collect()
}

#[tokio::test]
async fn samples_are_the_same_before_and_after_they_are_folded_and_in_between() {
    let (store, _home) = store().await;
    let batches: Vec<_> = (0..30).map(|n| sparse(n + 1, NOW + n as i64 * 300_000, 300)).collect();
    let arrivals: Vec<_> = batches.iter().cloned().map(live).collect();
    store.commit(&arrivals[..20]).await.unwrap();
    assert_eq!(values(&everything(&store, golf()).await), expected(&batches[..20]));
    keep_all(&store, golf()).await;
    assert_eq!(values(&everything(&store, golf()).await), expected(&batches[..20]));
    store.commit(&arrivals[15..]).await.unwrap();
    assert_eq!(values(&everything(&store, golf()).await), expected(&batches));
    keep_all(&store, golf()).await;
    let all = everything(&store, golf()).await;
    assert_eq!((all.rows.len(), values(&all)), (9000, expected(&batches)));
    assert!(all.rows.is_sorted_by_key(|row| row.ts));
    assert_eq!(store.waiting(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn late_batches_find_their_place_in_hours_that_were_folded_long_ago() {
    let (store, _home) = store().await;
    let batches: Vec<_> = (0..24).map(|n| sparse(n + 1, NOW + n as i64 * 900_000, 800)).collect();
    let (even, odd): (Vec<_>, Vec<_>) = batches.iter().cloned().partition(|batch| batch.seq.0 % 2 == 0);
    for part in [even, odd] {
        let arrivals: Vec<_> = part.into_iter().map(late).collect();
        store.commit(&arrivals).await.unwrap();
        keep_all(&store, golf()).await;
    }
    let all = everything(&store, golf()).await;
    assert_eq!((all.rows.len(), values(&all)), (24 * 800, expected(&batches)));
}

#[tokio::test]
async fn pages_follow_one_another_without_a_hole_or_an_overlap() {
    let (store, _home) = store().await;
    let batches: Vec<_> = (0..60).map(|n| sparse(n + 1, NOW + n as i64 * 100_000, 100)).collect();
    let arrivals: Vec<_> = batches.iter().cloned().map(live).collect();
    store.commit(&arrivals[..40]).await.unwrap();
    keep_all(&store, golf()).await;
    store.commit(&arrivals[40..]).await.unwrap();
    for signals in [None, Some(["rpm"].as_slice())] {
        let whole = expected(&batches);
        let whole: Vec<_> =
            whole.into_iter().filter(|((_, key), _)| signals.is_none_or(|wanted| wanted.contains(&&**key))).collect();
        let (mut found, mut from, mut pages) = (Vec::new(), Some(0), 0);
        while let Some(begin) = from {
            let question = Question { vin: golf(), from: begin, to: i64::MAX, signals };
            let page = store.samples(question, 777).await.unwrap();
            assert!(page.samples.rows.len() <= 777);
            found.extend(values(&page.samples));
            (from, pages) = (page.next, pages + 1);
        }
        assert_eq!(found, whole);
        assert!(pages >= 4, "{pages}");
    }
}

#[tokio::test]
async fn a_span_holds_its_ends_and_nothing_beyond() {
    let (store, _home) = store().await;
    store.commit(&[live(batch(golf(), 1, 1)), live(batch(golf(), 1, 2)), live(batch(fiesta(), 1, 1))]).await.unwrap();
    for _ in 0..2 {
        let (from, to) = (NOW + 12_000, NOW + 21_000);
        let question = Question { vin: golf(), from, to, signals: Some(&["spd", "no such"]) };
        let page = store.samples(question, 100).await.unwrap();
        let found: Vec<_> = page.samples.values("spd").collect();
        assert_eq!(found, (12..=21).map(|n| (NOW + n * 1000, n as f64)).collect::<Vec<_>>());
        assert_eq!((page.samples.keys.as_slice(), page.next), (&["spd".to_owned()][..], None));
        keep_all(&store, golf()).await;
    }
    assert_eq!(store.signals(golf(), 0, i64::MAX).await.unwrap(), ["lat", "lon", "spd"]);
    assert!(store.signals(golf(), 0, NOW - 2 * HOUR).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_series_tells_the_same_of_the_tail_of_columns_and_of_both() {
    let (store, _home) = store().await;
    let batches: Vec<_> = (0..50).map(|n| sparse(n + 1, NOW + n as i64 * 600_000, 600)).collect();
    let arrivals: Vec<_> = batches.iter().cloned().map(live).collect();
    store.commit(&arrivals).await.unwrap();
    let whole = expected(&batches);
    let mut folded = 0;
    loop {
        for (from, to, most) in [
            (NOW, NOW + 30_000_000, 500),
            (NOW + 4_000_000, NOW + 4_300_000, 1000),
            (NOW - 100 * 24 * HOUR, NOW + 100 * 24 * HOUR, 300),
            (0, 4_000_000_000_000, 100),
        ] {
            let series = store.series(golf(), "rpm", from, to, most).await.unwrap();
            let width = series.bucket_ms;
            let mut sums: BTreeMap<i64, (i64, f64, f64, f64)> = BTreeMap::new();
            let first = from.div_euclid(width) * width;
            let end = (to.div_euclid(width) + 1) * width;
            for ((ts, _), value) in whole.iter().filter(|((ts, key), _)| key == "rpm" && (first..end).contains(ts)) {
                let sum =
                    sums.entry(ts.div_euclid(width) * width).or_insert((0, f64::INFINITY, f64::NEG_INFINITY, 0.0));
                *sum = (sum.0 + 1, sum.1.min(*value), sum.2.max(*value), sum.3 + value);
            }
            let found: Vec<_> = series.buckets.iter().map(|b| (b.ts, b.n, b.low, b.high)).collect();
            assert_eq!(found, sums.iter().map(|(ts, s)| (*ts, s.0, s.1, s.2)).collect::<Vec<_>>(), "{width}");
            for (bucket, (n, _, _, total)) in series.buckets.iter().zip(sums.values()) {
                assert!((bucket.mean - total / *n as f64).abs() < 1e-6, "{bucket:?}");
            }
            assert!(series.buckets.len() <= most as usize);
        }
        if folded == 2 {
            break;
        }
        // 512 batches at a time would fold them all at once: a part is folded first, and the rest comes again.
        folded += 1;
        keep_all(&store, golf()).await;
    }
}

#[tokio::test]
async fn who_reads_a_time_from_a_computers_clock_can_tell() {
    let (store, _home) = store().await;
    let unsure = Telemetry { clock: Clock::System, ..batch(golf(), 1, 2) };
    store.commit(&[live(batch(golf(), 1, 1)), live(unsure)]).await.unwrap();
    for _ in 0..2 {
        let all = everything(&store, golf()).await;
        let told: Vec<_> = all.values("_clock").collect();
        assert_eq!(told, (20..30).map(|n| (NOW + n * 1000, 1.0)).collect::<Vec<_>>());
        keep_all(&store, golf()).await;
    }
}

#[tokio::test]
async fn what_is_forgotten_is_gone_by_the_hour_and_the_rest_stays() {
    let (store, _home) = store().await;
    let start = NOW / HOUR * HOUR;
    let batches: Vec<_> = (0..12).map(|n| sparse(n + 1, start + n as i64 * 1_800_000, 1800)).collect();
    store.commit(&batches.iter().cloned().map(live).collect::<Vec<Arrival>>()).await.unwrap();
    keep_all(&store, golf()).await;
    let before = start + 3 * HOUR + 5;
    while store.forget_samples(golf(), before, 1).await.unwrap() > 0 {}
    let left = everything(&store, golf()).await;
    assert_eq!(values(&left), expected(&batches[6..]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn in_whatever_order_batches_come_and_are_folded_no_value_is_lost_or_changed(
        order in Just((0..20u64).collect::<Vec<_>>()).prop_shuffle(),
        folds in proptest::collection::vec(any::<bool>(), 20),
        starts in proptest::collection::vec(0..20 * 3600i64, 20),
        value in any::<f64>().prop_filter("finite", |value| value.is_finite()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, _home) = store().await;
            let mut sent = Vec::new();
            for (seq, fold) in order.iter().zip(folds) {
                // At milliseconds of its own, so that no two batches speak of the same time.
                let t0 = NOW + starts[*seq as usize] * 1000 + *seq as i64;
                let mut batch = sparse(seq + 1, t0, 40);
                batch.rows[7].values[1] = Some(value);
                store.commit(&[late(batch.clone())]).await.unwrap();
                sent.push(batch);
                if fold {
                    keep_all(&store, golf()).await;
                }
            }
            prop_assert_eq!(values(&everything(&store, golf()).await), expected(&sent));
            Ok(())
        })?;
    }
}

//! What a chart shows of a vehicle's signals: tiles of time at a few resolutions, as a map has tiles of ground. Pure.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use bugbrother_wire::api::SignalSeries;

/// Widths of buckets in ms; the server has the same.
const WIDTHS: [i64; 18] = [
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000,
    7_200_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
];
/// Buckets of a tile.
pub const BUCKETS: i64 = 480;
/// Most tiles that are kept.
const MOST: usize = 96;
/// A hole of more buckets than that is drawn as one.
const HOLE: i64 = 3;

/// A piece of time at a resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// Width of its buckets.
    pub width_ms: i64,
    /// Its place among the tiles of that width; the one of 1970 is 0.
    pub index: i64,
}

impl Tile {
    /// Its first moment.
    pub fn from(self) -> i64 {
        self.index * BUCKETS * self.width_ms
    }

    /// Its last moment.
    pub fn to(self) -> i64 {
        self.from() + BUCKETS * self.width_ms - 1
    }
}

/// The width of buckets with which a span has no more of them than a screen has pixels.
pub fn width_for(span_ms: f64, pixels: f64) -> i64 {
    let fits = |width: &&i64| span_ms / **width as f64 <= pixels.max(1.0);
    WIDTHS.iter().find(fits).copied().unwrap_or(WIDTHS[WIDTHS.len() - 1])
}

/// The tiles of a width that cover a span.
pub fn covering(from: f64, to: f64, width_ms: i64) -> impl DoubleEndedIterator<Item = Tile> {
    let span = (BUCKETS * width_ms) as f64;
    let (first, last) = ((from / span).floor() as i64, (to / span).floor() as i64);
    (first..=last.min(first + 8)).map(move |index| Tile { width_ms, index })
}

/// A signal in columns of the same length; where there is a hole, all but the time is NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    /// Moments in ms.
    pub ts: Vec<f64>,
    /// The lowest value in each bucket.
    pub low: Vec<f64>,
    /// The highest.
    pub high: Vec<f64>,
    /// The mean.
    pub mean: Vec<f64>,
}

impl Columns {
    /// The same in another unit.
    pub fn map(mut self, convert: impl Fn(f64) -> f64) -> Self {
        for values in [&mut self.low, &mut self.high, &mut self.mean] {
            values.iter_mut().for_each(|value| *value = convert(*value));
        }
        self
    }

    fn push(&mut self, ts: f64, [low, high, mean]: [f64; 3]) {
        self.ts.push(ts);
        self.low.push(low);
        self.high.push(high);
        self.mean.push(mean);
    }

    /// Goes on at `ts`, with a hole before it where it is far from the last one.
    fn go_on(&mut self, ts: f64, values: [f64; 3], width_ms: i64) {
        let last = self.ts.last().copied();
        if last.is_some_and(|last| ts - last > (HOLE * width_ms) as f64) {
            self.push(ts - width_ms as f64, [f64::NAN; 3]);
        }
        self.push(ts, values);
    }

    /// The mean at a moment: of the bucket in which it lies, or of the one before within `within_ms`.
    pub fn at(&self, ts: f64, within_ms: f64) -> Option<f64> {
        let index = self.ts.partition_point(|known| *known <= ts).checked_sub(1)?;
        (ts - self.ts[index] <= within_ms).then(|| self.mean[index]).filter(|mean| mean.is_finite())
    }
}

/// What has been fetched.
#[derive(Debug, Default)]
pub struct Tiles {
    known: HashMap<Tile, BTreeMap<String, SignalSeries>>,
    /// The oldest first.
    order: VecDeque<Tile>,
    /// Those that have got more since they were fetched. They are shown until they are fetched again.
    stale: HashSet<Tile>,
}

impl Tiles {
    /// Whether a tile can be shown with all of these signals.
    pub fn has(&self, tile: Tile, signals: &[String]) -> bool {
        self.known.get(&tile).is_some_and(|known| signals.iter().all(|signal| known.contains_key(signal)))
    }

    /// Whether it need not be fetched.
    pub fn is_fresh(&self, tile: Tile, signals: &[String]) -> bool {
        !self.stale.contains(&tile) && self.has(tile, signals)
    }

    /// Takes a tile in.
    pub fn put(&mut self, tile: Tile, series: Vec<SignalSeries>) {
        if self.stale.remove(&tile) || !self.known.contains_key(&tile) {
            self.order.retain(|known| *known != tile);
            self.order.push_back(tile);
        }
        let known = self.known.entry(tile).or_default();
        known.extend(series.into_iter().map(|series| (series.signal.clone(), series)));
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
                self.stale.remove(&oldest);
            }
        }
    }

    /// Tiles that were not over at that moment are stale.
    pub fn go_stale_after(&mut self, ts: i64) {
        self.stale.extend(self.known.keys().filter(|tile| tile.to() >= ts));
    }

    /// A signal over a span, of tiles of that width; and then values that came since, if they are newer.
    pub fn columns(&self, signal: &str, (from, to): (f64, f64), width_ms: i64, tail: &[(f64, f64)]) -> Columns {
        let mut columns = Columns::default();
        for tile in covering(from, to, width_ms) {
            let Some(series) = self.known.get(&tile).and_then(|known| known.get(signal)) else { continue };
            for (n, ts) in series.ts.iter().enumerate() {
                let values = [series.low[n], series.high[n], series.mean[n]];
                columns.go_on(*ts as f64, values, series.bucket_ms);
            }
        }
        let end = columns.ts.last().copied().unwrap_or(f64::MIN);
        for (ts, value) in tail.iter().filter(|(ts, _)| *ts > end && *ts <= to) {
            columns.go_on(*ts, [*value; 3], width_ms.max(10_000));
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400_000.0;

    fn series(signal: &str, tile: Tile, every: i64) -> SignalSeries {
        let ts: Vec<i64> = (0..BUCKETS / every).map(|n| tile.from() + n * every * tile.width_ms).collect();
        let values: Vec<f64> = ts.iter().map(|ts| (*ts / tile.width_ms) as f64).collect();
        SignalSeries {
            signal: signal.to_owned(),
            unit: String::new(),
            bucket_ms: tile.width_ms,
            low: values.clone(),
            high: values.clone(),
            mean: values,
            ts,
        }
    }

    #[test]
    fn a_span_has_no_more_buckets_than_pixels() {
        assert_eq!(width_for(3_600_000.0, 1_000.0), 5_000);
        assert_eq!(width_for(DAY, 1_000.0), 120_000);
        assert_eq!(width_for(30.0 * DAY, 1_000.0), 3_600_000);
        assert_eq!(width_for(10.0, 1_000.0), 1_000);
        assert_eq!(width_for(1e15, 1_000.0), 86_400_000);
    }

    #[test]
    fn tiles_lie_side_by_side_and_cover_the_span() {
        let tiles: Vec<_> = covering(5.0 * DAY + 1.0, 5.0 * DAY + 7_200_000.0, 5_000).collect();
        assert!(tiles[0].from() as f64 <= 5.0 * DAY + 1.0);
        assert!(tiles[tiles.len() - 1].to() as f64 >= 5.0 * DAY + 7_200_000.0);
        assert!(tiles.windows(2).all(|pair| pair[0].to() + 1 == pair[1].from()));
        assert!(covering(0.0, 1e15, 1_000).count() <= 9, "no screen needs more");
    }

    #[test]
    fn columns_go_on_from_tile_to_tile_with_holes_and_a_tail() {
        let mut tiles = Tiles::default();
        let (one, two) = (Tile { width_ms: 1000, index: 10 }, Tile { width_ms: 1000, index: 11 });
        assert!(!tiles.has(one, &["spd".to_owned()]));
        tiles.put(one, vec![series("spd", one, 1)]);
        let mut late = series("spd", two, 1);
        for column in [&mut late.low, &mut late.high, &mut late.mean] {
            column.drain(..10);
        }
        late.ts.drain(..10);
        tiles.put(two, vec![late]);
        let span = (one.from() as f64, two.to() as f64 + 5_000.0);
        let end = two.to() as f64;
        let columns = tiles.columns("spd", span, 1000, &[(end - 9.0e3, 1.0), (end + 1.0, 7.0)]);
        assert_eq!(columns.mean.iter().filter(|value| value.is_nan()).count(), 1, "a hole");
        assert_eq!(columns.mean.last(), Some(&7.0), "what is older than the tiles is theirs");
        assert!(columns.ts.is_sorted_by(|a, b| a < b));
        assert_eq!(columns.at(one.from() as f64 + 2_500.0, 1_000.0), Some(one.from() as f64 / 1000.0 + 2.0));
        assert_eq!(columns.at(one.from() as f64 - 1.0, 1_000.0), None);
        let spd = ["spd".to_owned()];
        tiles.go_stale_after(two.from());
        assert!(tiles.is_fresh(one, &spd) && !tiles.is_fresh(two, &spd));
        assert!(tiles.has(two, &spd), "it is shown until there is a newer one");
        tiles.put(two, vec![series("spd", two, 1)]);
        assert!(tiles.is_fresh(two, &spd));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut tiles = Tiles::default();
        for index in 0..2 * MOST as i64 {
            let tile = Tile { width_ms: 1000, index };
            tiles.put(tile, vec![series("spd", tile, 100)]);
        }
        tiles.go_stale_after(0);
        tiles.put(Tile { width_ms: 2000, index: 0 }, Vec::new());
        assert_eq!((tiles.known.len(), tiles.stale.len()), (MOST, MOST - 1));
        assert!(tiles.has(Tile { width_ms: 1000, index: 2 * MOST as i64 - 1 }, &["spd".to_owned()]));
    }
}

//! The ring's promises as properties, over streams of any shape.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use bugbrother_video::{AccessUnit, Codec, Limits, Parameters, Pushed, Ring};
use proptest::prelude::*;

fn parameters() -> Arc<Parameters> {
    Arc::new(Parameters {
        codec: Codec::H264,
        rfc6381: "avc1.42C01E".to_owned(),
        width: 320,
        height: 240,
        sample_entry: None,
    })
}

fn unit(received: Instant, is_key: bool, size: usize) -> AccessUnit {
    AccessUnit { pts: 0, clock_hz: NonZeroU32::MIN, is_key, lost_packets: 0, received, data: vec![0; size].into() }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// 25 pictures a second for `length_s`, a key frame each second, 100 bytes each.
fn steady(start: Instant, length_s: u64, limits: Limits) -> Ring {
    let mut ring = Ring::new(limits);
    for n in 0..length_s * 25 {
        ring.push(&parameters(), unit(start + Duration::from_millis(40 * n), n % 25 == 0, 100));
    }
    ring
}

/// What the ring promises whatever comes.
fn holds_its_promises(ring: &Ring, limits: Limits) {
    let units: Vec<_> = ring.gops().flat_map(|gop| gop.units()).collect();
    assert_eq!(ring.bytes(), units.iter().map(|unit| unit.data.len()).sum::<usize>());
    assert!(ring.bytes() <= limits.bytes);
    assert!(ring.duration() <= limits.duration);
    if let (Some(first), Some(last)) = (units.first(), units.last()) {
        assert_eq!(ring.duration(), last.received - first.received);
    }
    for gop in ring.gops() {
        assert!(gop.units()[0].is_key);
        assert!(gop.units()[1..].iter().all(|unit| !unit.is_key));
        assert_eq!(gop.bytes(), gop.units().iter().map(|unit| unit.data.len()).sum::<usize>());
    }
}

proptest! {
    #[test]
    fn it_starts_at_a_key_frame_and_is_never_above_its_limits(
        stream in prop::collection::vec((0..3000u64, prop::bool::weighted(0.2), 0..400usize, prop::bool::weighted(0.03)), 0..300),
        limit_ms in 0..20_000u64,
        limit_bytes in 0..8000usize,
    ) {
        let limits = Limits { duration: Duration::from_millis(limit_ms), bytes: limit_bytes };
        let (mut ring, mut now) = (Ring::new(limits), Instant::now());
        for (gap_ms, is_key, size, interrupted) in stream {
            now += Duration::from_millis(gap_ms);
            if interrupted {
                ring.interrupt();
            }
            let pushed = ring.push(&parameters(), unit(now, is_key, size));
            holds_its_promises(&ring, limits);
            let newest = ring.gops().last().and_then(|gop| gop.units().last()).map(|unit| unit.received);
            match pushed {
                Pushed::Kept => prop_assert_eq!(newest, Some(now)),
                Pushed::Undecodable => prop_assert!(!is_key),
                Pushed::TooLarge => prop_assert_eq!(newest, None),
            }
        }
    }

    #[test]
    fn since_returns_from_the_key_frame_at_or_before_a_moment(
        gaps in prop::collection::vec((0..2000u64, prop::bool::weighted(0.3)), 1..100),
        ask_ms in 0..200_000u64,
    ) {
        let start = Instant::now();
        let limits = Limits { duration: seconds(60), bytes: 1 << 20 };
        let (mut ring, mut now) = (Ring::new(limits), start);
        for (gap_ms, is_key) in gaps {
            now += Duration::from_millis(gap_ms);
            ring.push(&parameters(), unit(now, is_key, 10));
        }
        let asked = start + Duration::from_millis(ask_ms);
        let all: Vec<_> = ring.gops().collect();
        let got: Vec<_> = ring.since(asked).collect();
        prop_assert_eq!(&all[all.len() - got.len()..], &got[..], "it is the end of what there is");
        prop_assert_eq!(got.is_empty(), all.is_empty());
        if let Some(first) = got.first() {
            prop_assert!(first.start() <= asked || got.len() == all.len());
            prop_assert!(got[1..].iter().all(|gop| gop.start() > asked), "it starts no earlier than it must");
        }
    }
}

#[test]
fn thirty_seconds_of_a_steady_stream_are_kept() {
    let start = Instant::now();
    let ring = steady(start, 120, Limits { duration: seconds(30), bytes: 1 << 20 });
    assert!((seconds(29)..=seconds(30)).contains(&ring.duration()), "{:?}", ring.duration());
    let from = ring.since(start + Duration::from_millis(100_500)).next().expect("it is there").start();
    assert_eq!(from, start + seconds(100));
}

#[test]
fn bytes_limit_what_seconds_would_let_in() {
    let ring = steady(Instant::now(), 120, Limits { duration: seconds(30), bytes: 12_000 });
    assert!((9_500..=12_000).contains(&ring.bytes()), "{}", ring.bytes());
}

#[test]
fn a_stream_is_not_kept_before_its_first_key_frame() {
    let mut ring = Ring::new(Limits { duration: seconds(30), bytes: 1000 });
    let now = Instant::now();
    assert_eq!(ring.push(&parameters(), unit(now, false, 10)), Pushed::Undecodable);
    assert_eq!(ring.push(&parameters(), unit(now, true, 10)), Pushed::Kept);
    assert_eq!(ring.push(&parameters(), unit(now, false, 10)), Pushed::Kept);
}

#[test]
fn a_gop_above_the_limits_is_let_go_and_the_next_key_frame_starts_again() {
    let mut ring = Ring::new(Limits { duration: seconds(30), bytes: 100 });
    let now = Instant::now();
    assert_eq!(ring.push(&parameters(), unit(now, true, 60)), Pushed::Kept);
    assert_eq!(ring.push(&parameters(), unit(now, false, 60)), Pushed::TooLarge);
    assert_eq!(ring.push(&parameters(), unit(now, false, 10)), Pushed::Undecodable);
    assert_eq!(ring.push(&parameters(), unit(now, true, 10)), Pushed::Kept);
    assert_eq!((ring.bytes(), ring.gops().count()), (10, 1));
}

#[test]
fn after_an_interruption_only_a_key_frame_goes_on() {
    let mut ring = steady(Instant::now(), 3, Limits { duration: seconds(30), bytes: 1 << 20 });
    ring.interrupt();
    let later = Instant::now() + seconds(5);
    assert_eq!(ring.push(&parameters(), unit(later, false, 10)), Pushed::Undecodable);
    assert_eq!(ring.push(&parameters(), unit(later, true, 10)), Pushed::Kept);
    assert_eq!(ring.gops().count(), 4);
}

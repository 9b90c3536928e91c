//! Times that only move forward, made of what cameras say.
//!
//! Cheap cameras repeat timestamps, set their clocks back, and let them leap when they hear of the network's time. A file
//! and a browser want times that rise, and that are as far apart as the pictures really were.

use std::{num::NonZeroU32, time::Instant};

use crate::access_unit::AccessUnit;

/// The camera's clock may run so much ahead of ours between two pictures; more is a leap.
const LEAP_S: i64 = 2;
/// Longest time between two pictures; in a longer one there was none, and nobody wants to wait for it.
const LONGEST_S: i64 = 10;
/// Until two pictures have told.
const FIRST_INTERVAL_PARTS: u32 = 25;

/// Where a picture is on the timeline, in ticks of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Since the first one. Each picture's time is that of the one before and its duration: nothing is held back, and there
    /// are no holes.
    pub decode_time: u64,
    /// As long as the one before it took.
    pub duration: u32,
    /// Whether the camera's clock tells how far it is from the one before; not of the first one, after a leap, and after a hole
    /// that is longer than it is shown.
    pub goes_on: bool,
}

/// Places the pictures of a stream.
#[derive(Debug, Clone)]
pub struct Timeline {
    clock_hz: NonZeroU32,
    last: Option<(i64, Instant)>,
    interval: u32,
    next: u64,
}

impl Timeline {
    /// Of a stream with that clock.
    pub fn new(clock_hz: NonZeroU32) -> Self {
        Timeline { clock_hz, last: None, interval: (clock_hz.get() / FIRST_INTERVAL_PARTS).max(1), next: 0 }
    }

    /// Places the next picture.
    pub fn place(&mut self, unit: &AccessUnit) -> Place {
        let since_last = self.since_last(unit);
        if let Some((interval, _)) = since_last {
            self.interval = interval;
        }
        self.last = Some((unit.pts, unit.received));
        let goes_on = since_last.is_some_and(|(_, by_camera)| by_camera);
        let place = Place { decode_time: self.next, duration: self.interval, goes_on };
        self.next += u64::from(self.interval);
        place
    }

    /// Ticks from the last picture to this one, and whether they are the camera's: ours where its clock has leapt.
    fn since_last(&self, unit: &AccessUnit) -> Option<(u32, bool)> {
        let (pts, received) = self.last?;
        let hz = i64::from(self.clock_hz.get());
        let by_camera = unit.pts.saturating_sub(pts);
        let by_us = unit.received.saturating_duration_since(received).as_secs_f64() * hz as f64;
        let by_us = by_us.min((LONGEST_S * hz) as f64) as i64;
        let has_leapt = by_camera < 0 || by_camera > by_us + LEAP_S * hz;
        let ticks = if has_leapt { by_us } else { by_camera };
        let shown = u32::try_from(ticks.clamp(1, LONGEST_S * hz)).ok()?;
        Some((shown, !has_leapt && by_camera <= LONGEST_S * hz))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const HZ: NonZeroU32 = NonZeroU32::new(90_000).expect("90,000 is not 0");

    fn unit(pts: i64, received: Instant) -> AccessUnit {
        AccessUnit { pts, clock_hz: HZ, is_key: false, lost_packets: 0, received, data: Default::default() }
    }

    /// Durations of pictures at these times of the camera and of ours, in ms.
    fn durations_ms(times: &[(i64, u64)]) -> Vec<u32> {
        let (start, mut timeline) = (Instant::now(), Timeline::new(HZ));
        let places = times.iter().map(|(pts, at)| {
            let unit = unit(pts * 90, start + Duration::from_millis(*at));
            timeline.place(&unit)
        });
        places.map(|place| place.duration / 90).collect()
    }

    #[test]
    fn a_picture_takes_as_long_as_the_one_before_it_took() {
        assert_eq!(durations_ms(&[(0, 0), (40, 41), (80, 79), (180, 190)]), [40, 40, 40, 100]);
    }

    #[test]
    fn a_network_that_holds_pictures_back_does_not_change_their_times() {
        assert_eq!(durations_ms(&[(0, 0), (40, 3000), (80, 3001), (120, 3002)]), [40, 40, 40, 40]);
    }

    #[test]
    fn a_clock_that_leaps_or_is_set_back_is_replaced_by_ours() {
        assert_eq!(durations_ms(&[(0, 0), (3_600_000, 50), (3_600_040, 90)]), [40, 50, 40]);
        assert_eq!(durations_ms(&[(9000, 0), (0, 60), (40, 100)]), [40, 60, 40]);
        // Nobody waits for an hour without pictures.
        assert_eq!(durations_ms(&[(0, 0), (3_600_000, 3_600_000)]), [40, 10_000]);
    }

    #[test]
    fn repeated_timestamps_are_told_apart_and_nothing_is_lost_by_it() {
        let (start, mut timeline) = (Instant::now(), Timeline::new(HZ));
        let times = [0, 0, 0, 120, 120, 120, 240].map(|ms: i64| timeline.place(&unit(ms * 90, start)).decode_time);
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        let end = timeline.place(&unit(360 * 90, start)).decode_time;
        assert!(end.abs_diff(300 * 90) <= 60 * 90, "{end}");
    }

    proptest! {
        #[test]
        fn times_rise_whatever_a_camera_says(
            says in prop::collection::vec((any::<i64>(), 0u64..100_000), 1..100),
        ) {
            let (mut now, mut timeline) = (Instant::now(), Timeline::new(HZ));
            let mut next = 0;
            for (pts, wait) in says {
                now += Duration::from_millis(wait);
                let place = timeline.place(&unit(pts, now));
                prop_assert_eq!(place.decode_time, next);
                prop_assert!(place.duration > 0 && place.duration <= 900_000);
                next = place.decode_time + u64::from(place.duration);
            }
        }
    }
}

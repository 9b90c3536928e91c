//! When pictures were taken, told by when they came.
//!
//! A picture comes some time after it was taken, and now and then much later: a network holds it back, or who reads it had no
//! time to. How far apart pictures are, the camera's clock says. So the one that was held up least tells when the others of its
//! time were taken, and no single late one moves a film.

use std::time::{Duration, Instant};

use crate::{access_unit::AccessUnit, timeline::Place};

/// Pictures of so long around one tell when it was taken. In that time a camera's clock that runs wrong by a thousandth is off by
/// 10 ms, and a network that is held up for longer is gone.
const WINDOW: Duration = Duration::from_secs(10);

/// A picture that came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    received: Instant,
    /// Time since the one before it, by the camera's clock; none where that does not tell.
    after: Option<Duration>,
}

impl Came {
    /// One that the timeline has placed.
    pub fn new(unit: &AccessUnit, place: &Place) -> Self {
        let after = || Duration::from_secs_f64(f64::from(place.duration) / f64::from(unit.clock_hz.get()));
        Came { received: unit.received, after: place.goes_on.then(after) }
    }
}

/// When the first and the last of them were taken; none of none.
pub(crate) fn first_and_last(came: &[Came]) -> Option<(Instant, Instant)> {
    let (first, last) = (came.first()?, came.last()?);
    // What comes after it: each was taken so much later than the first, and came so much later.
    let (mut later, mut from) = (Duration::ZERO, first.received);
    for next in &came[1..] {
        let Some(after) = next.after else { break };
        later += after;
        if later > WINDOW {
            break;
        }
        from = from.min(next.received.checked_sub(later).unwrap_or(from));
    }
    let (mut earlier, mut to) = (Duration::ZERO, last.received);
    for pair in came.windows(2).rev() {
        let [before, next] = pair else { break };
        let Some(after) = next.after else { break };
        earlier += after;
        if earlier > WINDOW {
            break;
        }
        to = to.min(before.received + earlier);
    }
    Some((from, to.max(from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// From when to when, in ms, of pictures that came then and are so far apart.
    fn span(came: &[(u64, Option<u64>)]) -> (u128, u128) {
        let start = Instant::now() + ms(100_000);
        let came: Vec<_> =
            came.iter().map(|(at, after)| Came { received: start + ms(*at), after: after.map(ms) }).collect();
        let (from, to) = first_and_last(&came).unwrap();
        let since = |moment: Instant| (moment - (start - ms(100_000))).as_millis();
        (since(from), since(to))
    }

    #[test]
    fn pictures_that_come_in_time_were_taken_when_they_came() {
        assert_eq!(span(&[(0, None)]), (100_000, 100_000));
        assert_eq!(span(&[(0, None), (40, Some(40)), (80, Some(40))]), (100_000, 100_080));
        assert!(first_and_last(&[]).is_none());
    }

    #[test]
    fn one_that_comes_late_does_not_move_the_others() {
        // The first ones waited in the network, all of them until it took something again.
        let held: Vec<_> = (0..50).map(|n| ((n * 40).max(900), (n > 0).then_some(40))).collect();
        assert_eq!(span(&held), (100_000, 101_960));
        assert_eq!(span(&[(900, None), (901, Some(40)), (1000, Some(960))]), (100_000, 101_000));
        // The last one did.
        assert_eq!(span(&[(0, None), (40, Some(40)), (2_000, Some(40))]), (100_000, 100_080));
    }

    #[test]
    fn what_came_before_a_hole_or_a_leap_tells_nothing_of_what_came_after_it() {
        let came = [(500, None), (501, Some(40)), (60_000, None), (60_040, Some(40)), (60_500, Some(40))];
        assert_eq!(span(&came), (100_461, 160_080));
        assert_eq!(span(&[(7, None), (60_000, None)]), (100_007, 160_000));
    }

    #[test]
    fn a_camera_whose_clock_runs_wrong_moves_a_long_film_by_little() {
        // Each tenth of a second is said to be 101 ms, for three minutes.
        let came: Vec<_> = (0..1_800).map(|n| (n * 100, (n > 0).then_some(101))).collect();
        let (from, to) = span(&came);
        assert!((99_899..=100_000).contains(&from), "{from}");
        assert_eq!(to, 279_900);
        let slow: Vec<_> = (0..1_800).map(|n| (n * 100, (n > 0).then_some(99))).collect();
        let (from, to) = span(&slow);
        assert_eq!(from, 100_000);
        assert!((279_799..=279_900).contains(&to), "{to}");
    }
}

use bugbrother_wire::{UnixMs, message::Clock};

use super::{provisional, settings::Setter};

/// So long after the receiver's last fix its time is carried on as the receiver's own: a computer's crystal, 50 millionths
/// off at worst, is 30 ms wrong by then.
pub const TIME_HOLDS_MS: i64 = 600_000;
/// A source whose time is off by more than that from what was told before has been set anew. Fixes of a slow serial line
/// come some hundred milliseconds early or late.
const STEP_MS: i64 = 500;

/// A moment, and what that is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When. Without a good time, milliseconds since the computer's start, counted from [`bugbrother_wire::codec::EARLIEST`].
    pub ts: UnixMs,
    /// What it comes from.
    pub clock: Clock,
    /// Rises when the source changes or is set anew: times of two eras are not to be compared.
    pub era: u32,
}

/// A good time, as the moment at which the computer was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Good {
    /// When the computer was started, by that time.
    pub started: UnixMs,
    /// What it comes from.
    pub clock: Clock,
}

/// Tells what time it is from the receiver, the computer's clock and the time since the computer's start, which is the
/// only one that never jumps. Knows no clock but its arguments; `up` is milliseconds since the start.
///
/// The receiver's time goes first while it is fresh, then a clock that the network set, then the receiver's time carried
/// on, then a clock that a battery kept, then one whose setter is not known. Without any of them moments are provisional.
#[derive(Debug, Default)]
pub struct Timekeeper {
    receiver: Option<Heard>,
    setter: Setter,
    /// By which the last agent on this computer, since the same start, knew the time.
    remembered: Option<UnixMs>,
    /// By which there is to be a time, however wrong.
    guess: Option<UnixMs>,
    era: u32,
    last: Option<Good>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    started: UnixMs,
    up: i64,
}

impl Timekeeper {
    /// A receiver said that it was `ts` at `up`.
    pub fn hear_receiver(&mut self, ts: UnixMs, up: i64) {
        self.receiver = Some(Heard { started: ts - up, up });
    }

    /// What has set the computer's clock.
    pub fn hear_setter(&mut self, setter: Setter) {
        self.setter = setter;
    }

    /// Whether the network keeps the computer's clock.
    pub fn is_kept_by_network(&self) -> bool {
        self.setter == Setter::Network
    }

    /// An agent before this one, since the same start, knew when that was.
    pub fn remember(&mut self, started: UnixMs) {
        self.remembered = Some(started);
    }

    /// From now on there is a time, a guess if need be.
    pub fn guess(&mut self, started: UnixMs) {
        self.guess = Some(started);
    }

    /// The moment `at`, seen `now`, when the computer's clock says `system`.
    pub fn stamp(&mut self, at: i64, now: i64, system: UnixMs) -> Stamp {
        let Some(source) = self.source(now, system) else {
            return Stamp { ts: provisional(at), clock: Clock::None, era: self.era };
        };
        let same = self
            .last
            .is_some_and(|last| last.clock == source.clock && (last.started - source.started).abs() <= STEP_MS);
        if !same {
            self.era += 1;
            self.last = Some(source);
        } else if source.clock == Clock::Gnss {
            // What each fix moves a little does not add up to a step.
            self.last = Some(source);
        }
        Stamp { ts: source.started + at, clock: source.clock, era: self.era }
    }

    /// The best good time; `None` while there is none or a mere guess.
    pub fn good(&self, now: i64, system: UnixMs) -> Option<Good> {
        self.source(now, system).filter(|good| good.clock != Clock::None)
    }

    fn source(&self, now: i64, system: UnixMs) -> Option<Good> {
        let told = |clock| Good { started: system - now, clock };
        let carried_on = |started| Good { started, clock: Clock::System };
        match (self.receiver, self.setter) {
            (Some(heard), _) if now - heard.up < TIME_HOLDS_MS => {
                Some(Good { started: heard.started, clock: Clock::Gnss })
            }
            (_, Setter::Network) => Some(told(Clock::Ntp)),
            (Some(heard), _) => Some(carried_on(heard.started)),
            (None, Setter::Battery) => Some(told(Clock::Rtc)),
            (None, Setter::Firmware) => Some(told(Clock::System)),
            (None, Setter::Nobody) => match (self.remembered, self.guess) {
                (Some(started), _) => Some(carried_on(started)),
                (None, Some(started)) => Some(Good { started, clock: Clock::None }),
                (None, None) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::is_provisional;

    const BOOT: UnixMs = 1_790_000_000_000;
    /// As a Raspberry Pi's says that was switched off for a month.
    const WRONG: UnixMs = BOOT - 30 * 86_400_000;

    fn told(keeper: &mut Timekeeper, up: i64, boot: UnixMs) -> (i64, Clock) {
        let stamp = keeper.stamp(up, up, boot + up);
        (stamp.ts, stamp.clock)
    }

    #[test]
    fn before_the_first_good_time_a_moment_is_provisional_and_in_order() {
        let mut keeper = Timekeeper::default();
        let stamps = [5_000, 6_000].map(|up| keeper.stamp(up, up, WRONG + up));
        assert!(stamps.iter().all(|stamp| is_provisional(stamp.ts) && stamp.clock == Clock::None));
        assert_eq!(stamps[1].ts - stamps[0].ts, 1_000);
        assert_eq!(keeper.good(6_000, WRONG), None);
    }

    #[test]
    fn the_receivers_time_is_carried_on_and_then_worth_less() {
        let mut keeper = Timekeeper::default();
        keeper.hear_receiver(BOOT + 8_000, 8_000);
        assert_eq!(told(&mut keeper, 9_000, WRONG), (BOOT + 9_000, Clock::Gnss));
        let later = 8_000 + TIME_HOLDS_MS;
        assert_eq!(told(&mut keeper, later - 1, WRONG), (BOOT + later - 1, Clock::Gnss));
        assert_eq!(told(&mut keeper, later, WRONG), (BOOT + later, Clock::System));
        // Neither a battery nor an unknown setter knows better than a receiver did, since this start; the network does.
        for setter in [Setter::Battery, Setter::Firmware] {
            keeper.hear_setter(setter);
            assert_eq!(told(&mut keeper, later, WRONG), (BOOT + later, Clock::System));
        }
        keeper.hear_setter(Setter::Network);
        assert_eq!(told(&mut keeper, later, BOOT + 70), (BOOT + 70 + later, Clock::Ntp));
        keeper.hear_receiver(BOOT + later, later);
        assert_eq!(told(&mut keeper, later + 1, WRONG), (BOOT + later + 1, Clock::Gnss));
    }

    #[test]
    fn the_computers_clock_is_worth_what_set_it() {
        let mut keeper = Timekeeper::default();
        for (setter, clock) in
            [(Setter::Network, Clock::Ntp), (Setter::Battery, Clock::Rtc), (Setter::Firmware, Clock::System)]
        {
            keeper.hear_setter(setter);
            assert_eq!(told(&mut keeper, 3_000, BOOT), (BOOT + 3_000, clock));
        }
        keeper.hear_setter(Setter::Nobody);
        assert!(is_provisional(keeper.stamp(3_000, 3_000, WRONG).ts));
        keeper.guess(BOOT - 500);
        assert_eq!(told(&mut keeper, 3_000, WRONG), (BOOT + 2_500, Clock::None));
        assert_eq!(keeper.good(3_000, WRONG), None);
        keeper.remember(BOOT);
        assert_eq!(told(&mut keeper, 3_000, WRONG), (BOOT + 3_000, Clock::System));
    }

    #[test]
    fn a_change_of_the_source_and_a_step_begin_an_era_and_a_slow_drift_does_not() {
        let mut keeper = Timekeeper::default();
        let era = |keeper: &mut Timekeeper, up: i64, system: UnixMs| keeper.stamp(up, up, system + up).era;
        let unset = era(&mut keeper, 1_000, WRONG);
        keeper.hear_setter(Setter::Network);
        let set = era(&mut keeper, 2_000, WRONG);
        assert_ne!(unset, set);
        // The clock is stepped while the network's word for it has not changed.
        let stepped = era(&mut keeper, 3_000, BOOT);
        assert_ne!(set, stepped);
        assert_eq!(era(&mut keeper, 4_000, BOOT + 300), stepped);
        keeper.hear_receiver(BOOT + 5_100, 5_000);
        let fixed = era(&mut keeper, 5_000, BOOT);
        assert_ne!(stepped, fixed);
        for second in 6..60 {
            keeper.hear_receiver(BOOT + second * 1_000 + second * 20, second * 1_000);
            assert_eq!(era(&mut keeper, second * 1_000, BOOT), fixed);
        }
    }
}

//! The machine: samples in, legs out.

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};

use crate::{
    car::Car,
    driving::Driving,
    geo::Point,
    leg::{Leg, Trip},
    parked::{Departure, Parked},
    sample::Sample,
};

/// A sample is older than one that was fed before: see [`Machine`] for how to begin again before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sample of {ts} comes after one of {upto}: begin again before it")]
pub struct StepBack {
    /// Time of the newest sample fed.
    pub upto: UnixMs,
    /// Time of this one.
    pub ts: UnixMs,
}

/// Makes trips and stops of the samples of one vehicle, fed in the order of their time.
///
/// # Storing
/// [`Machine::feed`] gives legs that have ended and will not change. [`Machine::open`] gives the rest: those that it would
/// give if nothing more came, and the one that lasts. Whoever stores legs lets the new ones replace all that begin with or
/// after the first of them, and stores the machine, as JSON, in the same transaction. JSON must keep numbers exactly:
/// serde_json does with its feature `float_roundtrip`.
///
/// # Late data
/// A sample of an earlier time cannot be fed. To take it into account, begin again at the end of a trip: what follows depends
/// on the samples from that moment on, on the place where the trip has ended, and on nothing else that was told before.
/// That a trip has ended is known before the next one begins, so a late sample of time `late` cannot change trips before
/// the last that began before `late`:
///
/// 1. Of the trips that began before `late` take the second last, `trip` ([`Machine::boundary`] finds it).
/// 2. Delete all legs that begin at `trip.end` or later.
/// 3. Feed [`Machine::parked_at`]`(trip.to)` all samples from `trip.end` on, that moment's among them, and store what it
///    gives.
///
/// Without such a trip delete all legs and feed `Machine::default()` everything. Do not begin again where samples have
/// already been given up for their age: what is made of the rest is less than what is stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Rows of one moment are one sample: it waits for the next moment.
    pending: Option<Sample>,
    /// Where the trip before the first sample has ended.
    place: Option<Point>,
    state: Option<State>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum State {
    Parked(Box<Parked>),
    Driving(Box<Driving>),
}

impl Machine {
    /// Begins at the end of a trip: where it has ended, and with the samples from its end on.
    pub fn parked_at(place: Option<Point>) -> Self {
        Machine { place, ..Machine::default() }
    }

    /// Takes a sample, and gives the legs that have ended with it, in order.
    pub fn feed(&mut self, sample: &Sample, car: &Car) -> Result<Vec<Leg>, StepBack> {
        let sample = sample.sound();
        let mut legs = Vec::new();
        match &mut self.pending {
            Some(pending) if sample.ts < pending.ts => return Err(StepBack { upto: pending.ts, ts: sample.ts }),
            Some(pending) if sample.ts == pending.ts => pending.merge(&sample),
            pending => {
                if let Some(whole) = pending.replace(sample) {
                    self.take(&whole, car, &mut legs);
                }
            }
        }
        Ok(legs)
    }

    /// Time of the newest sample fed; `None` before the first.
    pub fn upto(&self) -> Option<UnixMs> {
        self.pending.map(|pending| pending.ts)
    }

    /// The legs after those that [`Machine::feed`] has given, as they stand if nothing more is told up to `now`: the open
    /// one is the last. The machine stays as it is, for more may come. Without `now`, as of the newest sample.
    pub fn open(&self, now: Option<UnixMs>, car: &Car) -> Vec<Leg> {
        let mut legs = Vec::new();
        let mut machine = self.clone();
        let Some(newest) = machine.pending.take() else { return legs };
        machine.take(&newest, car, &mut legs);
        let now = Sample::at(now.unwrap_or(newest.ts).max(newest.ts)).sound().ts;
        match machine.state {
            None => {}
            Some(State::Parked(parked)) => legs.push(Leg::Stop(parked.stop(None))),
            Some(State::Driving(driving)) => match driving.ended_in_silence(now, car) {
                Some(end) => {
                    legs.push(Leg::Trip(driving.ended(end, car)));
                    legs.push(Leg::Stop(driving.into_parked().stop(None)));
                }
                None => legs.push(Leg::Trip(driving.open(car))),
            },
        }
        legs
    }

    /// The trip after which to begin again to take a sample of the time `late` into account, given the vehicle's legs in
    /// order; `None` for the beginning of all.
    pub fn boundary(legs: &[Leg], late: UnixMs) -> Option<&Trip> {
        legs.iter().filter_map(Leg::trip).rev().skip_while(|trip| trip.start >= late).nth(1)
    }

    fn take(&mut self, sample: &Sample, car: &Car, legs: &mut Vec<Leg>) {
        let state = match self.state.take() {
            None => State::Parked(Box::new(Parked::at(sample, self.place.take(), car))),
            Some(State::Parked(parked)) => stand(parked, sample, car, legs),
            Some(State::Driving(mut driving)) => match driving.ended_before(sample, car) {
                Some(end) => {
                    legs.push(Leg::Trip(driving.ended(end, car)));
                    stand(Box::new(driving.into_parked()), sample, car, legs)
                }
                None => {
                    driving.step(sample, car);
                    State::Driving(driving)
                }
            },
        };
        self.state = Some(state);
    }
}

fn stand(mut parked: Box<Parked>, sample: &Sample, car: &Car, legs: &mut Vec<Leg>) -> State {
    parked.step(sample, car);
    if !parked.has_left(Departure::Trip, &car.limits) {
        return State::Parked(parked);
    }
    let stop = parked.leaving.as_ref().map(|leaving| parked.stop(Some(leaving.start)));
    // Whose first sample moves has not stopped before.
    legs.extend(stop.filter(|stop| stop.end != Some(stop.start)).map(Leg::Stop));
    let latest = parked.latest;
    match parked.leaving.take() {
        Some(leaving) => State::Driving(Box::new(Driving::departed(latest, *leaving, sample, car))),
        None => State::Parked(parked),
    }
}

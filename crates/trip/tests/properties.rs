//! What holds whatever a vehicle does and whatever is told of it.

mod road;

use bugbrother_trip::{Car, Leg, Machine, Sample};
use proptest::prelude::*;
use road::{Road, Sensors};

/// What the car does next.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Drive(f64, u32),
    Creep(u32),
    Idle(u32),
    Park(u32),
    Silence(u32),
    Carry(f64),
    Turn(f64),
    GnssOff(u32),
    ObdOff(u32),
    Jump,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (5.0..140.0f64, 5u32..400).prop_map(|(kmh, seconds)| Deed::Drive(kmh, seconds)),
        1 => (5u32..60).prop_map(Deed::Creep),
        2 => (10u32..1500).prop_map(Deed::Idle),
        3 => (5u32..900).prop_map(Deed::Park),
        2 => (5u32..1500).prop_map(Deed::Silence),
        1 => (-3000.0..3000.0f64).prop_map(Deed::Carry),
        2 => (-120.0..120.0f64).prop_map(Deed::Turn),
        1 => (10u32..900).prop_map(Deed::GnssOff),
        1 => (10u32..900).prop_map(Deed::ObdOff),
        1 => Just(Deed::Jump),
    ]
}

prop_compose! {
    fn life()(
        (gnss, obd, ignition) in (any::<bool>(), any::<bool>(), any::<bool>()),
        jitter_m in prop_oneof![Just(0.0), 1.0..30.0f64],
        every in prop_oneof![3 => Just(1usize), 1 => 2usize..40],
        thin in any::<bool>(),
        one_time in any::<bool>(),
        deeds in prop::collection::vec(deed(), 3..14),
    ) -> Vec<Sample> {
        let mut road = Road::new(Sensors { gnss: gnss || !obd, obd, ignition })
            .telling("odo", |road| 1000.0 + (road.driven_m / 100.0).floor() / 10.0)
            .telling("fuel", |road| 70.0 - road.driven_m / 10_000.0)
            .telling("maf", |road| 2.0 + road.kmh / 5.0);
        road.jitter_m = jitter_m;
        road.tell();
        for deed in deeds {
            let sensors = road.sensors;
            match deed {
                Deed::Drive(kmh, seconds) => road.drive(kmh, seconds),
                Deed::Creep(seconds) => road.drive(5.0, seconds),
                Deed::Idle(seconds) => road.idle(seconds),
                Deed::Park(seconds) => road.park(seconds),
                Deed::Silence(seconds) => road.silence(seconds),
                Deed::Carry(metres) => road.carry(metres),
                Deed::Turn(degrees) => road.turn(degrees),
                Deed::GnssOff(seconds) => {
                    road.sensors.gnss = false;
                    road.drive(60.0, seconds)
                }
                Deed::ObdOff(seconds) => {
                    road.sensors.obd = false;
                    road.drive(60.0, seconds)
                }
                Deed::Jump => {
                    if let Some(last) = road.samples.last_mut() {
                        last.lat = last.lat.map(|lat| lat + 1.0);
                    }
                    &mut road
                }
            };
            road.sensors = sensors;
        }
        let mut samples = road.samples;
        if thin {
            // Rows of their own for what the engine tells rarely.
            for (i, sample) in samples.iter_mut().enumerate() {
                if i % 7 != 0 { (sample.odo, sample.fuel) = (None, None) }
                if i % 5 == 0 { (sample.spd, sample.lat, sample.gspd) = (None, None, None) }
            }
        }
        if one_time {
            samples.iter_mut().for_each(|sample| sample.ts -= sample.ts % 1000);
        }
        samples.into_iter().step_by(every).collect()
    }
}

fn feed(machine: &mut Machine, samples: &[Sample], car: &Car) -> Vec<Leg> {
    samples.iter().flat_map(|sample| machine.feed(sample, car).expect("samples are in order")).collect()
}

/// What is left when a caller stores what a machine gives, piece by piece, as the machine's documentation says.
#[derive(Default)]
struct Stored(Vec<Leg>);

impl Stored {
    fn save(&mut self, legs: Vec<Leg>) {
        if let Some(first) = legs.first() {
            self.0.retain(|leg| leg.start() < first.start());
            self.0.extend(legs);
        }
    }
}

fn all(machine: &mut Machine, samples: &[Sample], car: &Car) -> Vec<Leg> {
    let mut legs = feed(machine, samples, car);
    legs.extend(machine.open(None, car));
    legs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_machine_that_is_stored_anywhere_gives_the_same(samples in life(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let car = Car::default();
        let mut whole = Machine::default();
        let wanted = all(&mut whole, &samples, &car);

        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(samples.len() + 1)).chain([0, samples.len()]).collect();
        cuts.sort_unstable();
        let (mut machine, mut stored) = (Machine::default(), Stored::default());
        for cut in cuts.windows(2) {
            let json = serde_json::to_string(&machine).unwrap();
            prop_assert!(json.len() < 20_000, "{}", json.len());
            machine = serde_json::from_str(&json).unwrap();
            let pieces = feed(&mut machine, &samples[cut[0]..cut[1]], &car);
            stored.save(pieces);
            // A guess of what is open is replaced when it turns out otherwise.
            stored.save(machine.open(machine.upto().map(|upto| upto + 700_000), &car));
            stored.save(machine.open(None, &car));
        }
        prop_assert_eq!(&machine, &whole);
        prop_assert_eq!(stored.0, wanted);
    }

    #[test]
    fn what_follows_a_trip_does_not_depend_on_what_was_before(samples in life()) {
        let car = Car::default();
        let legs = all(&mut Machine::default(), &samples, &car);
        for trip in legs.iter().filter_map(Leg::trip).filter(|trip| !trip.open) {
            let rest: Vec<_> = samples.iter().filter(|sample| sample.ts >= trip.end).copied().collect();
            let wanted: Vec<_> = legs.iter().filter(|leg| leg.start() >= trip.end).cloned().collect();
            prop_assert_eq!(all(&mut Machine::parked_at(trip.to), &rest, &car), wanted);
        }
    }

    #[test]
    fn late_samples_give_what_they_would_have_given_in_time(
        samples in life(), late in prop::collection::vec(any::<prop::sample::Index>(), 1..60), run in 0usize..400,
        at_start in any::<bool>(),
    ) {
        let car = Car::default();
        let wanted = all(&mut Machine::default(), &samples, &car);
        // A run of samples and some single ones come late.
        let first = late[0].index(samples.len());
        let mut is_late = vec![false; samples.len()];
        is_late.iter_mut().skip(first).take(if at_start { 0 } else { run }).for_each(|late| *late = true);
        if at_start && !wanted.is_empty() {
            // The first sample of a leg, and of what is told in that moment only a part.
            let start = wanted[late[0].index(wanted.len())].start();
            is_late.iter_mut().zip(&samples).find(|(_, sample)| sample.ts >= start).into_iter().for_each(|(late, _)| *late = true);
        } else {
            late.iter().for_each(|late| is_late[late.index(samples.len())] = true);
        }
        let in_time: Vec<_> = samples.iter().zip(&is_late).filter(|(_, late)| !**late).map(|(sample, _)| *sample).collect();
        let mut stored = Stored::default();
        stored.save(all(&mut Machine::default(), &in_time, &car));

        let earliest = samples[is_late.iter().position(|late| *late).unwrap()].ts;
        let boundary = Machine::boundary(&stored.0, earliest).cloned();
        let (from, mut machine) = match &boundary {
            Some(trip) => (trip.end, Machine::parked_at(trip.to)),
            None => (i64::MIN, Machine::default()),
        };
        stored.0.retain(|leg| leg.start() < from);
        let again: Vec<_> = samples.iter().filter(|sample| sample.ts >= from).copied().collect();
        stored.save(all(&mut machine, &again, &car));
        prop_assert_eq!(stored.0, wanted);
    }

    #[test]
    fn legs_are_in_order_touch_and_hold_what_is_possible(samples in life()) {
        let car = Car::default();
        let legs = all(&mut Machine::default(), &samples, &car);
        prop_assert_eq!(legs.first().map(Leg::start), samples.first().map(|sample| sample.ts));
        for pair in legs.windows(2) {
            prop_assert_eq!(pair[0].end(), Some(pair[1].start()));
            prop_assert!(pair[0].start() < pair[1].start());
            prop_assert!(pair[0].trip().is_some() != pair[1].trip().is_some(), "trips and stops take turns");
            prop_assert!(pair[0].trip().is_none_or(|trip| !trip.open));
        }
        for trip in legs.iter().filter_map(Leg::trip) {
            let duration = trip.duration_ms();
            prop_assert!(duration > 0);
            prop_assert!(trip.moving_ms >= 0 && trip.idle_ms >= 0 && trip.blind_ms >= 0);
            prop_assert!(trip.moving_ms + trip.idle_ms + trip.blind_ms <= duration);
            prop_assert!(trip.over_ms <= trip.moving_ms);
            for value in [Some(trip.distance_m), trip.gnss_m, trip.wheel_m, trip.odometer_m, Some(trip.gap_m), trip.fuel_l] {
                prop_assert!(value.is_none_or(|value| value >= 0.0 && value.is_finite()), "{:?}", trip);
            }
            prop_assert!(trip.distance_m <= duration as f64 / 1000.0 * 250.0 / 3.6 + 300.0, "{:?}", trip);
            prop_assert!((0.0..=250.0).contains(&trip.mean_kmh) && (0.0..=250.0).contains(&trip.max_kmh));
            prop_assert!(trip.score <= 100);
            let way = bugbrother_trip::track::decode(&trip.track).unwrap();
            prop_assert!(way.len() <= 501);
        }
        for stop in legs.iter().filter_map(Leg::stop) {
            let longest = stop.end.unwrap_or(i64::MAX) - stop.start;
            prop_assert!(stop.idle_ms >= 0 && stop.idle_ms <= longest && stop.gap_ms <= longest && stop.moved_m >= 0.0);
        }
    }
}

//! The model's physics as properties of whole drives.

use std::time::Duration;

use bugbrother_simulator::{Car, Profile, Reading, Style, demo_fleet, route::Halt};
use proptest::prelude::*;

const STEP: Duration = Duration::from_millis(250);
const STEP_S: f64 = 0.25;

fn car_of(name: &str) -> Profile {
    demo_fleet().into_iter().find(|p| p.name == name).expect("the demo has this car")
}

/// Drives for `minutes` and shows each pair of neighbouring readings.
fn drive(car: &mut Car, minutes: u32, mut see: impl FnMut(&Car, Reading, Reading)) {
    let mut before = car.reading();
    for _ in 0..minutes * 240 {
        car.step(STEP);
        let after = car.reading();
        see(car, before, after);
        before = after;
    }
}

/// Returns how many kilometres were driven.
fn obeys_physics(profile: &Profile, minutes: u32) -> f64 {
    let train = profile.drivetrain;
    let mut running_steps = 0;
    let mut car = Car::new(profile);
    drive(&mut car, minutes, |car, before, after| {
        let name = profile.name;
        let (low, high) = (before.speed_kmh.min(after.speed_kmh), before.speed_kmh.max(after.speed_kmh));
        assert!(high <= profile.style.top_speed_kmh() + 0.1, "{name} drives at {high}");

        let moved_m = before.point.distance_m(after.point);
        assert!(moved_m <= high / 3.6 * STEP_S + 0.4, "{name} jumps {moved_m} m at {low} to {high} km/h");
        let acceleration = (after.speed_kmh - before.speed_kmh) / 3.6 / STEP_S;
        assert!((-6.0..4.0).contains(&acceleration), "{name} accelerates by {acceleration}");
        assert!(after.odometer_km >= before.odometer_km);

        let refuelling = car.is_refuelling();
        assert!(after.fuel_percent <= before.fuel_percent || refuelling, "{name}'s tank fills on the road");
        assert!((5.0..=100.0).contains(&after.fuel_percent), "{name} has {} % of fuel", after.fuel_percent);
        assert!(!refuelling || !after.running);

        if after.running {
            assert!((0.0..=train.redline_rpm + 100.0).contains(&after.rpm), "{name} turns at {}", after.rpm);
            running_steps += 1;
            let started = running_steps < 8;
            assert!(started || after.rpm > train.idle_rpm * 0.8, "{name} stalls at {}", after.rpm);
            assert!(after.ignition);
        } else {
            running_steps = 0;
            assert_eq!((after.rpm, after.fuel_lph, after.maf_gps, after.speed_kmh), (0.0, 0.0, 0.0, 0.0));
        }
        let voltages = match (after.running, after.run_s < 2.0) {
            (true, false) => 13.6..14.8,
            (true, true) => 10.0..14.8,
            (false, _) => 12.0..13.0,
        };
        assert!(voltages.contains(&after.voltage), "{name}'s battery has {} V", after.voltage);
        for (what, value, range) in [
            ("load", after.load_percent, 0.0..=100.0),
            ("throttle", after.throttle_percent, 0.0..=100.0),
            ("map", after.map_kpa, 15.0..=255.0),
            ("maf", after.maf_gps, 0.0..=250.0),
            ("coolant", after.coolant_c, 5.0..=105.0),
            ("oil", after.oil_c, 5.0..=130.0),
            ("intake", after.intake_c, 0.0..=60.0),
            ("fuel rate", after.fuel_lph, 0.0..=45.0),
            ("heading", after.heading_deg, 0.0..=360.0),
            ("altitude", after.alt_m, 350.0..=900.0),
        ] {
            assert!(range.contains(&value), "{name}: {what} is {value}");
        }
    });
    car.reading().odometer_km - profile.odometer_km
}

#[test]
fn every_car_of_the_demo_obeys_physics_for_an_hour() {
    for profile in demo_fleet() {
        let driven_km = obeys_physics(&profile, 60);
        assert!(driven_km > 10.0, "{} drove {driven_km} km", profile.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_driver_in_any_car_from_anywhere_obeys_physics(
        which in 0..8usize,
        seed: u64,
        start in 0.0..1.0f64,
        style in prop::sample::select(vec![Style::Calm, Style::Brisk, Style::Hasty]),
        fuel in 0.2..1.0f64,
    ) {
        obeys_physics(&Profile { seed, start, style, fuel, ..demo_fleet()[which] }, 12);
    }
}

#[test]
fn coolant_converges_to_the_thermostat_and_stays_there() {
    for name in ["Van 12", "Courier 3", "Sales 7"] {
        let mut car = Car::new(&car_of(name));
        assert!(car.reading().coolant_c < 20.0);
        drive(&mut car, 20, |_, _, _| {});
        drive(&mut car, 20, |car, _, now| {
            assert!((78.0..98.0).contains(&now.coolant_c), "{}: {}", car.profile().name, now.coolant_c);
        });
    }
}

#[test]
fn the_hasty_courier_exceeds_130_on_the_motorway_within_a_minute() {
    let mut top = 0.0f64;
    drive(&mut Car::new(&car_of("Courier 3")), 1, |_, _, now| top = top.max(now.speed_kmh));
    assert!(top > 133.0, "{top}");
}

#[test]
fn the_parked_car_stays_for_minutes_and_then_drives() {
    let mut car = Car::new(&car_of("Pizza 4"));
    drive(&mut car, 3, |_, _, now| assert!(!now.ignition && now.speed_kmh == 0.0));
    let mut top = 0.0f64;
    drive(&mut car, 10, |_, _, now| top = top.max(now.speed_kmh));
    assert!(top > 30.0, "{top}");
}

#[test]
fn a_low_tank_is_filled_at_a_station_and_nowhere_else() {
    let station_near = |car: &Car| {
        let here = car.reading().point;
        car.profile().route.waypoints.iter().any(|w| w.halt == Some(Halt::Station) && w.point.distance_m(here) < 30.0)
    };
    let profile = Profile { fuel: 0.2, ..car_of("Nurse 2") };
    let mut filled = false;
    drive(&mut Car::new(&profile), 60, |car, before, after| {
        if after.fuel_percent > before.fuel_percent {
            assert!(station_near(car));
            filled |= after.fuel_percent > 99.0;
        }
    });
    assert!(filled);
}

#[test]
fn a_stop_start_engine_stands_at_lights_with_the_ignition_on() {
    let mut stood = false;
    drive(&mut Car::new(&car_of("Shuttle 1")), 150, |_, _, now| stood |= now.ignition && !now.running);
    assert!(stood);
}

#[test]
fn the_same_seed_drives_the_same_and_another_one_does_not() {
    let run = |seed| {
        let mut car = Car::new(&Profile { seed, ..car_of("Van 15") });
        car.step(Duration::from_secs(300));
        car.reading()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_car_goes_on_from_where_it_was_left_with_what_was_in_its_tank() {
    for profile in demo_fleet() {
        let mut before = Car::new(&profile);
        for minutes in [3, 11, 40] {
            drive(&mut before, minutes, |_, _, _| {});
            let left = before.reading();
            let after = Car::new(&profile.left(left.point, left.fuel_percent / 100.0, left.odometer_km)).reading();
            assert!(after.point.distance_m(left.point) < 5.0, "{}: {:?} {:?}", profile.name, after.point, left.point);
            assert!((after.fuel_percent - left.fuel_percent).abs() < 0.01 && after.odometer_km == left.odometer_km);
        }
        let nowhere = profile.left(bugbrother_simulator::geo::Point { lat: 0.0, lon: 0.0 }, 0.5, 10.0);
        assert_eq!((nowhere.start, nowhere.fuel), (profile.start, 0.5));
    }
}

#[test]
fn a_car_in_the_workshop_answers_with_its_engine_off() {
    let mut car = Car::new(&Profile { in_workshop: true, ..car_of("Pool 5") });
    drive(&mut car, 60, |_, _, now| {
        assert!(now.ignition && !now.running && now.rpm == 0.0 && now.speed_kmh == 0.0);
        assert!((13.2..14.0).contains(&now.voltage), "a charger is at its battery: {}", now.voltage);
    });
}

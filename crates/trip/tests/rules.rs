//! Each rule of `docs/trips.md`, on a made-up road.

mod road;

use bugbrother_trip::{Car, DistanceFrom, End, Fuel, FuelFrom, Leg, Machine, Sample, track};
use road::{ALL, GNSS, HOME, OBD, Road, START, Tell, legs_of, stops, trips};

const MINUTE: u32 = 60;

fn near(value: f64, wanted: f64, by: f64) -> bool {
    (value - wanted).abs() <= by
}

/// Parks, drives 5 km at 60 km/h, parks.
fn errand(road: &mut Road) -> &mut Road {
    road.park(10 * MINUTE).drive(60.0, 5 * MINUTE).park(10 * MINUTE)
}

#[test]
fn a_drive_between_two_parkings_is_one_trip_whoever_tells_of_it() {
    for sensors in [ALL, GNSS, OBD] {
        let mut road = Road::new(sensors);
        errand(&mut road);
        let legs = legs_of(&road.samples, &Car::default());
        assert_eq!(legs.len(), 3, "{sensors:?}: {legs:#?}");
        let (trip, first) = (trips(&legs)[0], stops(&legs)[0]);
        assert_eq!((first.start - START) / 1000, 1, "{sensors:?}");
        assert_eq!(first.end, Some(trip.start));
        assert!(near(trip.start as f64, (START + 601_000) as f64, 1000.0), "{sensors:?}: {}", trip.start - START);
        // 12 s to brake from 60 km/h; the last below 3 km/h counts as standing.
        assert!(near(trip.end as f64, (START + 912_000) as f64, 1500.0), "{sensors:?}: {}", trip.end - START);
        assert!(near(trip.distance_m, road.driven_m, 60.0), "{sensors:?}: {} of {}", trip.distance_m, road.driven_m);
        assert!(near(trip.max_kmh, 60.0, 0.1) && near(trip.mean_kmh, 57.7, 1.5), "{trip:?}");
        assert_eq!((trip.open, trip.score, trip.blind_ms, trip.gap_m), (false, 100, 0, 0.0), "{trip:?}");
        assert_eq!(trip.ended, Some(if sensors.ignition { End::Off } else { End::Still }));
        assert_eq!(stops(&legs)[1].end, None);
        assert_eq!(stops(&legs)[1].start, trip.end);
        assert_eq!(trip.from.is_some(), sensors.gnss);
    }
}

#[test]
fn a_trip_has_its_places_and_its_way() {
    let mut road = Road::new(GNSS);
    road.park(60).drive(50.0, 120).turn(-90.0).drive(50.0, 120).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    let trip = trips(&legs)[0];
    assert!(trip.from.unwrap().distance_m(HOME) < 5.0);
    assert!(trip.to.unwrap().distance_m(road.point()) < 5.0);
    let way = track::decode(&trip.track).unwrap();
    assert!((3..=4).contains(&way.len()), "a corner and two ends: {way:?}");
    assert!(stops(&legs)[1].position.unwrap().distance_m(road.point()) < 5.0);
}

#[test]
fn a_receiver_that_jitters_all_night_makes_no_trip() {
    let mut road = Road::new(GNSS);
    road.jitter_m = 25.0;
    road.park(8 * 60 * MINUTE);
    // A reflection: 140 m off for a minute, with the speed that jumps make.
    road.jitter_m = 3.0;
    for _ in 0..3 {
        road.carry(140.0).park(60).carry(-140.0).park(20 * MINUTE);
    }
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 0, "{legs:#?}");
    assert_eq!(stops(&legs).len(), 1);
    assert!(stops(&legs)[0].position.unwrap().distance_m(HOME) < 10.0);
}

#[test]
fn a_receiver_without_speed_is_enough() {
    let mut road = Road::new(GNSS);
    road.jitter_m = 4.0;
    errand(&mut road);
    for sample in &mut road.samples {
        (sample.gspd, sample.hdg) = (None, None);
    }
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
    let trip = trips(&legs)[0];
    assert!(near(trip.start as f64, (START + 601_000) as f64, 20_000.0), "{}", trip.start - START);
    assert!(near(trip.end as f64, (START + 912_000) as f64, 20_000.0), "{}", trip.end - START);
    assert!(near(trip.distance_m, road.driven_m, 300.0), "{} of {}", trip.distance_m, road.driven_m);
}

#[test]
fn a_tracker_that_tells_once_a_minute_is_enough() {
    let mut road = Road::new(GNSS);
    road.park(30 * MINUTE).drive(60.0, 20 * MINUTE).park(30 * MINUTE);
    let sparse: Vec<_> = road.samples.iter().step_by(60).copied().collect();
    let legs = legs_of(&sparse, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
    assert!(near(trips(&legs)[0].distance_m, road.driven_m, 1100.0), "{}", trips(&legs)[0].distance_m);
}

#[test]
fn a_tracker_that_tells_once_in_four_minutes_makes_a_trip_of_gaps() {
    let mut road = Road::new(GNSS);
    road.park(30 * MINUTE).drive(60.0, 60 * MINUTE).park(60 * MINUTE);
    let sparse: Vec<_> = road.samples.iter().step_by(240).copied().collect();
    let legs = legs_of(&sparse, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
    let trip = trips(&legs)[0];
    assert!(trip.distance_m < 100.0 && near(trip.gap_m, road.driven_m, 8500.0), "{trip:#?}");
    assert!(near(trip.blind_ms as f64, trip.duration_ms() as f64, 1.0));
}

#[test]
fn a_red_light_of_three_minutes_is_no_stop_with_or_without_an_engine_that_stops_for_it() {
    for sensors in [GNSS, OBD, ALL] {
        let mut road = Road::new(sensors);
        road.park(MINUTE).drive(50.0, 5 * MINUTE).idle(3 * MINUTE).drive(50.0, 5 * MINUTE).park(10 * MINUTE);
        let legs = legs_of(&road.samples, &Car::default());
        assert_eq!(trips(&legs).len(), 1, "{sensors:?}: {legs:#?}");
        assert!(near(trips(&legs)[0].distance_m, road.driven_m, 100.0), "{sensors:?}");
    }
    // Start and stop: the engine is off, the ignition is not, as far as anybody knows.
    let mut road = Road::new(OBD);
    road.drive(50.0, 5 * MINUTE).park(3 * MINUTE).drive(50.0, 5 * MINUTE).park(10 * MINUTE);
    assert_eq!(trips(&legs_of(&road.samples, &Car::default())).len(), 1);
}

#[test]
fn an_ignition_that_is_off_for_a_minute_makes_a_stop() {
    let mut road = Road::new(ALL);
    road.drive(50.0, 5 * MINUTE).park(MINUTE).drive(50.0, 5 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 2, "{legs:#?}");
    assert_eq!(trips(&legs)[0].ended, Some(End::Off));
    assert!(trips(&legs)[1].open);
}

#[test]
fn idling_for_ten_minutes_is_part_of_the_trip_and_for_thirty_it_is_a_stop() {
    let mut road = Road::new(ALL);
    road.drive(50.0, 5 * MINUTE).idle(10 * MINUTE).drive(50.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
    let trip = trips(&legs)[0];
    assert!(near(trip.idle_ms as f64, 600_000.0, 3000.0), "{}", trip.idle_ms);
    assert!(near(trip.moving_ms as f64, 620_000.0, 5000.0), "{}", trip.moving_ms);
    assert!(near(trip.duration_ms() as f64, (trip.idle_ms + trip.moving_ms) as f64, 2000.0));

    let mut road = Road::new(ALL);
    road.drive(50.0, 5 * MINUTE).idle(30 * MINUTE).drive(50.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 2, "{legs:#?}");
    assert!(near(stops(&legs)[0].idle_ms as f64, 1_800_000.0, 5000.0), "{:?}", stops(&legs)[0]);
    assert!(trips(&legs)[0].idle_ms < 3000);
}

#[test]
fn a_jam_is_not_a_stop() {
    let mut road = Road::new(GNSS);
    road.drive(50.0, 5 * MINUTE);
    for _ in 0..20 {
        road.halt().park(70).drive(8.0, 15);
    }
    road.drive(50.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
}

#[test]
fn a_hop_across_the_yard_is_no_trip() {
    for sensors in [GNSS, OBD, ALL] {
        let mut road = Road::new(sensors);
        road.park(10 * MINUTE).drive(10.0, 20).park(10 * MINUTE);
        assert!(road.driven_m > 40.0 && road.driven_m < 90.0);
        let legs = legs_of(&road.samples, &Car::default());
        assert_eq!(trips(&legs).len(), 0, "{sensors:?}: {legs:#?}");
        assert_eq!(stops(&legs).len(), 1);
    }
}

#[test]
fn a_car_whose_ignition_is_off_must_be_moved_far_before_that_is_a_trip() {
    let moved = |seconds| {
        let mut road = Road::new(ALL);
        road.park(10 * MINUTE).drive(40.0, seconds).park(10 * MINUTE);
        for sample in &mut road.samples {
            (sample.spd, sample.rpm, sample.ign) = (None, None, sample.ign.map(|_| 0.0));
        }
        (road.driven_m, trips(&legs_of(&road.samples, &Car::default())).len())
    };
    let (pulled_m, trips) = moved(30);
    assert!((200.0..450.0).contains(&pulled_m));
    assert_eq!(trips, 0);
    assert_eq!(moved(300).1, 1);
}

#[test]
fn a_tunnel_in_which_nothing_is_told_is_marked_and_not_invented() {
    let mut road = Road::new(GNSS);
    road.drive(80.0, 5 * MINUTE).silence(4 * MINUTE).drive(80.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
    let trip = trips(&legs)[0];
    let tunnel_m = 80.0 / 3.6 * 241.0;
    assert!(near(trip.gap_m, tunnel_m, 30.0), "{}", trip.gap_m);
    assert!(near(trip.distance_m + tunnel_m, road.driven_m, 60.0), "{} of {}", trip.distance_m, road.driven_m);
    assert!(near(trip.blind_ms as f64, 241_000.0, 1.0));
    assert_eq!(trip.distance_from, DistanceFrom::Gnss);
}

#[test]
fn a_tunnel_in_which_the_wheels_tell_is_driven() {
    let mut road = Road::new(ALL);
    road.drive(80.0, 5 * MINUTE);
    road.sensors.gnss = false;
    road.drive(80.0, 15 * MINUTE);
    road.sensors.gnss = true;
    road.drive(80.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
    let trip = trips(&legs)[0];
    assert!(near(trip.distance_m, road.driven_m, 100.0), "{} of {}", trip.distance_m, road.driven_m);
    assert!(trip.gap_m > 19_000.0 && trip.gnss_m.unwrap() < 15_000.0 && trip.blind_ms == 0, "{trip:?}");
}

#[test]
fn an_odometer_knows_what_was_driven_in_a_tunnel() {
    let mut road = Road::new(ALL).telling("odo", |road| 52_000.0 + (road.driven_m / 100.0).floor() / 10.0);
    road.park(MINUTE).drive(80.0, 5 * MINUTE).silence(4 * MINUTE).drive(80.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    let trip = trips(&legs)[0];
    assert_eq!((trips(&legs).len(), trip.distance_from), (1, DistanceFrom::Odometer));
    assert!(near(trip.distance_m, road.driven_m, 101.0), "{} of {}", trip.distance_m, road.driven_m);
}

#[test]
fn a_ferry_is_a_stop_that_was_moved() {
    for sensors in [GNSS, ALL] {
        let mut road = Road::new(sensors);
        road.drive(50.0, 5 * MINUTE).park(MINUTE);
        let harbour = road.point();
        road.carry(30_000.0).silence(90 * MINUTE).drive(50.0, 5 * MINUTE).park(10 * MINUTE);
        let legs = legs_of(&road.samples, &Car::default());
        assert_eq!(trips(&legs).len(), 2, "{sensors:?}: {legs:#?}");
        let stop = stops(&legs)[0];
        assert!(near(stop.moved_m, 30_000.0, 200.0), "{stop:?}");
        assert!(stop.position.unwrap().distance_m(harbour) < 10.0);
        assert!(near(stop.gap_ms as f64, 5_400_000.0, 2000.0), "{stop:?}");
        let driven: f64 = trips(&legs).iter().map(|trip| trip.distance_m).sum();
        assert!(near(driven, road.driven_m, 120.0), "{driven} of {}", road.driven_m);
    }
}

#[test]
fn wheels_that_stand_still_on_a_ferry_are_believed() {
    let mut road = Road::new(ALL);
    road.drive(50.0, 5 * MINUTE).idle(60);
    for _ in 0..40 * MINUTE {
        road.carry(8.0).idle(1);
    }
    road.drive(50.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 2, "{legs:#?}");
    assert!(near(stops(&legs)[0].moved_m, 19_200.0, 500.0), "{:?}", stops(&legs)[0]);
    let driven: f64 = trips(&legs).iter().map(|trip| trip.distance_m).sum();
    assert!(near(driven, road.driven_m, 150.0), "{driven} of {}", road.driven_m);
}

#[test]
fn a_dead_agent_ends_the_trip_at_its_last_sample() {
    let mut road = Road::new(ALL);
    road.drive(80.0, 5 * MINUTE);
    let last = road.ts;
    road.silence(15 * MINUTE).drive(80.0, 5 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 2, "{legs:#?}");
    assert_eq!((trips(&legs)[0].end, trips(&legs)[0].ended), (last + 300, Some(End::Gap)));
    assert!(near(stops(&legs)[0].moved_m, 20_000.0, 300.0), "{:?}", stops(&legs)[0]);
    assert!(trips(&legs)[1].distance_m < 7500.0);
}

#[test]
fn an_agent_that_sleeps_with_the_car_leaves_a_trip_that_ended_where_it_stood() {
    let mut road = Road::new(ALL);
    road.drive(50.0, 5 * MINUTE).halt();
    let stood = road.ts;
    road.park(10);
    let car = Car::default();
    let mut machine = Machine::default();
    road.samples.iter().for_each(|sample| assert!(machine.feed(sample, &car).unwrap().is_empty()));
    assert!(machine.open(None, &car)[0].trip().unwrap().open);
    let before = machine.clone();
    let later = machine.open(Some(road.ts + 60_000), &car);
    assert_eq!(machine, before);
    let trip = later[0].trip().unwrap();
    assert_eq!((later.len(), trip.open, trip.ended), (2, false, Some(End::Off)));
    assert!(near(trip.end as f64, stood as f64, 1500.0), "{}", stood - trip.end);
    assert_eq!(later[1].stop().unwrap().end, None);

    // In the morning it is the same, and the night is a stop.
    road.silence(8 * 60 * MINUTE).park(30).drive(50.0, 60);
    let legs = legs_of(&road.samples, &car);
    assert_eq!(legs[0], later[0]);
    assert!(legs[1].end().unwrap() - legs[1].start() > 8 * 3_600_000);
    assert_eq!(stops(&legs)[0].moved_m, 0.0);
    assert!(trips(&legs)[1].from.unwrap().distance_m(trip.to.unwrap()) < 5.0);
}

#[test]
fn a_drive_over_midnight_is_one_trip() {
    let mut road = Road::new(ALL);
    let day = 86_400_000;
    road.ts = (START / day + 1) * day - 300_000;
    errand(&mut road);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 1);
    let mut road = Road::new(ALL);
    road.ts = (START / day + 1) * day - 300_000;
    road.drive(60.0, 10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!((legs.len(), trips(&legs)[0].start / day + 1), (1, trips(&legs)[0].end / day));
}

#[test]
fn a_plausible_odometer_is_believed_before_the_receiver_and_a_wrong_one_is_not() {
    let distance = |odo: Tell| {
        let mut road = Road::new(ALL).telling("odo", odo);
        errand(&mut road);
        let legs = legs_of(&road.samples, &Car::default());
        let trip = trips(&legs)[0];
        (trip.distance_from, trip.distance_m / road.driven_m, trip.odometer_m.is_some())
    };
    let (from, share, _) = distance(|road| 1000.0 + road.driven_m * 1.02 / 1000.0);
    assert_eq!(from, DistanceFrom::Odometer);
    assert!(near(share, 1.02, 0.01), "{share}");
    // In miles, standing still, running backwards.
    for odo in [|road| road.driven_m / 1609.0, |_| 52_000.0, |road| 9000.0 - road.driven_m / 1000.0] as [Tell; 3] {
        let (from, share, _) = distance(odo);
        assert_eq!(from, DistanceFrom::Gnss);
        assert!(near(share, 1.0, 0.02), "{share}");
    }
    assert!(!distance(|road| 9000.0 - road.driven_m / 1000.0).2);
}

#[test]
fn fuel_is_the_rate_then_the_air_flow_then_the_level() {
    let car = Car { fuel: Fuel::Petrol, tank_l: Some(50.0), price_per_l: Some(2.0), ..Car::default() };
    let used = |road: Road, car: &Car| {
        let mut road = road;
        road.park(60).drive(60.0, 30 * MINUTE).park(10 * MINUTE);
        let legs = legs_of(&road.samples, car);
        let trip = trips(&legs)[0].clone();
        (trip.fuel_from, trip.fuel_l.unwrap_or(-1.0), trip)
    };
    let level = || Road::new(ALL).telling("fuel", |road| 80.0 - road.driven_m / 1000.0 * 0.2);
    let air = || level().telling("maf", |_| 12.0);
    let rate = || air().telling("frate", |_| 6.0);

    let (from, litres, trip) = used(rate(), &car);
    assert_eq!(from, Some(FuelFrom::Rate));
    assert!(near(litres, 6.0 * trip.duration_ms() as f64 / 3.6e6, 0.01), "{litres}");
    assert!(near(trip.cost.unwrap(), litres * 2.0, 1e-9) && near(trip.co2_kg.unwrap(), litres * 2.287, litres * 0.001));

    // 12 g/s · 3600 / (14.7 · 745 g/l) = 3.94 l/h
    let (from, litres, trip) = used(air(), &car);
    assert_eq!(from, Some(FuelFrom::AirFlow));
    assert!(near(litres, 3.945 * trip.duration_ms() as f64 / 3.6e6, 0.01), "{litres}");
    let diesel = used(air(), &Car { fuel: Fuel::Diesel, ..car.clone() });
    assert!(near(diesel.1 / litres, 14.7 * 745.0 / (14.5 * 832.0), 1e-6));
    assert!(near(diesel.2.co2_kg.unwrap() / diesel.1, 2.651, 0.001));

    let (from, litres, _) = used(level(), &car);
    assert_eq!(from, Some(FuelFrom::Level));
    assert!(near(litres, 30.0 * 0.2 / 100.0 * 50.0, 0.1), "{litres}");
    assert_eq!(used(level(), &Car::default()).0, None, "a tank of unknown size");
    assert_eq!(used(Road::new(ALL), &car).0, None);
}

#[test]
fn a_tank_that_was_filled_on_the_way_tells_nothing_of_what_was_burnt() {
    let car = Car { tank_l: Some(50.0), ..Car::default() };
    let mut road = Road::new(ALL)
        .telling("fuel", |road| if road.driven_m > 8000.0 { 95.0 } else { 30.0 - road.driven_m / 1000.0 });
    road.drive(60.0, 20 * MINUTE).park(10 * MINUTE);
    assert_eq!(trips(&legs_of(&road.samples, &car))[0].fuel_l, None);
}

#[test]
fn an_electric_car_uses_its_battery_and_burns_nothing() {
    let car = Car { fuel: Fuel::Electric, battery_kwh: Some(60.0), price_per_kwh: Some(0.3), ..Car::default() };
    let mut road = Road::new(ALL).telling("soc", |road| 80.0 - road.driven_m / 1000.0 * 0.3);
    road.drive(60.0, 30 * MINUTE).park(10 * MINUTE);
    let legs = legs_of(&road.samples, &car);
    let trip = trips(&legs)[0];
    assert!(near(trip.energy_kwh.unwrap(), 30.0 * 0.003 * 60.0, 0.2), "{trip:?}");
    assert!(near(trip.cost.unwrap(), trip.energy_kwh.unwrap() * 0.3, 1e-9));
    assert_eq!((trip.fuel_l, trip.co2_kg), (None, Some(0.0)));
}

#[test]
fn over_speed_and_harsh_driving_cost_points() {
    let mut road = Road::new(ALL);
    road.drive(150.0, 10 * MINUTE);
    for _ in 0..5 {
        let before = road.kmh;
        road.kmh -= 30.0;
        road.second(before - 30.0);
        road.drive(150.0, 30);
    }
    road.park(10 * MINUTE);
    let legs = legs_of(&road.samples, &Car::default());
    let trip = trips(&legs)[0];
    assert_eq!((trip.harsh_brakings, trip.harsh_accelerations, trip.harsh_cornerings), (5, 0, 0), "{trip:?}");
    assert!(trip.over_ms > 500_000 && trip.score < 70, "{trip:?}");
}

#[test]
fn rows_of_one_moment_are_one_sample() {
    let mut road = Road::new(ALL);
    errand(&mut road);
    let mut apart = road.samples.clone();
    for sample in &mut apart {
        sample.ts -= sample.ts % 1000;
    }
    let mut whole: Vec<Sample> = Vec::new();
    for pair in apart.chunks(2) {
        let [fix, mut engine] = [pair[0], pair[1]];
        (engine.lat, engine.lon, engine.gspd, engine.hdg) = (fix.lat, fix.lon, fix.gspd, fix.hdg);
        whole.push(engine);
    }
    let swapped: Vec<_> = apart.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    let legs = legs_of(&apart, &Car::default());
    assert_eq!(trips(&legs).len(), 1);
    assert_eq!(legs, legs_of(&whole, &Car::default()));
    assert_eq!(legs, legs_of(&swapped, &Car::default()));
}

#[test]
fn a_step_back_in_time_is_refused_and_changes_nothing() {
    let mut road = Road::new(ALL);
    errand(&mut road);
    let mut machine = Machine::default();
    let car = Car::default();
    road.samples.iter().for_each(|sample| drop(machine.feed(sample, &car).unwrap()));
    let before = machine.clone();
    let back = machine.feed(&Sample::at(road.samples.last().unwrap().ts - 1), &car).unwrap_err();
    assert_eq!((Some(back.upto), back.ts), (machine.upto(), road.samples.last().unwrap().ts - 1));
    assert_eq!(machine, before);
    assert_eq!(machine.upto(), Some(road.ts + 300));
}

#[test]
fn a_wrong_position_is_not_driven_to() {
    let mut road = Road::new(GNSS);
    errand(&mut road);
    let n = road.samples.len();
    for i in [n / 3, n / 2, n / 2 + 1] {
        road.samples[i].lat = Some(10.0);
    }
    let legs = legs_of(&road.samples, &Car::default());
    assert_eq!(trips(&legs).len(), 1, "{legs:#?}");
    assert!(near(trips(&legs)[0].distance_m, road.driven_m, 60.0), "{}", trips(&legs)[0].distance_m);
}

#[test]
fn impossible_times_and_numbers_do_no_harm() {
    let car = Car::default();
    let mut machine = Machine::default();
    for (i, ts) in [i64::MIN, -1, 0, START, i64::MAX - 1, i64::MAX].into_iter().enumerate() {
        let mut sample = Sample::at(ts);
        (sample.lat, sample.lon, sample.gspd, sample.odo) =
            (Some(46.0), Some(f64::NAN), Some(f64::INFINITY), Some(i as f64));
        assert_eq!(machine.feed(&sample, &car), Ok(Vec::new()));
    }
    let legs = machine.open(Some(i64::MAX), &car);
    assert_eq!((legs.len(), stops(&legs)[0].position), (1, None));
    let json = serde_json::to_string(&machine).unwrap();
    assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
}

#[test]
fn a_machine_without_samples_has_no_legs() {
    let machine = Machine::default();
    assert_eq!((machine.upto(), machine.open(Some(START), &Car::default())), (None, Vec::<Leg>::new()));
}

#[test]
fn a_machine_is_small_however_long_the_trip() {
    let mut road = Road::new(ALL);
    let car = Car::default();
    for i in 0..200 {
        road.turn(f64::from(i * 37 % 120 - 60)).drive(90.0, 100);
    }
    let mut machine = Machine::default();
    road.samples.iter().for_each(|sample| drop(machine.feed(sample, &car).unwrap()));
    let json = serde_json::to_string(&machine).unwrap();
    assert!(json.len() < 16_000, "{}", json.len());
    assert_eq!(serde_json::from_str::<Machine>(&json).unwrap(), machine);
}

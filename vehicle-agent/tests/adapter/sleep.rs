//! A car whose engine is off is left alone, and found awake again.

use std::time::Duration;

use bugbrother_agent::obd::{Pace, Phase};
use bugbrother_simulator::{
    elm::Model,
    mock::{Mock, cars},
};
use bugbrother_wire::message::EventKind;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bench::{Car, link};

async fn connect(mock: &Mock) -> (Car, DropGuard) {
    let (stop, ms) = (CancellationToken::new(), Duration::from_millis);
    let pace = Pace { search_every: ms(50), silent_after: ms(200), sleep_after: ms(600), look_every: ms(300) };
    let car = Car::connect_with(link(mock.listen(stop.clone()).await.unwrap()), pace, "/nowhere");
    (car, stop.drop_guard())
}

/// A car whose ignition was just switched off.
async fn parked(model: Model) -> (Car, Mock, DropGuard) {
    let mock = Mock::new(model, cars::automatic());
    let (mut car, stop) = connect(&mock).await;
    car.value("rpm").await;
    mock.car(|car| (car.awake, car.voltage) = (false, 12.6));
    assert_eq!(car.value("ign").await, 0.0);
    assert_eq!(car.phase(Phase::Asleep).await.voltage, Some(12.6));
    // Else an adapter on a K-line keeps the ECU awake.
    while !mock.heard().contains(&"ATPC".to_owned()) {
        tokio::task::yield_now().await;
    }
    (car, mock, stop)
}

/// Whether something was asked of the car, and not of the adapter.
fn asks_the_car(heard: &[String]) -> bool {
    heard.iter().any(|command| !command.starts_with("AT"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_car_is_asked_nothing_until_its_battery_is_charged() {
    for model in [Model::GENUINE, Model::CLONE] {
        let (mut car, mock, _stop) = parked(model).await;
        // Several looks at the battery, which sinks.
        for voltage in [12.4, 12.2, 12.0] {
            mock.car(|car| car.voltage = voltage);
            while car.value("vbat").await != voltage {}
        }
        let heard = mock.heard();
        assert!(heard.contains(&"ATRV".to_owned()) && !asks_the_car(&heard), "{heard:?}");
        let sleeps = heard.iter().filter(|command| *command == "ATLP").count();
        assert_eq!(sleeps >= 2, model.unknown.is_empty(), "who knows no sleep is not sent to sleep again: {heard:?}");
        mock.car(|car| (car.awake, car.voltage) = (true, 14.2));
        assert_eq!(car.value("ign").await, 1.0);
        assert_eq!(car.value("rpm").await, 1303.75);
        car.phase(Phase::Running).await;
        car.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_that_moves_is_asked_again() {
    let (mut car, mock, _stop) = parked(Model::GENUINE).await;
    mock.car(|car| car.awake = true);
    car.moving.send_replace(true);
    assert_eq!(car.value("ign").await, 1.0);
    assert_eq!(car.value("rpm").await, 1303.75);
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_that_is_towed_is_not_asked_all_the_way() {
    let (mut car, mock, _stop) = parked(Model::GENUINE).await;
    car.moving.send_replace(true);
    car.phase(Phase::Off).await;
    car.phase(Phase::Asleep).await;
    mock.heard();
    for voltage in [12.5, 12.3] {
        mock.car(|car| car.voltage = voltage);
        while car.value("vbat").await != voltage {}
    }
    assert!(!asks_the_car(&mock.heard()));
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_comes_and_goes_does_not_wake_a_car_that_sleeps() {
    let (mut car, mock, _stop) = parked(Model::GENUINE).await;
    for _ in 0..2 {
        mock.unplug();
        assert_eq!(car.event().await, EventKind::AdapterUnplugged);
        assert_eq!(car.event().await, EventKind::AdapterPlugged);
        car.phase(Phase::Asleep).await;
    }
    let heard = mock.heard();
    assert!(heard.contains(&"ATRV".to_owned()) && !asks_the_car(&heard), "{heard:?}");
    // In a car that drives it is awake.
    mock.unplug();
    mock.car(|car| (car.awake, car.voltage) = (true, 14.2));
    assert_eq!(car.value("rpm").await, 1303.75);
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ecu_that_stays_awake_as_long_as_it_is_asked_is_left_alone_too() {
    let mut virtual_car = cars::automatic();
    // The key is on, and the engine off.
    let engine = &mut virtual_car.units[0];
    engine.pids.extend([(0x0C, vec![0, 0]), (0x0D, vec![0]), (0x42, vec![0x30, 0xD4])]);
    virtual_car.units[1].pids.insert(0x0D, vec![0]);
    virtual_car.voltage = 12.5;
    let mock = Mock::new(Model::GENUINE, virtual_car);
    let (mut car, _stop) = connect(&mock).await;
    assert_eq!(car.values(["rpm", "spd", "vbat", "ign"]).await, [0.0, 0.0, 12.5, 1.0]);
    car.phase(Phase::Asleep).await;
    assert_eq!(car.value("ign").await, 0.0);
    mock.heard();
    mock.car(|car| car.voltage = 12.3);
    while car.value("vbat").await != 12.3 {}
    assert!(!asks_the_car(&mock.heard()));
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_codes_wakes_a_car_that_sleeps() {
    let (mut car, mock, _stop) = parked(Model::GENUINE).await;
    let refused = car.read_codes().await.unwrap_err();
    assert!(refused.contains("ignition"), "{refused}");
    car.phase(Phase::Asleep).await;
    mock.car(|car| car.awake = true);
    assert_eq!(car.read_codes().await.unwrap().dtcs.len(), 5);
    car.end().await;
}

//! What is done because somebody wants it: reading and clearing codes.

use bugbrother_kit::port;
use bugbrother_simulator::{
    elm::{Model, bus::Protocol},
    mock::{Mock, VirtualCar, cars},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bench::{Car, codes, link};

async fn connect(car: VirtualCar) -> (Car, Mock, DropGuard) {
    let (mock, stop) = (Mock::new(Model::GENUINE, car), CancellationToken::new());
    let car = Car::connect(link(mock.listen(stop.clone()).await.unwrap()));
    (car, mock, stop.drop_guard())
}

/// The engine stands, the ignition is on.
fn standing(mut car: VirtualCar) -> VirtualCar {
    for unit in &mut car.units {
        unit.pids.extend([(0x0C, vec![0, 0]), (0x0D, vec![0])]);
    }
    car
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_read_at_once_and_told_though_they_are_no_news() {
    let (mut car, mock, _stop) = connect(cars::automatic()).await;
    let first = car.troubles().await;
    assert_eq!(car.read_codes().await.unwrap(), first);
    assert_eq!(car.troubles().await, first);
    mock.car(|car| car.units[1].stored.push(0x0740));
    let second = car.read_codes().await.unwrap();
    assert_eq!(second.dtcs.len(), first.dtcs.len() + 1);
    assert_eq!(car.troubles().await, second);
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_cleared_with_the_engine_off_and_what_is_left_is_told() {
    let (mut car, _mock, _stop) = connect(standing(cars::automatic())).await;
    let before = car.troubles().await;
    assert_eq!((before.dtcs.len(), before.mil, before.freeze_frame.is_some()), (5, Some(true), true));
    let left = car.clear_codes().await.unwrap();
    assert_eq!(codes(&left).len(), 1, "no tool clears a permanent one");
    assert_eq!((left.mil, &left.freeze_frame), (Some(false), &None));
    assert_eq!(car.troubles().await, left);
    car.end().await;

    let (mut car, mock, _stop) = connect(standing(cars::petrol_2003(Protocol::Iso9141))).await;
    car.troubles().await;
    assert_eq!(car.clear_codes().await.unwrap().dtcs, []);
    assert!(mock.car(|car| car.units[0].stored.is_empty()));
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_not_cleared_while_it_would_be_wrong() {
    let mut rolling = standing(cars::automatic());
    rolling.units[0].pids.insert(0x0D, vec![10]);
    let mut refusing = standing(cars::automatic());
    for unit in &mut refusing.units {
        unit.refuses.insert(vec![0x04], 0x22);
    }
    let mut mute = standing(cars::automatic());
    mute.units[0].refuses.insert(vec![0x01, 0x0C], 0x12);
    mute.units[1].refuses.insert(vec![0x01, 0x0C], 0x12);
    for (car, part) in [
        (cars::automatic(), "the engine runs"),
        (rolling, "the vehicle moves"),
        (refusing, "the car refuses"),
        (mute, "does not say whether the engine runs"),
    ] {
        let (mut car, mock, _stop) = connect(car).await;
        car.troubles().await;
        let refused = car.clear_codes().await.unwrap_err();
        assert!(refused.contains(part), "{refused}");
        assert_eq!(mock.car(|car| car.units[0].stored.len()), 2);
        car.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_giver_has_left_is_not_carried_out() {
    let (mut car, mock, _stop) = connect(standing(cars::automatic())).await;
    car.troubles().await;
    car.give_up().await;
    car.read_codes().await.unwrap();
    assert!(!mock.heard().contains(&"04".to_owned()));
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_adapter_every_task_is_refused() {
    let nobody = port::local(port::free().unwrap());
    let mut car = Car::connect(link(nobody));
    for refused in [car.read_codes().await, car.clear_codes().await] {
        assert!(refused.unwrap_err().starts_with("no adapter"));
    }
    car.end().await;
}

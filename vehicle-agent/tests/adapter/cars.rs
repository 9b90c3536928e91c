//! Cars of every kind behind adapters of every kind: what is read of them, to the last digit.

use bugbrother_agent::obd::CarVin;
use bugbrother_simulator::{
    elm::{Model, bus::Protocol},
    mock::{Mock, VirtualCar, cars},
};
use bugbrother_wire::message::{DtcStatus::*, EcuDeclaration};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bench::{Car, codes, frozen, link};

async fn connect(model: Model, car: VirtualCar) -> (Car, Mock, DropGuard) {
    let (mock, stop) = (Mock::new(model, car), CancellationToken::new());
    let car = Car::connect(link(mock.listen(stop.clone()).await.unwrap()));
    (car, mock, stop.drop_guard())
}

fn list(
    codes: &[(&str, bugbrother_wire::message::DtcStatus, &str)],
) -> Vec<(String, bugbrother_wire::message::DtcStatus, Option<String>)> {
    let known = |ecu: &str| (!ecu.is_empty()).then(|| ecu.to_owned());
    codes.iter().map(|(code, status, ecu)| ((*code).to_owned(), *status, known(ecu))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_petrol_car_of_2003_is_read_over_every_bus_of_its_time() {
    for protocol in [Protocol::Iso9141, Protocol::KwpSlow, Protocol::KwpFast, Protocol::J1850Pwm, Protocol::J1850Vpw] {
        let (mut car, mock, _stop) = connect(Model::GENUINE, cars::petrol_2003(protocol)).await;
        let told = car.values(["rpm", "spd", "ect", "load", "thr", "vbat", "ign", "dtcs"]).await;
        assert_eq!(told, [1303.75, 10.0, 80.0, 20.0, 20.0, 14.1, 1.0, 4.0], "{protocol:?}");
        let troubles = car.troubles().await;
        let stored = ["P0143", "P0196", "P0234", "U0123"].map(|code| (code, Stored, "10"));
        assert_eq!(codes(&troubles), list(&stored), "{protocol:?}");
        assert_eq!(troubles.mil, Some(true));
        let frame = troubles.freeze_frame.unwrap();
        assert_eq!((&frame.code[..], frame.ecu.as_deref()), ("P0143", Some("10")));
        assert_eq!(frozen(&frame), [("ect", 60_000), ("rpm", 1_726_000)]);
        assert_eq!(car.told_vin().await, CarVin::Untold);
        let declared = car.declared().await;
        assert_eq!(declared.ecus, [EcuDeclaration { ecu: "10".to_owned(), ..EcuDeclaration::default() }]);
        car.end().await;
        // Nothing is asked for that is not there, and nothing that only a CAN carries.
        let asked: Vec<_> = mock.heard().into_iter().filter(|command| command.starts_with("01")).collect();
        for command in &asked {
            let known = ["00", "01", "04", "05", "0C", "0D", "11"].contains(&&command[2..4]);
            assert!(known && command.len() <= 5, "{command}");
        }
        assert!(asked.contains(&"010C1".to_owned()), "with the number of answers: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vin_of_the_time_before_can_is_put_together() {
    let mut old = cars::petrol_2003(Protocol::Iso9141);
    old.units[0].vin = Some("1D4GP00R55B123456".to_owned());
    old.units[0].calibrations = vec!["12-OLD-34".to_owned()];
    old.units[0].verifications = vec![0x0102_0304];
    let (mut car, _mock, _stop) = connect(Model::GENUINE, old).await;
    assert_eq!(car.told_vin().await, CarVin::Told("1D4GP00R55B123456".parse().unwrap()));
    let declared = car.declared().await;
    assert_eq!((&declared.protocol[..], &declared.adapter[..]), ("ISO 9141-2", "ELM327 v1.5"));
    assert_eq!(declared.ecus[0].calibrations, ["12-OLD-34"]);
    assert_eq!(declared.ecus[0].verifications, ["01020304"]);
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_units_on_a_can_are_told_apart() {
    let (mut car, mock, _stop) = connect(Model::GENUINE, cars::automatic()).await;
    let told = car.values(["rpm", "spd", "ect", "load", "thr", "run", "vbat", "ign", "dtcs"]).await;
    assert_eq!(told, [1303.75, 10.0, 80.0, 20.0, 20.0, 258.0, 14.1, 1.0, 3.0]);
    let troubles = car.troubles().await;
    let expected = [
        ("P0171", Pending, "7E8"),
        ("P0301", Stored, "7E8"),
        ("P0420", Stored, "7E8"),
        ("P0420", Permanent, "7E8"),
        ("P0700", Stored, "7E9"),
    ];
    assert_eq!(codes(&troubles), list(&expected));
    let frame = troubles.freeze_frame.unwrap();
    assert_eq!((&frame.code[..], frame.ecu.as_deref()), ("P0420", Some("7E8")));
    assert_eq!(frozen(&frame), [("ect", 80_000), ("load", 100_000), ("rpm", 1_726_000), ("spd", 87_000)]);
    assert_eq!(car.told_vin().await, CarVin::Told("WP0ZZZ99ZTS390000".parse().unwrap()));
    let declared = car.declared().await;
    assert_eq!(declared.protocol, "ISO 15765-4 (CAN 11/500)");
    let unit = |ecu: &str, name: &str, calibrations: &[&str], verifications: &[&str]| EcuDeclaration {
        ecu: ecu.to_owned(),
        name: Some(name.to_owned()),
        calibrations: calibrations.iter().map(|&text| text.to_owned()).collect(),
        verifications: verifications.iter().map(|&text| text.to_owned()).collect(),
    };
    assert_eq!(
        declared.ecus[0],
        unit("7E8", "ECM-EngineControl", &["JMB*36761500", "JMB*4787261111"], &["1791BC82", "16E062BE"])
    );
    assert_eq!(declared.ecus[1], unit("7E9", "TCM-TransmisCtrl", &["T43-0815"], &["000000FF"]));
    car.periods.send_replace([("rpm".to_owned(), 100), ("spd".to_owned(), 100), ("thr".to_owned(), 100)].into());
    for _ in 0..10 {
        assert_eq!(car.value("thr").await, 20.0);
    }
    car.end().await;
    // What the same unit has and fits into one question is asked for in one.
    assert!(mock.heard().iter().any(|command| command.starts_with("01") && command.len() >= 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_29_bits_are_read() {
    let (mut car, _mock, _stop) = connect(Model::GENUINE, cars::long_addresses()).await;
    assert_eq!(car.values(["rpm", "spd", "dtcs"]).await, [1303.75, 10.0, 4.0]);
    let expected = [
        ("P0420", Stored, "18DAF110"),
        ("P0705", Stored, "18DAF118"),
        ("P0706", Stored, "18DAF118"),
        ("P0707", Stored, "18DAF118"),
    ];
    assert_eq!(codes(&car.troubles().await), list(&expected));
    assert_eq!(car.told_vin().await, CarVin::Told("1HGCM82633A004352".parse().unwrap()));
    assert_eq!(car.declared().await.protocol, "ISO 15765-4 (CAN 29/500)");
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hybrid_tells_its_traction_battery_and_drives_with_its_engine_standing() {
    let (mut car, _mock, _stop) = connect(Model::GENUINE, cars::hybrid()).await;
    assert_eq!(car.values(["rpm", "spd", "soc", "hv_v", "hv_a", "vbat"]).await, [0.0, 10.0, 60.0, 250.0, -10.0, 14.4]);
    let declared: Vec<_> = car.signals.borrow().iter().map(|signal| signal.key.clone()).collect();
    for key in ["rpm", "soc", "vbat", "dtcs", "ign"] {
        assert!(declared.iter().any(|known| known == key), "{declared:?}");
    }
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lies_is_read_as_the_adapter_that_it_says_to_be() {
    let (mut car, mock, _stop) = connect(Model::CLONE, cars::automatic()).await;
    let told = car.values(["rpm", "spd", "ect", "load", "run", "vbat", "dtcs"]).await;
    assert_eq!(told, [1303.75, 10.0, 80.0, 20.0, 258.0, 14.1, 3.0]);
    let expected = [
        ("P0171", Pending, ""),
        ("P0301", Stored, ""),
        ("P0420", Stored, ""),
        ("P0420", Permanent, ""),
        ("P0700", Stored, ""),
    ];
    assert_eq!(codes(&car.troubles().await), list(&expected));
    assert_eq!(car.told_vin().await, CarVin::Told("WP0ZZZ99ZTS390000".parse().unwrap()));
    assert_eq!(car.declared().await.adapter, "ELM327 v2.1");
    // What it does not know is learned and left out.
    for _ in 0..3 {
        car.value("spd").await;
        mock.heard();
    }
    for _ in 0..3 {
        car.value("spd").await;
    }
    let heard = mock.heard();
    assert!(heard.iter().all(|command| command.len() == 4 || command == "ATRV"), "{heard:?}");
    car.end().await;
}

/// A conversation as it was written down, with an echo here and a search there.
const RECORDING: &str = "
    > ATZ
    ELM327 v1.4b
    > ATI
    ELM327 v1.4b
    > 0100
    SEARCHING...
    7E8 06 41 00 80 18 00 00
    > 0100
    7E8 06 41 00 80 18 00 00
    > ATDPN
    A8
    > 0101
    7E8 06 41 01 81 07 65 04
    > 010C
    7E8 04 41 0C 1A F8
    > 010C
    7E8 04 41 0C 0B B8
    > 010D
    7E8 03 41 0D 00
    > 03
    7E8 04 43 01 01 33
";

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_car_is_played() {
    let mut nobody = cars::automatic();
    nobody.units.clear();
    let (mock, stop) =
        (Mock::new(Model { digits: false, several: false, ..Model::GENUINE }, nobody), CancellationToken::new());
    mock.play(RECORDING);
    let mut car = Car::connect(link(mock.listen(stop.clone()).await.unwrap()));
    assert_eq!(car.value("rpm").await, 1726.0);
    assert_eq!(car.value("rpm").await, 750.0);
    assert_eq!(car.values(["spd", "dtcs"]).await, [0.0, 1.0]);
    let troubles = car.troubles().await;
    assert_eq!(codes(&troubles), list(&[("P0133", Stored, "7E8")]));
    assert_eq!((troubles.mil, troubles.freeze_frame), (Some(true), None));
    let declared = car.declared().await;
    assert_eq!((&declared.protocol[..], &declared.adapter[..]), ("ISO 15765-4 (CAN 11/250)", "ELM327 v1.4b"));
    car.end().await;
    stop.cancel();
}

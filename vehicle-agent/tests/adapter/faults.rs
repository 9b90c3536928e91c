//! Whatever goes wrong: no wrong value comes of it, and the conversation goes on.

use std::time::Duration;

use bugbrother_agent::obd::{CarVin, Pace, Phase};
use bugbrother_simulator::{
    elm::{Model, bus::Protocol},
    mock::{Latency, Mock, Say, cars},
};
use bugbrother_wire::message::EventKind;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bench::{Car, codes, link};

const RPM: f64 = 1303.75;

async fn connect(mock: &Mock) -> (Car, DropGuard) {
    let stop = CancellationToken::new();
    let car = Car::connect_with(link(mock.listen(stop.clone()).await.unwrap()), quick(), "/nowhere");
    (car, stop.drop_guard())
}

fn quick() -> Pace {
    let ms = Duration::from_millis;
    Pace { search_every: ms(100), silent_after: ms(400), sleep_after: Duration::from_secs(60), look_every: ms(100) }
}

/// The questions for engine speed, alone and with others.
fn asks_speed(command: &str) -> bool {
    command.starts_with("010C")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_answer_passes_without_a_wrong_value() {
    let mut tests = tokio::task::JoinSet::new();
    for say in [
        Say::this("NO DATA"),
        Say::this("STOPPED"),
        Say::this("BUS ERROR"),
        Say::this("CAN ERROR"),
        Say::this("BUS INIT: ...ERROR"),
        Say::this("48 6B 10 41 0C 14\rBUFFER FULL"),
        Say::this("<DATA ERROR"),
        Say::this("?"),
        Say::this(""),
        Say::this("48 6B 10 7F 01 12 84"),
        Say::this("48 6B 10 7F 01 21 93"),
        Say::this("48 6B 10 41 0C FF FF 00"),
        Say::this("41 0C \u{ff}\u{fe}"),
        Say::Torn(7),
        Say::Torn(11),
        Say::Nothing,
        Say::Late(Duration::from_millis(9_100)),
        Say::Restart,
        Say::HangUp,
    ] {
        tests.spawn(survive(say));
    }
    while let Some(survived) = tests.join_next().await {
        survived.unwrap();
    }
}

async fn survive(say: Say) {
    let mock = Mock::new(Model::GENUINE, cars::petrol_2003(Protocol::KwpFast));
    let (mut car, _stop) = connect(&mock).await;
    car.value("rpm").await;
    let says = [say.clone(), say.clone()];
    mock.say_next("010C1", says.clone());
    mock.say_next("010C", says);
    mock.car(|car| car.units[0].pids.insert(0x0C, vec![0x20, 0x00]));
    while car.value("rpm").await == RPM {}
    let seen = car.seen.lock().unwrap().clone();
    let mut told = seen.iter().filter(|(key, _)| key == "rpm").map(|(_, rpm)| *rpm);
    assert!(told.all(|rpm| [RPM, 2048.0].contains(&rpm)), "{say:?}: {seen:?}");
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_more_time_gets_it() {
    // One that waits, and a copy that does not and must be asked again.
    for (model, slow) in [(Model::GENUINE, true), (Model::CLONE, false)] {
        let mut virtual_car = cars::automatic();
        let engine = &mut virtual_car.units[0];
        if slow {
            engine.slow.extend([vec![0x03], vec![0x09, 0x02], vec![0x01, 0x0C], vec![0x01, 0x05]]);
        }
        let mock = Mock::new(model, virtual_car);
        if !slow {
            mock.say_next("03", [Say::this("7F 03 78"), Say::this("7F 03 21")]);
            mock.say_next("0902", [Say::this("7F0978")]);
        }
        let (mut car, _stop) = connect(&mock).await;
        assert_eq!(car.values(["rpm", "ect"]).await, [RPM, 80.0]);
        assert_eq!(codes(&car.troubles().await).len(), 5);
        assert_eq!(car.told_vin().await, CarVin::Told("WP0ZZZ99ZTS390000".parse().unwrap()));
        car.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_refused_is_asked_for_ever_more_seldom() {
    let mut virtual_car = cars::petrol_2003(Protocol::Iso9141);
    virtual_car.units[0].refuses.insert(vec![0x01, 0x0C], 0x12);
    let mock = Mock::new(Model::GENUINE, virtual_car);
    let (mut car, _stop) = connect(&mock).await;
    let periods = [("rpm".to_owned(), 100), ("spd".to_owned(), 100)];
    car.periods.send_replace(periods.into());
    for _ in 0..40 {
        assert_eq!(car.value("spd").await, 10.0);
    }
    let heard = mock.heard();
    let (refused, told) =
        (heard.iter().filter(|c| asks_speed(c)).count(), heard.iter().filter(|c| c.starts_with("010D")).count());
    assert!(told >= 40 && refused <= 10, "{refused} of {told}");
    assert_eq!(car.seen("rpm"), None);
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ecu_that_loses_a_frame_does_not_clear_its_codes() {
    let mock = Mock::new(Model::GENUINE, cars::automatic());
    let (mut car, _stop) = connect(&mock).await;
    assert_eq!(codes(&car.troubles().await).len(), 5);
    // Of the two units' frames, which come in turn, one is missing; then the car is silent.
    let torn = "7E8 10 08 43 03 04 20 03 01\r7E9 04 43 01 07 00 00 00 00";
    for say in [Say::this(torn), Say::this("NO DATA")] {
        mock.say_always("03", say);
        let refused = car.read_codes().await.unwrap_err();
        assert!(refused.contains("cannot be read"), "{refused}");
    }
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_is_unplugged_in_the_middle_is_found_again() {
    let mock = Mock::new(Model::GENUINE, cars::automatic());
    mock.set_latency(Latency { request: Duration::from_millis(5), ..Latency::default() });
    let (mut car, _stop) = connect(&mock).await;
    car.value("rpm").await;
    mock.unplug();
    assert_eq!(car.event().await, EventKind::AdapterUnplugged);
    assert_eq!(car.event().await, EventKind::AdapterPlugged);
    assert_eq!(car.value("rpm").await, RPM);
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_is_searched_for_once_and_anew_in_another_car() {
    let mock = Mock::new(Model::GENUINE, cars::petrol_2003(Protocol::KwpSlow));
    mock.set_latency(Latency { connect: Duration::from_millis(300), ..Latency::default() });
    let (mut car, _stop) = connect(&mock).await;
    car.value("rpm").await;
    assert!(mock.heard().contains(&"ATSP0".to_owned()));
    mock.unplug();
    car.event().await;
    car.event().await;
    car.value("rpm").await;
    let heard = mock.heard();
    assert!(heard.contains(&"ATTP4".to_owned()) && !heard.contains(&"ATSP0".to_owned()), "{heard:?}");
    // The adapter is put into another car.
    mock.car(|car| *car = cars::automatic());
    mock.unplug();
    assert_eq!(car.event().await, EventKind::AdapterUnplugged);
    assert_eq!(car.value("run").await, 258.0);
    assert!(mock.heard().contains(&"ATSP0".to_owned()));
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ignition_is_told_when_it_changes() {
    for protocol in [Protocol::Can11, Protocol::Iso9141] {
        let mut virtual_car = cars::petrol_2003(protocol);
        (virtual_car.awake, virtual_car.voltage) = (false, 12.4);
        let mock = Mock::new(Model::GENUINE, virtual_car);
        let (mut car, _stop) = connect(&mock).await;
        assert_eq!(car.value("ign").await, 0.0);
        assert_eq!(car.phase(Phase::Off).await.voltage, Some(12.4));
        mock.car(|car| car.awake = true);
        assert_eq!(car.value("ign").await, 1.0);
        assert_eq!(car.value("rpm").await, RPM);
        car.phase(Phase::Running).await;
        mock.car(|car| car.awake = false);
        assert_eq!(car.value("ign").await, 0.0);
        car.phase(Phase::Off).await;
        car.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bus_is_shared_in_proportion() {
    let mock = Mock::new(Model::GENUINE, cars::petrol_2003(Protocol::Iso9141));
    mock.set_latency(Latency { request: Duration::from_millis(40), ..Latency::default() });
    let (mut car, _stop) = connect(&mock).await;
    // 55 questions a second are wished for, where the bus has 25.
    let wishes = [("rpm", 100), ("spd", 100), ("ect", 100), ("load", 100), ("thr", 100), ("dtcs", 60_000)];
    let mut wishes: std::collections::BTreeMap<String, u32> = wishes.map(|(key, ms)| (key.to_owned(), ms)).into();
    wishes.insert("rpm".to_owned(), 100);
    wishes.insert("thr".to_owned(), 400);
    car.periods.send_replace(wishes);
    for _ in 0..5 {
        car.value("thr").await;
    }
    mock.heard();
    for _ in 0..12 {
        car.value("thr").await;
    }
    let heard = mock.heard();
    let count = |pid: &str| heard.iter().filter(|command| command.starts_with(pid)).count() as f64;
    let slow = count("0111");
    for pid in ["010C", "010D", "0105", "0104"] {
        let ratio = count(pid) / slow;
        assert!((2.5..6.0).contains(&ratio), "{pid}: {ratio} {heard:?}");
    }
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_said_brings_the_conversation_down() {
    const WORDS: [&str; 20] = [
        "41", "0C", "0D", "7E8", "7E9", "10", "21", "22", "18DAF110", "48 6B 10", "7F", "49 02 01", "43", "0:", "014",
        "\r", " ", "NO DATA", "ERROR", "\u{ff}",
    ];
    let mut state = 1_u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mock = Mock::new(Model::GENUINE, cars::automatic());
    for command in
        ["0100", "01001", "01002", "0101", "03", "07", "0A", "0902", "0904", "020200", "010C1", "010D2", "010D"]
    {
        let says: Vec<Say> = (0..60)
            .map(|_| Say::This((0..random(12)).map(|_| WORDS[random(WORDS.len())]).collect::<String>().into()))
            .collect();
        mock.say_next(command, says);
    }
    let (mut car, _stop) = connect(&mock).await;
    let periods = [("rpm".to_owned(), 100), ("spd".to_owned(), 100)];
    car.periods.send_replace(periods.into());
    for _ in 0..40 {
        drop(car.read_codes().await);
    }
    // When nothing goes wrong any more the car is read as if nothing had.
    mock.mend();
    while car.value("rpm").await != RPM {}
    while car.value("spd").await != 10.0 {}
    assert_eq!(codes(&car.read_codes().await.unwrap()).len(), 5);
    car.end().await;
}

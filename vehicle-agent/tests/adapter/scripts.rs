//! Single answers, word for word, of adapters that behave and adapters that do not.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpListener},
    thread,
    time::Duration,
};

use bugbrother_agent::{
    link::{Address, Link},
    obd::CarVin,
};
use bugbrother_simulator::{Simulator, demo_fleet};
use bugbrother_wire::message::{DtcStatus, EventKind};
use serialport::{SerialPort, TTYPort};
use tokio_util::sync::CancellationToken;

use crate::bench::Car;

const RPM: f64 = 1303.75;
const SPEED: f64 = 10.0;

/// What the adapter says to a command.
#[derive(Clone, Copy)]
enum Say {
    This(&'static str),
    /// Nothing, for ever.
    Nothing,
    /// This, but only after the asker has lost patience.
    Late(&'static str),
    /// It hangs up.
    HangUp,
}

type Script = HashMap<&'static str, Say>;

/// A car with engine speed and vehicle speed, changed by what a test wants.
fn script(changes: &[(&'static str, Say)]) -> Script {
    let mut script: Script = [
        ("0100", Say::This("41 00 00 18 00 00")),
        ("010C", Say::This("41 0C 14 5F")),
        ("010D", Say::This("41 0D 0A")),
        ("ATRV", Say::This("12.6V")),
        ("ATDPN", Say::This("A6")),
    ]
    .into();
    script.extend(changes.iter().copied());
    script
}

/// Answers on one connection until it ends.
fn answer(mut port: impl Read + Write, script: &Script) {
    let mut heard = Vec::new();
    let mut bytes = [0; 256];
    loop {
        match port.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => heard.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => continue,
            Err(_) => return,
        }
        while let Some(end) = heard.iter().position(|byte| *byte == b'\r') {
            let command: Vec<u8> = heard.drain(..=end).collect();
            let command = String::from_utf8_lossy(&command).trim().to_owned();
            let said = match (script.get(&*command), &*command) {
                (Some(Say::This(said)), _) => *said,
                (Some(Say::Late(said)), _) => {
                    thread::sleep(Duration::from_millis(3_300));
                    *said
                }
                (Some(Say::Nothing), _) => continue,
                (Some(Say::HangUp), _) => return,
                (None, "ATZ" | "ATI") => "\r\rELM327 v1.5",
                (None, "") => "",
                (None, command) if command.starts_with("AT") => "OK",
                (None, _) => "NO DATA",
            };
            // As Latin-1: some say bytes that are no text.
            let said: Vec<u8> = said.chars().map(|c| c as u8).collect();
            if port.write_all(&said).and_then(|()| port.write_all(b"\r\r>")).is_err() {
                return;
            }
        }
    }
}

/// A listening adapter; it ends with the test's process.
fn adapter(script: Script) -> Link {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &script);
        }
    });
    Link::Tcp(Address { host: "127.0.0.1".to_owned(), port })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_answer_in_any_form_is_read_and_a_wrong_one_is_no_value() {
    for (said, rpm) in [
        ("SEARCHING...\r41 0C 14 5F", Some(RPM)),
        ("410C145F", Some(RPM)),
        ("41 0C 14 5F\r41 0C 14 5F", Some(RPM)),
        ("7E8 04 41 0C 14 5F\r7E9 04 41 0C 00 00", Some(RPM)),
        ("7F 01 12", None),
        ("NO DATA", None),
        ("SEARCHING...\rUNABLE TO CONNECT", None),
        ("?", None),
        ("STOPPED", None),
        ("CAN ERROR", None),
        ("41 0C 14\rBUFFER FULL", None),
        ("41 0C 14 5F <RX ERROR", None),
        ("41 0C 14", None),
        ("41", None),
        ("41 0D 14", None),
        ("", None),
        ("41 0C \u{ff}\u{fe}", None),
        ("0: 41 0C 14\r2: 5F", None),
    ] {
        let mut car = Car::connect(adapter(script(&[("010C", Say::This(said))])));
        for _ in 0..2 {
            assert_eq!(car.value("spd").await, SPEED, "beside {said}");
        }
        let seen = car.seen.lock().unwrap().clone();
        let found = seen.iter().find(|(key, _)| *key == "rpm").map(|(_, value)| *value);
        assert_eq!(found, rpm, "{said}");
        car.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_late_is_never_the_answer_to_the_next_question() {
    let mut car = Car::connect(adapter(script(&[("010C", Say::Late("41 0D FF"))])));
    for _ in 0..3 {
        assert_eq!(car.value("spd").await, SPEED);
    }
    assert!(car.seen.lock().unwrap().iter().all(|(key, _)| *key != "rpm"));
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_never_answered_does_not_stop_the_others() {
    let mut car = Car::connect(adapter(script(&[("010C", Say::Nothing)])));
    for _ in 0..2 {
        assert_eq!(car.value("spd").await, SPEED);
    }
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_hangs_up_is_opened_again_and_both_are_told() {
    let mut car = Car::connect(adapter(script(&[("010D", Say::HangUp)])));
    assert_eq!(car.event().await, EventKind::AdapterUnplugged);
    assert_eq!(car.event().await, EventKind::AdapterPlugged);
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_codes_are_read_in_every_form() {
    let stored = |codes: &[(&str, Option<&str>)]| -> Vec<_> {
        let code = |(code, ecu): &(&str, Option<&str>)| ((*code).to_owned(), DtcStatus::Stored, ecu.map(str::to_owned));
        codes.iter().map(code).collect()
    };
    for (said, codes) in [
        ("43 00", &[][..]),
        ("43 02 01 43 01 96", &[("P0143", None), ("P0196", None)]),
        ("008\r0: 43 03 01 43 01 96\r1: 02 34 AA AA AA AA AA", &[("P0143", None), ("P0196", None), ("P0234", None)]),
        (
            "43 01 43 01 96 02 34\r43 C1 23 00 00 00 00",
            &[("P0143", None), ("P0196", None), ("P0234", None), ("U0123", None)],
        ),
        ("43 01 01 43\r43 01 07 00", &[("P0143", None), ("P0700", None)]),
        ("7E8 04 43 01 01 43\r7E9 04 43 01 07 00", &[("P0143", Some("7E8")), ("P0700", Some("7E9"))]),
    ] {
        let mut car = Car::connect(adapter(script(&[("03", Say::This(said))])));
        assert_eq!(car.codes().await, stored(codes), "{said}");
        car.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_car_tells_its_vin_or_that_it_has_none_to_tell() {
    let can = "7E8 10 14 49 02 01 57 50 30\r7E8 21 5A 5A 5A 39 39 5A 54\r7E8 22 53 33 39 30 30 30 30";
    let legacy =
        "49 02 01 00 00 00 31\r49 02 02 44 34 47 50\r49 02 03 30 30 52 35\r49 02 04 35 42 31 32\r49 02 05 33 34 35 36";
    let blind = "014\r0: 49 02 01 57 50 30\r014\r0: 49 02 01 57 50 30\r1: 5A 5A 5A 39 39 5A 54";
    for (said, vin) in [
        (can, CarVin::Told("WP0ZZZ99ZTS390000".parse().unwrap())),
        (legacy, CarVin::Told("1D4GP00R55B123456".parse().unwrap())),
        (blind, CarVin::Untold),
        ("NO DATA", CarVin::Untold),
        ("49 02 01", CarVin::Untold),
    ] {
        let mut car = Car::connect(adapter(script(&[("0902", Say::This(said))])));
        assert_eq!(car.told_vin().await, vin, "{said}");
        car.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_adapter_is_the_same_as_one_over_tcp() {
    let (master, slave) = TTYPort::pair().unwrap();
    let path = slave.name().expect("a terminal has a name").into();
    thread::spawn(move || answer(master, &script(&[])));
    let mut car = Car::connect(Link::Serial { path, baud: 38_400 });
    assert_eq!(car.value("rpm").await, RPM);
    car.end().await;
    drop(slave);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_car_tells_all_that_it_has() {
    let profile = demo_fleet()[0];
    let listen = || tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (gps, elm) = (listen().await.unwrap(), listen().await.unwrap());
    let port = elm.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let simulator = Simulator::start(profile, gps, elm, 1.0, stop.clone());
    let mut car = Car::connect(Link::Tcp(Address { host: "127.0.0.1".to_owned(), port }));
    let told = |car: &Car, key: &str| car.seen.lock().unwrap().iter().any(|(known, _)| *known == key);
    while !["rpm", "spd", "ect", "fuel", "vbat", "thr"].iter().all(|key| told(&car, key)) {
        car.value("spd").await;
    }
    for (key, value) in car.seen.lock().unwrap().iter() {
        assert!(bugbrother_wire::signal::find(key).unwrap().is_plausible(*value), "{key} {value}");
    }
    assert_eq!(*car.vin.borrow(), CarVin::Told(profile.vin));
    car.end().await;
    stop.cancel();
    simulator.wait().await;
}

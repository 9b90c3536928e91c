//! The ELM327 emulator, spoken to as a scan tool does.

#![expect(clippy::unwrap_used, reason = "a test stops where its world is not as it should be")]

use std::time::Duration;

use bugbrother_simulator::{Car, Elm327, Profile, demo_fleet};

fn profile(name: &str) -> Profile {
    demo_fleet().into_iter().find(|p| p.name == name).expect("the demo has this car")
}

/// A car that has driven for two minutes, and an adapter without echo.
fn bench(name: &str) -> (Elm327, Car) {
    let mut car = Car::new(&profile(name));
    car.step(Duration::from_secs(120));
    let mut elm = Elm327::new();
    ask(&mut elm, &mut car, "ATE0");
    (elm, car)
}

/// The lines of an answer, which ends in a prompt.
fn ask(elm: &mut Elm327, car: &mut Car, command: &str) -> Vec<String> {
    let answer = elm.receive(format!("{command}\r").as_bytes(), car);
    let text = String::from_utf8(answer).unwrap();
    let body = text.strip_suffix("\r>").unwrap_or_else(|| panic!("{command}: {text:?} has no prompt"));
    body.split('\r').map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn bytes(line: &str) -> Vec<u8> {
    line.split_whitespace().map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect()
}

/// The data bytes of a mode 01 answer.
fn value(elm: &mut Elm327, car: &mut Car, pid: u8) -> Vec<u8> {
    let lines = ask(elm, car, &format!("01{pid:02X}"));
    let answer = bytes(lines.last().unwrap());
    assert_eq!(answer[..2], [0x41, pid]);
    answer[2..].to_vec()
}

#[test]
fn commands_are_echoed_until_the_echo_is_off_and_lines_end_as_set() {
    let mut car = Car::new(&profile("Van 12"));
    let mut elm = Elm327::new();
    assert_eq!(elm.receive(b"ATZ\r", &mut car), b"ATZ\r\rELM327 v1.5\r\r>");
    assert_eq!(elm.receive(b"at e0\r", &mut car), b"at e0\rOK\r\r>");
    assert_eq!(elm.receive(b"ATL1\r\n", &mut car), b"OK\r\n\r\n>");
    assert_eq!(elm.receive(b"ATL0\r", &mut car), b"OK\r\r>");
    assert_eq!(elm.receive(b"AT", &mut car), b"");
    assert_eq!(elm.receive(b"I\r", &mut car), b"ELM327 v1.5\r\r>");
    assert_eq!(elm.receive(b"\r", &mut car), b"ELM327 v1.5\r\r>", "an empty line repeats");
}

#[test]
fn what_the_chip_does_not_know_is_a_question_mark() {
    let (mut elm, mut car) = bench("Van 12");
    let long = "01".repeat(200);
    for odd in ["ATXYZ", "HELLO", "ATSPZ", "ATSPé", "01é", "1", "010203040506070809", "ATST1", "ATSH", &long] {
        assert_eq!(ask(&mut elm, &mut car, odd), ["?"], "{odd}");
    }
    for known in ["ATL0", "ATS1", "ATH0", "ATSP0", "ATAT1", "ATST64", "ATM0", "ATAL", "ATCAF1", "ATTP6", "ATSPA6"] {
        assert_eq!(ask(&mut elm, &mut car, known), ["OK"], "{known}");
    }
}

#[test]
fn the_first_request_searches_and_the_protocol_is_known_afterwards() {
    let (mut elm, mut car) = bench("Van 12");
    assert_eq!(ask(&mut elm, &mut car, "ATDPN"), ["A0"]);
    assert_eq!(ask(&mut elm, &mut car, "ATDP"), ["AUTO"]);
    let first = ask(&mut elm, &mut car, "0100");
    assert_eq!(first[0], "SEARCHING...");
    assert!(first[1].starts_with("41 00 "));
    assert_eq!(ask(&mut elm, &mut car, "0100"), first[1..]);
    assert_eq!(ask(&mut elm, &mut car, "ATDPN"), ["A6"]);
    assert_eq!(ask(&mut elm, &mut car, "ATDP"), ["AUTO, ISO 15765-4 (CAN 11/500)"]);
    ask(&mut elm, &mut car, "ATSP3");
    assert_eq!(ask(&mut elm, &mut car, "0100"), ["BUS INIT: ...ERROR"]);
    ask(&mut elm, &mut car, "ATSP6");
    assert_eq!(ask(&mut elm, &mut car, "ATDPN"), ["6"]);
    assert!(ask(&mut elm, &mut car, "0100")[0].starts_with("41 00"));
}

#[test]
fn answers_turn_into_the_readings_by_the_formulas_of_sae_j1979() {
    for name in ["Courier 3", "Van 12", "Nurse 2"] {
        let (mut elm, mut car) = bench(name);
        let now = car.reading();
        let mut data = |pid| value(&mut elm, &mut car, pid).into_iter().map(f64::from).collect::<Vec<_>>();
        let near = |what: &str, told: f64, real: f64, step: f64| {
            assert!((told - real).abs() <= step * 0.51, "{name}: {what} {told} is not {real}");
        };
        near("load", data(0x04)[0] * 100.0 / 255.0, now.load_percent, 100.0 / 255.0);
        near("coolant", data(0x05)[0] - 40.0, now.coolant_c, 1.0);
        near("map", data(0x0B)[0], now.map_kpa, 1.0);
        let rpm = data(0x0C);
        near("rpm", (256.0 * rpm[0] + rpm[1]) / 4.0, now.rpm, 0.25);
        near("speed", data(0x0D)[0], now.speed_kmh, 1.0);
        near("intake", data(0x0F)[0] - 40.0, now.intake_c, 1.0);
        let maf = data(0x10);
        near("maf", (256.0 * maf[0] + maf[1]) / 100.0, now.maf_gps, 0.01);
        near("throttle", data(0x11)[0] * 100.0 / 255.0, now.throttle_percent, 100.0 / 255.0);
        let run = data(0x1F);
        near("run time", 256.0 * run[0] + run[1], now.run_s, 1.0);
        near("fuel", data(0x2F)[0] * 100.0 / 255.0, now.fuel_percent, 100.0 / 255.0);
        near("baro", data(0x33)[0], now.baro_kpa, 1.0);
        let volts = data(0x42);
        near("voltage", (256.0 * volts[0] + volts[1]) / 1000.0, now.voltage, 0.001);
        near("ambient", data(0x46)[0] - 40.0, now.ambient_c, 1.0);
        if car.profile().year >= 2015 {
            let mut data = |pid| value(&mut elm, &mut car, pid).into_iter().map(f64::from).collect::<Vec<_>>();
            near("oil", data(0x5C)[0] - 40.0, now.oil_c, 1.0);
            let rate = data(0x5E);
            near("fuel rate", (256.0 * rate[0] + rate[1]) / 20.0, now.fuel_lph, 0.05);
        }
        if car.profile().year >= 2019 {
            let odo = value(&mut elm, &mut car, 0xA6);
            let odo = u32::from_be_bytes(odo.try_into().unwrap());
            near("odometer", f64::from(odo) / 10.0, now.odometer_km, 0.1);
        }
        let volts = ask(&mut elm, &mut car, "ATRV");
        near("ATRV", volts[0].trim_end_matches('V').parse().unwrap(), now.voltage, 0.1);
    }
}

#[test]
fn the_bit_masks_list_exactly_the_pids_that_are_answered() {
    for profile in demo_fleet().into_iter().filter(|p| !p.drivetrain.automatic && !p.parked) {
        let (mut elm, mut car) = bench(profile.name);
        ask(&mut elm, &mut car, "0100");
        let mut follows = true;
        for base in (0x00..=0xE0u8).step_by(0x20) {
            let answer = ask(&mut elm, &mut car, &format!("01{base:02X}"));
            assert_eq!(answer != ["NO DATA"], follows, "{}: {base:02X} {answer:?}", profile.name);
            if !follows {
                continue;
            }
            let mask = u32::from_be_bytes(bytes(&answer[0])[2..].try_into().unwrap());
            for offset in 1..0x20u8 {
                let listed = mask & (1 << (32 - offset)) != 0;
                let answer = ask(&mut elm, &mut car, &format!("01{:02X}", base + offset));
                assert_eq!(answer != ["NO DATA"], listed, "{}: {:02X}", profile.name, base + offset);
            }
            follows = mask & 1 == 1;
        }
    }
}

#[test]
fn several_pids_may_be_asked_for_at_once() {
    let (mut elm, mut car) = bench("Courier 3");
    ask(&mut elm, &mut car, "0100");
    let both = ask(&mut elm, &mut car, "010D05");
    let (speed, coolant) = (value(&mut elm, &mut car, 0x0D), value(&mut elm, &mut car, 0x05));
    assert_eq!(bytes(&both[0]), [0x41, 0x0D, speed[0], 0x05, coolant[0]]);
    assert_eq!(ask(&mut elm, &mut car, "010C0D0F1005")[0], "00D", "more than a frame holds");
    assert_eq!(ask(&mut elm, &mut car, "010D1").len(), 1, "the odd digit is how many answers to wait for");
}

#[test]
fn the_vin_comes_in_frames_with_and_without_headers() {
    let (mut elm, mut car) = bench("Pool 5");
    ask(&mut elm, &mut car, "0100");
    let vin = car.profile().vin;
    let lines = ask(&mut elm, &mut car, "0902");
    assert_eq!(lines[0], "014");
    let joined: Vec<u8> = lines[1..].iter().flat_map(|line| bytes(line.split_once(':').unwrap().1)).collect();
    assert_eq!(joined[..3], [0x49, 0x02, 0x01]);
    assert_eq!(&joined[3..], vin.as_str().as_bytes());

    ask(&mut elm, &mut car, "ATH1");
    let frames = ask(&mut elm, &mut car, "0902");
    assert!(frames[0].starts_with("7E8 10 14 49 02 01 "));
    assert!(frames[1].starts_with("7E8 21 ") && frames[2].starts_with("7E8 22 "));
    ask(&mut elm, &mut car, "ATS0");
    let packed = ask(&mut elm, &mut car, "0902");
    assert_eq!(packed, frames.iter().map(|frame| frame.replace(' ', "")).collect::<Vec<_>>());
}

#[test]
fn stored_codes_light_the_lamp_until_they_are_cleared() {
    let (mut elm, mut car) = bench("Pool 5");
    ask(&mut elm, &mut car, "0100");
    assert_eq!(ask(&mut elm, &mut car, "03"), ["43 02 03 01 04 20"]);
    assert_eq!(ask(&mut elm, &mut car, "07"), ["47 01 01 71"]);
    assert_eq!(ask(&mut elm, &mut car, "0A"), ["4A 01 04 20"]);
    assert_eq!(value(&mut elm, &mut car, 0x01)[0], 0x82, "lamp on, two codes");
    assert_eq!(ask(&mut elm, &mut car, "020200"), ["42 02 00 03 01"]);
    assert_eq!(ask(&mut elm, &mut car, "020D00"), ["42 0D 00 57"]);
    assert!(value(&mut elm, &mut car, 0x21) != [0, 0]);

    assert_eq!(ask(&mut elm, &mut car, "04"), ["44"]);
    assert_eq!(ask(&mut elm, &mut car, "03"), ["43 00"]);
    assert_eq!(ask(&mut elm, &mut car, "07"), ["47 00"]);
    assert_eq!(ask(&mut elm, &mut car, "0A"), ["4A 01 04 20"], "no tool clears a permanent code");
    assert_eq!(ask(&mut elm, &mut car, "020200"), ["NO DATA"]);
    assert_eq!(value(&mut elm, &mut car, 0x01)[0], 0x00);
    assert_eq!(value(&mut elm, &mut car, 0x21), [0, 0]);
}

#[test]
fn an_automatic_gearbox_answers_beside_the_engine() {
    let (mut elm, mut car) = bench("Shuttle 1");
    for command in ["0100", "ATH1"] {
        ask(&mut elm, &mut car, command);
    }
    let lines = ask(&mut elm, &mut car, "0100");
    assert_eq!(lines.iter().map(|line| &line[..3]).collect::<Vec<_>>(), ["7E8", "7E9"]);
    assert_eq!(ask(&mut elm, &mut car, "010C").len(), 1);
    ask(&mut elm, &mut car, "ATSH7E1");
    assert_eq!(ask(&mut elm, &mut car, "010C"), ["NO DATA"]);
    assert!(ask(&mut elm, &mut car, "0100")[0].starts_with("7E9 06 41 00 "));
}

#[test]
fn a_sleeping_car_cannot_be_connected_to_and_gives_no_data() {
    let mut car = Car::new(&profile("Pizza 4"));
    let mut elm = Elm327::new();
    ask(&mut elm, &mut car, "ATZ");
    ask(&mut elm, &mut car, "ATE0");
    assert_eq!(ask(&mut elm, &mut car, "0100"), ["SEARCHING...", "UNABLE TO CONNECT"]);
    assert_eq!(ask(&mut elm, &mut car, "ATIGN"), ["OFF"]);
    let volts: f64 = ask(&mut elm, &mut car, "ATRV")[0].trim_end_matches('V').parse().unwrap();
    assert!((12.0..13.0).contains(&volts));

    while !car.reading().ignition {
        car.step(Duration::from_secs(1));
    }
    assert!(ask(&mut elm, &mut car, "0100")[1].starts_with("41 00"));
    while car.reading().ignition {
        car.step(Duration::from_secs(1));
    }
    assert_eq!(ask(&mut elm, &mut car, "0100"), ["NO DATA"], "the protocol stays known");
}

#[test]
fn any_bytes_are_survived() {
    let (mut elm, mut car) = bench("Van 12");
    for seed in 0..200u32 {
        let noise: Vec<u8> =
            (0..64u32).map(|i| (seed.wrapping_mul(2_654_435_761).wrapping_add(i * i * 97) >> 7) as u8).collect();
        elm.receive(&noise, &mut car);
    }
    elm.receive(b"\r", &mut car);
    assert_eq!(ask(&mut elm, &mut car, "ATWS"), ["ELM327 v1.5"]);
}

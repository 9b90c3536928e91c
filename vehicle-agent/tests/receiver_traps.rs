//! Each trap of `nmea-parser` 0.11, with a line that springs it: what comes through the gate is right or nothing.

use std::time::{Duration, Instant};

use bugbrother_agent::gps::{
    Fix,
    assembler::Assembler,
    fix::NoFix,
    gate::{Gate, Refusal},
    judge::Judge,
};

const RMC: &str = "GPRMC,112228.037,A,4719.9584,N,00749.2468,E,10.00,180.50,030410,,,A";
const GGA: &str = "GPGGA,112228.037,4719.9584,N,00749.2468,E,1,07,1.6,533.4,M,48.0,M,,0000";
const ZDA: &str = "GPZDA,112228.037,03,04,2010,00,00";

/// With its checksum, in capitals.
fn seal(body: &str) -> String {
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n")
}

#[derive(Debug, Default)]
struct Decoded {
    fixes: Vec<Fix>,
    none: Vec<NoFix>,
    refused: Vec<Refusal>,
}

/// Decodes lines; none of them may take longer than a blink.
fn decode(lines: &[String]) -> Decoded {
    let (mut gate, mut assembler, mut judge) = (Gate::default(), Assembler::default(), Judge::of_recording());
    let mut decoded = Decoded::default();
    let began = Instant::now();
    let mut told = Vec::new();
    for byte in lines.iter().flat_map(|line| line.bytes()) {
        match gate.push(byte) {
            Some(Ok(sentence)) => told.extend(assembler.push(&sentence)),
            Some(Err(refusal)) => decoded.refused.push(refusal),
            None => {}
        }
    }
    told.extend(assembler.flush());
    assert!(began.elapsed() < Duration::from_secs(1), "{lines:?}");
    for told in told {
        match told.and_then(|fix| judge.take(fix)) {
            Ok(fix) => decoded.fixes.push(fix),
            Err(no_fix) => decoded.none.push(no_fix),
        }
    }
    decoded
}

fn fix_of(bodies: &[&str]) -> Option<Fix> {
    let mut fixes = decode(&bodies.iter().map(|body| seal(body)).collect::<Vec<_>>()).fixes;
    assert!(fixes.len() <= 1, "{fixes:?}");
    fixes.pop()
}

#[test]
fn a_star_before_a_character_of_several_bytes_does_not_panic() {
    for line in ["$GPRMC*é\r\n", "$GPGGA,1*\u{20ac}\r\n", "$*é*é\r\n", "$GPRMC,*é7\r\n"] {
        assert_eq!(decode(&[line.to_owned()]).refused, [Refusal::Binary], "{line}");
    }
}

#[test]
fn ais_is_passed_over() {
    for line in [
        "!AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0*7D\r\n",
        "!AIVDM,2,1,1,A,5,0*00\r\n",
        "!AIVDO,1,1,,,,0*25\r\n",
        "!\r\n",
    ] {
        let decoded = decode(&[line.to_owned(), seal(RMC)]);
        assert_eq!((decoded.fixes.len(), decoded.refused.len()), (1, 0), "{line}");
    }
    // The same behind a dollar has no talker that counts.
    assert_eq!(decode(&[seal("AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0")]).fixes, []);
}

#[test]
fn a_date_of_zda_that_overflows_is_none() {
    for date in
        ["99,99,9999", "00,00,0000", "31,02,2010", "03,04,4294967295", "03,04,-2147483648", "a,b,c", ",,", "3,4,10"]
    {
        let zda = ZDA.replace("03,04,2010", date);
        assert_eq!(fix_of(&[&zda, GGA]), None, "{zda}");
    }
    let zone = ZDA.replace(",00,00", ",-2147483648,99999999999");
    assert!(fix_of(&[&zone, GGA]).is_some(), "the zone is not needed");
}

#[test]
fn satellites_in_view_by_the_million_neither_block_nor_pile_up() {
    let many = (0..20_000).map(|n| seal(&format!("GPGSV,4294967295,{n},11,03,03,111,00")));
    let lines: Vec<_> = [seal("GPGSV,10000000,1,11,03,03,111,00")].into_iter().chain(many).chain([seal(RMC)]).collect();
    assert_eq!(decode(&lines).fixes.len(), 1);
}

#[test]
fn lowercase_checksums_count() {
    assert_eq!(
        decode(&[seal(RMC).to_lowercase().replace("gprmc", "GPRMC")]).fixes.len(),
        0,
        "other letters, other sum"
    );
    let lower = seal(RMC).replace("*5B", "*5b");
    let (body, sum) = lower.rsplit_once('*').unwrap_or_default();
    assert_eq!(decode(&[format!("{body}*{}", sum.to_lowercase())]).fixes.len(), 1);
}

#[test]
fn a_variation_without_its_side_does_not_cost_the_fix() {
    for variation in ["1.4,,A", "01,W,A", "x,,A", ",,A"] {
        assert!(fix_of(&[&RMC.replace(",,,A", &format!(",{variation}"))]).is_some(), "{variation}");
    }
}

#[test]
fn fractions_of_a_second_stay() {
    for (time, ms) in [("112228.037", 37), ("112228.1", 100), ("112228", 0), ("112228.99999", 999)] {
        let ts = fix_of(&[&RMC.replace("112228.037", time)]).map(|fix| fix.ts);
        assert_eq!(ts, Some(1_270_293_748_000 + ms), "{time}");
    }
}

#[test]
fn a_date_of_1999_is_not_one_of_2099() {
    for date in ["310899", "060180", "010190"] {
        assert_eq!(decode(&[seal(&RMC.replace("030410", date))]).none, [NoFix::Date], "{date}");
    }
    assert_eq!(fix_of(&[&RMC.replace("030410", "311279")]).map(|fix| fix.ts / 86_400_000), Some(40_176), "2079");
}

#[test]
fn gga_alone_has_no_date_and_is_no_fix_of_the_year_2000() {
    let decoded = decode(&[seal(GGA)]);
    assert_eq!((decoded.fixes, decoded.none), (vec![], vec![NoFix::Date]));
    assert_eq!(fix_of(&[GGA, ZDA]).map(|fix| fix.ts), Some(1_270_293_748_037));
}

#[test]
fn latitudes_and_numbers_that_cannot_be_do_not_pass() {
    for (from, to) in [
        ("4719.9584", "9959.9584"),
        ("4719.9584", "4799.9584"),
        ("4719.9584", "NaN"),
        ("4719.9584", "inf"),
        ("00749.2468", "18001.2468"),
        ("00749.2468", "99999.2468"),
        ("00749.2468", "-0749.2468"),
    ] {
        for body in [RMC, GGA] {
            let body = body.replace(from, to);
            assert_eq!(fix_of(&[ZDA, &body]), None, "{body}");
        }
    }
    for wrong in ["NaN", "inf", "-inf", "1e308", "-1"] {
        let rmc = RMC.replace("10.00,180.50", &format!("{wrong},{wrong}"));
        let gga = GGA.replace("1.6,533.4", &format!("{wrong},{}", wrong.replace("-1", "-501")));
        let fix = fix_of(&[&rmc, &gga]);
        let told = fix.map(|fix| (fix.gspd, fix.hdg, fix.quality.hdop, fix.quality.alt));
        assert_eq!(told, Some((None, None, None, None)), "{wrong}");
    }
}

#[test]
fn a_missing_hemisphere_is_no_north_and_no_east() {
    for (from, to) in [(",N,", ",,"), (",E,", ",,"), (",N,", ",n,"), (",E,", ",X,")] {
        for body in [RMC, GGA] {
            let body = body.replacen(from, to, 1);
            assert_eq!(fix_of(&[ZDA, &body]), None, "{body}");
        }
    }
}

#[test]
fn a_missing_checksum_does_not_pass() {
    let decoded = decode(&[format!("${RMC}\r\n"), format!("${RMC}*\r\n"), format!("${RMC}*5\r\n")]);
    assert_eq!((decoded.fixes, decoded.refused), (vec![], vec![Refusal::NoChecksum; 3]));
}

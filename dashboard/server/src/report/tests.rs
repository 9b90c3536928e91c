use std::{io::Write, process::Command};

use bugbrother_wire::api::{By, Statistics, StatisticsLine, Totals};

use super::*;

fn totals(n: u32) -> Totals {
    Totals {
        trips: u64::from(n),
        distance_m: f64::from(n) * 12_345.6,
        moving_ms: i64::from(n) * 3_600_000 + 108_000,
        idle_ms: 600_000,
        utilisation: Some(0.45),
        fuel_l: Some(f64::from(n) * 1.25),
        fuel_per_100km: Some(6.78),
        energy_kwh: None,
        co2_kg: Some(33.0),
        cost: Some(1234.5),
        score: Some(87.4),
        harsh_per_100km: Some(0.5),
    }
}

fn report(by: By, language: Language, lines: u32) -> Report {
    let line = |n: u32| {
        let (key, name) = match by {
            By::Vehicle => (format!("WVWZZZ1JZ3W{n:06}"), format!("Véhicule {n}")),
            _ => (
                Date::new(2026, 3, 1).unwrap().checked_add(jiff::Span::new().days(n)).unwrap().to_string(),
                String::new(),
            ),
        };
        StatisticsLine { key, name, plate: Some("=VD 1".into()), totals: totals(n) }
    };
    Report {
        statistics: Statistics {
            from: 0,
            to: 1,
            zone: "Europe/Zurich".into(),
            by,
            currency: "CHF".into(),
            lines: (0..lines).map(line).collect(),
            total: totals(1000),
            more: false,
        },
        language,
        first: Date::new(2026, 3, 1).unwrap(),
        last: Date::new(2026, 3, 31).unwrap(),
        made: Date::new(2026, 4, 1).unwrap(),
        client: Some("Boulangerie Müller & Fils".into()),
        vehicle: None,
    }
}

/// What poppler reads out of it, page by page.
fn read(bytes: &[u8]) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let output = Command::new("pdftotext").args(["-layout"]).arg(file.path()).arg("-").output();
    let output = output.expect("pdftotext is there: apt-get install poppler-utils");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut pages: Vec<String> = text.split('\u{c}').map(str::to_owned).collect();
    pages.pop();
    pages
}

#[test]
fn a_report_has_its_title_period_totals_lines_and_numbered_pages() {
    let pages = read(&pdf(&report(By::Vehicle, Language::English, 120)));
    assert!(pages.len() >= 3, "{}", pages.len());
    for text in [
        "Fleet report",
        "Period: 1 March 2026 – 31 March 2026",
        "Client: Boulangerie Müller & Fils",
        "Made on 1 April 2026",
        "12,346 km",
        "1,234 CHF",
        "87 / 100",
        "l/100 km",
    ] {
        assert!(pages[0].contains(text), "{text} is not in\n{}", pages[0]);
    }
    let all = pages.concat();
    for n in 0..120 {
        let name = format!("Véhicule {n} ");
        assert_eq!(all.matches(&name).count(), 1, "{name}");
    }
    for (n, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Page {} / {}", n + 1, pages.len())), "{page}");
        assert!(page.contains("Vehicle"), "each page has the table's head");
    }
    let last = pages.last().unwrap();
    assert!(last.lines().any(|line| line.trim_start().starts_with("Total") && line.contains("12,345.6")), "{last}");
}

#[test]
fn a_report_in_french_is_french_throughout() {
    let pages = read(&pdf(&report(By::Day, Language::French, 31)));
    let all = pages.concat().replace('\u{a0}', " ");
    for text in [
        "Rapport de flotte",
        "Période: 1er mars 2026 – 31 mars 2026",
        "Établi le 1er avril 2026",
        "12 346 km",
        "dim. 29 mars 2026",
        "Coût",
        "1 234,50",
    ] {
        assert!(all.contains(text), "{text} is not in\n{all}");
    }
    for english in ["Vehicle", "Trips", "Period", "March"] {
        assert!(!all.contains(english), "{english}");
    }
}

#[test]
fn a_report_of_nothing_says_so_and_one_of_any_length_has_its_total_on_a_page() {
    let mut empty = report(By::Vehicle, Language::English, 0);
    empty.statistics.total = Totals::default();
    assert!(read(&pdf(&empty))[0].contains("Nothing was driven"));
    for lines in 20..60 {
        let pages = read(&pdf(&report(By::Vehicle, Language::English, lines)));
        assert!(pages.last().unwrap().contains("Total"), "{lines}");
    }
}

#[test]
fn a_table_is_one_for_spreadsheets_of_that_language_and_runs_nothing() {
    let english = String::from_utf8(csv(&report(By::Vehicle, Language::English, 2)).unwrap()).unwrap();
    let lines: Vec<&str> = english.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("\u{feff}Vehicle,VIN,Plate,Trips,Distance (km)"), "{}", lines[0]);
    assert_eq!(lines[2], "Véhicule 1,WVWZZZ1JZ3W000001,'=VD 1,1,12.3,1.03,0.17,45.0,1.25,6.78,,33.0,1234.50,87.4,0.50");
    assert!(lines[3].starts_with("Total,,,1000,"));

    let mut french = report(By::Vehicle, Language::French, 1);
    french.statistics.lines[0].name = "=cmd|x;y".into();
    let french = String::from_utf8(csv(&french).unwrap()).unwrap();
    assert!(french.contains("\"'=cmd|x;y\";WVWZZZ1JZ3W000000;'=VD 1;0;0,0;"), "{french}");
    let days = String::from_utf8(csv(&report(By::Day, Language::English, 1)).unwrap()).unwrap();
    assert!(days.contains("\n2026-03-01,0,"), "{days}");
}

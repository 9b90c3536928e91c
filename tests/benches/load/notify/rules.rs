//! Twenty rules: of all kinds about the fleet, and limits that only probes cross. Every one looks at every vehicle.

use std::time::SystemTime;

use anyhow::Result;
use bugbrother_store::{Condition, GeofenceId, GeofenceRecord, Rule, RuleScope, Store};
use bugbrother_wire::{
    message::{EventKind, Severity, Shape},
    rule::{
        Against, Area, AreaLimit, AreaMove, Codes, FuelDrop, FuelUnit, Happening, Hours, Speeding, Unusual,
        UnusualSide, Weekday,
    },
    unix_ms,
};
use uuid::Uuid;

/// How many there are.
pub const RULES: usize = KINDS + PROBED.len();
const KINDS: usize = 12;

/// A limit that no simulated car comes near, and a value beyond it.
#[derive(Debug, Clone, Copy)]
pub struct Probed {
    pub rule: &'static str,
    pub signal: &'static str,
    above: bool,
    on: f64,
    off: f64,
    pub beyond: f64,
    pub usual: f64,
}

const fn above(rule: &'static str, signal: &'static str, on: f64, usual: f64) -> Probed {
    Probed { rule, signal, above: true, on, off: on - 1.0, beyond: on + 10.0, usual }
}

/// The limits that probes cross.
pub const PROBED: [Probed; 8] = [
    above("probe-coolant", "ect", 150.0, 90.0),
    above("probe-oil", "oil", 180.0, 95.0),
    above("probe-intake", "iat", 120.0, 25.0),
    above("probe-rpm", "rpm", 8_000.0, 2_000.0),
    above("probe-speed", "spd", 240.0, 60.0),
    above("probe-voltage", "vbat", 18.0, 14.1),
    above("probe-height", "alt", 5_000.0, 450.0),
    Probed { rule: "probe-battery", signal: "vbat", above: false, on: 6.0, off: 7.0, beyond: 5.0, usual: 14.1 },
];

/// Puts them in force.
pub async fn enact(store: &Store) -> Result<()> {
    let areas: Vec<GeofenceRecord> = (0..4).map(area).collect();
    for area in &areas {
        store.save_geofence(area).await?;
    }
    let ids: Vec<String> = areas.iter().map(|area| area.id.to_string()).collect();
    for number in 0..KINDS {
        let (id, title) = (format!("fleet-{number}"), format!("Rule {number}"));
        store.save_rule(&rule(id, title, condition(number, &ids))).await?;
    }
    for Probed { rule: id, signal, above, on, off, .. } in PROBED {
        let signals = vec![signal.to_owned()];
        let condition = match above {
            true => Condition::Above { signals, on, off, for_ms: 0 },
            false => Condition::Below { signals, on, off, for_ms: 0 },
        };
        store.save_rule(&rule(id.to_owned(), format!("{signal} is beyond {on}"), condition)).await?;
    }
    Ok(())
}

fn rule(id: String, title: String, condition: Condition) -> Rule {
    Rule { id, title, severity: Severity::Warning, enabled: true, scope: RuleScope::All, condition, film: false }
}

/// A ring of 24 corners about the lake, where the simulated cars drive.
fn area(number: u32) -> GeofenceRecord {
    let (north, east) = (46.5 + 0.02 * f64::from(number), 6.6 + 0.03 * f64::from(number));
    let corner = |k: u32| {
        let angle = f64::from(k) / 24.0 * std::f64::consts::TAU;
        (north + 0.01 * angle.sin(), east + 0.015 * angle.cos())
    };
    let now = unix_ms(SystemTime::now());
    GeofenceRecord {
        id: GeofenceId(Uuid::now_v7()),
        name: format!("Area {number}"),
        shape: Shape::Polygon((0..24).map(corner).collect()),
        client: None,
        colour: None,
        created: now,
        updated: now,
    }
}

fn condition(number: usize, areas: &[String]) -> Condition {
    let above = |signals: &[&str], on: f64, off: f64| Condition::Above {
        signals: signals.iter().map(|key| (*key).to_owned()).collect(),
        on,
        off,
        for_ms: 5_000,
    };
    let area = |when, for_ms| Condition::Area(Area { geofences: areas.to_vec(), when, for_ms });
    match number {
        0 => above(&["spd", "gspd"], 130.0, 125.0),
        1 => Condition::Speeding(Speeding {
            limit_kmh: Some(120.0),
            areas: areas.iter().map(|id| AreaLimit { geofence: id.clone(), limit_kmh: 50.0 }).collect(),
            classes: Vec::new(),
            below_kmh: 5.0,
            for_ms: 10_000,
        }),
        2 => area(AreaMove::Enter, 0),
        3 => area(AreaMove::Leave, 0),
        4 => Condition::All(vec![
            above(&["spd"], 5.0, 2.0),
            Condition::OutsideHours(Hours {
                zone: "Europe/Zurich".into(),
                days: Weekday::ALL.to_vec(),
                from_min: 0,
                to_min: 1440,
            }),
        ]),
        5 => Condition::Any(vec![above(&["oil"], 140.0, 130.0), above(&["rpm"], 6_000.0, 5_000.0)]),
        6 => Condition::FuelDrop(FuelDrop { by: 10.0, unit: FuelUnit::Percent, within_ms: 43_200_000 }),
        7 => Condition::Unusual(Unusual {
            signal: "ect".into(),
            against: Against::Load,
            side: UnusualSide::Above,
            deviations: 5.0,
            least: 8.0,
            for_ms: 120_000,
        }),
        8 => Condition::Codes(Codes { codes: Vec::new(), at_least: Severity::Warning, pending: false }),
        9 => Condition::Lamp,
        10 => Condition::Event(Happening { kinds: vec![EventKind::HarshBraking], hold_ms: 600_000 }),
        _ => Condition::Silent { after_ms: 300_000 },
    }
}

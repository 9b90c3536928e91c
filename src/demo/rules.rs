//! The rules of the demo's fleet: one of most kinds, few enough that what is open can be read.

use anyhow::Result;
use bugbrother_store::{ClientId, Condition, GeofenceId, Rule, RuleScope, Store};
use bugbrother_wire::{
    message::{EventKind, Severity},
    rule::{
        Against, Area, AreaLimit, AreaMove, ClassLimit, Codes, FuelDrop, FuelUnit, Happening, Hours, Speeding, Unusual,
        UnusualSide, Weekday,
    },
};

const MINUTE: u32 = 60_000;
const HOUR: u32 = 60 * MINUTE;

/// Makes them beside those of every new fleet.
pub async fn make(store: &Store, depot: GeofenceId, town: GeofenceId, client: ClientId) -> Result<()> {
    for rule in rules(&depot.to_string(), &town.to_string(), client) {
        store.save_rule(&rule).await?;
    }
    Ok(())
}

fn rules(depot: &str, town: &str, client: ClientId) -> Vec<Rule> {
    let rule = |id: &str, title: &str, severity, scope, condition| Rule {
        id: id.to_owned(),
        title: title.to_owned(),
        severity,
        enabled: true,
        scope,
        condition,
        film: severity != Severity::Info,
    };
    let of_all = |id: &str, title: &str, severity, condition| rule(id, title, severity, RuleScope::All, condition);
    let above = |signal: &str, on, off, for_ms| Condition::Above { signals: vec![signal.to_owned()], on, off, for_ms };
    let events = |kinds: &[EventKind], hold_ms| Condition::Event(Happening { kinds: kinds.to_vec(), hold_ms });
    let speeding = Speeding {
        limit_kmh: None,
        areas: vec![AreaLimit { geofence: town.to_owned(), limit_kmh: 60.0 }],
        classes: vec![ClassLimit { class: "Van".to_owned(), limit_kmh: 115.0 }],
        below_kmh: 8.0,
        for_ms: 15_000,
    };
    let hours =
        Hours { zone: "Europe/Zurich".to_owned(), days: Weekday::ALL[..6].to_vec(), from_min: 5 * 60, to_min: 22 * 60 };
    let moves =
        Condition::Above { signals: vec!["spd".to_owned(), "gspd".to_owned()], on: 5.0, off: 2.0, for_ms: MINUTE };
    let codes = Codes { codes: Vec::new(), at_least: Severity::Critical, pending: false };
    let area = Area { geofences: vec![depot.to_owned()], when: AreaMove::Enter, for_ms: 0 };
    let coolant = Unusual {
        signal: "ect".to_owned(),
        against: Against::Load,
        side: UnusualSide::Above,
        deviations: 6.0,
        least: 8.0,
        for_ms: 2 * MINUTE,
    };
    vec![
        of_all("limits", "Too fast for a van, or in Geneva", Severity::Warning, Condition::Speeding(speeding)),
        of_all("engine", "Engine in trouble", Severity::Critical, Condition::Codes(codes)),
        of_all(
            "hot",
            "Engine too hot",
            Severity::Critical,
            Condition::Any(vec![above("ect", 112.0, 106.0, 10_000), above("oil", 140.0, 132.0, 10_000)]),
        ),
        of_all("unusual-coolant", "Coolant unusually hot", Severity::Warning, Condition::Unusual(coolant)),
        of_all(
            "battery",
            "Battery low",
            Severity::Warning,
            Condition::Below { signals: vec!["vbat".to_owned()], on: 11.8, off: 12.2, for_ms: MINUTE },
        ),
        of_all(
            "fuel",
            "Fuel is missing",
            Severity::Critical,
            Condition::FuelDrop(FuelDrop { by: 8.0, unit: FuelUnit::Litres, within_ms: 12 * HOUR }),
        ),
        of_all("depot", "Arrived at the depot", Severity::Info, Condition::Area(area)),
        rule(
            "night",
            "Driven at night or on a Sunday",
            Severity::Warning,
            RuleScope::Client(client),
            Condition::All(vec![moves, Condition::OutsideHours(hours)]),
        ),
        of_all(
            "harsh",
            "Harsh driving",
            Severity::Info,
            events(&[EventKind::HarshBraking, EventKind::HarshAcceleration, EventKind::HarshCornering], 5 * MINUTE),
        ),
        of_all(
            "emergency",
            "Crash, towing or panic button",
            Severity::Critical,
            events(&[EventKind::Crash, EventKind::Tow, EventKind::PanicButton], 24 * HOUR),
        ),
        of_all(
            "unplugged",
            "A device is gone or its disk is full",
            Severity::Warning,
            events(
                &[EventKind::AdapterUnplugged, EventKind::ReceiverLost, EventKind::CameraUnplugged, EventKind::LowDisk],
                24 * HOUR,
            ),
        ),
        rule(
            "service",
            "A van is to be serviced",
            Severity::Info,
            RuleScope::Class("Van".to_owned()),
            Condition::Maintenance { soon: false },
        ),
        of_all("contract", "A contract ends", Severity::Info, Condition::ContractEnds { within_days: 30 }),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_rule_of_the_demo_could_have_been_made_by_a_person() {
        let rules = rules("a", "b", ClientId(Uuid::nil()));
        let ids: HashSet<_> = rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids.len(), rules.len());
        for rule in &rules {
            assert_eq!(bugbrother_rule::check(&rule.condition), Ok(()), "{}", rule.id);
            assert_eq!(rule.scope.check(), Ok(()), "{}", rule.id);
        }
    }
}

//! Who hears what: tables.

use std::collections::BTreeSet;

use bugbrother_notifier::post::audience::{Facts, Happening, Hearing, hearings};
use bugbrother_store::{AlertEvent, AlertEventKind, ChannelSettings, ClientId, Handling, Listener, Person};
use bugbrother_wire::{
    AlertId, ChannelId, SCHEMA_VERSION,
    api::{Attention, DeliveryStep, Role},
    message::{Alert, AlertState, Severity},
};
use uuid::Uuid;

use AlertEventKind::{Acknowledged, Assigned, Commented, Escalated, Opened, Resolved, Snoozed};

const NOW: i64 = 1_790_000_000_000;
const HOUR: i64 = 60 * 60 * 1000;

/// Who listens: an administrator, an operator, two clients, and a room of the fleet.
const EVERYBODY: [&str; 5] = ["admin", "ada", "taxi", "bakery", "room"];

fn channel(name: &str) -> ChannelId {
    let at = EVERYBODY.iter().position(|one| *one == name).expect("it is one of them");
    ChannelId(Uuid::from_u128(at as u128 + 1))
}

fn client(n: u128) -> ClientId {
    ClientId(Uuid::from_u128(n))
}

fn listeners(severities: &[Severity]) -> Vec<Listener> {
    let person = |name: &str| {
        let (role, client) = match name {
            "admin" => (Role::Administrator, None),
            "taxi" => (Role::Client, Some(client(1))),
            "bakery" => (Role::Client, Some(client(2))),
            _ => (Role::Operator, None),
        };
        Person { name: name.to_owned(), role, client, attention: Attention::default() }
    };
    let listener = |name: &&str| Listener {
        channel: channel(name),
        person: (*name != "room").then(|| person(name)),
        settings: ChannelSettings { severities: severities.to_vec(), ..ChannelSettings::default() },
    };
    EVERYBODY.iter().map(listener).collect()
}

fn alert(severity: Severity) -> Alert {
    Alert {
        v: SCHEMA_VERSION,
        vin: "WVWZZZ1JZ3W386752".parse().expect("it is a VIN"),
        id: AlertId(Uuid::from_u128(1)),
        rule: "fast".into(),
        title: "Faster than 130 km/h".into(),
        severity,
        state: AlertState::Open,
        opened: NOW,
        updated: NOW,
        resolved: None,
        count: 1,
        value: None,
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    }
}

/// A case: what happens, and who hears of it.
struct Case {
    severity: Severity,
    late: bool,
    kind: AlertEventKind,
    by: Option<&'static str>,
    text: Option<&'static str>,
    age: i64,
    assigned_to: Option<&'static str>,
    rests_for: i64,
    /// Which clients see the vehicle.
    seen_by: &'static [u128],
    told: &'static [&'static str],
    escalate_to: &'static [&'static str],
    wants: &'static [Severity],
}

/// A warning was opened just now of a vehicle of the taxi's; everybody wants warnings and worse.
const OPENED: Case = Case {
    severity: Severity::Warning,
    late: false,
    kind: Opened,
    by: None,
    text: None,
    age: 0,
    assigned_to: None,
    rests_for: 0,
    seen_by: &[1],
    told: &[],
    escalate_to: &[],
    wants: &[Severity::Warning, Severity::Critical],
};

/// What is told, and whether it may break through quiet hours.
type How = Vec<(DeliveryStep, bool)>;

impl Case {
    fn run(&self) -> (Vec<&'static str>, How) {
        let event = AlertEvent {
            number: 1,
            at: NOW - self.age,
            kind: self.kind,
            by: self.by.map(str::to_owned),
            text: self.text.map(str::to_owned),
        };
        let handling = Handling {
            assigned_to: self.assigned_to.map(str::to_owned),
            snoozed_until: (self.rests_for != 0).then_some(NOW + self.rests_for),
        };
        let listeners = listeners(self.wants);
        let alert = Alert { late: self.late, ..alert(self.severity) };
        let clients: BTreeSet<ClientId> = self.seen_by.iter().map(|n| client(*n)).collect();
        let told: Vec<ChannelId> = self.told.iter().map(|name| channel(name)).collect();
        let escalate_to: Vec<String> = self.escalate_to.iter().map(|name| (*name).to_owned()).collect();
        let facts =
            Facts { listeners: &listeners, clients: &clients, told: &told, escalate_to: &escalate_to, now: NOW };
        let heard = hearings(Happening { alert: &alert, handling: &handling, event: &event }, facts);
        let names = EVERYBODY.into_iter().filter(|name| heard.iter().any(|one| one.channel == channel(name)));
        let mut how: Vec<_> = heard.iter().map(|Hearing { step, urgent, .. }| (*step, *urgent)).collect();
        how.dedup();
        (names.collect(), how)
    }
}

#[test]
fn who_hears_is_who_may_and_wants_to() {
    let step = |step, urgent| vec![(step, urgent)];
    let opened = || step(DeliveryStep::Opened, false);
    let cases: Vec<(&str, Case, &[&str], How)> = vec![
        (
            "an alert: all but a client who does not have the vehicle",
            OPENED,
            &["admin", "ada", "taxi", "room"],
            opened(),
        ),
        ("of nobody's vehicle", Case { seen_by: &[], ..OPENED }, &["admin", "ada", "room"], opened()),
        ("of both clients' vehicle", Case { seen_by: &[1, 2], ..OPENED }, &EVERYBODY, opened()),
        (
            "what is critical breaks through",
            Case { severity: Severity::Critical, ..OPENED },
            &["admin", "ada", "taxi", "room"],
            step(DeliveryStep::Opened, true),
        ),
        ("what nobody wants to hear", Case { severity: Severity::Info, ..OPENED }, &[], vec![]),
        ("nothing wanted at all", Case { wants: &[], ..OPENED }, &[], vec![]),
        ("of the day before yesterday", Case { age: 25 * HOUR, ..OPENED }, &[], vec![]),
        ("found in data that came late", Case { late: true, severity: Severity::Critical, ..OPENED }, &[], vec![]),
        ("of this morning", Case { age: 8 * HOUR, ..OPENED }, &["admin", "ada", "taxi", "room"], opened()),
        ("one that is somebody's", Case { assigned_to: Some("ada"), ..OPENED }, &["ada", "room"], opened()),
        ("one that rests", Case { rests_for: HOUR, ..OPENED }, &[], vec![]),
        ("one that has rested", Case { rests_for: -HOUR, ..OPENED }, &["admin", "ada", "taxi", "room"], opened()),
        ("somebody takes back that they see to it", Case { by: Some("ada"), ..OPENED }, &[], vec![]),
        ("somebody sees to it", Case { kind: Acknowledged, by: Some("ada"), ..OPENED }, &[], vec![]),
        ("somebody says something", Case { kind: Commented, by: Some("ada"), ..OPENED }, &[], vec![]),
        ("somebody lets it rest", Case { kind: Snoozed, by: Some("ada"), ..OPENED }, &[], vec![]),
        (
            "it is given to somebody, who hears whatever the severity",
            Case { kind: Assigned, severity: Severity::Info, by: Some("admin"), text: Some("ada"), ..OPENED },
            &["ada"],
            step(DeliveryStep::Assigned, false),
        ),
        ("somebody takes it", Case { kind: Assigned, by: Some("ada"), text: Some("ada"), ..OPENED }, &[], vec![]),
        ("it is given to nobody", Case { kind: Assigned, by: Some("ada"), ..OPENED }, &[], vec![]),
        (
            "nobody has seen to it",
            Case { kind: Escalated, ..OPENED },
            &["admin", "room"],
            step(DeliveryStep::Escalated, true),
        ),
        (
            "nobody has seen to it, and it is said who is to hear",
            Case { kind: Escalated, severity: Severity::Info, escalate_to: &["ada"], ..OPENED },
            &["ada"],
            step(DeliveryStep::Escalated, true),
        ),
        (
            "a client who is to hear has not got the vehicle",
            Case { kind: Escalated, escalate_to: &["bakery", "taxi"], ..OPENED },
            &["taxi", "room"],
            step(DeliveryStep::Escalated, true),
        ),
        ("nobody has seen to one that rests", Case { kind: Escalated, rests_for: HOUR, ..OPENED }, &[], vec![]),
        (
            "it is over: who was told that it began, whatever they want now",
            Case { kind: Resolved, told: &["taxi", "room"], wants: &[], ..OPENED },
            &["taxi", "room"],
            step(DeliveryStep::Resolved, false),
        ),
        (
            "it is over, and rests",
            Case { kind: Resolved, told: &["ada"], rests_for: HOUR, ..OPENED },
            &["ada"],
            step(DeliveryStep::Resolved, false),
        ),
        (
            "it is over, and the contract too",
            Case { kind: Resolved, told: &["taxi"], seen_by: &[], ..OPENED },
            &[],
            vec![],
        ),
        ("it is over, and nobody knew", Case { kind: Resolved, ..OPENED }, &[], vec![]),
    ];
    for (what, case, who, how) in cases {
        assert_eq!(case.run(), (who.to_vec(), how), "{what}");
    }
}

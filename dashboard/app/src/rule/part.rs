//! One condition as it is typed.

use std::collections::BTreeMap;

use bugbrother_wire::{
    message::{EventKind, Severity},
    rule::{
        Against, Area, AreaLimit, AreaMove, ClassLimit, Codes, Condition, FuelDrop, FuelUnit, Happening, Hours,
        Speeding, Unusual, UnusualSide, Weekday,
    },
};

use super::Fences;

/// The kinds, in the order in which they are offered.
pub const KINDS: [&str; 15] = [
    "speeding",
    "above",
    "below",
    "fuel",
    "area",
    "hours",
    "codes",
    "lamp",
    "readiness",
    "event",
    "silent",
    "offline",
    "maintenance",
    "contract",
    "unusual",
];

/// Events that rules are made on, by their words on the wire.
pub const EVENTS: [(EventKind, &str); 15] = [
    (EventKind::HarshBraking, "harsh_braking"),
    (EventKind::HarshAcceleration, "harsh_acceleration"),
    (EventKind::HarshCornering, "harsh_cornering"),
    (EventKind::Crash, "crash"),
    (EventKind::Tow, "tow"),
    (EventKind::PanicButton, "panic_button"),
    (EventKind::Idling, "idling"),
    (EventKind::LowBattery, "low_battery"),
    (EventKind::AdapterUnplugged, "adapter_unplugged"),
    (EventKind::ReceiverLost, "receiver_lost"),
    (EventKind::CameraUnplugged, "camera_unplugged"),
    (EventKind::LowDisk, "low_disk"),
    (EventKind::OutboxDamaged, "outbox_damaged"),
    (EventKind::PrivacyOn, "privacy_on"),
    (EventKind::IgnitionOn, "ignition_on"),
];

/// Days by their words on the wire.
pub const DAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "mon"),
    (Weekday::Tue, "tue"),
    (Weekday::Wed, "wed"),
    (Weekday::Thu, "thu"),
    (Weekday::Fri, "fri"),
    (Weekday::Sat, "sat"),
    (Weekday::Sun, "sun"),
];

const MOVES: [(AreaMove, &str); 4] = [
    (AreaMove::Enter, "enter"),
    (AreaMove::Leave, "leave"),
    (AreaMove::Inside, "inside"),
    (AreaMove::Outside, "outside"),
];
const SEVERITIES: [(Severity, &str); 3] =
    [(Severity::Info, "info"), (Severity::Warning, "warning"), (Severity::Critical, "critical")];
const UNITS: [(FuelUnit, &str); 2] = [(FuelUnit::Percent, "percent"), (FuelUnit::Litres, "litres")];
const AGAINST: [(Against, &str); 3] =
    [(Against::Load, "load"), (Against::Speed, "speed"), (Against::Nothing, "nothing")];
const SIDES: [(UnusualSide, &str); 3] =
    [(UnusualSide::Above, "above"), (UnusualSide::Below, "below"), (UnusualSide::Both, "both")];

/// A condition: its kind, and what is typed into its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// One of [`KINDS`].
    pub kind: &'static str,
    text: BTreeMap<&'static str, String>,
}

impl Part {
    /// One of a kind, with what is usual.
    pub fn new(kind: &str, fences: &Fences) -> Self {
        let kind = KINDS.iter().find(|known| **known == kind).copied().unwrap_or("above");
        let first = fences.first().map_or("", |(id, _)| id.as_str());
        let text: &[(&'static str, &str)] = match kind {
            "above" => &[("signal", "ect"), ("others", ""), ("on", "110"), ("off", "105"), ("duration", "10")],
            "below" => &[("signal", "vbat"), ("others", ""), ("on", "11.8"), ("off", "12.2"), ("duration", "60")],
            "speeding" => &[("limit", "120"), ("areas", ""), ("classes", ""), ("below", "5"), ("duration", "10")],
            "fuel" => &[("on", "10"), ("unit", "percent"), ("hours", "12")],
            "area" => &[("when", "leave"), ("geofences", first), ("minutes", "0")],
            "hours" => {
                &[("zone", "Europe/Zurich"), ("days", "mon,tue,wed,thu,fri"), ("from", "07:00"), ("to", "18:00")]
            }
            "codes" => &[("codes", ""), ("at_least", "warning"), ("pending", "")],
            "event" => &[("kinds", "crash"), ("minutes", "60")],
            "silent" | "offline" => &[("minutes", "10")],
            "maintenance" => &[("soon", "")],
            "contract" => &[("on", "30")],
            "unusual" => &[
                ("signal", "ect"),
                ("against", "load"),
                ("side", "above"),
                ("on", "5"),
                ("least", "8"),
                ("duration", "120"),
            ],
            _ => &[],
        };
        Part { kind, text: text.iter().map(|(field, text)| (*field, (*text).to_owned())).collect() }
    }

    /// What is typed into a field.
    pub fn get(&self, field: &str) -> &str {
        self.text.get(field).map_or("", String::as_str)
    }

    /// Whether a box is ticked.
    pub fn is_ticked(&self, field: &str) -> bool {
        !self.get(field).is_empty()
    }

    /// Types into a field.
    pub fn set(&mut self, field: &'static str, text: &str) {
        self.text.insert(field, text.to_owned());
    }

    /// The words of a list of boxes that are ticked.
    pub fn list(&self, field: &str) -> Vec<&str> {
        self.get(field).split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
    }

    /// Ticks a box of a list, or no longer.
    pub fn tick(&mut self, field: &'static str, word: &str, on: bool) {
        let mut words: Vec<String> =
            self.list(field).into_iter().filter(|one| *one != word).map(str::to_owned).collect();
        if on {
            words.push(word.to_owned());
        }
        self.set(field, &words.join(","));
    }

    /// What is stored, as it would be typed.
    pub fn of(condition: &Condition, fences: &Fences) -> Self {
        let minutes = |ms: u32| trimmed(f64::from(ms) / 60_000.0);
        let seconds = |ms: u32| trimmed(f64::from(ms) / 1000.0);
        let name =
            |id: &str| fences.iter().find(|(known, _)| known == id).map_or(id, |(_, name)| name.as_str()).to_owned();
        let of =
            |kind: &'static str, text: Vec<(&'static str, String)>| Part { kind, text: text.into_iter().collect() };
        match condition {
            Condition::Above { signals, on, off, for_ms } | Condition::Below { signals, on, off, for_ms } => of(
                if matches!(condition, Condition::Above { .. }) { "above" } else { "below" },
                vec![
                    ("signal", signals.first().cloned().unwrap_or_default()),
                    ("others", signals.iter().skip(1).cloned().collect::<Vec<_>>().join(",")),
                    ("on", trimmed(*on)),
                    ("off", trimmed(*off)),
                    ("duration", seconds(*for_ms)),
                ],
            ),
            Condition::Speeding(spec) => of(
                "speeding",
                vec![
                    ("limit", spec.limit_kmh.map(trimmed).unwrap_or_default()),
                    ("areas", lines(spec.areas.iter().map(|one| (name(&one.geofence), one.limit_kmh)))),
                    ("classes", lines(spec.classes.iter().map(|one| (one.class.clone(), one.limit_kmh)))),
                    ("below", trimmed(spec.below_kmh)),
                    ("duration", seconds(spec.for_ms)),
                ],
            ),
            Condition::FuelDrop(spec) => of(
                "fuel",
                vec![
                    ("on", trimmed(spec.by)),
                    ("unit", word(&UNITS, spec.unit)),
                    ("hours", trimmed(f64::from(spec.within_ms) / 3_600_000.0)),
                ],
            ),
            Condition::Area(spec) => of(
                "area",
                vec![
                    ("when", word(&MOVES, spec.when)),
                    ("geofences", spec.geofences.join(",")),
                    ("minutes", minutes(spec.for_ms)),
                ],
            ),
            Condition::OutsideHours(spec) => of(
                "hours",
                vec![
                    ("zone", spec.zone.clone()),
                    ("days", spec.days.iter().map(|day| word(&DAYS, *day)).collect::<Vec<_>>().join(",")),
                    ("from", clock(spec.from_min)),
                    ("to", clock(spec.to_min)),
                ],
            ),
            Condition::Codes(spec) => of(
                "codes",
                vec![
                    ("codes", spec.codes.join(", ")),
                    ("at_least", word(&SEVERITIES, spec.at_least)),
                    ("pending", tick(spec.pending)),
                ],
            ),
            Condition::Event(spec) => {
                let kinds = spec.kinds.iter().map(|kind| word(&EVENTS, *kind)).collect::<Vec<_>>().join(",");
                of("event", vec![("kinds", kinds), ("minutes", minutes(spec.hold_ms))])
            }
            Condition::Silent { after_ms } => of("silent", vec![("minutes", minutes(*after_ms))]),
            Condition::Offline { after_ms } => of("offline", vec![("minutes", minutes(*after_ms))]),
            Condition::Maintenance { soon } => of("maintenance", vec![("soon", tick(*soon))]),
            Condition::ContractEnds { within_days } => of("contract", vec![("on", within_days.to_string())]),
            Condition::Unusual(spec) => of(
                "unusual",
                vec![
                    ("signal", spec.signal.clone()),
                    ("against", word(&AGAINST, spec.against)),
                    ("side", word(&SIDES, spec.side)),
                    ("on", trimmed(spec.deviations)),
                    ("least", trimmed(spec.least)),
                    ("duration", seconds(spec.for_ms)),
                ],
            ),
            Condition::ReadinessLost => of("readiness", vec![]),
            Condition::Lamp | Condition::All(_) | Condition::Any(_) => of("lamp", vec![]),
        }
    }

    /// The condition, or the field in which there is nothing that can be used.
    pub fn condition(&self, fences: &Fences) -> Result<Condition, &'static str> {
        let number = |field| parse(self.get(field)).ok_or(field);
        let ms =
            |field, unit_ms: f64| number(field).map(|n| (n * unit_ms).round().clamp(0.0, f64::from(u32::MAX)) as u32);
        let words = |field| self.list(field).into_iter().map(str::to_owned).collect::<Vec<_>>();
        Ok(match self.kind {
            "above" | "below" => {
                let signals = std::iter::once(self.get("signal").to_owned()).chain(words("others")).collect();
                let (on, off, for_ms) = (number("on")?, number("off")?, ms("duration", 1000.0)?);
                if self.kind == "above" {
                    Condition::Above { signals, on, off, for_ms }
                } else {
                    Condition::Below { signals, on, off, for_ms }
                }
            }
            "speeding" => Condition::Speeding(Speeding {
                limit_kmh: if self.get("limit").trim().is_empty() { None } else { Some(number("limit")?) },
                areas: self.areas(fences)?,
                classes: pairs(self.get("classes"))
                    .ok_or("classes")?
                    .into_iter()
                    .map(|(class, limit_kmh)| ClassLimit { class: class.to_owned(), limit_kmh })
                    .collect(),
                below_kmh: number("below")?,
                for_ms: ms("duration", 1000.0)?,
            }),
            "fuel" => Condition::FuelDrop(FuelDrop {
                by: number("on")?,
                unit: value(&UNITS, self.get("unit")).ok_or("unit")?,
                within_ms: ms("hours", 3_600_000.0)?,
            }),
            "area" => Condition::Area(Area {
                geofences: words("geofences"),
                when: value(&MOVES, self.get("when")).ok_or("when")?,
                for_ms: ms("minutes", 60_000.0)?,
            }),
            "hours" => Condition::OutsideHours(Hours {
                zone: self.get("zone").trim().to_owned(),
                days: self.list("days").into_iter().filter_map(|day| value(&DAYS, day)).collect(),
                from_min: minute(self.get("from")).ok_or("from")?,
                to_min: minute(self.get("to")).ok_or("to")?,
            }),
            "codes" => Condition::Codes(Codes {
                codes: words("codes").into_iter().map(|code| code.to_uppercase()).collect(),
                at_least: value(&SEVERITIES, self.get("at_least")).ok_or("at_least")?,
                pending: self.is_ticked("pending"),
            }),
            "event" => Condition::Event(Happening {
                kinds: self.list("kinds").into_iter().filter_map(|kind| value(&EVENTS, kind)).collect(),
                hold_ms: ms("minutes", 60_000.0)?,
            }),
            "silent" => Condition::Silent { after_ms: ms("minutes", 60_000.0)? },
            "offline" => Condition::Offline { after_ms: ms("minutes", 60_000.0)? },
            "maintenance" => Condition::Maintenance { soon: self.is_ticked("soon") },
            "contract" => Condition::ContractEnds { within_days: ms("on", 1.0)? },
            "unusual" => Condition::Unusual(Unusual {
                signal: self.get("signal").to_owned(),
                against: value(&AGAINST, self.get("against")).ok_or("against")?,
                side: value(&SIDES, self.get("side")).ok_or("side")?,
                deviations: number("on")?,
                least: number("least")?,
                for_ms: ms("duration", 1000.0)?,
            }),
            "readiness" => Condition::ReadinessLost,
            _ => Condition::Lamp,
        })
    }

    /// The limits of areas, which are typed by name.
    fn areas(&self, fences: &Fences) -> Result<Vec<AreaLimit>, &'static str> {
        let found = pairs(self.get("areas")).ok_or("areas")?;
        let limit = |(name, limit_kmh): (&str, f64)| {
            let is_it = |(id, known): &&(String, String)| known.eq_ignore_ascii_case(name) || id == name;
            let geofence = fences.iter().find(is_it)?.0.clone();
            Some(AreaLimit { geofence, limit_kmh })
        };
        found.into_iter().map(limit).collect::<Option<_>>().ok_or("areas")
    }
}

fn word<T: Copy + PartialEq>(words: &[(T, &str)], value: T) -> String {
    words.iter().find(|(known, _)| *known == value).map_or_else(String::new, |(_, word)| (*word).to_owned())
}

fn value<T: Copy>(words: &[(T, &str)], word: &str) -> Option<T> {
    words.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
}

fn parse(text: &str) -> Option<f64> {
    text.trim().replace(',', ".").parse().ok()
}

fn trimmed(number: f64) -> String {
    number.to_string()
}

fn tick(on: bool) -> String {
    if on { "1" } else { "" }.to_owned()
}

/// `07:00` of minutes.
pub fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.get(..2)?.parse::<u16>().ok()?);
    (hours <= 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// A line for each: `name = number`.
fn lines(pairs: impl Iterator<Item = (String, f64)>) -> String {
    pairs.map(|(name, number)| format!("{name} = {number}")).collect::<Vec<_>>().join("\n")
}

fn pairs(text: &str) -> Option<Vec<(&str, f64)>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, number) = line.rsplit_once('=')?;
            Some((name.trim(), parse(number)?))
        })
        .collect()
}

//! Conditions as sentences.

use bugbrother_wire::{
    message::EventKind,
    rule::{Against, AreaMove, Condition, FuelUnit, UnusualSide},
    signal,
};

use super::{
    Fences,
    part::{DAYS, EVENTS, clock},
};
use crate::{
    format::{Span, unit, value},
    phrases::{Phrases, RuleWords},
};

/// A condition as a sentence. `label` names signals.
pub fn in_words(
    phrases: &Phrases,
    condition: &Condition,
    fences: &Fences,
    label: fn(&Phrases, &str) -> String,
) -> String {
    let page = &phrases.rule_page;
    let words = page.words;
    let lasting = |ms: u32| (phrases.lasting)(Span::of(i64::from(ms)));
    let limit = |key: &str, on: f64| {
        let of_unit = signal::find(key).map_or("", |signal| unit(signal.unit));
        format!("{} {of_unit}", trimmed(key, on))
    };
    let name =
        |id: &str| fences.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| name.as_str()).to_owned();
    match condition {
        Condition::Above { signals, on, for_ms, .. } | Condition::Below { signals, on, for_ms, .. } => {
            let key = signals.first().map(String::as_str).unwrap_or_default();
            let say = if matches!(condition, Condition::Above { .. }) { words.above } else { words.below };
            say(&label(phrases, key), &limit(key, *on), &lasting(*for_ms))
        }
        Condition::Silent { after_ms } => (words.silent)(&lasting(*after_ms)),
        Condition::Offline { after_ms } => (words.offline)(&lasting(*after_ms)),
        Condition::Speeding(spec) => {
            let all = spec.limit_kmh.map_or_else(|| words.than_allowed.to_owned(), |kmh| format!("{kmh} km/h"));
            let areas = spec.areas.iter().map(|one| format!("{} {}", name(&one.geofence), one.limit_kmh));
            let others: Vec<_> =
                areas.chain(spec.classes.iter().map(|one| format!("{} {}", one.class, one.limit_kmh))).collect();
            let limits = if others.is_empty() { all } else { format!("{all} ({})", others.join(", ")) };
            (words.faster)(&limits, &lasting(spec.for_ms))
        }
        Condition::FuelDrop(spec) => {
            let of_unit = if spec.unit == FuelUnit::Litres { "l" } else { "%" };
            (words.fuel)(&format!("{} {of_unit}", spec.by), &lasting(spec.within_ms))
        }
        Condition::Area(spec) => {
            let names: Vec<_> = spec.geofences.iter().map(|id| name(id)).collect();
            let time = (spec.for_ms > 0).then(|| lasting(spec.for_ms));
            (words.area)((words.choice)(move_word(spec.when)), &names.join(", "), time.as_deref())
        }
        Condition::OutsideHours(spec) => {
            let days: Vec<_> = DAYS.iter().filter(|(day, _)| spec.days.contains(day)).map(|(_, word)| *word).collect();
            (words.hours)(&day_names(words, &days), &clock(spec.from_min), &clock(spec.to_min))
        }
        Condition::Codes(spec) => {
            let codes = if spec.codes.is_empty() { words.any_code.to_owned() } else { spec.codes.join(", ") };
            (words.codes)(&codes, &phrases.severity(spec.at_least).to_lowercase(), spec.pending)
        }
        Condition::Lamp => words.lamp.to_owned(),
        Condition::ReadinessLost => words.readiness.to_owned(),
        Condition::Event(spec) => {
            let names: Vec<_> = spec.kinds.iter().map(|kind| event(words, *kind)).collect();
            names.join(", ")
        }
        Condition::Maintenance { soon } => (words.maintenance)(*soon).to_owned(),
        Condition::ContractEnds { within_days } => (words.contract)(*within_days),
        Condition::Unusual(spec) => {
            let side = match spec.side {
                UnusualSide::Above => "above",
                UnusualSide::Below => "below",
                UnusualSide::Both => "both",
            };
            let against = match spec.against {
                Against::Load => "load",
                Against::Speed => "speed",
                Against::Nothing => "nothing",
            };
            let (name, least) = (label(phrases, &spec.signal), limit(&spec.signal, spec.least));
            (words.unusual)(&name, (words.choice)(side), &least, (words.choice)(against))
        }
        Condition::All(parts) | Condition::Any(parts) => {
            let is_all = matches!(condition, Condition::All(_));
            let said = parts.iter().map(|part| {
                let said = in_words(phrases, part, fences, label);
                if matches!(part, Condition::Any(_)) && is_all { format!("({said})") } else { said }
            });
            said.collect::<Vec<_>>().join(&format!(" {} ", if is_all { page.and } else { page.or }))
        }
    }
}

/// What happened, in words.
pub fn event(words: &RuleWords, kind: EventKind) -> &'static str {
    (words.event)(EVENTS.iter().find(|(known, _)| *known == kind).map_or("", |(_, word)| *word))
}

fn move_word(when: AreaMove) -> &'static str {
    match when {
        AreaMove::Enter => "enter",
        AreaMove::Leave => "leave",
        AreaMove::Inside => "inside",
        AreaMove::Outside => "outside",
    }
}

/// `Mon–Fri` where they follow one another.
fn day_names(words: &RuleWords, days: &[&str]) -> String {
    let place = |day: &str| DAYS.iter().position(|(_, word)| *word == day).unwrap_or_default();
    match (days.first(), days.last()) {
        (Some(first), Some(last)) if days.len() > 2 && place(last) - place(first) + 1 == days.len() => {
            format!("{}–{}", (words.day)(first), (words.day)(last))
        }
        _ => days.iter().map(|day| (words.day)(day)).collect::<Vec<_>>().join(", "),
    }
}

/// A limit as somebody has typed it: whole numbers without a point.
fn trimmed(key: &str, number: f64) -> String {
    if number.fract() == 0.0 { value(key, number).0 } else { format!("{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        phrases::Language,
        rule::templates::{TEMPLATES, Template},
    };

    fn say(language: Language, word: &str) -> String {
        let fences = [("f1".to_owned(), "Depot".to_owned())];
        let condition = Template::new(word, &fences).draft.condition(&fences).unwrap();
        in_words(language.phrases(), &condition, &fences, |_, key| key.to_owned())
    }

    #[test]
    fn rules_are_sentences() {
        for (word, sentence) in [
            ("speeding", "Faster than 120 km/h for 10 s"),
            ("fuel", "10 % of fuel gone within 12 h while it stands"),
            ("left", "It leaves Depot"),
            ("hours", "spd above 5 km/h for 1 min and outside Mon–Fri, 07:00 to 18:00"),
            ("codes", "Check-engine light on or Trouble codes: any, warning or worse"),
            ("unusual", "ect higher than usual, by 8 °C or more, at the same engine load"),
        ] {
            assert_eq!(say(Language::English, word), sentence);
        }
        assert_eq!(say(Language::French, "left"), "Il sort de Depot");
    }

    #[test]
    fn no_template_is_without_words_in_either_language() {
        for word in TEMPLATES {
            for language in [Language::English, Language::French] {
                assert!(say(language, word).len() > 5, "{word}");
            }
        }
    }
}

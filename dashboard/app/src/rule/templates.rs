//! Rules that most fleets want, to begin with.

use bugbrother_wire::message::Severity;

use super::{Draft, Fences, Part};

/// A rule to begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its word; phrases have its title by it.
    pub word: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Its conditions.
    pub draft: Draft,
}

/// The words of all templates, in the order in which they are offered.
pub const TEMPLATES: [&str; 14] = [
    "speeding",
    "fuel",
    "left",
    "entered",
    "hours",
    "codes",
    "coolant",
    "battery",
    "harsh",
    "crash",
    "unplugged",
    "silent",
    "service",
    "unusual",
];

impl Template {
    /// The one of that word.
    pub fn new(word: &str, fences: &Fences) -> Self {
        let word = TEMPLATES.iter().find(|known| **known == word).copied().unwrap_or("speeding");
        let part = |kind: &str, text: &[(&'static str, &str)]| {
            let mut part = Part::new(kind, fences);
            text.iter().for_each(|(field, text)| part.set(field, text));
            part
        };
        let one = |kind, text| Draft::one(part(kind, text));
        let (severity, draft) = match word {
            "fuel" => (Severity::Critical, one("fuel", &[])),
            "left" => (Severity::Warning, one("area", &[("when", "leave")])),
            "entered" => (Severity::Info, one("area", &[("when", "enter")])),
            "hours" => {
                let moves = part(
                    "above",
                    &[("signal", "spd"), ("others", "gspd"), ("on", "5"), ("off", "2"), ("duration", "60")],
                );
                (Severity::Warning, Draft { parts: vec![moves, part("hours", &[])], ands: vec![true] })
            }
            "codes" => {
                let parts = vec![part("lamp", &[]), part("codes", &[])];
                (Severity::Warning, Draft { parts, ands: vec![false] })
            }
            "coolant" => (Severity::Critical, one("above", &[])),
            "battery" => (Severity::Warning, one("below", &[])),
            "harsh" => {
                let kinds = "harsh_braking,harsh_acceleration,harsh_cornering";
                (Severity::Info, one("event", &[("kinds", kinds), ("minutes", "10")]))
            }
            "crash" => (Severity::Critical, one("event", &[("kinds", "crash,tow,panic_button"), ("minutes", "1440")])),
            "unplugged" => {
                let kinds = "adapter_unplugged,receiver_lost,camera_unplugged,low_disk";
                (Severity::Warning, one("event", &[("kinds", kinds), ("minutes", "1440")]))
            }
            "silent" => (Severity::Info, one("silent", &[])),
            "service" => {
                let parts = vec![part("maintenance", &[]), part("contract", &[])];
                (Severity::Info, Draft { parts, ands: vec![false] })
            }
            "unusual" => (Severity::Warning, one("unusual", &[])),
            _ => (Severity::Warning, one("speeding", &[])),
        };
        Template { word, severity, draft }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_saved_as_it_is() {
        let fences = [("f1".to_owned(), "Depot".to_owned())];
        for word in TEMPLATES {
            let template = Template::new(word, &fences);
            assert_eq!(template.word, word);
            assert!(template.draft.condition(&fences).is_ok(), "{word}: {:?}", template.draft.condition(&fences));
        }
    }
}

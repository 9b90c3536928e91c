//! The words of messages, in each language.

use bugbrother_store::Language;
use bugbrother_wire::{
    message::{Alert, Severity},
    signal::{self, Signal},
};

use super::RULE;

/// What messages say.
pub struct Words {
    language: Language,
    pub info: &'static str,
    pub warning: &'static str,
    pub critical: &'static str,
    pub resolved: &'static str,
    pub escalated: &'static str,
    pub assigned: &'static str,
    pub vehicle: &'static str,
    pub since: &'static str,
    pub over: &'static str,
    pub place: &'static str,
    pub value: &'static str,
    pub limit: &'static str,
    pub codes: &'static str,
    pub area: &'static str,
    pub usual: &'static str,
    pub items: &'static str,
    pub contact: &'static str,
    pub times: &'static str,
    pub open_alert: &'static str,
    pub open_map: &'static str,
    pub open_film: &'static str,
    pub vehicles: &'static str,
    pub alerts: &'static str,
    pub more: &'static str,
    pub test_title: &'static str,
    pub test_text: &'static str,
    pub footer: &'static str,
    pub never: &'static str,
}

const ENGLISH: Words = Words {
    language: Language::En,
    info: "Info",
    warning: "Warning",
    critical: "Critical",
    resolved: "Over",
    escalated: "Nobody has seen to it",
    assigned: "Given to you",
    vehicle: "Vehicle",
    since: "Since",
    over: "Over since",
    place: "Near",
    value: "Value",
    limit: "limit",
    codes: "Trouble codes",
    area: "Area",
    usual: "usual",
    items: "Due",
    contact: "Contact",
    times: "times",
    open_alert: "Open the alert",
    open_map: "Show on the map",
    open_film: "Watch the film",
    vehicles: "vehicles",
    alerts: "alerts",
    more: "more",
    test_title: "A test of BugBrother",
    test_text: "If you read this, alerts reach you here.",
    footer: "BugBrother sends this because of your notification settings.",
    never: "unknown",
};

const FRENCH: Words = Words {
    language: Language::Fr,
    info: "Info",
    warning: "Avertissement",
    critical: "Critique",
    resolved: "Terminé",
    escalated: "Personne ne s'en occupe",
    assigned: "Pour vous",
    vehicle: "Véhicule",
    since: "Depuis",
    over: "Terminé à",
    place: "Près de",
    value: "Valeur",
    limit: "limite",
    codes: "Codes défaut",
    area: "Zone",
    usual: "d'habitude",
    items: "À faire",
    contact: "Contact",
    times: "fois",
    open_alert: "Ouvrir l'alerte",
    open_map: "Montrer sur la carte",
    open_film: "Voir le film",
    vehicles: "véhicules",
    alerts: "alertes",
    more: "de plus",
    test_title: "Un essai de BugBrother",
    test_text: "Si vous lisez ceci, les alertes vous parviennent ici.",
    footer: "BugBrother envoie ceci selon vos réglages de notification.",
    never: "inconnu",
};

impl Words {
    /// The words of a language.
    pub fn of(language: Language) -> &'static Words {
        match language {
            Language::En => &ENGLISH,
            Language::Fr => &FRENCH,
        }
    }

    /// How bad it is.
    pub fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Info => self.info,
            Severity::Warning => self.warning,
            Severity::Critical => self.critical,
        }
    }

    /// What an alert is called: what people have called its rule, or what the system says by itself in this language.
    pub fn title(&self, alert: &Alert) -> String {
        let title = alert.title.as_str();
        if self.language == Language::En {
            return title.to_owned();
        }
        if alert.rule == RULE {
            let label =
                title.split_once('“').and_then(|(_, rest)| rest.rsplit_once('”')).map_or(title, |(label, _)| label);
            return format!("Les notifications par « {label} » n'arrivent pas");
        }
        let own = GIVEN.iter().find(|(english, _)| *english == title);
        own.map_or(title, |(_, french)| french).to_owned()
    }

    /// What a signal is called.
    pub fn signal(&self, signal: &Signal) -> &'static str {
        match self.language {
            Language::En => signal.label,
            Language::Fr => signal::french(signal.key).unwrap_or(signal.label),
        }
    }

    /// A unit as people write it.
    pub fn unit<'a>(&self, name: &'a str) -> &'a str {
        match (name, self.language) {
            ("celsius", _) => "°C",
            ("percent", _) => "%",
            ("degrees", _) => "°",
            ("m/s^2", _) => "m/s²",
            ("ratio", _) => "",
            ("rpm", Language::Fr) => "tr/min",
            ("mg/stroke", Language::Fr) => "mg/course",
            (name, _) => name,
        }
    }
}

/// The rules that a fleet has before anybody has made one.
const GIVEN: [(&str, &str); 2] =
    [("Faster than 130 km/h", "Plus de 130 km/h"), ("Silent for 5 minutes", "Silencieux depuis 5 minutes")];

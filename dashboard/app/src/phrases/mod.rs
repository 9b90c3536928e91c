//! Every phrase of the app, in every language.
//!
//! A language is a value of [`Phrases`]: one that lacks a phrase does not compile.

pub mod business;
mod english;
mod french;
mod notification;
pub mod people;
mod rules;
mod running;
mod vehicle;
mod video;
mod watch;

use crate::{fleet::Filter, format::Span};
use bugbrother_wire::{live::Motion, message::Severity};

pub use rules::{RulePage, RuleWords};
pub use vehicle::VehiclePage;
pub use watch::{AlertPage, GeofencePage};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// French.
    French,
}

impl Language {
    /// The language that fits a browser's, such as `fr-CH`.
    pub fn of(tag: &str) -> Self {
        if tag.to_ascii_lowercase().starts_with("fr") { Language::French } else { Language::English }
    }

    /// Its tag in the document and in the browser's store.
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::French => "fr",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Language::English => Language::French,
            Language::French => Language::English,
        }
    }

    /// Its phrases.
    pub fn phrases(self) -> &'static Phrases {
        match self {
            Language::English => &english::PHRASES,
            Language::French => &french::PHRASES,
        }
    }
}

/// The phrases of a language.
#[expect(missing_docs, reason = "the name of a phrase says what it is")]
pub struct Phrases {
    pub language: Language,
    pub running: &'static running::Running,
    /// What cameras see.
    pub video: &'static video::Video,
    pub business: &'static business::Business,
    pub people: &'static people::People,
    pub notification: &'static notification::Notification,
    pub skip_to_content: &'static str,
    pub main_navigation: &'static str,

    pub sign_in: &'static str,
    pub signing_in: &'static str,
    pub sign_in_lead: &'static str,
    pub sign_out: &'static str,
    pub user_name: &'static str,
    pub password: &'static str,
    pub show_password: &'static str,
    pub hide_password: &'static str,
    pub user_name_missing: &'static str,
    pub password_missing: &'static str,
    pub wrong_password: &'static str,
    pub too_many_attempts: fn(Option<u32>) -> String,
    pub server_unreachable: &'static str,
    pub session_ended: &'static str,
    pub role_administrator: &'static str,
    pub role_operator: &'static str,
    pub role_client: &'static str,

    pub map: &'static str,
    pub map_of_the_fleet: &'static str,
    pub vehicles: &'static str,
    pub alerts: &'static str,
    pub open_alerts: fn(usize) -> String,
    pub account: &'static str,
    pub theme: fn(&'static str) -> String,
    pub theme_system: &'static str,
    pub theme_dark: &'static str,
    pub theme_light: &'static str,
    pub other_language: &'static str,

    pub live: &'static str,
    pub live_hint: &'static str,
    pub reconnecting: &'static str,
    pub reconnecting_hint: &'static str,
    pub offline: &'static str,
    pub offline_hint: &'static str,

    pub search_placeholder: &'static str,
    pub search_label: &'static str,
    pub filter_label: &'static str,
    pub nothing_found: &'static str,
    pub nothing_found_hint: &'static str,
    pub clear_filters: &'static str,
    pub no_vehicles: &'static str,
    pub no_vehicles_hint: &'static str,
    pub no_position: &'static str,
    pub vehicle_list: &'static str,
    pub show_list: &'static str,
    pub hide_list: &'static str,
    pub fit_fleet: &'static str,

    pub moving: &'static str,
    pub idle: &'static str,
    pub parked: &'static str,
    pub silent: &'static str,
    pub all: &'static str,
    pub alert: &'static str,
    pub moving_for: fn(&str) -> String,
    pub idle_for: fn(&str) -> String,
    pub parked_for: fn(&str) -> String,
    pub silent_for: fn(&str) -> String,

    pub ago: fn(Span) -> String,
    pub lasting: fn(Span) -> String,
    pub never: &'static str,

    pub close: &'static str,
    pub follow: &'static str,
    pub following: &'static str,
    pub center: &'static str,
    pub last_seen: &'static str,
    pub all_values: &'static str,
    pub not_told: &'static str,
    pub vin: &'static str,
    pub plate: &'static str,
    pub maker: &'static str,
    pub name: &'static str,
    pub state: &'static str,
    pub unknown_vehicle: &'static str,

    pub speed: &'static str,
    pub engine: &'static str,
    pub coolant: &'static str,
    pub fuel: &'static str,

    pub severity_info: &'static str,
    pub severity_warning: &'static str,
    pub severity_critical: &'static str,
    pub severity: &'static str,
    pub what: &'static str,
    pub vehicle: &'static str,
    pub value: &'static str,
    pub since: &'static str,
    pub times: fn(u32) -> String,
    pub all_quiet: &'static str,
    pub all_quiet_hint: &'static str,

    pub undo: &'static str,
    pub try_again: &'static str,
    pub failed: &'static str,
    pub forbidden: &'static str,
    pub forbidden_hint: &'static str,
    pub unreachable_hint: &'static str,
    pub update_ready: &'static str,
    pub update_now: &'static str,
    pub edits_made: fn(usize, usize) -> String,
    pub find_anything: &'static str,
    pub find_placeholder: &'static str,
    pub change_theme: &'static str,
    pub more: &'static str,
    pub kept_for_later: &'static str,
    pub not_found: &'static str,
    pub not_found_hint: &'static str,
    pub back_to_map: &'static str,

    pub vehicle_page: VehiclePage,
    pub alert_page: AlertPage,
    pub rule_page: RulePage,
    pub geofence_page: GeofencePage,

    /// Names of signals that are not the catalogue's own.
    pub signal: fn(&str) -> Option<&'static str>,
}

impl PartialEq for Phrases {
    fn eq(&self, other: &Self) -> bool {
        self.language == other.language
    }
}

impl Phrases {
    /// A filter's name.
    pub fn filter(&self, filter: Filter) -> &'static str {
        match filter {
            Filter::All => self.all,
            Filter::Moving => self.moving,
            Filter::Idle => self.idle,
            Filter::Parked => self.parked,
            Filter::Silent => self.silent,
            Filter::Alert => self.alert,
        }
    }

    /// What a vehicle does.
    pub fn motion(&self, motion: Motion) -> &'static str {
        match motion {
            Motion::Moving => self.moving,
            Motion::Idle => self.idle,
            Motion::Parked => self.parked,
            Motion::Silent => self.silent,
        }
    }

    /// What a vehicle has done for some time.
    pub fn motion_for(&self, motion: Motion, span: Span) -> String {
        let phrase = match motion {
            Motion::Moving => self.moving_for,
            Motion::Idle => self.idle_for,
            Motion::Parked => self.parked_for,
            Motion::Silent => self.silent_for,
        };
        phrase(&(self.lasting)(span))
    }

    /// How bad an alert is.
    pub fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Info => self.severity_info,
            Severity::Warning => self.severity_warning,
            Severity::Critical => self.severity_critical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_language_finds_its_phrases() {
        assert_eq!(Language::of("fr-CH").phrases().sign_in, "Se connecter");
        assert_eq!(Language::of("de").phrases().sign_in, "Sign in");
        assert_eq!(Language::of(Language::French.tag()), Language::French);
    }

    #[test]
    fn plurals_are_right() {
        let (en, fr) = (Language::English.phrases(), Language::French.phrases());
        assert_eq!(
            [(en.open_alerts)(0), (en.open_alerts)(1), (en.open_alerts)(2)],
            ["No open alert", "1 open alert", "2 open alerts"]
        );
        assert_eq!([(fr.open_alerts)(1), (fr.open_alerts)(2)], ["1 alerte ouverte", "2 alertes ouvertes"]);
    }
}

//! A message in one language: what each kind of channel makes its form of. Pure.

use bugbrother_dtc::catalogue;
use bugbrother_store::Language;
use bugbrother_wire::{
    UnixMs,
    api::{Attention, DeliveryStep, Tongue},
    message::{AlertState, Severity},
    signal,
};

use super::{hours, matter::Matter, storm, words::Words};

/// Alerts that a message of many lists.
const MOST_LISTED: usize = 20;

/// For whom a message is.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    /// In which language.
    pub language: Language,
    /// In which time zone.
    pub attention: &'a Attention,
    /// Where the dashboard is, without a `/` at its end; without it there are no links.
    pub dashboard: Option<&'a str>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Letter {
    /// In a line.
    pub title: String,
    /// What is to be known, each with its name.
    pub facts: Vec<(&'static str, String)>,
    /// Several alerts, a line for each.
    pub list: Vec<String>,
    /// What follows, in a line.
    pub note: String,
    /// Where to go on: what it is called, and the address.
    pub links: Vec<(&'static str, String)>,
    /// The worst of what it tells.
    pub severity: Option<Severity>,
    /// Whether all that it tells is over.
    pub is_over: bool,
    /// What it replaces where only the newest of a kind is shown: the alert, or nothing.
    pub tag: Option<String>,
    /// Why it is sent.
    pub footer: &'static str,
}

/// A message that only shows that it arrives.
pub fn test(reader: &Reader<'_>) -> Letter {
    let words = Words::of(reader.language);
    let links = reader.dashboard.map(|base| (words.open_alert, format!("{base}/alerts")));
    Letter {
        title: words.test_title.to_owned(),
        note: words.test_text.to_owned(),
        links: links.into_iter().collect(),
        footer: words.footer,
        ..Letter::default()
    }
}

/// A message about what has happened; one alert in full, several as a list.
pub fn compose(matters: &[Matter], bundle: Option<&str>, reader: &Reader<'_>) -> Letter {
    match matters {
        [one] => single(one, reader),
        many => several(many, bundle, reader),
    }
}

fn single(matter: &Matter, reader: &Reader<'_>) -> Letter {
    let words = Words::of(reader.language);
    let Matter { alert, vehicle, .. } = matter;
    let is_over = alert.state == AlertState::Resolved;
    let head = match matter.step {
        _ if is_over => words.resolved,
        DeliveryStep::Escalated => words.escalated,
        DeliveryStep::Assigned => words.assigned,
        _ => words.severity(alert.severity),
    };
    let mut facts = Vec::new();
    let plate = vehicle.plate.as_ref().map(|plate| format!(" · {plate}")).unwrap_or_default();
    facts.push((words.vehicle, format!("{}{plate} · {}", vehicle.name, vehicle.vin)));
    if let Some(value) = value(matter, words) {
        facts.push((words.value, value));
    }
    facts.push((words.since, moment(alert.opened, reader, words)));
    if let Some(resolved) = alert.resolved {
        facts.push((words.over, moment(resolved, reader, words)));
    }
    if let Some(place) = &matter.place {
        facts.push((words.place, place.clone()));
    }
    if let Some(geofence) = alert.detail.as_ref().and_then(|cause| cause.geofence.clone()) {
        facts.push((words.area, geofence));
    }
    if let Some(cause) = alert.detail.as_ref().filter(|cause| !cause.items.is_empty()) {
        facts.push((words.items, cause.items.join(", ")));
    }
    if !matter.codes.is_empty() {
        facts.push((words.codes, codes(&matter.codes, reader.language)));
    }
    if let Some(contact) = &matter.contact {
        let parts = [Some(&contact.client), contact.name.as_ref(), contact.phone.as_ref(), contact.email.as_ref()];
        facts.push((words.contact, parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ")));
    }
    let mut links = Vec::new();
    if let Some(base) = reader.dashboard {
        links.push((words.open_alert, format!("{base}/alerts?alert={}", alert.id)));
        links.push((words.open_map, format!("{base}/?v={}", vehicle.vin)));
        if matter.film {
            links.push((words.open_film, format!("{base}/vehicles/{}?tab=media", vehicle.vin)));
        }
    }
    Letter {
        title: format!("{head}: {} – {}", words.title(alert), vehicle.name),
        facts,
        links,
        severity: Some(alert.severity),
        is_over,
        tag: Some(alert.id.to_string()),
        footer: words.footer,
        ..Letter::default()
    }
}

fn several(matters: &[Matter], bundle: Option<&str>, reader: &Reader<'_>) -> Letter {
    let words = Words::of(reader.language);
    let is_over = matters.iter().all(|matter| matter.alert.state == AlertState::Resolved);
    let severity = matters.iter().map(|matter| matter.alert.severity).max();
    let head = match severity {
        Some(severity) if !is_over => words.severity(severity),
        _ => words.resolved,
    };
    let title = match (bundle, matters.first()) {
        (Some(bundle), Some(first)) if storm::is_storm(bundle) => {
            format!("{head}: {} – {} {}", words.title(&first.alert), matters.len(), words.vehicles)
        }
        _ => format!("{head}: {} {}", matters.len(), words.alerts),
    };
    let line = |matter: &Matter| {
        let over = if matter.alert.state == AlertState::Resolved { words.resolved } else { "" };
        let plate = matter.vehicle.plate.as_deref();
        let parts = [
            Some(moment(matter.alert.opened, reader, words)),
            Some(matter.vehicle.name.clone()),
            plate.map(str::to_owned),
            Some(words.title(&matter.alert)),
            value(matter, words),
            matter.place.clone(),
            Some(over.to_owned()).filter(|over| !over.is_empty()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    };
    let left = matters.len().saturating_sub(MOST_LISTED);
    Letter {
        title,
        list: matters.iter().take(MOST_LISTED).map(line).collect(),
        note: if left > 0 { format!("… {left} {}", words.more) } else { String::new() },
        links: reader.dashboard.map(|base| (words.open_alert, format!("{base}/alerts"))).into_iter().collect(),
        severity,
        is_over,
        footer: words.footer,
        ..Letter::default()
    }
}

/// A value against its limit, with the unit.
fn value(matter: &Matter, words: &Words) -> Option<String> {
    let alert = &matter.alert;
    let value = alert.value?;
    let of_signal = alert.signal.as_deref().and_then(signal::find);
    let cause = alert.detail.as_deref();
    let named = of_signal.map(|signal| signal.unit).or_else(|| cause.and_then(|cause| cause.unit.as_deref()));
    let unit = named.map(|name| words.unit(name)).unwrap_or_default();
    let label = of_signal.map(|signal| words.signal(signal));
    let mut text = label.map(|label| format!("{label} ")).unwrap_or_default();
    text += &number(value);
    if !unit.is_empty() {
        text = format!("{text} {unit}");
    }
    if let Some(limit) = alert.limit {
        text = format!("{text} ({} {} {unit}", words.limit, number(limit)).trim_end().to_owned() + ")";
    }
    if let Some(usual) = cause.and_then(|cause| cause.usual) {
        text = format!("{text}, {} {} {unit}", words.usual, number(usual)).trim_end().to_owned();
    }
    if alert.count > 1 {
        text = format!("{text}, {} {}", alert.count, words.times);
    }
    Some(text)
}

/// As many digits as tell something.
fn number(value: f64) -> String {
    let digits = if value.abs() < 10.0 { 2 } else { usize::from(value.abs() < 1_000.0) };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn codes(codes: &[String], language: Language) -> String {
    let tongue = match language {
        Language::En => Tongue::En,
        Language::Fr => Tongue::Fr,
    };
    let explain = |code: &String| {
        let told = catalogue().explain(code, tongue);
        format!("{code} {} ({})", told.title, told.advice)
    };
    codes.iter().map(explain).collect::<Vec<_>>().join("; ")
}

fn moment(at: UnixMs, reader: &Reader<'_>, words: &Words) -> String {
    match hours::local(reader.attention, at) {
        Some(there) => there.strftime("%Y-%m-%d %H:%M %Z").to_string(),
        None => words.never.to_owned(),
    }
}

impl Letter {
    /// All but the title, as plain text, with links or without.
    pub fn text(&self, links: bool) -> String {
        let facts = self.facts.iter().map(|(name, fact)| format!("{name}: {fact}"));
        let list = self.list.iter().map(|line| format!("• {line}"));
        let note = Some(self.note.clone()).filter(|note| !note.is_empty());
        let links = self.links.iter().filter(|_| links).map(|(name, url)| format!("{name}: {url}"));
        facts.chain(list).chain(note).chain(links).collect::<Vec<_>>().join("\n")
    }

    /// The whole as a page, for letters.
    pub fn html(&self) -> String {
        let colour = match self.severity {
            _ if self.is_over => "#047857",
            Some(Severity::Critical) => "#b91c1c",
            Some(Severity::Warning) => "#a16207",
            _ => "#1d4ed8",
        };
        let mut body = String::new();
        for (name, fact) in &self.facts {
            body += &format!(
                "<tr><td style=\"padding:4px 16px 4px 0;color:#566180;vertical-align:top\">{}</td>\
                 <td style=\"padding:4px 0\">{}</td></tr>",
                escape(name),
                escape(fact)
            );
        }
        if !body.is_empty() {
            body = format!("<table style=\"border-collapse:collapse\">{body}</table>");
        }
        if !self.list.is_empty() {
            let lines: String = self.list.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
            body += &format!("<ul style=\"padding-left:20px;line-height:1.6\">{lines}</ul>");
        }
        if !self.note.is_empty() {
            body += &format!("<p>{}</p>", escape(&self.note));
        }
        let links: Vec<_> = self
            .links
            .iter()
            .map(|(name, url)| format!("<a style=\"color:#1d4ed8\" href=\"{}\">{}</a>", escape(url), escape(name)))
            .collect();
        format!(
            "<!doctype html><html><body style=\"font:16px/1.5 system-ui,sans-serif;color:#131a2e;margin:24px\">\
             <h1 style=\"font-size:20px;border-left:6px solid {colour};padding-left:12px\">{}</h1>{body}\
             <p>{}</p><p style=\"font-size:12px;color:#566180\">{}</p></body></html>",
            escape(&self.title),
            links.join(" &nbsp; "),
            escape(self.footer)
        )
    }

    /// Where to go first.
    pub fn link(&self) -> Option<&str> {
        self.links.first().map(|(_, url)| url.as_str())
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            c => safe.push(c),
        }
        safe
    })
}

/// The beginning of a text, of up to so many bytes.
pub fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub(3)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{
        AlertId, SCHEMA_VERSION,
        message::{Alert, AlertCause},
    };
    use uuid::Uuid;

    use super::*;
    use crate::post::matter::Vehicle;

    fn matter(alert: impl FnOnce(&mut Alert)) -> Matter {
        let vin = "WVWZZZ1JZ3W386752".parse().expect("it is a VIN");
        let mut told = Alert {
            v: SCHEMA_VERSION,
            vin,
            id: AlertId(Uuid::from_u128(1)),
            rule: "odd".into(),
            title: "Unusual".into(),
            severity: Severity::Warning,
            state: AlertState::Open,
            opened: 1_790_000_000_000,
            updated: 1_790_000_000_000,
            resolved: None,
            count: 3,
            value: Some(103.0),
            signal: Some("ect".into()),
            limit: None,
            lat: None,
            lon: None,
            acknowledged_by: None,
            late: false,
            detail: None,
        };
        alert(&mut told);
        let vehicle = Vehicle { vin, name: "Van 7".into(), plate: None };
        Matter {
            step: DeliveryStep::Opened,
            alert: told,
            vehicle,
            contact: None,
            place: None,
            codes: vec!["P0420".into()],
            film: true,
        }
    }

    fn told(matter: &Matter, language: Language) -> Letter {
        let attention = Attention { time_zone: Some("Europe/Zurich".into()), ..Attention::default() };
        let reader = Reader { language, attention: &attention, dashboard: Some("https://fleet.example.org") };
        compose(std::slice::from_ref(matter), None, &reader)
    }

    #[test]
    fn what_is_told_fits_what_the_rule_looked_at() {
        let unusual = matter(|alert| {
            alert.detail = Some(Box::new(AlertCause { usual: Some(89.0), ..AlertCause::default() }));
        });
        let text = told(&unusual, Language::En).text(true);
        assert!(text.contains("Value: Coolant temperature 103 °C, usual 89 °C, 3 times"), "{text}");
        assert!(text.contains("Since: 2026-09-21 ") && text.contains(" CEST"), "{text}");
        assert!(
            text.contains("Watch the film: https://fleet.example.org/vehicles/WVWZZZ1JZ3W386752?tab=media"),
            "{text}"
        );
        let theft = matter(|alert| {
            (alert.signal, alert.value, alert.count) = (None, Some(12.5), 1);
            let cause = AlertCause {
                geofence: Some("Depot".into()),
                items: vec!["Oil".into(), "Brakes".into()],
                unit: Some("l".into()),
                ..AlertCause::default()
            };
            alert.detail = Some(Box::new(cause));
        });
        let text = told(&theft, Language::Fr).text(true);
        for part in ["Valeur: 12.5 l", "Zone: Depot", "À faire: Oil, Brakes", "Codes défaut: P0420", "Voir le film: "]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let over = matter(|alert| (alert.state, alert.resolved) = (AlertState::Resolved, Some(1_790_000_060_000)));
        let letter = told(&over, Language::Fr);
        assert!(letter.is_over && letter.title == "Terminé: Unusual – Van 7", "{letter:?}");
    }

    #[test]
    fn nothing_in_a_french_message_is_english() {
        for signal in signal::CATALOGUE {
            let high = matter(|alert| {
                (alert.signal, alert.limit, alert.title) = (Some(signal.key.into()), Some(2.5), "Trop haut".into());
            });
            let text = told(&high, Language::Fr).text(false);
            let line = text.lines().find(|line| line.starts_with("Valeur: ")).expect("it has a value");
            let name = signal::french(signal.key).expect("it has a name");
            assert!(line.starts_with(&format!("Valeur: {name} 103")), "{line}");
            let is_plain = ["rpm", "stroke", "ratio", "celsius", "percent", "degrees", "m/s^2"];
            assert!(is_plain.iter().all(|unit| !line.ends_with(&format!("{unit})"))), "{line}");
            assert!(line.contains("(limite 2.5"), "{line}");
        }
        let mut failing = matter(|alert| {
            (alert.rule, alert.title) =
                (super::super::RULE.into(), "Notifications by “Night shift” are not delivered".into());
            (alert.value, alert.signal) = (None, None);
        });
        failing.codes.clear();
        failing.film = false;
        let letter = told(&failing, Language::Fr);
        assert_eq!(letter.title, "Avertissement: Les notifications par « Night shift » n'arrivent pas – Van 7");
        for (rule, expected) in [("Silent for 5 minutes", "Silencieux depuis 5 minutes"), ("Chaud", "Chaud")] {
            let given = matter(|alert| alert.title = rule.into());
            assert_eq!(told(&given, Language::Fr).title, format!("Avertissement: {expected} – Van 7"));
            assert_eq!(told(&given, Language::En).title, format!("Warning: {rule} – Van 7"));
        }
    }

    #[test]
    fn a_number_has_as_many_digits_as_tell_something() {
        for (value, text) in
            [(0.0, "0"), (1.239, "1.24"), (14.0, "14"), (118.46, "118.5"), (2_210.4, "2210"), (-7.5, "-7.5")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn nothing_in_a_page_is_taken_for_its_own() {
        let mut named = matter(|alert| alert.title = "<script>alert(1)</script>".into());
        named.vehicle.name = "\"><img src=x onerror=y>".into();
        let page = told(&named, Language::En).html();
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert_eq!(shortened("ééé", 5), "é…");
    }
}

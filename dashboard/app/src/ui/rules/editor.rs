//! The form of a rule.

use std::rc::Rc;

use bugbrother_wire::{
    api::{RuleEdit, RuleEntry},
    message::Severity,
    rule::Condition,
    signal,
};
use yew::{platform::spawn_local, prelude::*};

use super::trial::Trial;
use crate::{
    phrases::Phrases,
    ui::{
        api::{self, Refusal},
        kit::{Check, Field, Select, use_toasts},
        settings::use_phrases,
        vehicle::{label, refusal_text},
    },
};

/// Properties of [`Editor`].
#[derive(Properties, PartialEq)]
pub struct EditorProps {
    /// The rule; a new one without it.
    pub entry: Option<Rc<RuleEntry>>,
    /// Identities that are taken.
    pub known: Vec<String>,
    /// It is saved.
    pub saved: Callback<()>,
    /// Deletes it.
    pub delete: Callback<RuleEntry>,
}

/// What is typed in; numbers as they are typed.
#[derive(Debug, Clone, PartialEq)]
struct Typed {
    title: String,
    severity: Severity,
    enabled: bool,
    kind: String,
    signal: String,
    /// Further signals that count when the first is not sent.
    others: Vec<String>,
    on: String,
    off: String,
    seconds: String,
}

impl Typed {
    fn new() -> Self {
        Typed {
            title: String::new(),
            severity: Severity::Warning,
            enabled: true,
            kind: "above".to_owned(),
            signal: "spd".to_owned(),
            others: vec!["gspd".to_owned()],
            on: "130".to_owned(),
            off: "125".to_owned(),
            seconds: "3".to_owned(),
        }
    }

    fn of(rule: &RuleEdit) -> Self {
        let base = Typed { title: rule.title.clone(), severity: rule.severity, enabled: rule.enabled, ..Typed::new() };
        let seconds = |ms: u32| (f64::from(ms) / 1000.0).to_string();
        match &rule.condition {
            Condition::Above { signals, on, off, for_ms } | Condition::Below { signals, on, off, for_ms } => Typed {
                kind: if matches!(rule.condition, Condition::Above { .. }) { "above" } else { "below" }.to_owned(),
                signal: signals.first().cloned().unwrap_or_default(),
                others: signals.iter().skip(1).cloned().collect(),
                on: on.to_string(),
                off: off.to_string(),
                seconds: seconds(*for_ms),
                ..base
            },
            Condition::Silent { after_ms } => Typed { kind: "silent".to_owned(), seconds: seconds(*after_ms), ..base },
        }
    }

    /// The condition, or the field in which there is no number.
    fn condition(&self) -> Result<Condition, &'static str> {
        let number = |text: &str, field| text.trim().replace(',', ".").parse::<f64>().map_err(|_| field);
        let ms = (number(&self.seconds, "duration")? * 1000.0).round().clamp(0.0, f64::from(u32::MAX)) as u32;
        if self.kind == "silent" {
            return Ok(Condition::Silent { after_ms: ms });
        }
        let (on, off) = (number(&self.on, "on")?, number(&self.off, "off")?);
        let signals = std::iter::once(&self.signal).chain(&self.others).cloned().collect();
        Ok(if self.kind == "below" {
            Condition::Below { signals, on, off, for_ms: ms }
        } else {
            Condition::Above { signals, on, off, for_ms: ms }
        })
    }
}

/// An identity that is not taken, of the letters of a title.
fn identity(title: &str, known: &[String]) -> String {
    let letters = title.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let joined: String = letters.take(32).collect();
    let stem = joined.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let stem = if stem.is_empty() || stem == "trial" { "rule".to_owned() } else { stem };
    let mut names = std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}-{n}")));
    names.find(|name| !known.contains(name)).unwrap_or(stem)
}

/// The form.
#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.rule_page;
    let toasts = use_toasts();
    let typed = use_state(|| props.entry.as_ref().map_or_else(Typed::new, |entry| Typed::of(&entry.rule)));
    let refused = use_state(|| None::<Refusal>);
    let with = |change: fn(&mut Typed, String)| {
        let typed = typed.clone();
        Callback::from(move |text: String| {
            let mut next = (*typed).clone();
            change(&mut next, text);
            typed.set(next);
        })
    };
    let condition = typed.condition();
    let fault = match &condition {
        Err(field) => Some((*field, words.no_number.to_owned())),
        Ok(condition) => condition.check().err().map(|fault| (fault.field(), (words.fault)(fault))),
    };
    let error = |name: &str| {
        let own = fault.as_ref().filter(|(field, _)| *field == name).map(|(_, text)| text.clone());
        own.or_else(|| refused.as_ref().and_then(|refusal| refusal.field(name))).map(AttrValue::from)
    };
    let onsubmit = {
        let (typed, refused, saved, toasts) = ((*typed).clone(), refused.setter(), props.saved.clone(), toasts.clone());
        let (entry, known, condition) = (props.entry.clone(), props.known.clone(), condition.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let Ok(condition) = condition.clone() else { return };
            let id = entry.as_ref().map_or_else(|| identity(&typed.title, &known), |entry| entry.id.clone());
            let rule =
                RuleEdit { title: typed.title.clone(), severity: typed.severity, enabled: typed.enabled, condition };
            let (refused, saved, toasts) = (refused.clone(), saved.clone(), toasts.clone());
            spawn_local(async move {
                match api::put::<RuleEntry>(&format!("/rules/{id}"), &rule).await {
                    Ok(_) => {
                        toasts.say(words.saved);
                        saved.emit(());
                    }
                    Err(refusal) => {
                        if !matches!(refusal, Refusal::Fields(_)) {
                            toasts.say(refusal_text(phrases, &refusal));
                        }
                        refused.set(Some(refusal));
                    }
                }
            });
        }
    };
    let is_silence = typed.kind == "silent";
    let of_unit = signal::find(&typed.signal).map_or("", |signal| crate::format::unit(signal.unit));
    html! {
        <form class="form rule-editor" {onsubmit}>
            <Field name="title" label={words.title} value={typed.title.clone()} required=true error={error("title")} oninput={with(|typed, text| typed.title = text)} />
            <Select name="severity" label={phrases.severity} value={severity_word(typed.severity)} choices={severities(phrases)}
                onchange={with(|typed, word| typed.severity = severity_of(&word))} />
            <Select name="kind" label={words.kind} value={typed.kind.clone()} onchange={with(|typed, kind| typed.kind = kind)}
                choices={vec![("above".into(), words.above.into()), ("below".into(), words.below.into()), ("silent".into(), words.silent.into())]} />
            if !is_silence {
                <Select name="signals" label={words.signal} value={typed.signal.clone()} error={error("signals")} choices={signals(phrases, &typed.signal)}
                    onchange={with(|typed, key| {
                        typed.others = if key == "spd" { vec!["gspd".to_owned()] } else { Vec::new() };
                        typed.signal = key;
                    })} />
                <div class="pair">
                    <Field name="on" kind="number" step="any" label={(words.begins_at)(of_unit)} value={typed.on.clone()} error={error("on")} oninput={with(|typed, text| typed.on = text)} />
                    <Field name="off" kind="number" step="any" label={(words.ends_at)(of_unit)} value={typed.off.clone()} error={error("off")} oninput={with(|typed, text| typed.off = text)} />
                </div>
            }
            <Field name="duration" kind="number" step="any" label={words.seconds} value={typed.seconds.clone()} error={error("duration")} oninput={with(|typed, text| typed.seconds = text)} />
            <Check name="enabled" label={words.enabled} checked={typed.enabled} onchange={let typed = typed.clone(); Callback::from(move |on| typed.set(Typed { enabled: on, ..(*typed).clone() }))} />
            if let (Ok(condition), None) = (&condition, &fault) { <Trial condition={condition.clone()} /> }
            <div class="actions">
                <button class="primary" disabled={fault.is_some()} data-testid="save-rule">{ words.save }</button>
                if let Some(entry) = &props.entry {
                    <button type="button" class="secondary" onclick={let entry = (**entry).clone(); props.delete.reform(move |_| entry.clone())} data-testid="delete-rule">{ words.delete }</button>
                }
            </div>
        </form>
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn severity_of(word: &str) -> Severity {
    match word {
        "info" => Severity::Info,
        "critical" => Severity::Critical,
        _ => Severity::Warning,
    }
}

fn severities(phrases: &Phrases) -> Vec<(AttrValue, AttrValue)> {
    [Severity::Info, Severity::Warning, Severity::Critical]
        .map(|one| (severity_word(one).into(), phrases.severity(one).into()))
        .to_vec()
}

/// Every signal that there is; the one that is chosen also if it is a vehicle's own.
fn signals(phrases: &Phrases, chosen: &str) -> Vec<(AttrValue, AttrValue)> {
    let mut all: Vec<(AttrValue, AttrValue)> = signal::CATALOGUE
        .iter()
        .map(|signal| (signal.key.into(), format!("{} ({})", label(phrases, signal.key), signal.key).into()))
        .collect();
    if signal::find(chosen).is_none() {
        all.push((chosen.to_owned().into(), chosen.to_owned().into()));
    }
    all
}

//! The form of a rule.

use std::rc::Rc;

use bugbrother_wire::{
    api::{RuleEdit, RuleEntry},
    message::Severity,
    rule::{Condition, Scope},
};
use yew::{platform::spawn_local, prelude::*};

use super::{conditions::Conditions, scope::Whose, trial::Trial};
use crate::{
    phrases::Phrases,
    rule::{
        Draft,
        templates::{TEMPLATES, Template},
        words::in_words,
    },
    ui::{
        api::{self, Refusal},
        kit::{Check, Field, Select, use_toasts},
        settings::use_phrases,
        vehicle::{label, refusal_text},
        zone,
    },
};

/// Properties of [`Editor`].
#[derive(Properties, PartialEq)]
pub struct EditorProps {
    /// The rule; a new one without it.
    pub entry: Option<Rc<RuleEntry>>,
    /// Identities that are taken.
    pub known: Vec<String>,
    /// The fleet's geofences.
    pub fences: Rc<Vec<(String, String)>>,
    /// It is saved.
    pub saved: Callback<()>,
    /// Deletes it.
    pub delete: Callback<RuleEntry>,
}

/// What is typed in.
#[derive(Debug, Clone, PartialEq)]
struct Typed {
    title: String,
    severity: Severity,
    enabled: bool,
    scope: Scope,
    film: bool,
    /// The template that a new rule was begun with.
    template: String,
    what: What,
}

/// The conditions.
#[derive(Debug, Clone, PartialEq)]
enum What {
    Draft(Draft),
    /// A tree that this form has no room for stays as it is.
    Foreign(Condition),
}

impl Typed {
    fn begin(phrases: &Phrases, word: &str, fences: &[(String, String)]) -> Self {
        let mut template = Template::new(word, fences);
        let here = zone::chosen().unwrap_or_else(zone::of_browser);
        for part in template.draft.parts.iter_mut().filter(|part| part.kind == "hours") {
            part.set("zone", &here);
        }
        Typed {
            title: (phrases.rule_page.templates)(word).to_owned(),
            severity: template.severity,
            enabled: true,
            scope: Scope::All,
            film: false,
            template: word.to_owned(),
            what: What::Draft(template.draft),
        }
    }

    fn of(rule: &RuleEdit, fences: &[(String, String)]) -> Self {
        let draft = Draft::of(&rule.condition, fences);
        Typed {
            title: rule.title.clone(),
            severity: rule.severity,
            enabled: rule.enabled,
            scope: rule.scope.clone(),
            film: rule.film,
            template: String::new(),
            what: draft.map_or_else(|| What::Foreign(rule.condition.clone()), What::Draft),
        }
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
    let fences = Rc::clone(&props.fences);
    let typed = use_state(|| match &props.entry {
        None => Typed::begin(phrases, TEMPLATES[0], &fences),
        Some(entry) => Typed::of(&entry.rule, &fences),
    });
    let refused = use_state(|| None::<Refusal>);
    let condition = match &typed.what {
        What::Draft(draft) => draft.condition(&fences),
        What::Foreign(condition) => Ok(condition.clone()),
    };
    let scope_fault = typed.scope.check().err();
    let own = |name: &str| scope_fault.filter(|fault| fault.field() == name).map(|fault| (words.fault)(fault));
    let error = |name: &str| {
        own(name).or_else(|| refused.as_ref().and_then(|refusal| refusal.field(name))).map(AttrValue::from)
    };
    let onsubmit = {
        let (typed, refused, saved, toasts) = ((*typed).clone(), refused.setter(), props.saved.clone(), toasts.clone());
        let (entry, known, condition) = (props.entry.clone(), props.known.clone(), condition.clone().ok());
        move |event: SubmitEvent| {
            event.prevent_default();
            let Some(condition) = condition.clone() else { return };
            let id = entry.as_ref().map_or_else(|| identity(&typed.title, &known), |entry| entry.id.clone());
            let (title, severity, enabled, scope) =
                (typed.title.clone(), typed.severity, typed.enabled, typed.scope.clone());
            let rule = RuleEdit { title, severity, enabled, scope, condition, film: typed.film };
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
    let with = |change: fn(&mut Typed, String)| {
        let typed = typed.clone();
        Callback::from(move |text: String| {
            let mut next = (*typed).clone();
            change(&mut next, text);
            typed.set(next);
        })
    };
    let begin = {
        let (typed, fences) = (typed.setter(), Rc::clone(&fences));
        Callback::from(move |word: String| typed.set(Typed::begin(phrases, &word, &fences)))
    };
    let changed = {
        let typed = typed.clone();
        Callback::from(move |draft: Draft| typed.set(Typed { what: What::Draft(draft), ..(*typed).clone() }))
    };
    let whose = {
        let typed = typed.clone();
        Callback::from(move |scope: Scope| typed.set(Typed { scope, ..(*typed).clone() }))
    };
    html! {
        <form class="form rule-editor" {onsubmit}>
            if props.entry.is_none() {
                <Select name="template" label={words.template} value={typed.template.clone()} onchange={begin}
                    choices={TEMPLATES.iter().map(|word| ((*word).into(), (words.templates)(word).into())).collect::<Vec<_>>()} />
            }
            <Field name="title" label={words.title} value={typed.title.clone()} required=true error={error("title")} oninput={with(|typed, text| typed.title = text)} />
            <Select name="severity" label={phrases.severity} value={severity_word(typed.severity)} choices={severities(phrases)}
                onchange={with(|typed, word| typed.severity = severity_of(&word))} />
            {
                match &typed.what {
                    What::Draft(draft) => html! { <Conditions draft={draft.clone()} fences={Rc::clone(&fences)} {changed} wrong={condition.clone().err()} /> },
                    What::Foreign(condition) => html! {
                        <><p><b>{ in_words(phrases, condition, &fences, label) }</b></p><p class="muted">{ words.foreign }</p></>
                    },
                }
            }
            <Whose scope={typed.scope.clone()} changed={whose} error={error("scope")} />
            <Check name="enabled" label={words.enabled} checked={typed.enabled} onchange={let typed = typed.clone(); Callback::from(move |on| typed.set(Typed { enabled: on, ..(*typed).clone() }))} />
            <Check name="film" label={phrases.video.rule_films} checked={typed.film} onchange={let typed = typed.clone(); Callback::from(move |on| typed.set(Typed { film: on, ..(*typed).clone() }))} />
            if let Ok(condition) = &condition { <Trial condition={condition.clone()} scope={typed.scope.clone()} /> }
            if let Some(error) = error("condition") { <p class="error" role="alert">{ error }</p> }
            <div class="actions">
                <button class="primary" disabled={condition.is_err() || scope_fault.is_some()} data-testid="save-rule">{ words.save }</button>
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

/// The severities as choices.
pub(super) fn severities(phrases: &Phrases) -> Vec<(AttrValue, AttrValue)> {
    [Severity::Info, Severity::Warning, Severity::Critical]
        .map(|one| (severity_word(one).into(), phrases.severity(one).into()))
        .to_vec()
}

//! A channel as it is filled in.

use bugbrother_wire::{
    api::{ChannelEntry, ChannelForm, ChannelKind, Tongue},
    message::Severity,
};
use yew::prelude::*;

use super::OWN;
use crate::ui::{
    api,
    kit::{Check, Field, Select, Sheet},
    saving::{Submit, some, typing, use_saving},
    settings::use_phrases,
};

/// Properties of [`ChannelSheet`].
#[derive(Properties, PartialEq)]
pub struct ChannelSheetProps {
    /// Where it is, or is to be.
    pub base: &'static str,
    /// The one that is changed; without it a new one is made.
    #[prop_or_default]
    pub known: Option<ChannelEntry>,
    /// Closes it; whether something has changed.
    pub close: Callback<bool>,
}

/// Adds or changes a channel.
#[component]
pub fn ChannelSheet(props: &ChannelSheetProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.notification;
    let saving = use_saving();
    let known = props.known.as_ref();
    let form = use_state(|| match known {
        Some(entry) => entry.form.clone(),
        None => ChannelForm {
            kind: ChannelKind::Email,
            label: String::new(),
            target: String::new(),
            secret: None,
            severities: vec![Severity::Warning, Severity::Critical],
            language: Tongue::default(),
            enabled: true,
        },
    });
    let is_own = props.base == OWN;
    let onsubmit = {
        let (form, saving, close) = (form.clone(), saving.clone(), props.close.clone());
        let (base, id) = (props.base, known.map(|entry| entry.id));
        move |event: SubmitEvent| {
            event.prevent_default();
            let (body, close) = ((*form).clone(), close.clone());
            let sends = async move {
                match id {
                    Some(id) => api::put::<ChannelEntry>(&format!("{base}/channels/{id}"), &body).await,
                    None => api::post::<ChannelEntry>(&format!("{base}/channels"), &body).await,
                }
            };
            saving.run(sends, move |_| close.emit(true));
        }
    };
    let kinds = ChannelKind::ALL.iter().filter(|kind| **kind != ChannelKind::Push);
    let kinds = kinds.map(|kind| (word(*kind), AttrValue::from((words.kinds)(*kind)))).collect::<Vec<_>>();
    let hears = |severity: Severity| {
        let form = form.clone();
        Callback::from(move |on: bool| {
            let mut next = (*form).clone();
            next.severities.retain(|one| *one != severity);
            if on {
                next.severities.push(severity);
            }
            form.set(next);
        })
    };
    let enabled = {
        let form = form.clone();
        Callback::from(move |enabled| form.set(ChannelForm { enabled, ..(*form).clone() }))
    };
    let secret_hint = known.filter(|entry| entry.has_secret).map(|_| AttrValue::from(words.keeps_secret));
    html! {
        <Sheet title={if known.is_some() { words.change } else { words.add }} close={props.close.reform(|()| false)}>
            <form class="form" {onsubmit} novalidate=true>
                if known.is_none() {
                    <Select name="kind" label={words.kind} choices={kinds} value={word(form.kind)} error={saving.error("kind")}
                        onchange={typing(&form, |form: &mut ChannelForm, text| form.kind = kind(&text))} />
                }
                <Field name="label" label={words.label} value={form.label.clone()} error={saving.error("label")} room="channel"
                    oninput={typing(&form, |form: &mut ChannelForm, text| form.label = text)} />
                if is_own && form.kind == ChannelKind::Email {
                    <p class="muted">{ words.own_email }</p>
                } else if let Some(label) = (words.target)(form.kind) {
                    <Field name="target" {label} value={form.target.clone()} error={saving.error("target")} room="channel"
                        oninput={typing(&form, |form: &mut ChannelForm, text| form.target = text)} />
                }
                if let Some(label) = (words.secret)(form.kind) {
                    <Field name="secret" {label} kind="password" autocomplete="new-password" value={some(&form.secret)} hint={secret_hint}
                        error={saving.error("secret")} room="channel"
                        oninput={typing(&form, |form: &mut ChannelForm, text| form.secret = Some(text).filter(|text| !text.is_empty()))} />
                }
                <fieldset class="field">
                    <legend>{ words.hears }</legend>
                    for (severity, name) in [(Severity::Critical, "critical"), (Severity::Warning, "warning"), (Severity::Info, "info")] {
                        <Check key={name} name={format!("hears-{name}")} label={phrases.severity(severity)} checked={form.severities.contains(&severity)} onchange={hears(severity)} />
                    }
                </fieldset>
                if !is_own {
                    <Select name="language" label={phrases.people.language} value={if form.language == Tongue::Fr { "fr" } else { "en" }}
                        choices={vec![("en".into(), "English".into()), ("fr".into(), "Français".into())]}
                        onchange={typing(&form, |form: &mut ChannelForm, text| form.language = if text == "fr" { Tongue::Fr } else { Tongue::En })} />
                }
                <Check name="enabled" label={words.enabled} checked={form.enabled} onchange={enabled} />
                <Submit saving={saving.clone()} label={phrases.running.save} cancel={Some(props.close.reform(|()| false))} />
            </form>
        </Sheet>
    }
}

fn word(kind: ChannelKind) -> AttrValue {
    format!("{kind:?}").into()
}

fn kind(text: &str) -> ChannelKind {
    ChannelKind::ALL.iter().copied().find(|kind| word(*kind) == text).unwrap_or_default()
}

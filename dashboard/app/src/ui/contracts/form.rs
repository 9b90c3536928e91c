//! What was agreed on, as a form.

use std::collections::BTreeMap;

use bugbrother_wire::{
    ClientId,
    api::{ClientList, ContractForm, ContractSummary},
};
use yew::prelude::*;

use crate::ui::{
    api, day,
    fetch::use_fetch,
    kit::{Check, Field, Select, Sheet, TextArea},
    saving::{Submit, parse, some, some_number, typing, use_saving},
    settings::use_phrases,
};

/// As it is typed.
#[derive(Clone, PartialEq)]
struct Typed {
    client: String,
    title: String,
    starts: String,
    last: String,
    days: String,
    media_days: String,
    video: bool,
    options: String,
    note: Option<String>,
}

/// Properties of [`ContractSheet`].
#[derive(Properties, PartialEq)]
pub struct ContractSheetProps {
    /// The contract to change; without one a new one is added.
    #[prop_or_default]
    pub contract: Option<ContractSummary>,
    /// With whom a new one is.
    #[prop_or_default]
    pub client: Option<ClientId>,
    /// Leaves the form.
    pub close: Callback<()>,
    /// It is saved.
    pub saved: Callback<ContractSummary>,
}

/// A contract as a form.
#[component]
pub fn ContractSheet(props: &ContractSheetProps) -> Html {
    let words = use_phrases().business;
    let is_new = props.contract.is_none();
    let asks_client = is_new && props.client.is_none();
    let clients = use_fetch::<ClientList>(asks_client.then(|| "/clients?limit=200".to_owned()));
    let typed = use_state(|| typed(props));
    let saving = use_saving();
    let choices: Vec<(AttrValue, AttrValue)> = std::iter::once((AttrValue::default(), AttrValue::from(words.none)))
        .chain(clients.is.ready().iter().flat_map(|list| {
            list.clients.iter().map(|client| (client.id.to_string().into(), client.form.name.clone().into()))
        }))
        .collect();
    let parsed = parsed(&typed);
    let onsubmit = {
        let (saving, saved, parsed) = (saving.clone(), props.saved.clone(), parsed.clone());
        let id = props.contract.as_ref().map(|contract| contract.id);
        move |event: SubmitEvent| {
            event.prevent_default();
            let Some(form) = parsed.clone() else { return };
            let saved = saved.clone();
            let sends = async move {
                match id {
                    Some(id) => api::put::<ContractSummary>(&format!("/contracts/{id}"), &form).await,
                    None => api::post("/contracts", &form).await,
                }
            };
            saving.run(sends, move |contract| saved.emit(contract));
        }
    };
    let video = {
        let typed = typed.clone();
        Callback::from(move |video| typed.set(Typed { video, ..(*typed).clone() }))
    };
    let title = if is_new { words.add_contract } else { words.edit };
    html! {
        <Sheet {title} close={props.close.clone()}>
            <form class="form" {onsubmit} novalidate=true>
                if asks_client {
                    <Select name="client" label={words.client} {choices} value={typed.client.clone()} error={saving.error("client")}
                        onchange={typing(&typed, |typed: &mut Typed, text| typed.client = text)} />
                }
                <Field name="title" label={words.title} value={typed.title.clone()} required=true error={saving.error("title")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.title = text)} />
                <div class="pair">
                    <Field name="starts" kind="date" label={words.starts} value={typed.starts.clone()} required=true error={saving.error("starts")}
                        oninput={typing(&typed, |typed: &mut Typed, text| typed.starts = text)} />
                    <Field name="ends" kind="date" label={words.ends} value={typed.last.clone()} hint={Some(words.ends_hint)} error={saving.error("ends")}
                        oninput={typing(&typed, |typed: &mut Typed, text| typed.last = text)} />
                </div>
                <Check name="video" label={words.video_included} checked={typed.video} onchange={video} />
                <div class="pair">
                    <Field name="retention_days" kind="number" label={words.retention_days} value={typed.days.clone()} error={saving.error("retention_days")}
                        placeholder={Some(words.retention_default)} oninput={typing(&typed, |typed: &mut Typed, text| typed.days = text)} />
                    <Field name="media_retention_days" kind="number" label={words.media_retention_days} value={typed.media_days.clone()} error={saving.error("media_retention_days")}
                        placeholder={Some(words.retention_default)} oninput={typing(&typed, |typed: &mut Typed, text| typed.media_days = text)} />
                </div>
                <TextArea name="options" label={format!("{} — {}", words.options, words.options_hint)} value={typed.options.clone()} error={saving.error("options")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.options = text)} />
                <TextArea name="note" label={words.note} value={some(&typed.note)} error={saving.error("note")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.note = Some(text))} />
                <Submit saving={saving.clone()} label={words.save} cancel={Some(props.close.clone())} enabled={parsed.is_some()} />
            </form>
        </Sheet>
    }
}

fn typed(props: &ContractSheetProps) -> Typed {
    let client = props.client.map(|client| client.to_string()).unwrap_or_default();
    match &props.contract {
        Some(ContractSummary { form, .. }) => Typed {
            client: form.client.to_string(),
            title: form.title.clone(),
            starts: day::to_input(form.starts),
            last: form.ends.map(|ends| day::to_input(ends - 1)).unwrap_or_default(),
            days: some_number(form.retention_days),
            media_days: some_number(form.media_retention_days),
            video: form.video,
            options: form.options.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n"),
            note: form.note.clone(),
        },
        None => Typed {
            client,
            title: String::new(),
            starts: day::to_input(day::now()),
            last: String::new(),
            days: String::new(),
            media_days: String::new(),
            video: false,
            options: String::new(),
            note: None,
        },
    }
}

/// What can be sent, once it is enough.
fn parsed(typed: &Typed) -> Option<ContractForm> {
    let options: BTreeMap<String, String> = typed
        .options
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.trim().to_owned(), value.trim().to_owned())
        })
        .collect();
    Some(ContractForm {
        client: typed.client.parse().ok()?,
        title: typed.title.clone(),
        starts: day::from_input(&typed.starts, 0)?,
        ends: day::from_input(&typed.last, 1),
        retention_days: parse(&typed.days),
        media_retention_days: parse(&typed.media_days),
        video: typed.video,
        options,
        note: typed.note.clone(),
    })
}

//! Cameras of a vehicle that the server reaches by itself: added, tried, changed and removed.

use bugbrother_wire::{
    Vin,
    api::{EyeEntry, EyeForm, EyeList, EyeReport, EyeTransport},
    live::News,
};
use yew::prelude::*;

use crate::{
    phrases::Phrases,
    ui::{
        api,
        fetch::Fetched,
        kit::{Check, Field, Refused, Select, Sheet, use_toasts},
        news::use_fresh,
        saving::{Submit, some, typing, use_saving},
        settings::use_phrases,
        table::Skeleton,
    },
};

/// Properties of [`Eyes`].
#[derive(Properties, PartialEq)]
pub struct EyesProps {
    /// The vehicle.
    pub vin: Vin,
    /// They have changed.
    pub changed: Callback<()>,
}

/// What is open.
#[derive(Clone, PartialEq)]
enum Open {
    Nothing,
    New,
    One(EyeEntry),
}

/// The list, for whoever may change it.
#[component]
pub fn Eyes(props: &EyesProps) -> Html {
    let words = use_phrases().video;
    let vin = props.vin;
    let list = use_fresh::<EyeList>(Some(format!("/vehicles/{vin}/eyes")), Some(vin), &[News::Media]);
    let open = use_state_eq(|| Open::Nothing);
    let reload = {
        let (list, changed) = (list.reload.clone(), props.changed.clone());
        Callback::from(move |()| {
            list.emit(());
            changed.emit(());
        })
    };
    let eyes = match &list.is {
        Fetched::Loading => html! { <Skeleton rows=1 /> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={list.reload.clone()} /> },
        Fetched::Ready(list) if list.eyes.is_empty() => html! { <p class="muted">{ words.no_eyes }</p> },
        Fetched::Ready(found) => html! {
            <ul class="cards" data-testid="eyes">
                for entry in &found.eyes {
                    <Card key={entry.form.camera.clone()} {vin} entry={entry.clone()} reload={reload.clone()}
                        change={let (open, entry) = (open.setter(), entry.clone()); Callback::from(move |()| open.set(Open::One(entry.clone())))} />
                }
            </ul>
        },
    };
    let close = {
        let open = open.setter();
        Callback::from(move |changed: bool| {
            open.set(Open::Nothing);
            if changed {
                reload.emit(());
            }
        })
    };
    let begin = {
        let open = open.setter();
        Callback::from(move |_: MouseEvent| open.set(Open::New))
    };
    html! {
        <section class="panel eyes">
            <h2>{ words.eyes }</h2>
            <p class="muted">{ words.eyes_hint }</p>
            { eyes }
            <div class="actions">
                <button type="button" class="secondary" onclick={begin} data-testid="eye-add">{ words.add_eye }</button>
            </div>
            { match &*open {
                Open::Nothing => Html::default(),
                Open::New => html! { <EyeSheet {vin} close={close} /> },
                Open::One(entry) => html! { <EyeSheet {vin} known={entry.clone()} close={close} /> },
            } }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct CardProps {
    vin: Vin,
    entry: EyeEntry,
    change: Callback<()>,
    reload: Callback<()>,
}

#[component]
fn Card(props: &CardProps) -> Html {
    let phrases = use_phrases();
    let (words, business) = (phrases.video, phrases.business);
    let saving = use_saving();
    let toasts = use_toasts();
    let form = &props.entry.form;
    let remove = {
        let (path, reload) = (format!("/vehicles/{}/eyes/{}", props.vin, form.camera), props.reload.clone());
        let (saving, text) = (saving.clone(), (business.deleted_text)(&form.label));
        Callback::from(move |_: MouseEvent| {
            let (path, reload, toasts, text) = (path.clone(), reload.clone(), toasts.clone(), text.clone());
            saving.run(async move { api::delete(&path).await }, move |()| {
                toasts.say(text);
                reload.emit(());
            });
        })
    };
    html! {
        <li data-testid="eye">
            <div>
                <b>{ &form.label }</b>
                if !form.enabled { <span class="badge warn">{ phrases.notification.off }</span> }
                <p class="muted mono">{ &form.url }</p>
                if let Some(trouble) = saving.trouble() { <p class="error" role="alert">{ trouble }</p> }
                <p class="muted">{ (words.eye_by)(&props.entry.by) }</p>
            </div>
            <div class="actions">
                <button type="button" class="secondary" onclick={props.change.reform(|_: MouseEvent| ())} data-testid="eye-change">{ business.edit }</button>
                <button type="button" class="secondary" onclick={remove} data-testid="eye-remove">{ business.delete }</button>
            </div>
        </li>
    }
}

#[derive(Properties, PartialEq)]
struct EyeSheetProps {
    vin: Vin,
    #[prop_or_default]
    known: Option<EyeEntry>,
    close: Callback<bool>,
}

/// Adds or changes one.
#[component]
fn EyeSheet(props: &EyeSheetProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.video;
    let (saving, trying) = (use_saving(), use_saving());
    let report = use_state_eq(|| None::<EyeReport>);
    // Whose faults stand beside the fields: those of the last test, or of the last attempt to save.
    let is_tested = use_state_eq(|| false);
    let known = props.known.as_ref();
    let form = use_state(|| {
        let new = EyeForm { enabled: true, ..EyeForm::default() };
        known.map_or(new, |entry| entry.form.clone())
    });
    let base = format!("/vehicles/{}", props.vin);
    let onsubmit = {
        let (form, saving, close, is_tested) = (form.clone(), saving.clone(), props.close.clone(), is_tested.setter());
        let (base, camera) = (base.clone(), known.map(|entry| entry.form.camera.clone()));
        move |event: SubmitEvent| {
            event.prevent_default();
            is_tested.set(false);
            let (body, close, base, camera) = ((*form).clone(), close.clone(), base.clone(), camera.clone());
            let sends = async move {
                match camera {
                    Some(camera) => api::put::<EyeEntry>(&format!("{base}/eyes/{camera}"), &body).await,
                    None => api::post::<EyeEntry>(&format!("{base}/eyes"), &body).await,
                }
            };
            saving.run(sends, move |_| close.emit(true));
        }
    };
    let test = {
        let (form, trying, report, is_tested) = (form.clone(), trying.clone(), report.setter(), is_tested.setter());
        Callback::from(move |_: MouseEvent| {
            let (body, path, report) = ((*form).clone(), format!("{base}/eye-test"), report.clone());
            report.set(None);
            is_tested.set(true);
            trying.run(async move { api::post::<EyeReport>(&path, &body).await }, move |found| report.set(Some(found)));
        })
    };
    let error = |field: &str| if *is_tested { trying.error(field) } else { saving.error(field) };
    let line = |change: fn(&mut EyeForm, String)| typing(&form, change);
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let enabled = {
        let form = form.clone();
        Callback::from(move |enabled| form.set(EyeForm { enabled, ..(*form).clone() }))
    };
    let keeps = known.filter(|entry| entry.has_password).map(|_| AttrValue::from(words.keeps_password));
    let udp = form.transport == EyeTransport::Udp;
    html! {
        <Sheet title={if known.is_some() { words.change_eye } else { words.add_eye }} close={props.close.reform(|()| false)}>
            <form class="form" {onsubmit} novalidate=true>
                if known.is_none() {
                    <Field name="camera" label={words.eye_name} hint={words.eye_name_hint} value={form.camera.clone()} error={error("camera")} room="eye"
                        oninput={line(|form, text| form.camera = text)} />
                }
                <Field name="label" label={words.eye_label} value={form.label.clone()} error={error("label")} room="eye"
                    oninput={line(|form, text| form.label = text)} />
                <Field name="url" label={words.eye_url} placeholder="rtsp://camera.example.org:554/stream1" value={form.url.clone()} error={error("url")} room="eye"
                    oninput={line(|form, text| form.url = text)} />
                <div class="pair">
                    <Field name="user" label={words.eye_user} value={some(&form.user)} error={error("user")} room="eye"
                        oninput={typing(&form, move |form: &mut EyeForm, text| form.user = filled(text))} />
                    <Field name="password" label={words.eye_password} kind="password" autocomplete="new-password" hint={keeps} value={some(&form.password)}
                        error={error("password")} room="eye" oninput={typing(&form, move |form: &mut EyeForm, text| form.password = filled(text))} />
                </div>
                <Select name="transport" label={words.eye_transport} value={if udp { "udp" } else { "tcp" }} error={error("transport")}
                    choices={vec![("tcp".into(), "TCP".into()), ("udp".into(), "UDP".into())]}
                    onchange={line(|form, text| form.transport = if text == "udp" { EyeTransport::Udp } else { EyeTransport::Tcp })} />
                <Field name="sub_url" label={words.eye_sub_url} hint={words.eye_sub_hint} value={some(&form.sub_url)} error={error("sub_url")} room="eye"
                    oninput={typing(&form, move |form: &mut EyeForm, text| form.sub_url = filled(text))} />
                <Field name="photo_url" label={words.eye_photo_url} hint={words.eye_photo_hint} value={some(&form.photo_url)} error={error("photo_url")} room="eye"
                    oninput={typing(&form, move |form: &mut EyeForm, text| form.photo_url = filled(text))} />
                <Check name="enabled" label={words.eye_enabled} checked={form.enabled} onchange={enabled} />
                <p role="status" data-testid="eye-report">{
                    if trying.busy() { html! { <span class="muted">{ words.trying }</span> } }
                    else if let Some(trouble) = trying.trouble() { html! { <span class="error">{ trouble }</span> } }
                    else { report.as_ref().map(|report| said(phrases, report)).unwrap_or_default() }
                }</p>
                <div class="actions">
                    <button type="button" class="secondary" onclick={test} disabled={trying.busy()} data-testid="eye-test">{ words.try_it }</button>
                </div>
                <Submit saving={saving.clone()} label={phrases.running.save} cancel={Some(props.close.reform(|()| false))} />
            </form>
        </Sheet>
    }
}

/// What a camera answered.
fn said(phrases: &Phrases, report: &EyeReport) -> Html {
    let words = phrases.video;
    match (&report.codec, &report.refused) {
        (Some(codec), _) => {
            let text = (words.answered)(codec, report.width, report.height, report.plays);
            html! { <span class={if report.plays { "good" } else { "error" }}>{ text }</span> }
        }
        (None, why) => html! { <span class="error">{ (words.gone)(why.as_deref().unwrap_or_default()) }</span> },
    }
}

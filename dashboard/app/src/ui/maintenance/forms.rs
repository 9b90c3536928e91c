//! What is to be done and what was, as forms.

use bugbrother_wire::{
    Vin,
    api::{DueLine, MaintenanceBook, MaintenanceForm, WorkForm, WorkLine},
};
use yew::prelude::*;

use crate::ui::{
    api, day,
    kit::{Field, Sheet, TextArea},
    saving::{Submit, parse, some, some_number, typing, use_saving},
    settings::use_phrases,
};

/// Properties of [`ItemSheet`].
#[derive(Properties, PartialEq)]
pub struct ItemSheetProps {
    /// The vehicle.
    pub vin: Vin,
    /// What is changed; without it something is added.
    pub line: Option<DueLine>,
    /// Leaves the form.
    pub close: Callback<()>,
    /// It is saved.
    pub saved: Callback<()>,
}

#[derive(Clone, PartialEq, Default)]
struct Item {
    title: String,
    km: String,
    hours: String,
    months: String,
    due: String,
    since: String,
    since_km: String,
    note: Option<String>,
}

/// Something that is to be done, as a form.
#[component]
pub fn ItemSheet(props: &ItemSheetProps) -> Html {
    let words = use_phrases().business;
    let vin = props.vin;
    let typed = use_state(|| {
        props.line.as_ref().map_or_else(Item::default, |line| Item {
            title: line.form.title.clone(),
            km: some_number(line.form.every_km),
            hours: some_number(line.form.every_hours),
            months: some_number(line.form.every_months),
            due: line.form.due.map(day::to_input).unwrap_or_default(),
            since: line.form.since.map(day::to_input).unwrap_or_default(),
            since_km: some_number(line.form.since_km.map(f64::round)),
            note: line.form.note.clone(),
        })
    });
    let saving = use_saving();
    let onsubmit = {
        let (saving, typed, saved, line) = (saving.clone(), typed.clone(), props.saved.clone(), props.line.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            // A day that was not touched stays the moment that it was.
            let since = line.as_ref().and_then(|line| line.form.since).filter(|at| day::to_input(*at) == typed.since);
            let form = MaintenanceForm {
                title: typed.title.clone(),
                every_km: parse(&typed.km),
                every_hours: parse(&typed.hours),
                every_months: parse(&typed.months),
                due: day::from_input(&typed.due, 0),
                since: since.or_else(|| day::from_input(&typed.since, 0)),
                since_km: parse(&typed.since_km),
                note: typed.note.clone(),
            };
            let (saved, id) = (saved.clone(), line.as_ref().map(|line| line.id));
            let sends = async move {
                match id {
                    Some(id) => api::put::<MaintenanceBook>(&format!("/vehicles/{vin}/maintenance/{id}"), &form).await,
                    None => api::post(&format!("/vehicles/{vin}/maintenance"), &form).await,
                }
            };
            saving.run(sends, move |_| saved.emit(()));
        }
    };
    let title = if props.line.is_some() { words.edit_item } else { words.add_item };
    html! {
        <Sheet {title} close={props.close.clone()}>
            <form class="form" {onsubmit} novalidate=true>
                <Field name="title" label={words.title} value={typed.title.clone()} required=true error={saving.error("title")}
                    oninput={typing(&typed, |typed: &mut Item, text| typed.title = text)} />
                <div class="pair">
                    <Field name="every_km" kind="number" label={words.every_km} value={typed.km.clone()} error={saving.error("every_km")}
                        oninput={typing(&typed, |typed: &mut Item, text| typed.km = text)} />
                    <Field name="every_months" kind="number" label={words.every_months} value={typed.months.clone()} error={saving.error("every_months")}
                        oninput={typing(&typed, |typed: &mut Item, text| typed.months = text)} />
                </div>
                <div class="pair">
                    <Field name="every_hours" kind="number" label={words.every_hours} value={typed.hours.clone()} error={saving.error("every_hours")}
                        oninput={typing(&typed, |typed: &mut Item, text| typed.hours = text)} />
                    <Field name="due" kind="date" label={words.due_on} value={typed.due.clone()} error={saving.error("due")}
                        oninput={typing(&typed, |typed: &mut Item, text| typed.due = text)} />
                </div>
                <div class="pair">
                    <Field name="since" kind="date" label={words.since} value={typed.since.clone()} error={saving.error("since")}
                        oninput={typing(&typed, |typed: &mut Item, text| typed.since = text)} />
                    <Field name="since_km" kind="number" label={words.since_km} value={typed.since_km.clone()} error={saving.error("since_km")}
                        oninput={typing(&typed, |typed: &mut Item, text| typed.since_km = text)} />
                </div>
                <TextArea name="note" label={words.note} value={some(&typed.note)} error={saving.error("note")}
                    oninput={typing(&typed, |typed: &mut Item, text| typed.note = Some(text))} />
                <Submit saving={saving.clone()} label={words.save} cancel={Some(props.close.clone())} />
            </form>
        </Sheet>
    }
}

/// Properties of [`WorkSheet`].
#[derive(Properties, PartialEq)]
pub struct WorkSheetProps {
    /// The vehicle.
    pub vin: Vin,
    /// What was to be done, if it was to be.
    pub line: Option<DueLine>,
    /// What the odometer shows now.
    pub odometer_km: Option<f64>,
    /// Currency of costs.
    pub currency: AttrValue,
    /// Leaves the form.
    pub close: Callback<()>,
    /// It is saved.
    pub saved: Callback<()>,
}

#[derive(Clone, PartialEq)]
struct Done {
    title: String,
    day: String,
    km: String,
    cost: String,
    workshop: Option<String>,
    note: Option<String>,
}

/// Something that was done, as a form.
#[component]
pub fn WorkSheet(props: &WorkSheetProps) -> Html {
    let words = use_phrases().business;
    let vin = props.vin;
    let today = day::to_input(day::now());
    let typed = use_state(|| Done {
        title: props.line.as_ref().map(|line| line.form.title.clone()).unwrap_or_default(),
        day: today.clone(),
        km: some_number(props.odometer_km.map(f64::round)),
        cost: String::new(),
        workshop: None,
        note: None,
    });
    let saving = use_saving();
    let onsubmit = {
        let (saving, typed, saved) = (saving.clone(), typed.clone(), props.saved.clone());
        let item = props.line.as_ref().map(|line| line.id);
        move |event: SubmitEvent| {
            event.prevent_default();
            let form = WorkForm {
                item,
                title: Some(typed.title.clone()),
                // Today is now.
                done: if typed.day == today { None } else { day::from_input(&typed.day, 0) },
                odometer_km: parse(&typed.km),
                cost: parse(&typed.cost),
                workshop: typed.workshop.clone(),
                note: typed.note.clone(),
            };
            let saved = saved.clone();
            saving
                .run(async move { api::post::<WorkLine>(&format!("/vehicles/{vin}/works"), &form).await }, move |_| {
                    saved.emit(())
                });
        }
    };
    html! {
        <Sheet title={words.log_work} close={props.close.clone()}>
            <form class="form" {onsubmit} novalidate=true>
                <Field name="title" label={words.what_done} value={typed.title.clone()} required=true error={saving.error("title")}
                    oninput={typing(&typed, |typed: &mut Done, text| typed.title = text)} />
                <div class="pair">
                    <Field name="done" kind="date" label={words.done_on} value={typed.day.clone()} error={saving.error("done")}
                        oninput={typing(&typed, |typed: &mut Done, text| typed.day = text)} />
                    <Field name="odometer_km" kind="number" label={words.odometer} value={typed.km.clone()} error={saving.error("odometer_km")}
                        oninput={typing(&typed, |typed: &mut Done, text| typed.km = text)} />
                </div>
                <div class="pair">
                    <Field name="cost" kind="number" step={Some("0.01")} label={format!("{} ({})", words.cost, props.currency)} value={typed.cost.clone()} error={saving.error("cost")}
                        oninput={typing(&typed, |typed: &mut Done, text| typed.cost = text)} />
                    <Field name="workshop" label={words.workshop} value={some(&typed.workshop)} error={saving.error("workshop")}
                        oninput={typing(&typed, |typed: &mut Done, text| typed.workshop = Some(text))} />
                </div>
                <TextArea name="note" label={words.note} value={some(&typed.note)} error={saving.error("note")}
                    oninput={typing(&typed, |typed: &mut Done, text| typed.note = Some(text))} />
                <Submit saving={saving.clone()} label={words.save} cancel={Some(props.close.clone())} />
            </form>
        </Sheet>
    }
}

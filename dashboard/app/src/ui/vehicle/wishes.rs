//! What a vehicle is wanted to send, and what it keeps to itself.

use bugbrother_wire::{
    Vin,
    api::{WishesEdit, WishesState},
};
use yew::{platform::spawn_local, prelude::*};

use super::commands::refusal_text;
use crate::ui::{
    api::{self, Refusal},
    fetch::{Fetched, use_fetch},
    kit::{Check, Field, Refused, use_toasts},
    moment::moment,
    settings::use_phrases,
    table::Skeleton,
};

/// Intervals that have a field of their own.
const SIGNALS: [&str; 4] = ["lat", "spd", "rpm", "ect"];
/// Thresholds that have one.
const THRESHOLDS: [&str; 5] = ["harsh_braking", "harsh_acceleration", "harsh_cornering", "idling", "low_battery"];

/// What typing into a field changes.
type Change = Box<dyn Fn(&mut WishesEdit, String)>;

/// Properties of [`WishesForm`].
#[derive(Properties, PartialEq)]
pub struct WishesFormProps {
    /// The vehicle.
    pub vin: Vin,
}

/// The form.
#[component]
pub fn WishesForm(props: &WishesFormProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.vehicle_page;
    let toasts = use_toasts();
    let vin = props.vin;
    let state = use_fetch::<WishesState>(Some(format!("/vehicles/{vin}/wishes")));
    let edit = use_state(|| None::<WishesEdit>);
    let refused = use_state(|| None::<Refusal>);
    let known = match &state.is {
        Fetched::Loading => return html! { <section class="panel wishes"><Skeleton rows=3 /></section> },
        Fetched::Failed(refusal) => return html! { <Refused refusal={refusal.clone()} retry={state.reload.clone()} /> },
        Fetched::Ready(known) => known.clone(),
    };
    let wishes = (*edit).clone().unwrap_or_else(|| known.wishes.clone());
    let change = |change: Change| {
        let (edit, wishes) = (edit.setter(), wishes.clone());
        Callback::from(move |typed: String| {
            let mut wishes = wishes.clone();
            change(&mut wishes, typed);
            edit.set(Some(wishes));
        })
    };
    let tick = |change: fn(&mut WishesEdit, bool)| {
        let (edit, wishes) = (edit.setter(), wishes.clone());
        Callback::from(move |on: bool| {
            let mut wishes = wishes.clone();
            change(&mut wishes, on);
            edit.set(Some(wishes));
        })
    };
    let save = |body: WishesEdit, before: Option<WishesEdit>| {
        let (edit, refused, toasts, reload) = (edit.setter(), refused.setter(), toasts.clone(), state.reload.clone());
        move || {
            let (body, before) = (body.clone(), before.clone());
            let (edit, refused, toasts, reload) = (edit.clone(), refused.clone(), toasts.clone(), reload.clone());
            spawn_local(async move {
                let path = format!("/vehicles/{vin}/wishes");
                match api::put::<WishesState>(&path, &body).await {
                    Ok(_) => {
                        edit.set(None);
                        refused.set(None);
                        reload.emit(());
                        let undo = Callback::from(move |()| {
                            let (before, reload) = (before.clone(), reload.clone());
                            let path = path.clone();
                            spawn_local(async move {
                                if let Some(before) = before
                                    && api::put::<WishesState>(&path, &before).await.is_ok()
                                {
                                    reload.emit(());
                                }
                            });
                        });
                        toasts.undo(words.wishes_saved, undo);
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
    let save = save(wishes.clone(), Some(known.wishes.clone()));
    let onsubmit = move |event: SubmitEvent| {
        event.prevent_default();
        save();
    };
    let error = |field: String| refused.as_ref().and_then(|refusal| refusal.field(&field)).map(AttrValue::from);
    let period = |key: &str| wishes.periods_ms.get(key).map(ToString::to_string).unwrap_or_default();
    let threshold = |key: &str| wishes.thresholds.get(key).map(ToString::to_string).unwrap_or_default();
    html! {
        <section class="panel wishes">
            <h2>{ words.wishes }</h2>
            <form class="form" {onsubmit}>
                <Check name="privacy" label={words.privacy} checked={wishes.privacy} onchange={tick(|wishes, on| wishes.privacy = on)} />
                <Check name="driver_privacy" label={words.driver_privacy} checked={wishes.driver_privacy} onchange={tick(|wishes, on| wishes.driver_privacy = on)} />
                <Field name="daily_bytes" kind="number" label={words.daily_bytes} error={error("daily_bytes".to_owned())}
                    value={wishes.daily_bytes.map(|bytes| (bytes / 1_000_000).to_string()).unwrap_or_default()}
                    oninput={change(Box::new(|wishes, typed| wishes.daily_bytes = typed.parse::<u64>().ok().map(|mb| mb.saturating_mul(1_000_000))))} />
                <details>
                    <summary>{ words.intervals }</summary>
                    <div class="pair">
                        for key in SIGNALS {
                            <Field key={key} name={key} kind="number" label={super::gauges::label(phrases, key)} error={error(format!("periods_ms.{key}"))}
                                value={period(key)} placeholder="ms"
                                oninput={change(Box::new(move |wishes, typed| {
                                    match typed.parse() {
                                        Ok(ms) => wishes.periods_ms.insert(key.to_owned(), ms),
                                        Err(_) => wishes.periods_ms.remove(key),
                                    };
                                }))} />
                        }
                    </div>
                </details>
                <details>
                    <summary>{ words.thresholds }</summary>
                    <div class="pair">
                        for key in THRESHOLDS {
                            <Field key={key} name={key} kind="number" step="any" label={(words.threshold)(key)} error={error(format!("thresholds.{key}"))}
                                value={threshold(key)}
                                oninput={change(Box::new(move |wishes, typed| {
                                    match typed.parse() {
                                        Ok(value) => wishes.thresholds.insert(key.to_owned(), value),
                                        Err(_) => wishes.thresholds.remove(key),
                                    };
                                }))} />
                        }
                    </div>
                </details>
                <div class="actions">
                    <button class="primary" disabled={edit.is_none()} data-testid="save-wishes">{ words.save }</button>
                    <small>{ known.updated.map(|at| (words.told_at)(&moment(phrases, at), known.geofences)).unwrap_or_default() }</small>
                </div>
            </form>
        </section>
    }
}

//! A vehicle's books over its list: what people know of it, and how it comes in.

use bugbrother_wire::{
    Vin,
    api::{CredentialState, EnrolmentCode, RevokedKeys, VehicleFacts},
};
use yew::{platform::spawn_local, prelude::*};

use super::form::FactsForm;
use crate::ui::{
    api, browser, day,
    fetch::{Fetched, use_fetch},
    kit::{Field, Refused, Sheet, Tabs, use_toasts},
    maintenance::Maintenance,
    saving::use_saving,
    settings::use_phrases,
    table::Skeleton,
};

/// Properties of [`VehicleSheet`].
#[derive(Properties, PartialEq)]
pub struct VehicleSheetProps {
    /// The vehicle; without one a new one is added.
    #[prop_or_default]
    pub vin: Option<Vin>,
    /// Leaves it.
    pub close: Callback<()>,
    /// Something has changed.
    pub changed: Callback<()>,
}

/// The books of a vehicle.
#[component]
pub fn VehicleSheet(props: &VehicleSheetProps) -> Html {
    let words = use_phrases().business;
    // A new vehicle is enrolled right away.
    let vin = use_state(|| props.vin);
    let tab = use_state(|| "facts");
    let toasts = use_toasts();
    let fetch = use_fetch::<VehicleFacts>(vin.map(|vin| format!("/vehicles/{vin}/facts")));
    let saved = {
        let (vin, tab, changed, toasts, reload) =
            (vin.clone(), tab.setter(), props.changed.clone(), toasts.clone(), fetch.reload.clone());
        let close = props.close.clone();
        Callback::from(move |facts: VehicleFacts| {
            toasts.say((words.done_text)(&facts.form.name));
            changed.emit(());
            if vin.is_none() {
                vin.set(Some(facts.vin));
                tab.set("enrolment");
            } else {
                reload.emit(());
                close.emit(());
            }
        })
    };
    let Some(known) = *vin else {
        return html! {
            <Sheet title={words.add_vehicle} close={props.close.clone()}>
                <FactsForm close={props.close.clone()} {saved} />
            </Sheet>
        };
    };
    let title = fetch.is.ready().map_or(words.edit_vehicle.to_owned(), |facts| facts.form.name.clone());
    let choose = {
        let tab = tab.setter();
        Callback::from(move |word| tab.set(word))
    };
    html! {
        <Sheet {title} close={props.close.clone()}>
            <Tabs label={words.edit_vehicle} tabs={vec![("facts", words.edit_vehicle.into()), ("maintenance", words.maintenance.into()), ("enrolment", words.enrolment.into())]} here={*tab} {choose} />
            <div class="tab-body">
            {
                match (&fetch.is, *tab) {
                    (Fetched::Loading, _) => html! { <Skeleton rows=5 /> },
                    (Fetched::Failed(refusal), _) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
                    (Fetched::Ready(facts), "enrolment") => html! { <Enrolment vin={known} name={facts.form.name.clone()} /> },
                    (Fetched::Ready(_), "maintenance") => html! { <Maintenance vin={known} /> },
                    (Fetched::Ready(facts), _) => html! {
                        <>
                            <FactsForm facts={Some((**facts).clone())} close={props.close.clone()} {saved} />
                            <Archive facts={(**facts).clone()} close={props.close.clone()} changed={props.changed.clone()} />
                        </>
                    },
                }
            }
            </div>
        </Sheet>
    }
}

#[derive(Properties, PartialEq)]
struct ArchiveProps {
    facts: VehicleFacts,
    close: Callback<()>,
    changed: Callback<()>,
}

/// Takes it out of the fleet, and back.
#[component]
fn Archive(props: &ArchiveProps) -> Html {
    let words = use_phrases().business;
    let toasts = use_toasts();
    let saving = use_saving();
    let path = format!("/vehicles/{}/archive", props.facts.vin);
    let is_archived = props.facts.archived.is_some();
    let onclick = {
        let (saving, close, changed, name) =
            (saving.clone(), props.close.clone(), props.changed.clone(), props.facts.form.name.clone());
        move |_: MouseEvent| {
            let (path, close, changed, toasts, name) =
                (path.clone(), close.clone(), changed.clone(), toasts.clone(), name.clone());
            let sends = {
                let path = path.clone();
                async move {
                    if is_archived {
                        api::delete(&path).await
                    } else {
                        api::post::<VehicleFacts>(&path, &()).await.map(drop)
                    }
                }
            };
            saving.run(sends, move |()| {
                changed.emit(());
                close.emit(());
                if is_archived {
                    return toasts.say((words.done_text)(&name));
                }
                let undo = Callback::from(move |()| {
                    let (path, changed) = (path.clone(), changed.clone());
                    spawn_local(async move {
                        if api::delete(&path).await.is_ok() {
                            changed.emit(());
                        }
                    });
                });
                toasts.undo((words.archived_text)(&name), undo);
            });
        }
    };
    html! {
        <div class="apart">
            if let Some(trouble) = saving.trouble() { <p class="error" role="alert">{ trouble }</p> }
            <button class="secondary" {onclick} disabled={saving.busy()} data-testid="vehicle-archive">{ if is_archived { words.bring_back } else { words.archive } }</button>
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct EnrolmentProps {
    vin: Vin,
    name: String,
}

/// How it comes in, and how it is kept out.
#[component]
fn Enrolment(props: &EnrolmentProps) -> Html {
    let words = use_phrases().business;
    let vin = props.vin;
    let toasts = use_toasts();
    let state = use_fetch::<CredentialState>(Some(format!("/vehicles/{vin}/credential")));
    let code = use_state(|| None::<EnrolmentCode>);
    let typed = use_state(String::new);
    let (making, revoking) = (use_saving(), use_saving());
    let make = {
        let (making, code, reload) = (making.clone(), code.setter(), state.reload.clone());
        move |_: MouseEvent| {
            let (code, reload) = (code.clone(), reload.clone());
            let sends = async move { api::post::<EnrolmentCode>(&format!("/vehicles/{vin}/enrolment"), &()).await };
            making.run(sends, move |made| {
                code.set(Some(made));
                reload.emit(());
            });
        }
    };
    let copy = {
        let (code, toasts) = (code.clone(), toasts.clone());
        move |_: MouseEvent| {
            if let Some(code) = &*code {
                drop(browser::window().navigator().clipboard().write_text(&code.command));
                toasts.say(words.copied);
            }
        }
    };
    let revoke = {
        let (revoking, reload, code, typed) = (revoking.clone(), state.reload.clone(), code.setter(), typed.setter());
        move |event: SubmitEvent| {
            event.prevent_default();
            let (toasts, reload, code, typed) = (toasts.clone(), reload.clone(), code.clone(), typed.clone());
            let sends = async move { api::post::<RevokedKeys>(&format!("/vehicles/{vin}/revoke"), &()).await };
            revoking.run(sends, move |lost| {
                toasts.say((words.revoked_text)(lost.certificates));
                code.set(None);
                typed.set(String::new());
                reload.emit(());
            });
        }
    };
    let state = match &state.is {
        Fetched::Loading => return html! { <Skeleton rows=3 /> },
        Fetched::Failed(refusal) => return html! { <Refused refusal={refusal.clone()} retry={state.reload.clone()} /> },
        Fetched::Ready(state) => state.clone(),
    };
    let moment = |at| day::minute(words.locale, at);
    html! {
        <div class="form">
            <h3>{ words.certificate }</h3>
            <p data-testid="certificate">{
                match (state.not_after, state.revoked) {
                    (None, _) => words.no_certificate.to_owned(),
                    (Some(_), Some(at)) => (words.certificate_revoked)(&moment(at)),
                    (Some(until), None) => (words.certificate_until)(&moment(until)),
                }
            }</p>
            if let Some(until) = state.code_expires.filter(|_| code.is_none()) { <p class="muted">{ (words.code_open)(&moment(until)) }</p> }
            if let Some(code) = &*code {
                <div class="panel code-card" data-testid="enrolment-code">
                    <svg class="qr" viewBox={format!("0 0 {0} {0}", code.qr.size)} role="img" aria-label={code.command.clone()} shape-rendering="crispEdges">
                        <rect width="100%" height="100%" />
                        <path d={code.qr.path.clone()} />
                    </svg>
                    <p class="muted">{ words.code_hint }</p>
                    <code class="mono">{ &code.command }</code>
                    <p><small>{ (words.code_until)(&moment(code.expires)) }</small></p>
                    <button class="secondary" onclick={copy}>{ words.copy }</button>
                </div>
            }
            if !state.can_change { <p class="muted">{ words.no_enrolment }</p> } else {
                <>
                    if let Some(trouble) = making.trouble() { <p class="error" role="alert">{ trouble }</p> }
                    <button class="primary" onclick={make} disabled={making.busy()} data-testid="make-code">{ words.make_code }</button>
                    <form class="form apart" onsubmit={revoke}>
                        <p class="muted">{ words.revoke_hint }</p>
                        <Field name="revoke" label={(words.revoke_type)(&props.name)} value={(*typed).clone()} oninput={let typed = typed.setter(); Callback::from(move |text| typed.set(text))} />
                        if let Some(trouble) = revoking.trouble() { <p class="error" role="alert">{ trouble }</p> }
                        <button class="secondary danger" type="submit" disabled={*typed != props.name || revoking.busy()} data-testid="revoke">{ words.revoke }</button>
                    </form>
                </>
            }
        </div>
    }
}

//! Areas that are watched: a list, a map, and drawing on it by hand or by keys.

mod editor;

use std::rc::Rc;

use bugbrother_wire::api::{GeofenceEdit, GeofenceEntry, GeofenceList, Right};
use yew::{platform::spawn_local, prelude::*};

use self::editor::Editor;
use super::{
    account::use_account,
    api,
    fetch::{Fetched, use_fetch},
    kit::{Empty, Refused, use_toasts},
    map::{Area, Drawing, Hands, Sketch},
    news::use_kept,
    settings::use_phrases,
    table::Skeleton,
    vehicle::refusal_text,
};

/// What is being edited.
#[derive(Clone, PartialEq)]
enum Edited {
    New,
    Old(Rc<GeofenceEntry>),
}

/// An area as the map draws it.
pub fn area(edit: &GeofenceEdit) -> Area {
    Area { name: edit.name.clone(), shape: edit.shape.clone(), colour: edit.colour.clone() }
}

/// The page.
#[component]
pub fn Geofences() -> Html {
    let phrases = use_phrases();
    let words = &phrases.geofence_page;
    let toasts = use_toasts();
    let may = use_account().may(Right::Geofences);
    let list = use_fetch::<GeofenceList>(Some("/geofences".to_owned()));
    let edited = use_state(|| None::<Edited>);
    let kept = use_kept(&list.is);
    let put = {
        let (toasts, reload) = (toasts.clone(), list.reload.clone());
        Callback::from(move |(id, edit): (String, GeofenceEdit)| {
            let (toasts, reload) = (toasts.clone(), reload.clone());
            spawn_local(async move {
                match api::put::<GeofenceEntry>(&format!("/geofences/{id}"), &edit).await {
                    Ok(_) => reload.emit(()),
                    Err(refusal) => toasts.say(refusal_text(phrases, &refusal)),
                }
            });
        })
    };
    let delete = {
        let (toasts, reload, put, edited) = (toasts.clone(), list.reload.clone(), put.clone(), edited.setter());
        Callback::from(move |entry: Rc<GeofenceEntry>| {
            let (toasts, reload, put, edited) = (toasts.clone(), reload.clone(), put.clone(), edited.clone());
            spawn_local(async move {
                match api::delete(&format!("/geofences/{}", entry.id)).await {
                    Ok(()) => {
                        edited.set(None);
                        reload.emit(());
                        let undo = put.reform(move |()| (entry.id.clone(), entry.geofence.clone()));
                        toasts.undo(words.deleted, undo);
                    }
                    Err(refusal) => toasts.say(refusal_text(phrases, &refusal)),
                }
            });
        })
    };
    let areas = use_memo(kept.clone(), |list| Drawing {
        areas: list.iter().flat_map(|list| &list.geofences).map(|entry| area(&entry.geofence)).collect(),
        ..Drawing::default()
    });
    let new = {
        let edited = edited.setter();
        Callback::from(move |_: MouseEvent| edited.set(Some(Edited::New)))
    };
    if let Some(which) = &*edited {
        let close = {
            let edited = edited.setter();
            Callback::from(move |()| edited.set(None))
        };
        let saved = {
            let (edited, reload) = (edited.setter(), list.reload.clone());
            Callback::from(move |()| {
                edited.set(None);
                reload.emit(());
            })
        };
        let entry = match which {
            Edited::New => None,
            Edited::Old(entry) => Some(Rc::clone(entry)),
        };
        let others: Vec<Area> = kept
            .iter()
            .flat_map(|list| &list.geofences)
            .filter(|other| entry.as_ref().is_none_or(|entry| entry.id != other.id))
            .map(|entry| area(&entry.geofence))
            .collect();
        return html! { <Editor {entry} {others} {saved} {close} {delete} /> };
    }
    let rows = match (&list.is, &kept) {
        (Fetched::Failed(refusal), None) => html! { <Refused refusal={refusal.clone()} retry={list.reload.clone()} /> },
        (_, None) => html! { <Skeleton rows=4 /> },
        (_, Some(list)) if list.geofences.is_empty() => html! { <Empty title={words.none} hint={words.none_hint} /> },
        (_, Some(list)) => html! {
            <ul data-testid="geofences">
                for entry in &list.geofences {
                    <li key={entry.id.clone()}>
                        <button class="row" data-row="" disabled={!may} data-testid={format!("geofence-{}", entry.id)}
                            onclick={let (edited, entry) = (edited.setter(), Rc::new(entry.clone())); move |_| edited.set(Some(Edited::Old(Rc::clone(&entry))))}>
                            <b>{ &entry.geofence.name }</b>
                            <small>{ (words.kind)(&entry.geofence.shape) }{ entry.client_name.as_ref().map(|name| format!(" · {name}")).unwrap_or_default() }</small>
                        </button>
                    </li>
                }
            </ul>
        },
    };
    let subject = kept.as_ref().map(|list| list.geofences.len().to_string()).unwrap_or_default();
    html! {
        <section class="page geofence-page">
            <aside class="panel side-list">
                if may { <button class="primary" onclick={new} data-testid="new-geofence">{ words.new }</button> }
                { rows }
            </aside>
            <div class="panel stage"><Sketch drawing={areas} {subject} hands={Hands::default()} label={words.map} testid="geofence-map" /></div>
        </section>
    }
}

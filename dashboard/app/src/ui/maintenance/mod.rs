//! The maintenance book of a vehicle, as a panel of its page.

mod forms;

use bugbrother_wire::{
    Vin,
    api::{DueLine, MaintenanceBook, Pressing, Right, WorkLine},
};
use yew::{platform::spawn_local, prelude::*};

use super::{
    account::use_account,
    api, day,
    fetch::{Fetched, use_fetch},
    icon::Icon,
    kit::{Empty, Refused, use_toasts},
    saving::use_saving,
    settings::use_phrases,
    table::Skeleton,
};
use crate::{format::number, phrases::business::Business};
use forms::{ItemSheet, WorkSheet};

#[derive(Clone, PartialEq)]
enum Open {
    Nothing,
    Item(Option<DueLine>),
    Work(Option<DueLine>),
}

/// Properties of [`Maintenance`].
#[derive(Properties, PartialEq)]
pub struct MaintenanceProps {
    /// The vehicle.
    pub vin: Vin,
}

/// The maintenance book of a vehicle.
#[component]
pub fn Maintenance(props: &MaintenanceProps) -> Html {
    let words = use_phrases().business;
    let vin = props.vin;
    let edits = use_account().may(Right::Vehicles);
    let fetch = use_fetch::<MaintenanceBook>(Some(format!("/vehicles/{vin}/maintenance")));
    let open = use_state(|| Open::Nothing);
    let further = use_state(Vec::<WorkLine>::new);
    let next = use_state(|| None::<String>);
    let saving = use_saving();
    let toasts = use_toasts();
    {
        let (further, next) = (further.setter(), next.setter());
        use_effect_with(fetch.is.ready().cloned(), move |book| {
            further.set(Vec::new());
            next.set(book.as_ref().and_then(|book| book.next.clone()));
        });
    }
    let book = match &fetch.is {
        Fetched::Loading => return html! { <div class="panel"><Skeleton rows=4 /></div> },
        Fetched::Failed(refusal) => return html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(book) => book.clone(),
    };
    let reload = fetch.reload.clone();
    let show = |what: Open| {
        let open = open.setter();
        Callback::from(move |_: MouseEvent| open.set(what.clone()))
    };
    let close = {
        let open = open.setter();
        Callback::from(move |()| open.set(Open::Nothing))
    };
    let saved = {
        let (close, reload) = (close.clone(), reload.clone());
        Callback::from(move |()| {
            close.emit(());
            reload.emit(());
        })
    };
    let end = |line: &DueLine| {
        let (saving, reload, toasts, line) = (saving.clone(), reload.clone(), toasts.clone(), line.clone());
        Callback::from(move |_: MouseEvent| {
            let (reload, toasts, line) = (reload.clone(), toasts.clone(), line.clone());
            let path = format!("/vehicles/{vin}/maintenance/{}", line.id);
            let sends = {
                let path = path.clone();
                async move { api::delete(&path).await }
            };
            saving.run(sends, move |()| {
                reload.emit(());
                let undo = Callback::from(move |()| {
                    let (path, reload) = (format!("{path}/again"), reload.clone());
                    spawn_local(async move {
                        if api::post::<MaintenanceBook>(&path, &()).await.is_ok() {
                            reload.emit(());
                        }
                    });
                });
                toasts.undo((words.deleted_text)(&line.form.title), undo);
            });
        })
    };
    let more = next.as_ref().map(|before| {
        let path = format!("/vehicles/{vin}/maintenance?before={before}");
        let (saving, further, next) = (saving.clone(), further.clone(), next.setter());
        Callback::from(move |_: MouseEvent| {
            let (path, further, next) = (path.clone(), further.clone(), next.clone());
            saving.run(async move { api::get::<MaintenanceBook>(&path).await }, move |book| {
                next.set(book.next);
                further.set(further.iter().cloned().chain(book.works).collect());
            });
        })
    });
    html! {
        <section class="maintenance" data-testid="maintenance">
            <div class="bar"><h2>{ words.maintenance }</h2>
                if edits {
                    <div class="end">
                        <button class="secondary" onclick={show(Open::Work(None))} data-testid="work-add">{ words.log_work }</button>
                        <button class="primary" onclick={show(Open::Item(None))} data-testid="item-add">{ words.add_item }</button>
                    </div>
                }
            </div>
            if let Some(trouble) = saving.trouble() { <p class="error" role="alert">{ trouble }</p> }
            if book.items.is_empty() {
                <Empty title={words.no_items} hint={words.no_items_hint} />
            } else {
                <ul class="panel rows" data-testid="items">
                    for line in &book.items {
                        <li key={line.id.to_string()}>
                            <span class="name"><b>{ &line.form.title }</b><small>{ (words.interval)(line.form.every_km, line.form.every_hours, line.form.every_months) }</small></span>
                            <small>{ due_text(words, line) }</small>
                            <span class={classes!("badge", badge(line.state))}>{ (words.pressing)(line.state) }</span>
                            if edits {
                                <span class="deeds">
                                    <button class="secondary small" onclick={show(Open::Work(Some(line.clone())))} data-testid="item-done">{ words.mark_done }</button>
                                    <button class="tool" onclick={show(Open::Item(Some(line.clone())))} aria-label={format!("{}: {}", words.edit, line.form.title)} data-testid="item-edit">{ Icon::Sliders.draw() }</button>
                                    <button class="tool" onclick={end(line)} aria-label={format!("{}: {}", words.delete, line.form.title)} data-testid="item-delete">{ Icon::Close.draw() }</button>
                                </span>
                            }
                        </li>
                    }
                </ul>
            }
            <h2>{ words.history }</h2>
            if book.works.is_empty() { <p class="muted">{ words.no_works }</p> } else {
                <div class="panel wide"><table class="table" data-testid="works">
                    <thead><tr><th scope="col">{ words.done_on }</th><th scope="col">{ words.what_done }</th><th scope="col" class="number wide-only">{ words.odometer }</th>
                        <th scope="col" class="number">{ words.cost }</th><th scope="col" class="wide-only">{ words.workshop }</th><th scope="col" class="wide-only">{ words.by_whom }</th></tr></thead>
                    <tbody>for work in book.works.iter().chain(further.iter()) { { entry(words, work, &book.currency) } }</tbody>
                </table>
                if let Some(onclick) = more { <button class="more" {onclick} disabled={saving.busy()}>{ words.more }</button> }
                </div>
            }
            {
                match &*open {
                    Open::Nothing => Html::default(),
                    Open::Item(line) => html! { <ItemSheet {vin} line={line.clone()} {close} {saved} /> },
                    Open::Work(line) => html! { <WorkSheet {vin} line={line.clone()} odometer_km={book.odometer_km} currency={book.currency.clone()} {close} {saved} /> },
                }
            }
        </section>
    }
}

fn badge(pressing: Pressing) -> &'static str {
    match pressing {
        Pressing::Overdue => "bad",
        Pressing::Soon => "warn",
        Pressing::Later => "ok",
    }
}

fn entry(words: &Business, work: &WorkLine, currency: &str) -> Html {
    html! {
        <tr key={work.id.to_string()}>
            <td>{ day::day(words.locale, work.done) }</td>
            <td class="strong">{ &work.title }if let Some(note) = &work.note { <br /><small>{ note }</small> }</td>
            <td class="number wide-only">{ work.odometer_km.map_or(words.none.to_owned(), |km| number(km, 0)) }</td>
            <td class="number">{ work.cost.map_or(words.none.to_owned(), |cost| format!("{} {currency}", number(cost, 2))) }</td>
            <td class="wide-only">{ work.workshop.as_deref().unwrap_or(words.none) }</td>
            <td class="wide-only">{ &work.by }</td>
        </tr>
    }
}

/// When something is due, in words.
pub fn due_text(words: &Business, line: &DueLine) -> String {
    let left = |left: Option<f64>, say: fn(&str, bool) -> String| {
        left.map(|left| say(&number(left.abs().round(), 0), left < 0.0))
    };
    let day = line.at.or(line.expected).map(|at| {
        let text = day::day(words.locale, at);
        if line.at.is_some() { text } else { (words.expected)(&text) }
    });
    let parts = [left(line.left_km, words.left_km), left(line.left_hours, words.left_hours), day];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

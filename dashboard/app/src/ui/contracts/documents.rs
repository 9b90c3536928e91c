//! What was signed.

use bugbrother_wire::{ContractId, api::ContractDocument};
use gloo_timers::callback::Timeout;
use web_sys::{File, HtmlInputElement};
use yew::{platform::spawn_local, prelude::*};

use crate::{
    format::number,
    ui::{
        api,
        books::{escaped, take_away},
        day,
        icon::Icon,
        kit::use_toasts,
        saving::{trouble, use_saving},
        settings::use_phrases,
    },
};

/// So long a document that is being deleted can be kept.
const UNDO_MS: u32 = 8_000;

/// Properties of [`Documents`].
#[derive(Properties, PartialEq)]
pub struct DocumentsProps {
    /// Of which contract.
    pub contract: ContractId,
    /// The documents.
    pub documents: Vec<ContractDocument>,
    /// Something has changed.
    pub changed: Callback<()>,
}

/// Documents of a contract.
#[component]
pub fn Documents(props: &DocumentsProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.business;
    let toasts = use_toasts();
    let saving = use_saving();
    // Those that will be deleted unless somebody undoes it.
    let leaving = use_state(Vec::<String>::new);
    let contract = props.contract;
    let send = {
        let (saving, changed) = (saving.clone(), props.changed.clone());
        Callback::from(move |file: File| {
            let changed = changed.clone();
            let path = format!("/contracts/{contract}/documents?name={}", escaped(&file.name()));
            saving.run(async move { api::upload::<ContractDocument>(&path, &file).await }, move |_| changed.emit(()));
        })
    };
    let onchange = {
        let send = send.clone();
        move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                send.emit(file);
            }
            // The same file can be chosen again.
            input.set_value("");
        }
    };
    let ondrop = move |event: DragEvent| {
        event.prevent_default();
        if let Some(file) = event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0)) {
            send.emit(file);
        }
    };
    let fetch = |document: &ContractDocument| {
        let (path, name) = (format!("/contracts/{contract}/documents/{}", document.id), document.name.clone());
        let toasts = toasts.clone();
        Callback::from(move |_: MouseEvent| {
            let (path, name, toasts) = (path.clone(), name.clone(), toasts.clone());
            spawn_local(async move {
                if let Err(refusal) = take_away(path, name).await {
                    toasts.say(trouble(phrases, &refusal).unwrap_or_default());
                }
            });
        })
    };
    let remove = |document: &ContractDocument| {
        let (leaving, changed, toasts) = (leaving.clone(), props.changed.clone(), toasts.clone());
        let (id, name) = (document.id.to_string(), document.name.clone());
        Callback::from(move |_: MouseEvent| {
            let hidden: Vec<String> = leaving.iter().cloned().chain([id.clone()]).collect();
            leaving.set(hidden);
            let path = format!("/contracts/{contract}/documents/{id}");
            let changed = changed.clone();
            let failed = toasts.clone();
            let timer = Timeout::new(UNDO_MS, move || {
                spawn_local(async move {
                    if let Err(refusal) = api::delete(&path).await {
                        failed.say(trouble(phrases, &refusal).unwrap_or_default());
                    }
                    changed.emit(());
                });
            });
            // Forgotten timers run, also when the page is left; the undo holds the only way to stop this one.
            let timer = std::rc::Rc::new(std::cell::RefCell::new(Some(timer)));
            let (leaving, id) = (leaving.clone(), id.clone());
            let stop = std::rc::Rc::clone(&timer);
            let undo = Callback::from(move |()| {
                if let Some(timer) = stop.borrow_mut().take() {
                    timer.cancel();
                }
                leaving.set(leaving.iter().filter(|hidden| **hidden != id).cloned().collect());
            });
            toasts.undo((words.deleted_text)(&name), undo);
            std::mem::forget(timer);
        })
    };
    html! {
        <section class="documents" {ondrop} ondragover={|event: DragEvent| event.prevent_default()} aria-label={words.documents}>
            <div class="bar"><h2>{ words.documents }</h2>
                <div class="end">
                    <label class="secondary pick" aria-busy={saving.busy().to_string()}>
                        { if saving.busy() { words.saving } else { words.add_document } }
                        <input type="file" accept=".pdf,.png,.jpg,.jpeg,application/pdf,image/png,image/jpeg" {onchange} data-testid="document-file" disabled={saving.busy()} />
                    </label>
                </div>
            </div>
            if let Some(error) = saving.error("name").map(|error| error.to_string()).or_else(|| saving.trouble()) {
                <p class="error" role="alert" data-testid="document-error">{ error }</p>
            }
            if props.documents.is_empty() {
                <p class="muted">{ words.no_documents }{ " " }{ words.document_hint }</p>
            } else {
                <ul class="panel rows" data-testid="documents">
                    for document in props.documents.iter().filter(|document| !leaving.contains(&document.id.to_string())) {
                        <li key={document.id.to_string()}>
                            <button class="name" onclick={fetch(document)} data-testid="document-fetch">{ &document.name }</button>
                            <small>{ format!("{} kB · {}", number((document.size as f64 / 1000.0).ceil(), 0), day::day(words.locale, document.created)) }</small>
                            <button class="tool" onclick={remove(document)} aria-label={format!("{} {}", words.delete, document.name)} data-testid="document-delete">{ Icon::Close.draw() }</button>
                        </li>
                    }
                </ul>
            }
        </section>
    }
}

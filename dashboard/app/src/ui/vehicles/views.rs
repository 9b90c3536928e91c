//! Lists with their filters as the person wants to see them again.

use bugbrother_wire::api::{View, ViewForm, ViewList};
use yew::{platform::spawn_local, prelude::*};

use crate::ui::{
    api,
    books::Filters,
    fetch::use_fetch,
    icon::Icon,
    kit::{Field, use_toasts},
    saving::use_saving,
    settings::use_phrases,
};

/// Properties of [`Views`].
#[derive(Properties, PartialEq)]
pub struct ViewsProps {
    /// Word of the page.
    pub page: &'static str,
    /// Its filters.
    pub filters: Filters,
    /// Other filters are wanted.
    pub set: Callback<Filters>,
    /// What the list is called without any.
    pub all: AttrValue,
}

/// Saved views as tabs.
#[component]
pub fn Views(props: &ViewsProps) -> Html {
    let words = use_phrases().business;
    let page = props.page;
    let fetch = use_fetch::<ViewList>(Some(format!("/views/{page}")));
    let naming = use_state_eq(|| false);
    let name = use_state(String::new);
    let saving = use_saving();
    let toasts = use_toasts();
    let views = fetch.is.ready().map(|list| list.views.clone()).unwrap_or_default();
    let here = props.filters.view.clone();
    let bare = Filters { view: None, ..props.filters.clone() };
    let go = |view: Option<&View>| {
        let set = props.set.clone();
        let filters =
            view.map(|view| Filters { view: Some(view.id.to_string()), ..read(&view.form.query) }).unwrap_or_default();
        Callback::from(move |_: MouseEvent| set.emit(filters.clone()))
    };
    let onsubmit = {
        let (saving, name, naming, reload, set) =
            (saving.clone(), name.clone(), naming.setter(), fetch.reload.clone(), props.set.clone());
        let bare = bare.clone();
        move |event: SubmitEvent| {
            event.prevent_default();
            let form = ViewForm { name: (*name).clone(), query: write(&bare) };
            let (naming, reload, set, bare, name) =
                (naming.clone(), reload.clone(), set.clone(), bare.clone(), name.setter());
            saving.run(async move { api::post::<View>(&format!("/views/{page}"), &form).await }, move |view| {
                naming.set(false);
                name.set(String::new());
                reload.emit(());
                set.emit(Filters { view: Some(view.id.to_string()), ..bare });
            });
        }
    };
    let remove = views.iter().find(|view| here.as_deref() == Some(&view.id.to_string())).map(|view| {
        let (view, reload, set) = (view.clone(), fetch.reload.clone(), props.set.clone());
        Callback::from(move |_: MouseEvent| {
            let (view, reload, set, toasts) = (view.clone(), reload.clone(), set.clone(), toasts.clone());
            spawn_local(async move {
                if api::delete(&format!("/views/{page}/{}", view.id)).await.is_err() {
                    return;
                }
                reload.emit(());
                set.emit(Filters::default());
                let form = view.form.clone();
                let undo = Callback::from(move |()| {
                    let (form, reload) = (form.clone(), reload.clone());
                    spawn_local(async move {
                        if api::post::<View>(&format!("/views/{page}"), &form).await.is_ok() {
                            reload.emit(());
                        }
                    });
                });
                toasts.undo((words.deleted_text)(&view.form.name), undo);
            });
        })
    });
    let begin = {
        let naming = naming.setter();
        move |_: MouseEvent| naming.set(true)
    };
    html! {
        <div class="views" data-testid="views">
            <nav class="tabs" aria-label={words.save_view}>
                <button aria-selected={(here.is_none()).to_string()} onclick={go(None)}>{ &props.all }</button>
                for view in &views {
                    <button key={view.id.to_string()} aria-selected={(here.as_deref() == Some(&view.id.to_string())).to_string()} onclick={go(Some(view))} data-testid="view">{ &view.form.name }</button>
                }
                if let Some(onclick) = remove {
                    <button class="tool" {onclick} aria-label={words.delete_view} title={words.delete_view} data-testid="view-delete">{ Icon::Close.draw() }</button>
                }
                if *naming {
                    <form class="name-view" {onsubmit}>
                        <Field name="view" label={words.view_name} value={(*name).clone()} error={saving.error("name").or_else(|| saving.trouble().map(AttrValue::from))}
                            oninput={let name = name.setter(); Callback::from(move |text| name.set(text))} />
                        <button class="primary" type="submit" disabled={name.trim().is_empty()} data-testid="view-submit">{ words.save }</button>
                    </form>
                } else if bare != Filters::default() && here.is_none() {
                    <button class="save" onclick={begin} data-testid="view-save">{ words.save_view }</button>
                }
            </nav>
        </div>
    }
}

/// The filters of a saved query.
fn read(query: &str) -> Filters {
    let params = web_sys::UrlSearchParams::new_with_str(query).ok();
    let get = |name| params.as_ref().and_then(|params| params.get(name));
    Filters {
        q: get("q"),
        f: get("f"),
        class: get("class"),
        client: get("client"),
        archived: get("archived"),
        ..Filters::default()
    }
}

fn write(filters: &Filters) -> String {
    let Ok(params) = web_sys::UrlSearchParams::new() else { return String::new() };
    let all = [
        ("q", &filters.q),
        ("f", &filters.f),
        ("class", &filters.class),
        ("client", &filters.client),
        ("archived", &filters.archived),
    ];
    for (name, value) in all {
        if let Some(value) = value {
            params.append(name, value);
        }
    }
    params.to_string().into()
}

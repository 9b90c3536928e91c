//! Ctrl-K: every page, vehicle and action by a few letters.

use bugbrother_wire::Vin;
use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, KeyboardEvent};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    account::use_account, browser, feed::use_live, icon::Icon, pages::PAGES, route::Route, settings::use_settings,
};
use crate::{address::Query, fleet::Filter, palette::fit};

/// Entries that are shown.
const MOST: usize = 12;

#[derive(Clone, PartialEq)]
enum Deed {
    Open(Route),
    Find(Vin),
    Theme,
    Language,
    SignOut,
}

#[derive(Clone, PartialEq)]
struct Entry {
    icon: Icon,
    name: String,
    hint: String,
    deed: Deed,
}

/// The palette; it opens by Ctrl-K or Cmd-K, and by the button of the top bar.
#[component]
pub fn Palette() -> Html {
    let open = use_state_eq(|| false);
    {
        let open = open.setter();
        use_effect_with((), move |()| {
            let options = EventListenerOptions::enable_prevent_default();
            let listener = EventListener::new_with_options(&browser::window(), "keydown", options, move |event| {
                let Some(event) = event.dyn_ref::<KeyboardEvent>() else { return };
                if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
                    event.prevent_default();
                    open.set(true);
                }
            });
            move || drop(listener)
        });
    }
    let settings = use_settings();
    let show = {
        let open = open.setter();
        Callback::from(move |_: MouseEvent| open.set(true))
    };
    let close = {
        let open = open.setter();
        Callback::from(move |()| open.set(false))
    };
    html! {
        <>
            <button class="tool find" onclick={show} title={format!("{} (Ctrl K)", settings.phrases.find_anything)}
                data-testid="palette-open">{ Icon::Search.draw() }<span>{ settings.phrases.find_anything }</span><kbd aria-hidden="true">{ "Ctrl K" }</kbd></button>
            if *open { <Search {close} /> }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct SearchProps {
    close: Callback<()>,
}

#[component]
fn Search(props: &SearchProps) -> Html {
    let settings = use_settings();
    let phrases = settings.phrases;
    let account = use_account();
    let live = use_live();
    let navigator = use_navigator();
    let typed = use_state(String::new);
    let chosen = use_state_eq(|| 0_usize);
    let input = use_node_ref();
    {
        let live = live.clone();
        use_effect_with((), move |()| {
            live.search(true);
            move || live.search(false)
        });
    }
    {
        let input = input.clone();
        use_effect_with((), move |()| {
            let before = browser::document().active_element();
            if let Some(Err(error)) = input.cast::<HtmlInputElement>().map(|input| input.focus()) {
                web_sys::console::warn_1(&error);
            }
            move || {
                if let Some(element) = before.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
                    // Who is gone cannot have it.
                    drop(element.focus());
                }
            }
        });
    }

    let mut entries: Vec<(u32, Entry)> = Vec::new();
    let mut offer = |entry: Entry, bonus: u32| {
        if let Some(score) = fit(&format!("{} {}", entry.name, entry.hint), &typed) {
            entries.push((score + bonus, entry));
        }
    };
    for page in PAGES.iter().filter(|page| page.needs.is_none_or(|right| account.may(right))) {
        let hint = format!("g {}", page.key);
        offer(
            Entry { icon: page.icon, name: (page.name)(phrases).to_owned(), hint, deed: Deed::Open(page.route) },
            500,
        );
    }
    for (icon, name, deed) in [
        (Icon::Moon, phrases.change_theme, Deed::Theme),
        (Icon::Globe, phrases.other_language, Deed::Language),
        (Icon::SignOut, phrases.sign_out, Deed::SignOut),
    ] {
        offer(Entry { icon, name: name.to_owned(), hint: String::new(), deed }, 0);
    }
    if !typed.trim().is_empty() {
        for vehicle in live.fleet.borrow().select(Filter::All, &typed).take(MOST) {
            let [plate, client] = [&vehicle.plate, &vehicle.client].map(|text| text.as_deref().unwrap_or_default());
            let hint = format!("{plate} {} {client}", vehicle.vin);
            offer(Entry { icon: Icon::Car, name: vehicle.name.clone(), hint, deed: Deed::Find(vehicle.vin) }, 100);
        }
    }
    entries.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).take(MOST).collect();
    let here = (*chosen).min(entries.len().saturating_sub(1));

    let act = {
        let close = props.close.clone();
        Callback::from(move |deed: Deed| {
            close.emit(());
            let went = match (deed, &navigator) {
                (Deed::Open(route), Some(navigator)) => {
                    navigator.push(&route);
                    Ok(())
                }
                (Deed::Find(vin), Some(navigator)) => navigator.push_with_query(&Route::Map, &Query::of(vin)),
                (Deed::Theme, _) => {
                    settings.turn_theme.emit(());
                    Ok(())
                }
                (Deed::Language, _) => {
                    settings.turn_language.emit(());
                    Ok(())
                }
                (Deed::SignOut, _) => {
                    account.sign_out.emit(());
                    Ok(())
                }
                (Deed::Open(_) | Deed::Find(_), None) => Ok(()),
            };
            if let Err(error) = went {
                web_sys::console::warn_1(&error.to_string().into());
            }
        })
    };
    let onkeydown = {
        let (entries, chosen, act, close) = (entries.clone(), chosen.setter(), act.clone(), props.close.clone());
        move |event: KeyboardEvent| {
            let last = entries.len().saturating_sub(1);
            match event.key().as_str() {
                "ArrowDown" => chosen.set(if here == last { 0 } else { here + 1 }),
                "ArrowUp" => chosen.set(here.checked_sub(1).unwrap_or(last)),
                "Enter" => {
                    if let Some(entry) = entries.get(here) {
                        act.emit(entry.deed.clone());
                    }
                }
                "Escape" => close.emit(()),
                // The focus stays in the field.
                "Tab" => {}
                _ => return,
            }
            event.prevent_default();
            event.stop_propagation();
        }
    };
    let oninput = {
        let (typed, chosen) = (typed.setter(), chosen.setter());
        move |event: InputEvent| {
            typed.set(event.target_unchecked_into::<HtmlInputElement>().value());
            chosen.set(0);
        }
    };
    html! {
        <div class="palette" data-testid="palette">
            <div class="behind" onclick={props.close.reform(|_| ())} />
            <section class="panel" role="dialog" aria-modal="true" aria-label={phrases.find_anything} {onkeydown}>
                <label class="search">
                    { Icon::Search.draw() }
                    <input ref={input} type="search" value={(*typed).clone()} {oninput} placeholder={phrases.find_placeholder}
                        aria-label={phrases.find_anything} role="combobox" aria-expanded="true" aria-controls="palette-list"
                        aria-activedescendant={format!("palette-{here}")} autocomplete="off" data-testid="palette-input" />
                </label>
                <ul id="palette-list" role="listbox" aria-label={phrases.find_anything}>
                    for (n, entry) in entries.iter().enumerate() {
                        <li key={format!("{n}-{}", entry.name)} id={format!("palette-{n}")} role="option" aria-selected={(n == here).to_string()}
                            onclick={let deed = entry.deed.clone(); act.reform(move |_| deed.clone())}>
                            { entry.icon.draw() }<span>{ &entry.name }</span><small>{ &entry.hint }</small>
                        </li>
                    }
                </ul>
                if entries.is_empty() {
                    <p class="nothing">{ phrases.nothing_found }</p>
                }
            </section>
        </div>
    }
}

//! A panel at the side for a form or a detail; from below on a phone.

use wasm_bindgen::JsCast;
use web_sys::HtmlElement;
use yew::prelude::*;

use crate::ui::{browser, icon::Icon, keys::use_escape, settings::use_phrases};

/// Properties of [`Sheet`].
#[derive(Properties, PartialEq)]
pub struct SheetProps {
    /// What it is.
    pub title: AttrValue,
    /// Closes it: Escape, the cross, or the page behind it.
    pub close: Callback<()>,
    /// What is in it.
    pub children: Html,
}

/// A panel over the page. The focus goes into it, stays in it, and goes back where it was.
#[component]
pub fn Sheet(props: &SheetProps) -> Html {
    let phrases = use_phrases();
    let panel = use_node_ref();
    use_escape(props.close.clone());
    {
        let panel = panel.clone();
        use_effect_with((), move |()| {
            let before = browser::document().active_element();
            let first = panel.cast::<web_sys::Element>().and_then(|panel| {
                panel.query_selector(".body input, .body select, .body textarea, .body button, .body a").ok().flatten()
            });
            focus(first.or_else(|| panel.cast()));
            move || focus(before)
        });
    }
    let onkeydown = {
        let (panel, close) = (panel.clone(), props.close.clone());
        move |event: KeyboardEvent| {
            if event.key() == "Escape" {
                // Here also out of a field, and nothing behind hears of it.
                event.stop_propagation();
                close.emit(());
            }
            keep_inside(&panel, &event);
        }
    };
    html! {
        <div class="sheet" data-testid="sheet">
            <div class="behind" onclick={props.close.reform(|_| ())} />
            <section ref={panel} class="panel" role="dialog" aria-modal="true" aria-label={props.title.clone()} tabindex="-1" {onkeydown}>
                <header>
                    <h2>{ &props.title }</h2>
                    <button class="tool" onclick={props.close.reform(|_| ())} aria-label={phrases.close} data-testid="sheet-close">{ Icon::Close.draw() }</button>
                </header>
                <div class="body">{ props.children.clone() }</div>
            </section>
        </div>
    }
}

fn focus(element: Option<web_sys::Element>) {
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // Who cannot have it does not.
        drop(element.focus());
    }
}

/// Tab goes round inside the panel.
fn keep_inside(panel: &NodeRef, event: &KeyboardEvent) {
    if event.key() != "Tab" {
        return;
    }
    let Some(panel) = panel.cast::<web_sys::Element>() else { return };
    let Ok(all) = panel.query_selector_all("a[href], button:not(:disabled), input, select, textarea, [tabindex='0']")
    else {
        return;
    };
    let at = |n: u32| all.get(n).and_then(|node| node.dyn_into::<web_sys::Element>().ok());
    let (first, last) = (at(0), at(all.length().saturating_sub(1)));
    let here = browser::document().active_element();
    let (edge, other) = if event.shift_key() { (first, last) } else { (last, first) };
    if here == edge {
        event.prevent_default();
        focus(other);
    }
}

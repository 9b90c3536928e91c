//! What is said in passing, and what can be undone for a while.

use std::rc::Rc;

use gloo_timers::callback::Timeout;
use yew::prelude::*;

use crate::ui::{icon::Icon, settings::use_phrases};

/// For so long it stands there.
const STAYS_MS: u32 = 8_000;
/// So many at most.
const MOST: usize = 4;

#[derive(Clone, PartialEq)]
struct Toast {
    number: u32,
    text: AttrValue,
    action: Option<(AttrValue, Callback<()>)>,
}

/// What there is to say.
#[derive(Clone, PartialEq, Default)]
struct Said {
    next: u32,
    toasts: Vec<Toast>,
}

enum Change {
    Say(AttrValue, Option<(AttrValue, Callback<()>)>),
    Drop(u32),
}

impl Reducible for Said {
    type Action = Change;

    fn reduce(self: Rc<Self>, change: Change) -> Rc<Self> {
        let mut said = (*self).clone();
        match change {
            Change::Say(text, action) => {
                said.toasts.push(Toast { number: said.next, text, action });
                said.next = said.next.wrapping_add(1);
                if said.toasts.len() > MOST {
                    said.toasts.remove(0);
                }
            }
            Change::Drop(number) => said.toasts.retain(|toast| toast.number != number),
        }
        Rc::new(said)
    }
}

/// Says things in passing.
#[derive(Clone, PartialEq)]
pub struct Toasts {
    said: UseReducerHandle<Said>,
    undo: &'static str,
}

impl Toasts {
    /// Says something.
    pub fn say(&self, text: impl Into<AttrValue>) {
        self.said.dispatch(Change::Say(text.into(), None));
    }

    /// Says what was done, with a button that undoes it.
    pub fn undo(&self, text: impl Into<AttrValue>, undo: Callback<()>) {
        let label = self.undo;
        self.offer(text, label, undo);
    }

    /// Says something, with a button that does something about it.
    pub fn offer(&self, text: impl Into<AttrValue>, label: impl Into<AttrValue>, action: Callback<()>) {
        self.said.dispatch(Change::Say(text.into(), Some((label.into(), action))));
    }
}

/// Makes it; to be called once, at the top.
#[hook]
pub fn use_new_toasts() -> Toasts {
    Toasts { said: use_reducer(Said::default), undo: use_phrases().undo }
}

/// Says things in passing, on any page.
#[hook]
pub fn use_toasts() -> Toasts {
    use_context().expect("the app provides its toasts")
}

/// Where it stands.
#[component]
pub fn Tray() -> Html {
    let said = use_toasts().said;
    html! {
        <div class="toasts" role="status" aria-live="polite">
            for toast in &said.toasts {
                <Slice key={toast.number} toast={toast.clone()} drop={let said = said.clone(); Callback::from(move |number| said.dispatch(Change::Drop(number)))} />
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct SliceProps {
    toast: Toast,
    drop: Callback<u32>,
}

#[component]
fn Slice(props: &SliceProps) -> Html {
    let phrases = use_phrases();
    let number = props.toast.number;
    {
        let drop_it = props.drop.clone();
        use_effect_with((), move |()| {
            let timeout = Timeout::new(STAYS_MS, move || drop_it.emit(number));
            move || drop(timeout)
        });
    }
    let action = props.toast.action.clone().map(|(label, action)| {
        let drop_it = props.drop.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            action.emit(());
            drop_it.emit(number);
        });
        html! { <button class="undo" {onclick} data-testid="undo">{ label }</button> }
    });
    html! {
        <div class="toast" data-testid="toast">
            <span>{ &props.toast.text }</span>
            { action }
            <button class="tool" onclick={props.drop.reform(move |_| number)} aria-label={phrases.close}>{ Icon::Close.draw() }</button>
        </div>
    }
}

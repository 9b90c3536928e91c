//! Charts of a vehicle's signals, one below the other, with one time and one cursor.

mod board;
mod plot;

use std::{cell::RefCell, rc::Rc};

use bugbrother_wire::{Vin, api::KnownSignal};
use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, KeyboardEvent, PointerEvent, WheelEvent};
use yew::prelude::*;

use self::board::Board;
use crate::ui::{browser::Frames, feed::use_live, settings::use_settings};

/// What all charts of a page show, and the moment that is pointed at; no state of Yew's, since both change by the frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sight {
    /// From when to when, in ms.
    pub span: (f64, f64),
    /// Whether the end is now, and goes on with it.
    pub is_live: bool,
    /// The moment under the cursor.
    pub cursor: Option<f64>,
}

/// Shared by charts, map and replay.
pub type Shared = Rc<RefCell<Sight>>;

/// Properties of [`Charts`].
#[derive(Properties, PartialEq)]
pub struct ChartsProps {
    /// The vehicle.
    pub vin: Vin,
    /// What is drawn, a chart each.
    pub signals: Vec<KnownSignal>,
    /// What is seen of it. The charts change it when they are panned and zoomed.
    pub sight: Shared,
    /// Changes when `sight` was changed from outside.
    pub turn: u32,
    /// Was panned or zoomed, and rests.
    pub moved: Callback<(f64, f64)>,
    /// Nothing outside is shown.
    #[prop_or_default]
    pub bounds: Option<(f64, f64)>,
    /// What it is, for a screen reader.
    pub label: AttrValue,
}

/// The charts.
#[component]
pub fn Charts(props: &ChartsProps) -> Html {
    let settings = use_settings();
    let fleet = use_live().fleet;
    let host = use_node_ref();
    let board = use_mut_ref(|| None::<Board>);
    {
        let (host, board, sight, moved) = (host.clone(), board.clone(), props.sight.clone(), props.moved.clone());
        let (vin, bounds) = (props.vin, props.bounds);
        // The server's names are the catalogue's, in English.
        let named = |signal: &KnownSignal| match (settings.phrases.signal)(&signal.key) {
            Some(name) => KnownSignal { label: name.to_owned(), ..signal.clone() },
            None => signal.clone(),
        };
        let signals: Vec<KnownSignal> = props.signals.iter().map(named).collect();
        use_effect_with((vin, signals, settings.is_dark), move |(vin, signals, _)| {
            if let Some(host) = host.cast::<HtmlElement>() {
                *board.borrow_mut() = Some(Board::new(host, *vin, signals, sight, fleet, bounds, moved));
            }
            let drawn = board.clone();
            let frames = Frames::start(move |time| {
                if let Some(board) = &mut *drawn.borrow_mut() {
                    board.frame(time);
                }
            });
            move || {
                drop(frames);
                board.borrow_mut().take();
            }
        });
    }
    {
        let board = board.clone();
        use_effect_with(props.turn, move |_| {
            if let Some(board) = &mut *board.borrow_mut() {
                board.look_again();
            }
        });
    }
    {
        // Yew's own listeners cannot keep the page from scrolling.
        let (host, board) = (host.clone(), board.clone());
        use_effect_with((), move |()| {
            let listener = host.cast::<HtmlElement>().map(|host| {
                let options = EventListenerOptions::enable_prevent_default();
                EventListener::new_with_options(&host, "wheel", options, move |event| {
                    let Some(event) = event.dyn_ref::<WheelEvent>() else { return };
                    event.prevent_default();
                    if let Some(board) = &mut *board.borrow_mut() {
                        board.wheel(event);
                    }
                })
            });
            move || drop(listener)
        });
    }
    let with = |act: fn(&mut Board, &PointerEvent)| {
        let board = board.clone();
        Callback::from(move |event: PointerEvent| {
            if let Some(board) = &mut *board.borrow_mut() {
                act(board, &event);
            }
        })
    };
    let onkeydown = {
        let board = board.clone();
        move |event: KeyboardEvent| {
            let handled = board.borrow_mut().as_mut().is_some_and(|board| board.key(&event.key()));
            if handled {
                event.prevent_default();
            }
        }
    };
    html! {
        <div class="charts" ref={host} tabindex="0" role="group" aria-label={props.label.clone()} data-testid="charts" {onkeydown}
            onpointerdown={with(Board::grab)} onpointermove={with(Board::drag)} onpointerup={with(Board::drop)}
            onpointercancel={with(Board::drop)} />
    }
}

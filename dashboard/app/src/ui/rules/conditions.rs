//! The conditions of a rule: sentences, one of which is open for editing, with "and" and "or" between them.

use std::rc::Rc;

use bugbrother_wire::signal;
use yew::prelude::*;

use super::editor::severities;
use crate::{
    phrases::Phrases,
    rule::{
        Draft, Part, Wrong,
        part::{DAYS, EVENTS, KINDS},
        words::in_words,
    },
    ui::{
        kit::{Check, Field, Select, TextArea},
        settings::use_phrases,
        vehicle::label,
    },
};

/// Properties of [`Conditions`].
#[derive(Properties, PartialEq)]
pub struct ConditionsProps {
    /// What is typed in.
    pub draft: Draft,
    /// The fleet's geofences.
    pub fences: Rc<Vec<(String, String)>>,
    /// What is wrong with it.
    pub wrong: Option<Wrong>,
    /// It is another one now.
    pub changed: Callback<Draft>,
}

/// What changes a draft.
type Change = Callback<Box<dyn FnOnce(&mut Draft)>>;

/// The conditions.
#[component]
pub fn Conditions(props: &ConditionsProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.rule_page;
    let open = use_state(|| 0_usize);
    let draft = &props.draft;
    let at = (*open).min(draft.parts.len() - 1);
    let change: Change = {
        let (draft, changed) = (draft.clone(), props.changed.clone());
        Callback::from(move |with: Box<dyn FnOnce(&mut Draft)>| {
            let mut next = draft.clone();
            with(&mut next);
            changed.emit(next);
        })
    };
    let add = {
        let (change, open, count) = (change.clone(), open.setter(), draft.parts.len());
        let fences = Rc::clone(&props.fences);
        move |_: MouseEvent| {
            let part = Part::new("hours", &fences);
            open.set(count);
            change.emit(Box::new(|draft| {
                draft.parts.push(part);
                draft.ands.push(true);
            }));
        }
    };
    html! {
        <fieldset class="conditions">
            <legend>{ words.when }</legend>
            for (n, part) in draft.parts.iter().enumerate() {
                if n > 0 { { joint(phrases, n, draft.ands[n - 1], &change) } }
                <div key={n} class={classes!("condition", (n == at).then_some("open"))}>
                    <div class="bar">
                        if n == at {
                            <b>{ sentence(phrases, part, &props.fences) }</b>
                        } else {
                            <button type="button" class="plain" onclick={let open = open.setter(); move |_| open.set(n)} data-testid={format!("condition-{n}")}>{ sentence(phrases, part, &props.fences) }</button>
                        }
                        if draft.parts.len() > 1 {
                            <button type="button" class="secondary end" data-testid={format!("remove-condition-{n}")}
                                onclick={let change = change.clone(); move |_| change.emit(Box::new(move |draft| draft.remove(n)))}>{ words.remove }</button>
                        }
                    </div>
                    if n == at { { fields(phrases, n, part, &props.fences, props.wrong, &change) } }
                </div>
            }
            if let Some(Wrong::Whole(fault)) = props.wrong { <p class="error" role="alert">{ (words.fault)(fault) }</p> }
            if let Some(n) = props.wrong.and_then(Wrong::part).filter(|n| *n != at) {
                <p class="error" role="alert">{ sentence(phrases, &draft.parts[n], &props.fences) }{ ": " }{ words.no_number }</p>
            }
            if draft.has_room() {
                <button type="button" class="secondary" onclick={add} data-testid="add-condition">{ words.add_condition }</button>
            }
        </fieldset>
    }
}

/// What a part says; its kind while it says nothing yet.
fn sentence(phrases: &Phrases, part: &Part, fences: &[(String, String)]) -> String {
    let kind = || (phrases.rule_page.words.kind)(part.kind).to_owned();
    part.condition(fences).map_or_else(|_| kind(), |condition| in_words(phrases, &condition, fences, label))
}

/// "And" or "or" before a part.
fn joint(phrases: &Phrases, n: usize, is_and: bool, change: &Change) -> Html {
    let words = &phrases.rule_page;
    let one = |and: bool, text: &'static str| {
        let change = change.clone();
        let onclick = move |_: MouseEvent| change.emit(Box::new(move |draft| draft.ands[n - 1] = and));
        html! { <button type="button" class="chip" aria-pressed={(is_and == and).to_string()} {onclick} data-testid={format!("{}-{n}", if and { "and" } else { "or" })}>{ text }</button> }
    };
    html! { <div class="chips joint">{ one(true, words.and) }{ one(false, words.or) }</div> }
}

/// What a field is.
enum Kind {
    Number,
    Text,
    Time,
    Lines,
    Tick,
    Choice(Vec<(AttrValue, AttrValue)>),
    Ticks(Vec<(String, String)>),
}

fn fields(
    phrases: &Phrases,
    n: usize,
    part: &Part,
    fences: &Rc<Vec<(String, String)>>,
    wrong: Option<Wrong>,
    change: &Change,
) -> Html {
    let words = &phrases.rule_page;
    let kinds = KINDS.iter().map(|kind| ((*kind).into(), (words.words.kind)(kind).into())).collect::<Vec<_>>();
    let turn = {
        let (change, fences) = (change.clone(), Rc::clone(fences));
        Callback::from(move |kind: String| {
            let part = Part::new(&kind, &fences);
            change.emit(Box::new(move |draft| draft.parts[n] = part));
        })
    };
    let error = |field: &str, of_fault: &str| {
        let text = match wrong.filter(|wrong| wrong.part() == Some(n))? {
            Wrong::NoNumber(_, name) if name == field => words.no_number.to_owned(),
            Wrong::Fault(_, fault) if fault.field() == of_fault => (words.fault)(fault),
            _ => return None,
        };
        Some(AttrValue::from(text))
    };
    html! {
        <>
            <Select name="kind" label={words.kind} value={part.kind} choices={kinds} onchange={turn} />
            <div class="grid">
                for (field, of_fault, label, kind) in of_kind(phrases, part, fences) {
                    { one(phrases, (n, part), (field, label), kind, error(field, of_fault), change) }
                }
            </div>
        </>
    }
}

/// The fields of a part: name, name of the fault that is shown there, label, what it is.
fn of_kind(
    phrases: &Phrases,
    part: &Part,
    fences: &[(String, String)],
) -> Vec<(&'static str, &'static str, String, Kind)> {
    let words = &phrases.rule_page;
    let label = |field: &str| (words.field)(field).to_owned();
    let choice = |all: &[&'static str]| {
        Kind::Choice(all.iter().map(|word| ((*word).into(), (words.words.choice)(word).into())).collect())
    };
    let of_unit = signal::find(part.get("signal")).map_or("", |signal| crate::format::unit(signal.unit));
    let seconds = || ("duration", "duration", label("duration"), Kind::Number);
    let minutes = |name: &str| ("minutes", "duration", label(name), Kind::Number);
    match part.kind {
        "above" | "below" => vec![
            ("signal", "signals", label("signal"), Kind::Choice(signals(phrases, part.get("signal")))),
            ("on", "on", (words.begins_at)(of_unit), Kind::Number),
            ("off", "off", (words.ends_at)(of_unit), Kind::Number),
            seconds(),
        ],
        "speeding" => vec![
            ("limit", "on", label("limit"), Kind::Number),
            ("below", "off", label("below"), Kind::Number),
            ("areas", "geofences", label("areas"), Kind::Lines),
            ("classes", "classes", label("classes"), Kind::Lines),
            seconds(),
        ],
        "fuel" => vec![
            ("on", "on", label("fuel"), Kind::Number),
            ("unit", "unit", label("unit"), choice(&["percent", "litres"])),
            ("hours", "duration", label("hours"), Kind::Number),
        ],
        "area" => vec![
            ("when", "when", label("when"), choice(&["enter", "leave", "inside", "outside"])),
            ("geofences", "geofences", label("geofences"), Kind::Ticks(fences.to_vec())),
            minutes("minutes"),
        ],
        "hours" => {
            let days = DAYS.iter().map(|(_, day)| ((*day).to_owned(), (words.words.day)(day).to_owned())).collect();
            vec![
                ("days", "hours", label("days"), Kind::Ticks(days)),
                ("from", "from", label("from"), Kind::Time),
                ("to", "to", label("to"), Kind::Time),
                ("zone", "zone", label("zone"), Kind::Text),
            ]
        }
        "codes" => vec![
            ("codes", "codes", label("codes"), Kind::Text),
            ("at_least", "at_least", label("at_least"), Kind::Choice(severities(phrases))),
            ("pending", "pending", label("pending"), Kind::Tick),
        ],
        "event" => {
            let kinds =
                EVENTS.iter().map(|(_, word)| ((*word).to_owned(), (words.words.event)(word).to_owned())).collect();
            vec![("kinds", "kinds", label("kinds"), Kind::Ticks(kinds)), minutes("hold")]
        }
        "silent" | "offline" => vec![minutes("minutes")],
        "maintenance" => vec![("soon", "soon", label("soon"), Kind::Tick)],
        "contract" => vec![("on", "on", label("contract"), Kind::Number)],
        "unusual" => vec![
            ("signal", "signals", label("signal"), Kind::Choice(signals(phrases, part.get("signal")))),
            ("side", "side", label("side"), choice(&["above", "below", "both"])),
            ("against", "against", label("against"), choice(&["load", "speed", "nothing"])),
            ("least", "on", format!("{} {of_unit}", label("least")), Kind::Number),
            ("on", "on", label("deviations"), Kind::Number),
            seconds(),
        ],
        _ => Vec::new(),
    }
}

fn one(
    phrases: &Phrases,
    (n, part): (usize, &Part),
    (field, label): (&'static str, String),
    kind: Kind,
    error: Option<AttrValue>,
    change: &Change,
) -> Html {
    let set = {
        let change = change.clone();
        Callback::from(move |text: String| {
            change.emit(Box::new(move |draft| {
                let part = &mut draft.parts[n];
                if field == "signal" {
                    // Where the car does not tell its speed, the receiver does.
                    part.set("others", if text == "spd" { "gspd" } else { "" });
                }
                part.set(field, &text);
            }));
        })
    };
    let value = part.get(field).to_owned();
    let hint = Some((phrases.rule_page.hint)(field)).filter(|hint| !hint.is_empty()).map(AttrValue::from);
    match kind {
        Kind::Number => html! { <Field name={field} kind="number" step="any" {label} {value} {error} oninput={set} /> },
        Kind::Text => html! { <Field name={field} {label} {value} {error} {hint} oninput={set} /> },
        Kind::Time => html! { <Field name={field} kind="time" {label} {value} {error} oninput={set} /> },
        Kind::Lines => html! {
            <div class="wide"><TextArea name={field} {label} {value} {error} rows={2} oninput={set} />
                if let Some(hint) = hint { <p class="hint">{ hint }</p> }
            </div>
        },
        Kind::Tick => html! {
            <Check name={field} {label} checked={part.is_ticked(field)} onchange={set.reform(|on: bool| if on { "1" } else { "" }.to_owned())} />
        },
        Kind::Choice(choices) => html! { <Select name={field} {label} {value} {choices} {error} onchange={set} /> },
        Kind::Ticks(all) => html! {
            <fieldset class="ticks wide">
                <legend>{ label }</legend>
                for (word, text) in all { { tick(n, part, field, (word, text), change) } }
                if let Some(error) = error { <p class="error" role="alert">{ error }</p> }
            </fieldset>
        },
    }
}

/// A box of a list.
fn tick(n: usize, part: &Part, field: &'static str, (word, text): (String, String), change: &Change) -> Html {
    let (name, checked) = (format!("{field}-{word}"), part.list(field).contains(&word.as_str()));
    let change = change.clone();
    let onchange = Callback::from(move |on| {
        let word = word.clone();
        change.emit(Box::new(move |draft| draft.parts[n].tick(field, &word, on)));
    });
    html! { <Check {name} label={text} {checked} {onchange} /> }
}

/// Every signal that there is; the one that is chosen also if it is a vehicle's own.
fn signals(phrases: &Phrases, chosen: &str) -> Vec<(AttrValue, AttrValue)> {
    let mut all: Vec<(AttrValue, AttrValue)> = signal::CATALOGUE
        .iter()
        .map(|signal| (signal.key.into(), format!("{} ({})", label(phrases, signal.key), signal.key).into()))
        .collect();
    if signal::find(chosen).is_none() {
        all.push((chosen.to_owned().into(), chosen.to_owned().into()));
    }
    all
}

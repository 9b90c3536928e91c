//! A rule tried on history.

use std::{cell::Cell, rc::Rc};

use bugbrother_wire::{
    Vin,
    api::{TrialFiring, TrialOrder, TrialReport},
    rule::{Condition, Scope},
};
use yew::{platform::spawn_local, prelude::*};
use yew_router::prelude::*;

use crate::{
    address::{Period, VehicleQuery},
    format::{Span, value},
    phrases::Phrases,
    ui::{
        alerts::in_short,
        api,
        feed::use_live,
        kit::{Select, use_toasts},
        moment::moment,
        news::clock,
        route::Route,
        settings::use_phrases,
        vehicle::refusal_text,
    },
};

const DAYS_MS: i64 = 30 * 86_400_000;
/// Most firings that are listed.
const MOST: usize = 200;

/// Properties of [`Trial`].
#[derive(Properties, PartialEq)]
pub struct TrialProps {
    /// What the rule looks at.
    pub condition: Condition,
    /// Which vehicles it is about.
    pub scope: Scope,
}

/// What has been found so far.
#[derive(Debug, Clone, Default, PartialEq)]
struct Found {
    /// Of which condition and vehicles.
    of: Option<(Condition, Scope)>,
    firings: Vec<TrialFiring>,
    fired: u64,
    vehicles: u32,
    samples: u64,
    cut_short: bool,
    is_over: bool,
}

/// The trial.
#[component]
pub fn Trial(props: &TrialProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.rule_page;
    let live = use_live();
    let toasts = use_toasts();
    let only = use_state(String::new);
    let found = use_state(|| None::<Found>);
    // The trial that is under way; another one ends it.
    let turn = use_mut_ref(|| Rc::new(Cell::new(false)));
    {
        let turn = turn.clone();
        use_effect_with((), move |()| move || turn.borrow().set(false));
    }
    let start = {
        let (found, turn) = (found.setter(), turn.clone());
        let (condition, scope) = (props.condition.clone(), props.scope.clone());
        let (vin, live, toasts) = (only.parse::<Vin>().ok(), live.clone(), toasts.clone());
        Callback::from(move |_: MouseEvent| {
            let to = clock(&live);
            let goes_on = Rc::new(Cell::new(true));
            turn.replace(Rc::clone(&goes_on)).set(false);
            let (found, toasts) = (found.clone(), toasts.clone());
            let (condition, scope) = (condition.clone(), scope.clone());
            let mut order = TrialOrder { condition, scope, from: to - DAYS_MS, to, vin, after: None };
            spawn_local(async move {
                let mut all = Found { of: Some((order.condition.clone(), order.scope.clone())), ..Found::default() };
                found.set(Some(all.clone()));
                while goes_on.get() {
                    match api::post::<TrialReport>("/rules/trial", &order).await {
                        Ok(part) => {
                            let room = MOST.saturating_sub(all.firings.len());
                            all.firings.extend(part.firings.into_iter().take(room));
                            all.fired += part.fired;
                            all.vehicles += part.vehicles;
                            all.samples += part.samples;
                            all.cut_short |= part.cut_short_at.is_some();
                            all.is_over = part.next.is_none();
                            order.after = part.next;
                        }
                        Err(refusal) => {
                            toasts.say(refusal_text(phrases, &refusal));
                            all.is_over = true;
                        }
                    }
                    if goes_on.get() {
                        found.set(Some(all.clone()));
                    }
                    if all.is_over {
                        return;
                    }
                }
            });
        })
    };
    let stop = {
        let (turn, found) = (turn.clone(), found.clone());
        Callback::from(move |_: MouseEvent| {
            turn.borrow().set(false);
            found.set(found.as_ref().map(|found| Found { is_over: true, ..found.clone() }));
        })
    };
    let fleet = live.fleet.borrow();
    let mut vehicles = vec![(AttrValue::from(""), AttrValue::from(words.all_vehicles))];
    if fleet.vehicles().len() <= 500 {
        let names = fleet.select(crate::fleet::Filter::All, "");
        vehicles.extend(names.map(|vehicle| (vehicle.vin.to_string().into(), vehicle.name.clone().into())));
    }
    let is_of = |(condition, scope): &(Condition, Scope)| *condition == props.condition && *scope == props.scope;
    let shown = found.as_ref().filter(|found| found.of.as_ref().is_some_and(is_of));
    if !props.condition.has_history() {
        return html! { <p class="muted">{ words.no_history }</p> };
    }
    let is_under_way = shown.is_some_and(|found| !found.is_over);
    html! {
        <fieldset class="trial">
            <legend>{ words.try_it }</legend>
            <Select name="trial-vehicle" label={phrases.vehicle} value={(*only).clone()} choices={vehicles} onchange={let only = only.setter(); Callback::from(move |vin| only.set(vin))} />
            <div class="actions">
                if is_under_way {
                    <button type="button" class="secondary" onclick={stop} data-testid="stop-trial">{ words.stop }</button>
                } else {
                    <button type="button" class="secondary" onclick={start} data-testid="try-rule">{ words.try_on_30_days }</button>
                }
            </div>
            if let Some(found) = shown { { report(phrases, found) } }
        </fieldset>
    }
}

fn report(phrases: &Phrases, found: &Found) -> Html {
    let words = &phrases.rule_page;
    html! {
        <div role="status" aria-live="polite" data-testid="trial" data-over={found.is_over.to_string()} data-fired={found.fired.to_string()}>
            <p><b>{ (words.would_have_fired)(found.fired) }</b></p>
            <p class="muted">{ (words.looked_at)(found.vehicles, found.samples) }
                if !found.is_over { { " …" } }
                if found.cut_short { { " " }{ words.cut_short } }
            </p>
            <ul class="firings">
                for (n, one) in found.firings.iter().enumerate() { { firing(phrases, n, one) } }
            </ul>
        </div>
    }
}

fn firing(phrases: &Phrases, n: usize, one: &TrialFiring) -> Html {
    let (from, to) = (one.opened - 600_000, one.resolved.unwrap_or(one.opened) + 600_000);
    let query = VehicleQuery { span: Some(Period::Between(from, to).word()), ..VehicleQuery::default() };
    let lasted = one.resolved.map(|resolved| (phrases.lasting)(Span::of(resolved - one.opened)));
    html! {
        <li key={n}>
            <Link<Route, VehicleQuery> to={Route::Vehicle { vin: one.vin }} query={Some(query)}>{ &one.name }</Link<Route, VehicleQuery>>
            <span>{ moment(phrases, one.opened) }</span>
            <small>
                { one.place.clone().unwrap_or_default() }
                if let Some(lasted) = lasted { { " · " }{ lasted } }
                if let Some(worst) = one.worst { { " · " }{ told(one, worst) } }
                if let Some(more) = one.cause.as_ref().and_then(|cause| in_short(phrases, cause)) { { " · " }{ more } }
            </small>
        </li>
    }
}

/// The worst value, and the limit.
fn told(one: &TrialFiring, worst: f64) -> String {
    let key = one.signal.as_deref().unwrap_or_default();
    let (worst, unit) = value(key, worst);
    match one.limit {
        Some(limit) => format!("{worst} / {} {unit}", value(key, limit).0),
        None => format!("{worst} {unit}"),
    }
}

//! `/api/frontend/rules`: by what alerts are raised, and whether it would have raised some.

use std::collections::{HashMap, hash_map::Entry};

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{Rule, RuleScope};
use bugbrother_wire::{
    Vin,
    api::{Right, RuleEdit, RuleEntry, RuleList, TrialFiring, TrialOrder, TrialReport},
};
use serde_json::json;

use super::{
    App,
    alerts::place_name,
    body::Body,
    caller::{Access, Caller, Scope},
    failure::Failure,
    form::PathId,
    routes::Routes,
    span::{DAY_MS, Span},
};
use crate::{
    clock,
    trial::{self, Found, Order},
};

const MAX_RULES: u32 = 200;
const MAX_TITLE_CHARS: usize = 80;
const MAX_ID: usize = 40;
const MAX_SPAN_MS: i64 = 31 * DAY_MS;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/rules", Access::May(Right::Watch), list)
        .says("Rules by which alerts are raised")
        .gives::<RuleList>();
    routes
        .put("/frontend/rules/{id}", Access::May(Right::Rules), save)
        .says("Makes or changes a rule; it is in force within a second or two")
        .takes::<RuleEdit>()
        .gives::<RuleEntry>();
    routes
        .delete("/frontend/rules/{id}", Access::May(Right::Rules), delete)
        .says("Deletes a rule; its alerts end")
        .gives::<RuleEntry>();
    routes
        .post("/frontend/rules/trial", Access::May(Right::Rules), try_out)
        .says("Tries a rule on history, some vehicles at a time")
        .takes::<TrialOrder>()
        .gives::<TrialReport>();
}

/// A client learns of the rules that look at its vehicles, and of no vehicle and no client but its own.
async fn list(State(app): State<App>, caller: Caller) -> Result<Json<RuleList>, Failure> {
    let rules = app.config.store.rules().await?;
    let client = match caller.scope {
        Scope::Fleet => return Ok(Json(RuleList { rules: rules.into_iter().map(entry).collect() })),
        Scope::Client(client) => Some(client),
        Scope::Nothing => None,
    };
    let mut seen: HashMap<Vin, bool> = HashMap::new();
    let mut known = Vec::new();
    for mut rule in rules {
        let is_known = match &mut rule.scope {
            RuleScope::All | RuleScope::Class(_) => true,
            RuleScope::Client(of) => client == Some(*of),
            RuleScope::Vehicles(vins) => {
                for vin in vins.iter() {
                    if let (Some(client), Entry::Vacant(place)) = (client, seen.entry(*vin)) {
                        place.insert(app.config.store.client_sees(client, *vin, clock::now()).await?);
                    }
                }
                vins.retain(|vin| seen.get(vin).is_some_and(|sees| *sees));
                !vins.is_empty()
            }
        };
        if is_known {
            known.push(entry(rule));
        }
    }
    Ok(Json(RuleList { rules: known }))
}

async fn save(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
    Body(edit): Body<RuleEdit>,
) -> Result<Json<RuleEntry>, Failure> {
    let mut wrong = Vec::new();
    let title = edit.title.trim();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=MAX_ID).contains(&id.len()) || !id.bytes().all(fits) || id == "trial" {
        wrong.push(("id".to_owned(), "1 to 40 of a-z, 0-9 and `-`".to_owned()));
    }
    if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS || title.chars().any(char::is_control) {
        wrong.push(("title".to_owned(), "1 to 80 characters".to_owned()));
    }
    for checked in [bugbrother_rule::check(&edit.condition), edit.scope.check()] {
        wrong.extend(checked.err().map(|fault| (fault.field().to_owned(), fault.to_string())));
    }
    if !wrong.is_empty() {
        return Err(Failure::fields(wrong));
    }
    let rule = Rule {
        id: id.clone(),
        title: title.to_owned(),
        severity: edit.severity,
        enabled: edit.enabled,
        scope: edit.scope,
        condition: edit.condition,
        film: edit.film,
    };
    let detail = json!({ "title": rule.title, "enabled": rule.enabled, "scope": rule.scope, "condition": rule.condition,
        "film": rule.film });
    app.note(&caller, "rule_saved", Some(("rule", &id)), detail).await?;
    if !app.config.store.save_rule_of(&rule, MAX_RULES).await? {
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_rules", "there are 200 rules; delete one first"));
    }
    Ok(Json(entry(rule)))
}

/// Gives what was deleted, so that it can be put back.
async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<String>,
) -> Result<Json<RuleEntry>, Failure> {
    let not_found = || Failure::not_found("there is no such rule");
    let rule = app.config.store.rule(&id).await?.ok_or_else(not_found)?;
    app.note(&caller, "rule_deleted", Some(("rule", &id)), json!({ "title": rule.title })).await?;
    if !app.config.store.delete_rule(&id).await? {
        return Err(not_found());
    }
    Ok(Json(entry(rule)))
}

async fn try_out(
    State(app): State<App>,
    caller: Caller,
    Body(order): Body<TrialOrder>,
) -> Result<Json<TrialReport>, Failure> {
    if let Err(fault) = bugbrother_rule::check(&order.condition).and(order.scope.check()) {
        return Err(Failure::field(fault.field(), fault.to_string()));
    }
    if !order.condition.has_history() {
        return Err(Failure::field("condition", "there is no history of this"));
    }
    let (from, to) = Span::new(Some(order.from), Some(order.to)).or_all()?;
    if to - from > MAX_SPAN_MS {
        return Err(Failure::field("to", "a trial spans at most 31 days"));
    }
    if let Some(vin) = order.vin {
        caller.sees(&app, vin).await?;
    }
    let _turn = app.trials.take().await?;
    let tried =
        Order { condition: &order.condition, scope: &order.scope, from, to, vin: order.vin, after: order.after };
    let part = trial::part(&app.config.store, &tried).await?;
    Ok(Json(TrialReport {
        firings: part.firings.into_iter().map(firing).collect(),
        fired: part.fired,
        vehicles: part.vehicles,
        samples: part.samples,
        cut_short_at: part.cut_short_at,
        next: part.next,
    }))
}

fn firing(Found { vin, name, firing }: Found) -> TrialFiring {
    TrialFiring {
        vin,
        name,
        opened: firing.opened,
        resolved: firing.resolved,
        worst: firing.worst,
        signal: firing.signal,
        limit: firing.limit,
        cause: firing.cause,
        count: firing.count,
        position: firing.place,
        place: place_name(firing.place),
    }
}

fn entry(rule: Rule) -> RuleEntry {
    let Rule { id, title, severity, enabled, scope, condition, film } = rule;
    RuleEntry { id, rule: RuleEdit { title, severity, enabled, scope, condition, film } }
}

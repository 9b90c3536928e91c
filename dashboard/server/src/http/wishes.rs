//! `/api/frontend/vehicles/{vin}/wishes`: what a vehicle is wanted to send.

use axum::{Json, extract::State};
use bugbrother_store::{WishRecord, Wishes};
use bugbrother_wire::{
    api::{Right, WishesEdit, WishesState},
    signal::is_key,
};
use serde_json::json;

use super::{
    App,
    body::{Body, PathVin},
    caller::{Access, Caller},
    commands::PERIOD_MS,
    failure::Failure,
    routes::Routes,
};
use crate::clock;

/// Signals whose intervals are wished for.
const MAX_PERIODS: usize = 256;
/// Less would not do for the signs of life.
const LEAST_DAILY_BYTES: u64 = 100_000;
/// The thresholds that agents know, with their ranges: see `docs/events.md`.
const THRESHOLDS: [(&str, f64, f64); 11] = [
    ("harsh_braking", 1.0, 10.0),
    ("harsh_acceleration", 1.0, 10.0),
    ("harsh_cornering", 1.0, 10.0),
    ("crash", 10.0, 160.0),
    ("crash_speed", 10.0, 100.0),
    ("tow_distance", 30.0, 5000.0),
    ("tow_speed", 3.0, 50.0),
    ("idling", 30.0, 7200.0),
    ("low_battery", 9.0, 13.0),
    ("low_charging", 11.5, 14.0),
    ("geofence_margin", 5.0, 200.0),
];

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/vehicles/{vin}/wishes", Access::May(Right::Command), show)
        .says("What a vehicle is wanted to send")
        .gives::<WishesState>();
    routes
        .put("/frontend/vehicles/{vin}/wishes", Access::May(Right::Command), change)
        .says("Changes what a vehicle is wanted to send; it is told at once, or when it comes back")
        .takes::<WishesEdit>()
        .gives::<WishesState>();
}

async fn show(State(app): State<App>, caller: Caller, PathVin(vin): PathVin) -> Result<Json<WishesState>, Failure> {
    caller.sees(&app, vin).await?;
    Ok(Json(app.config.store.wishes(vin).await?.map(state).unwrap_or_default()))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(edit): Body<WishesEdit>,
) -> Result<Json<WishesState>, Failure> {
    caller.sees(&app, vin).await?;
    let wrong = check(&edit);
    if !wrong.is_empty() {
        return Err(Failure::fields(wrong));
    }
    let detail = json!({ "privacy": edit.privacy, "driver_privacy": edit.driver_privacy,
        "daily_bytes": edit.daily_bytes, "periods_ms": edit.periods_ms, "thresholds": edit.thresholds });
    app.note(&caller, "wishes_changed", Some(("vehicle", vin.as_str())), detail).await?;
    let WishesEdit { periods_ms, thresholds, privacy, driver_privacy, daily_bytes } = edit;
    let wishes = Wishes { periods_ms, thresholds, privacy, driver_privacy, daily_bytes };
    let geofences = app.downlink.geofences(vin).await?;
    app.config.store.wish(vin, Some((&wishes, &caller.name)), geofences, clock::now()).await?;
    app.downlink.tell_wishes(vin);
    Ok(Json(app.config.store.wishes(vin).await?.map(state).unwrap_or_default()))
}

/// What is wrong with wishes, field by field.
fn check(edit: &WishesEdit) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    if edit.periods_ms.len() > MAX_PERIODS {
        wrong.push(("periods_ms".to_owned(), "at most 256 signals".to_owned()));
    }
    for (key, ms) in edit.periods_ms.iter().take(MAX_PERIODS) {
        if !is_key(key) || !PERIOD_MS.contains(&i64::from(*ms)) {
            let field: String = key.chars().take(32).collect();
            wrong.push((format!("periods_ms.{field}"), "an interval from 50 to 3,600,000 ms".to_owned()));
        }
    }
    for (name, value) in edit.thresholds.iter().take(2 * THRESHOLDS.len()) {
        let known = THRESHOLDS.iter().find(|(known, ..)| known == name);
        let problem = match known {
            None => Some("no agent knows this threshold".to_owned()),
            Some((_, low, high)) if !(*low..=*high).contains(value) => Some(format!("{low} to {high}")),
            Some(_) => None,
        };
        let field: String = name.chars().take(32).collect();
        wrong.extend(problem.map(|problem| (format!("thresholds.{field}"), problem)));
    }
    if edit.daily_bytes.is_some_and(|bytes| !(LEAST_DAILY_BYTES..=1 << 40).contains(&bytes)) {
        wrong.push(("daily_bytes".to_owned(), "100,000 bytes or more".to_owned()));
    }
    wrong
}

fn state(record: WishRecord) -> WishesState {
    let Wishes { periods_ms, thresholds, privacy, driver_privacy, daily_bytes } = record.wishes;
    WishesState {
        wishes: WishesEdit { periods_ms, thresholds, privacy, driver_privacy, daily_bytes },
        revision: record.said.revision,
        geofences: record.said.geofences.len(),
        updated: Some(record.updated),
        updated_by: record.updated_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_that_no_agent_could_follow_name_their_fields() {
        let edit = WishesEdit {
            periods_ms: [("spd".to_owned(), 10), ("rpm".to_owned(), 500), ("Bad".to_owned(), 500)].into(),
            thresholds: [("idling".to_owned(), 1.0), ("no_such".to_owned(), 1.0), ("crash".to_owned(), f64::NAN)]
                .into(),
            daily_bytes: Some(5),
            ..WishesEdit::default()
        };
        let fields: Vec<_> = check(&edit).into_iter().map(|(field, _)| field).collect();
        assert_eq!(
            fields,
            [
                "periods_ms.Bad",
                "periods_ms.spd",
                "thresholds.crash",
                "thresholds.idling",
                "thresholds.no_such",
                "daily_bytes"
            ]
        );
        assert_eq!(check(&WishesEdit { privacy: true, ..WishesEdit::default() }), []);
    }
}

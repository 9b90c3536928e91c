//! `/api/frontend/overview`: the fleet at a glance, as far as it is not live. It is put together once for all who look at the
//! same in the same seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use bugbrother_store::{ContractFilter, MAX_PAGE, Prices, Sums};
use bugbrother_wire::{
    ClientId,
    api::{ENDS_SOON_MS, Overview, OverviewDay, Right, WorstVehicle},
};
use jiff::ToSpan;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    body::Params,
    caller::{Access, Caller, Scope},
    contracts,
    failure::Failure,
    maintenance::fleet_due,
    routes::Routes,
    statistics::{scope_of, totals, zone},
};
use crate::{calendar::number, clock};

const LASTS: Duration = Duration::from_secs(10);
/// Most that are kept: one for each client and zone that is looked at.
const MOST: usize = 256;
const DAYS: i64 = 14;
const WORST: usize = 5;
/// Who has driven less is not judged.
const JUDGED_FROM_M: f64 = 20_000.0;
const ENDING: u32 = 10;
const DUE: usize = 50;

/// What one looks at: whose vehicles, whether with contracts, where.
type Key = (Option<ClientId>, bool, String);

/// Overviews of the last seconds.
#[derive(Default)]
pub(crate) struct Overviews(Mutex<HashMap<Key, (Instant, Arc<Overview>)>>);

impl Overviews {
    fn get(&self, key: &Key) -> Option<Arc<Overview>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(made, _)| made.elapsed() < LASTS).map(|(_, overview)| Arc::clone(overview))
    }

    fn keep(&self, key: Key, overview: &Arc<Overview>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (made, _)| made.elapsed() < LASTS);
        if kept.len() < MOST {
            kept.insert(key, (Instant::now(), Arc::clone(overview)));
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Ask {
    /// Where the days begin, such as `Europe/Zurich`; `UTC` without it.
    zone: Option<String>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/overview", Access::May(Right::Watch), show)
        .says("The fleet at a glance, as far as it is not live; some seconds old")
        .asks::<Ask>()
        .gives::<Overview>();
}

async fn show(State(app): State<App>, caller: Caller, Params(ask): Params<Ask>) -> Result<Json<Overview>, Failure> {
    let calendar = zone(ask.zone.as_deref())?;
    let client = match caller.scope {
        Scope::Fleet => None,
        Scope::Client(client) => Some(client),
        Scope::Nothing => scope_of(&caller).client,
    };
    let key = (client, caller.may(Right::Clients), calendar.name().to_owned());
    if let Some(overview) = app.overviews.get(&key) {
        return Ok(Json((*overview).clone()));
    }
    let now = clock::now();
    let today = calendar.date(now);
    let first = today.checked_sub((DAYS - 1).days()).unwrap_or(today);
    let days = calendar.days(first, today).map_err(|error| Failure::field("zone", error.to_string()))?;
    let offsets = calendar.zone(&days).ok_or_else(|| Failure::field("zone", "its clock changes too often"))?;
    let scope = scope_of(&caller);
    let store = &app.config.store;
    let span = (days.from, days.to);
    let by_day: HashMap<i64, Sums> = store.statistics_by_day(span, &offsets, &scope).await?.into_iter().collect();
    let of = |day| by_day.get(&number(day)).copied().unwrap_or_default();
    let vehicles = store.vehicle_count(client, (now, now + 1)).await?;
    let since_monday = i64::from(today.weekday().to_monday_zero_offset());
    let mut week = Sums::default();
    for day in days.each().filter(|day| number(today) - number(*day) <= since_monday) {
        week += of(day);
    }
    let prices: Prices = store.setting().await?;
    let due = fleet_due(&app, caller.scope, now).await?;
    let ending = if caller.may(Right::Clients) {
        let soon = ContractFilter::Ending(now + ENDS_SOON_MS);
        store.contract_lines(soon, None, now, None, ENDING).await?
    } else {
        Vec::new()
    };
    let overview = Arc::new(Overview {
        at: now,
        vehicles: u32::try_from(vehicles).unwrap_or(u32::MAX),
        today: totals(&of(today), vehicles),
        week: totals(&week, vehicles * (since_monday + 1)),
        days: days
            .each()
            .map(|day| {
                let sums = of(day);
                let trips = u64::try_from(sums.trips).unwrap_or_default();
                OverviewDay { day: day.to_string(), trips, distance_m: sums.distance_m }
            })
            .collect(),
        worst: worst(&app, store.statistics_by_vehicle(span, &offsets, &scope, MAX_PAGE).await?).await?,
        ending: ending.into_iter().map(|line| contracts::summary(line, now)).collect(),
        due_count: u32::try_from(due.len()).unwrap_or(u32::MAX),
        due: due.into_iter().take(DUE).collect(),
        currency: prices.currency,
    });
    app.overviews.keep(key, &overview);
    Ok(Json((*overview).clone()))
}

async fn worst(app: &App, sums: Vec<(bugbrother_wire::Vin, Sums)>) -> Result<Vec<WorstVehicle>, Failure> {
    let mut judged: Vec<_> = sums
        .into_iter()
        .filter(|(_, sums)| sums.distance_m >= JUDGED_FROM_M)
        .filter_map(|(vin, sums)| Some((sums.score()?, vin, sums)))
        .collect();
    judged.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut worst = Vec::new();
    for (score, vin, sums) in judged.into_iter().take(WORST) {
        let name = app.config.store.vehicle(vin).await?.map_or_else(|| vin.to_string(), |vehicle| vehicle.name);
        let harsh_per_100km = sums.harsh_per_100km();
        worst.push(WorstVehicle { vin, name, score, harsh_per_100km, distance_m: sums.distance_m });
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overview_is_whose_it_is_and_what_is_kept_has_an_end() {
        let kept = Overviews::default();
        let overview = Arc::new(Overview {
            at: 1,
            vehicles: 1,
            today: totals(&Sums::default(), 1),
            week: totals(&Sums::default(), 1),
            days: Vec::new(),
            worst: Vec::new(),
            ending: Vec::new(),
            due: Vec::new(),
            due_count: 0,
            currency: "EUR".into(),
        });
        let key = |n: usize| (None, true, format!("zone {n}"));
        for n in 0..=MOST {
            kept.keep(key(n), &overview);
        }
        assert!(kept.get(&key(0)).is_some());
        assert!(kept.get(&key(MOST)).is_none(), "there was no room");
        assert!(kept.get(&(None, false, "zone 0".into())).is_none(), "it is without contracts");
    }
}

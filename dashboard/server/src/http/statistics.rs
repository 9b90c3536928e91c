//! `/api/frontend/statistics`: what trips amount to, as an answer and as files.

use std::collections::{BTreeMap, HashMap};

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_store::{MAX_PAGE, Prices, Scope as TripScope, Sums};
use bugbrother_wire::{
    ClientId, Vin,
    api::{By, Right, Statistics, StatisticsLine, Totals},
};
use jiff::{ToSpan, civil::Date};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    App,
    body::Params,
    caller::{Access, Caller, Scope},
    documents::attachment,
    failure::Failure,
    form::nothing_there,
    routes::Routes,
};
use crate::{
    calendar::{Calendar, Days, number},
    clock,
    report::{self, Language, Report},
};

/// Days where no beginning is given.
const DEFAULT_DAYS: i64 = 30;
const ROSTER_PAGE: u32 = 5_000;
/// Most lines of an answer.
const MAX_LINES: usize = 10_000;
/// Most lines of a report: 40 pages.
const MAX_REPORT_LINES: usize = 2_000;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(crate) struct Ask {
    /// The first day, such as `2026-03-01`; without it 30 days.
    from: Option<String>,
    /// The last day; today without it.
    to: Option<String>,
    /// Where the days begin, such as `Europe/Zurich`; `UTC` without it.
    zone: Option<String>,
    /// `vehicle`, `client`, `day`, `week` or `month`.
    by: Option<By>,
    /// Only of the time that vehicles were in this client's contracts.
    client: Option<ClientId>,
    /// Only of this vehicle.
    vin: Option<Vin>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Order {
    /// `csv` or `pdf`.
    format: String,
    /// `en` or `fr`.
    language: Option<Language>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/statistics", Access::May(Right::Watch), show)
        .says("What trips amount to, by vehicle, client, day, week or month")
        .asks::<Ask>()
        .gives::<Statistics>();
    routes
        .get("/frontend/statistics/report", Access::May(Right::Export), report)
        .says("The same as a file")
        .asks::<Ask>()
        .asks::<Order>();
}

async fn show(State(app): State<App>, caller: Caller, Params(ask): Params<Ask>) -> Result<Json<Statistics>, Failure> {
    gather(&app, &caller, &ask).await.map(Json)
}

async fn report(
    State(app): State<App>,
    caller: Caller,
    Params(ask): Params<Ask>,
    Params(order): Params<Order>,
) -> Result<Response, Failure> {
    let is_pdf = match order.format.as_str() {
        "pdf" => true,
        "csv" => false,
        _ => return Err(Failure::field("format", "`csv` or `pdf`")),
    };
    let language = order.language.unwrap_or_default();
    let mut statistics = gather(&app, &caller, &ask).await?;
    if is_pdf && statistics.lines.len() > MAX_REPORT_LINES {
        statistics.lines.truncate(MAX_REPORT_LINES);
        statistics.more = true;
    }
    let store = &app.config.store;
    let client = match ask.client {
        Some(client) => store.client(client).await?.map(|client| client.name),
        None => None,
    };
    let vehicle = match ask.vin {
        Some(vin) => store.vehicle(vin).await?.map(|vehicle| vehicle.name),
        None => None,
    };
    let calendar = calendar(&ask)?;
    let (first, last) = (calendar.date(statistics.from), calendar.date(statistics.to - 1));
    let name = format!("bugbrother-{}-{first}-{last}.{}", statistics.by.word(), order.format);
    let report = Report { statistics, language, first, last, made: calendar.date(clock::now()), client, vehicle };
    let (media_type, bytes) = if is_pdf {
        let drawn = spawn_blocking(move || report::pdf(&report)).await;
        let drawn = drawn.map_err(|error| Failure::internal(&error, "the report could not be drawn"))?;
        ("application/pdf", drawn)
    } else {
        let written =
            report::csv(&report).map_err(|error| Failure::internal(&error, "the file could not be written"))?;
        ("text/csv; charset=utf-8", written)
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, attachment(&name)),
    ];
    Ok((StatusCode::OK, headers, bytes).into_response())
}

pub(super) fn calendar(ask: &Ask) -> Result<Calendar, Failure> {
    zone(ask.zone.as_deref())
}

/// The days of a zone; of UTC where none is named.
pub(super) fn zone(name: Option<&str>) -> Result<Calendar, Failure> {
    Calendar::of(name.unwrap_or("UTC")).ok_or_else(|| Failure::field("zone", "no such time zone"))
}

/// Of which trips somebody may know.
pub(super) fn scope_of(caller: &Caller) -> TripScope {
    match caller.scope {
        Scope::Fleet => TripScope::default(),
        Scope::Client(client) => TripScope { client: Some(client), seen_at: Some(clock::now()), vin: None },
        Scope::Nothing => TripScope { client: Some(ClientId(Uuid::nil())), seen_at: Some(clock::now()), vin: None },
    }
}

async fn gather(app: &App, caller: &Caller, ask: &Ask) -> Result<Statistics, Failure> {
    let calendar = calendar(ask)?;
    let date = |field: &str, text: &Option<String>| match text {
        Some(text) => text.parse::<Date>().map(Some).map_err(|_| Failure::field(field, "a day such as 2026-03-29")),
        None => Ok(None),
    };
    let today = calendar.date(clock::now());
    let last = date("to", &ask.to)?.unwrap_or(today);
    let first = match date("from", &ask.from)? {
        Some(first) => first,
        None => last.checked_sub((DEFAULT_DAYS - 1).days()).unwrap_or(last),
    };
    let days = calendar.days(first, last).map_err(|error| Failure::field("to", error.to_string()))?;
    let mut scope = scope_of(caller);
    if let Some(client) = ask.client {
        if caller.scope != Scope::Fleet && scope.client != Some(client) {
            return Err(nothing_there());
        }
        if app.config.store.client(client).await?.is_none() {
            return Err(nothing_there());
        }
        scope.client = Some(client);
    }
    if let Some(vin) = ask.vin {
        caller.sees(app, vin).await?;
        scope.vin = Some(vin);
    }
    let desk = Desk { app, calendar, days, scope, today };
    let by = ask.by.unwrap_or_default();
    let mut lines = match by {
        By::Vehicle => desk.by_vehicle().await?,
        By::Client => desk.by_client().await?,
        By::Day | By::Week | By::Month => desk.by_time(by).await?,
    };
    let more = lines.len() > MAX_LINES;
    lines.truncate(MAX_LINES);
    let prices: Prices = app.config.store.setting().await?;
    Ok(Statistics {
        from: desk.days.from,
        to: desk.days.to,
        zone: desk.calendar.name().to_owned(),
        by,
        currency: prices.currency,
        lines,
        total: desk.total().await?,
        more,
    })
}

/// What is asked, ready to be answered.
struct Desk<'a> {
    app: &'a App,
    calendar: Calendar,
    days: Days,
    scope: TripScope,
    today: Date,
}

impl Desk<'_> {
    fn span(&self) -> (i64, i64) {
        (self.days.from, self.days.to)
    }

    fn zone(&self) -> Result<bugbrother_store::Zone, Failure> {
        self.calendar.zone(&self.days).ok_or_else(|| Failure::field("zone", "its clock changes too often in that time"))
    }

    /// Days between two, both inclusive, that are not yet to come.
    fn lived(&self, first: Date, last: Date) -> i64 {
        (number(last.min(self.today)) - number(first) + 1).max(0)
    }

    /// Vehicles that could have been driven.
    async fn vehicles(&self) -> Result<i64, Failure> {
        if self.scope.vin.is_some() {
            return Ok(1);
        }
        Ok(self.app.config.store.vehicle_count(self.scope.client, self.span()).await?)
    }

    async fn total(&self) -> Result<Totals, Failure> {
        let sums = self.app.config.store.statistics(self.span(), &self.zone()?, &self.scope).await?;
        let days = self.vehicles().await? * self.lived(self.days.first, self.days.last);
        Ok(totals(&sums, days))
    }

    async fn by_vehicle(&self) -> Result<Vec<StatisticsLine>, Failure> {
        let store = &self.app.config.store;
        let sums = store.statistics_by_vehicle(self.span(), &self.zone()?, &self.scope, MAX_PAGE).await?;
        let mut sums: HashMap<Vin, Sums> = sums.into_iter().collect();
        let days = self.lived(self.days.first, self.days.last);
        let mut lines = Vec::new();
        let mut after = None;
        // Also those that were not driven: they are what one looks for.
        loop {
            let page = match self.scope.vin {
                Some(vin) => store.roster_entry(vin, clock::now()).await?.into_iter().collect(),
                None => store.roster(self.scope.client, clock::now(), after, ROSTER_PAGE).await?,
            };
            let Some(last) = page.last() else { break };
            after = Some(last.vin);
            for entry in page {
                let found = sums.remove(&entry.vin);
                if found.is_none() && entry.facts.archived.is_some() {
                    continue;
                }
                lines.push(line(entry.vin, entry.name, entry.plate, &found.unwrap_or_default(), days));
            }
            if self.scope.vin.is_some() {
                break;
            }
        }
        // Those that are not the client's any more.
        for (vin, sums) in sums {
            let entry = store.roster_entry(vin, clock::now()).await?;
            let (name, plate) = entry.map_or((vin.to_string(), None), |entry| (entry.name, entry.plate));
            lines.push(line(vin, name, plate, &sums, days));
        }
        lines.sort_by_cached_key(|line| (line.name.to_lowercase(), line.key.clone()));
        Ok(lines)
    }

    async fn by_client(&self) -> Result<Vec<StatisticsLine>, Failure> {
        let store = &self.app.config.store;
        let zone = self.zone()?;
        let days = self.lived(self.days.first, self.days.last);
        let mut lines = Vec::new();
        for (client, sums) in store.statistics_by_client(self.span(), &zone, &self.scope, MAX_PAGE).await? {
            // A vehicle may be in contracts of several.
            if self.scope.client.is_some_and(|only| only != client) {
                continue;
            }
            let name = store.client(client).await?.map(|client| client.name).unwrap_or_default();
            let vehicles = store.vehicle_count(Some(client), self.span()).await?;
            let totals = totals(&sums, vehicles * days);
            lines.push(StatisticsLine { key: client.to_string(), name, plate: None, totals });
        }
        lines.sort_by_cached_key(|line| (line.name.to_lowercase(), line.key.clone()));
        if self.scope == TripScope::default() {
            let sums = store.statistics_of_nobody(self.span(), &zone).await?;
            if sums.trips > 0 {
                let totals = totals(&sums, 0);
                lines.push(StatisticsLine { key: String::new(), name: String::new(), plate: None, totals });
            }
        }
        Ok(lines)
    }

    async fn by_time(&self, by: By) -> Result<Vec<StatisticsLine>, Failure> {
        let found = self.app.config.store.statistics_by_day(self.span(), &self.zone()?, &self.scope).await?;
        let found: HashMap<i64, Sums> = found.into_iter().collect();
        let vehicles = self.vehicles().await?;
        let mut parts: BTreeMap<Date, (Sums, i64)> = BTreeMap::new();
        for day in self.days.each() {
            let first = match by {
                By::Week => day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).unwrap_or(day),
                By::Month => day.first_of_month(),
                _ => day,
            };
            let (sums, days) = parts.entry(first.max(self.days.first)).or_default();
            *sums += found.get(&number(day)).copied().unwrap_or_default();
            *days += self.lived(day, day);
        }
        let line = |(first, (sums, days)): (Date, (Sums, i64))| StatisticsLine {
            key: first.to_string(),
            name: String::new(),
            plate: None,
            totals: totals(&sums, vehicles * days),
        };
        Ok(parts.into_iter().map(line).collect())
    }
}

fn line(vin: Vin, name: String, plate: Option<String>, sums: &Sums, days: i64) -> StatisticsLine {
    StatisticsLine { key: vin.to_string(), name, plate, totals: totals(sums, days) }
}

/// As they are told; `vehicle_days` is on how many days how many vehicles could have been driven.
pub(super) fn totals(sums: &Sums, vehicle_days: i64) -> Totals {
    let known = |amount: f64, over_m: f64| (over_m > 0.0).then_some(amount);
    Totals {
        trips: u64::try_from(sums.trips).unwrap_or_default(),
        distance_m: sums.distance_m,
        moving_ms: sums.moving_ms,
        idle_ms: sums.idle_ms,
        utilisation: (vehicle_days > 0).then(|| (sums.vehicle_days as f64 / vehicle_days as f64).min(1.0)),
        fuel_l: known(sums.fuel_l, sums.fuel_m),
        fuel_per_100km: sums.fuel_per_100km(),
        energy_kwh: known(sums.energy_kwh, sums.energy_m),
        co2_kg: known(sums.co2_kg, sums.fuel_m.max(sums.co2_kg)),
        cost: known(sums.cost, sums.cost_m),
        score: sums.score(),
        harsh_per_100km: sums.harsh_per_100km(),
    }
}

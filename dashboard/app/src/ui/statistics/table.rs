//! Statistics as a table whose columns sort it.

use std::{cmp::Ordering, rc::Rc};

use bugbrother_wire::api::{By, Statistics, StatisticsLine, Totals};
use yew::prelude::*;

use crate::{
    format::number,
    phrases::business::Business,
    ui::{
        day,
        icon::Icon,
        settings::{units, use_phrases},
    },
};

/// Rows that are made.
const SHOWN: usize = 500;

/// A column of numbers.
struct Column {
    name: fn(&Business) -> &'static str,
    unit: &'static str,
    value: fn(&Totals) -> Option<f64>,
    text: fn(f64) -> String,
    /// Whether there is room for it on a phone.
    on_phone: bool,
}

const COLUMNS: [Column; 11] = [
    Column {
        name: |words| words.trips,
        unit: "",
        value: |totals| Some(totals.trips as f64),
        text: |value| number(value, 0),
        on_phone: true,
    },
    Column {
        name: |words| words.distance,
        unit: "km",
        value: |totals| Some(totals.distance_m),
        text: |metres| units().distance(metres, 1).0,
        on_phone: true,
    },
    Column {
        name: |words| words.driving,
        unit: "h",
        value: |totals| Some(totals.moving_ms as f64),
        text: hours,
        on_phone: false,
    },
    Column {
        name: |words| words.idling,
        unit: "h",
        value: |totals| Some(totals.idle_ms as f64),
        text: hours,
        on_phone: false,
    },
    Column {
        name: |words| words.utilisation,
        unit: "%",
        value: |totals| Some(totals.utilisation? * 100.0),
        text: |value| number(value, 0),
        on_phone: false,
    },
    Column {
        name: |words| words.fuel,
        unit: "l",
        value: |totals| totals.fuel_l,
        text: |value| number(value, 1),
        on_phone: false,
    },
    Column {
        name: |words| words.consumption,
        unit: "l/100 km",
        value: |totals| totals.fuel_per_100km,
        text: consumption,
        on_phone: false,
    },
    Column {
        name: |words| words.co2,
        unit: "kg",
        value: |totals| totals.co2_kg,
        text: |value| number(value, 0),
        on_phone: false,
    },
    Column {
        name: |words| words.cost,
        unit: "",
        value: |totals| totals.cost,
        text: |value| number(value, 2),
        on_phone: false,
    },
    Column {
        name: |words| words.score,
        unit: "",
        value: |totals| totals.score,
        text: |value| number(value, 0),
        on_phone: true,
    },
    Column {
        name: |words| words.harsh,
        unit: "/100 km",
        value: |totals| totals.harsh_per_100km,
        text: |value| number(value, 1),
        on_phone: false,
    },
];

/// The unit that stands in the heading.
fn unit_of(column: &Column) -> &'static str {
    match column.unit {
        "km" => units().distance_unit(),
        "l/100 km" => units().consumption(1.0, 1000.0).map_or("", |(_, unit)| unit),
        unit => unit,
    }
}

fn consumption(litres_per_100km: f64) -> String {
    units().consumption(litres_per_100km, 100_000.0).map_or_else(|| "–".to_owned(), |(number, _)| number)
}

fn hours(ms: f64) -> String {
    let minutes = (ms / 60_000.0).round() as i64;
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// Properties of [`StatisticsTable`].
#[derive(Properties, PartialEq)]
pub struct StatisticsTableProps {
    /// The numbers.
    pub statistics: Rc<Statistics>,
}

/// The table.
#[component]
pub fn StatisticsTable(props: &StatisticsTableProps) -> Html {
    let words = use_phrases().business;
    let statistics = &props.statistics;
    // No column: as they come, by name or in the order of time.
    let sort = use_state_eq(|| (None::<usize>, false));
    let (column, reversed) = *sort;
    let mut lines: Vec<&StatisticsLine> = statistics.lines.iter().collect();
    if let Some(column) = column {
        // What is unknown comes last, the largest first.
        let value = |line: &StatisticsLine| (COLUMNS[column].value)(&line.totals).unwrap_or(f64::MIN);
        lines.sort_by(|a, b| value(b).partial_cmp(&value(a)).unwrap_or(Ordering::Equal));
    }
    if reversed {
        lines.reverse();
    }
    let heading = |at: Option<usize>, name: &'static str, unit: &str, class: &'static str| {
        let here = column == at;
        let direction = match (here, reversed) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        };
        let sort = sort.setter();
        let next = (at, here && !reversed);
        let unit = unit.to_owned();
        html! {
            <th scope="col" class={class} aria-sort={direction}>
                <button onclick={move |_: MouseEvent| sort.set(next)} data-testid={at.map(|at| format!("sort-{at}"))}>
                    <span>{ name }if !unit.is_empty() { <small class="unit">{ unit }</small> }</span>{ Icon::Chevron.draw() }
                </button>
            </th>
        }
    };
    html! {
        <div class="panel wide">
            <table class="table figures" data-testid="statistics-table">
                <thead><tr>
                    { heading(None, (words.by)(statistics.by), "", "") }
                    for (at, one) in COLUMNS.iter().enumerate() {
                        { heading(Some(at), (one.name)(words), if at == 8 { &statistics.currency } else { unit_of(one) }, class(one)) }
                    }
                </tr></thead>
                <tbody>
                    for line in lines.iter().take(SHOWN) {
                        <tr key={line.key.clone()} data-testid="statistics-line">
                            <td class="strong">{ name(words, statistics.by, line) }</td>
                            { cells(words, &line.totals) }
                        </tr>
                    }
                </tbody>
                <tfoot><tr data-testid="statistics-total"><td class="strong">{ words.total }</td>{ cells(words, &statistics.total) }</tr></tfoot>
            </table>
        </div>
    }
}

fn class(column: &Column) -> &'static str {
    if column.on_phone { "number" } else { "number wide-only" }
}

fn cells(words: &Business, totals: &Totals) -> Html {
    html! { for column in &COLUMNS { <td class={class(column)}>{ (column.value)(totals).map_or(words.none.to_owned(), column.text) }</td> } }
}

/// What a line is of.
pub fn name(words: &Business, by: By, line: &StatisticsLine) -> String {
    if !by.is_time() {
        return match (line.name.is_empty(), line.key.is_empty()) {
            (true, true) => words.nobody.to_owned(),
            (true, false) => line.key.clone(),
            _ => line.name.clone(),
        };
    }
    let Some(at) = day::from_input(&line.key, 0) else { return line.key.clone() };
    match by {
        By::Month => day::month(words.locale, at),
        By::Week => (words.week_of)(&day::day(words.locale, at)),
        _ => day::weekday(words.locale, at),
    }
}

//! Bars.

use yew::prelude::*;

use crate::{format::number, ui::browser::is_narrow};

/// Width of the drawing where it fills a page, where it fills a part of one, and on a phone: a letter is as large in each.
const WIDTHS: [f64; 3] = [1240.0, 760.0, 340.0];
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
const FLOOR: f64 = 166.0;

/// Properties of [`Bars`].
#[derive(Properties, PartialEq)]
pub struct BarsProps {
    /// What they show.
    pub label: AttrValue,
    /// Name and value of each.
    pub bars: Vec<(String, f64)>,
    /// Unit of the values.
    pub unit: &'static str,
    /// Whether they fill the page.
    #[prop_or_default]
    pub wide: bool,
}

/// A bar chart; each bar tells its name and value when it is pointed at, and all are read out as a list.
#[component]
pub fn Bars(props: &BarsProps) -> Html {
    let width = match (is_narrow(), props.wide) {
        (true, _) => WIDTHS[2],
        (false, true) => WIDTHS[0],
        (false, false) => WIDTHS[1],
    };
    let highest = props.bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let top = round_up(highest);
    let step = (width - LEFT) / props.bars.len().max(1) as f64;
    let thick = (step * 0.7).min(40.0);
    let y = |value: f64| FLOOR - value / top * (FLOOR - TOP);
    // So many names as have room.
    let each = ((props.bars.len() as f64 * 74.0) / (width - LEFT)).ceil().max(1.0) as usize;
    html! {
        <div class="bars-chart">
            <svg viewBox={format!("0 0 {width} {HEIGHT}")} role="img" aria-label={props.label.clone()}>
                for part in [0.0, 0.5, 1.0] {
                    <g key={format!("{part}")} class="grid">
                        <line x1={LEFT.to_string()} x2={width.to_string()} y1={y(top * part).to_string()} y2={y(top * part).to_string()} />
                        <text x={(LEFT - 6.0).to_string()} y={(y(top * part) + 4.0).to_string()} text-anchor="end">{ number(top * part, usize::from(top < 4.0)) }</text>
                    </g>
                }
                for (n, (name, value)) in props.bars.iter().enumerate() {
                    { bar(n, name, *value, props.unit, (LEFT + step * n as f64, step, thick), y(*value), n % each == 0) }
                }
            </svg>
            <ul class="unseen">
                for (name, value) in &props.bars { <li>{ format!("{name}: {} {}", number(*value, 0), props.unit) }</li> }
            </ul>
        </div>
    }
}

fn bar(n: usize, name: &str, value: f64, unit: &str, (x, step, width): (f64, f64, f64), y: f64, named: bool) -> Html {
    let middle = x + step / 2.0;
    html! {
        <g key={n} class="bar-mark">
            <title>{ format!("{name}: {} {unit}", number(value, 0)) }</title>
            <rect class="room" x={x.to_string()} y={TOP.to_string()} width={step.to_string()} height={(FLOOR - TOP).to_string()} />
            <rect class="value" x={(middle - width / 2.0).to_string()} y={y.to_string()} width={width.to_string()} height={(FLOOR - y).max(0.0).to_string()} rx="3" />
            if named { <text x={middle.to_string()} y={(FLOOR + 17.0).to_string()} text-anchor="middle">{ short(name) }</text> }
        </g>
    }
}

fn short(name: &str) -> String {
    if name.chars().count() <= 12 {
        name.to_owned()
    } else {
        format!("{}…", name.chars().take(11).collect::<String>().trim_end())
    }
}

/// The next of 1, 2, 4, 5, 10 and so on that is no smaller.
fn round_up(value: f64) -> f64 {
    if value <= 1.0 {
        return 1.0;
    }
    let scale = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * scale).find(|step| *step >= value).unwrap_or(value)
}

//! A plot as SVG, both axes in powers of ten.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;
const COLOURS: [&str; 4] = ["#1f6feb", "#d97706", "#15803d", "#9333ea"];

pub struct Line {
    pub name: String,
    /// Where, how high, and whether it counts: what does not is drawn hollow.
    pub points: Vec<(f64, f64, bool)>,
}

pub fn draw(title: &str, along: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (left, right) = decades(all().map(|point| point.0));
    let (low, high) = decades(all().map(|point| point.1));
    let x = |value: f64| LEFT + (value.log10() - left) / (right - left) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value.log10() - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">{title}</text>\n"
    );
    let mut add = |element: String| writeln!(svg, "{element}").expect("a string takes everything");
    for power in left as i32..=right as i32 {
        let value = 10f64.powi(power);
        add(format!(
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{1:.1}\" stroke=\"#d0d7de\"/>\
             <text x=\"{0:.1}\" y=\"{2:.1}\" text-anchor=\"middle\">{3}</text>",
            x(value),
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 18.0,
            crate::figures::grouped(value)
        ));
    }
    for power in low as i32..=high as i32 {
        let value = 10f64.powi(power);
        add(format!(
            "<line x1=\"{LEFT}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#d0d7de\"/>\
             <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{4}</text>",
            WIDTH - RIGHT,
            y(value),
            LEFT - 8.0,
            y(value) + 4.0,
            crate::figures::grouped(value)
        ));
    }
    add(format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{along}</text>", WIDTH / 2.0, HEIGHT - 12.0));
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let path: Vec<_> = line.points.iter().map(|(at, value, _)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        add(format!("<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join(" ")));
        for (at, value, counts) in &line.points {
            let fill = if *counts { colour } else { "#ffffff" };
            add(format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\"/>",
                x(*at),
                y(*value)
            ));
        }
        let below = TOP + 14.0 + 16.0 * number as f64;
        add(format!(
            "<text x=\"{:.1}\" y=\"{below:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            WIDTH - RIGHT - 6.0,
            line.name
        ));
    }
    svg + "</svg>\n"
}

/// The powers of ten that all values lie between.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.map(f64::log10).filter(|value| value.is_finite()) {
        (low, high) = (low.min(value.floor()), high.max(value.ceil()));
    }
    if low < high { (low, high) } else { (0.0, 1.0) }
}

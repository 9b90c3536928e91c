//! Areas that are watched, on a map.

use std::f64::consts::TAU;

use bugbrother_wire::message::Shape;

use super::{canvas::Canvas, palette::Palette};
use crate::geo::{Point, View};

/// An area.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub shape: Shape,
    /// How it is drawn.
    pub colour: Option<String>,
}

impl Area {
    /// What a hand can take hold of: the corners; of a circle its middle and a point of its edge.
    pub fn handles(&self) -> Vec<Point> {
        let at = |(lat, lon): &(f64, f64)| Point::from_degrees(*lat, *lon);
        match &self.shape {
            Shape::Circle { centre, radius_m } => {
                let centre = at(centre);
                vec![centre, Point { x: centre.x + radius_m / centre.metres_per_unit(), ..centre }]
            }
            Shape::Polygon(points) | Shape::Corridor { line: points, .. } => points.iter().map(at).collect(),
        }
    }
}

/// Draws an area; one that is edited with its handles.
pub fn draw_area(canvas: &Canvas, view: &View, palette: &Palette, area: &Area, edited: bool) {
    let context = &canvas.context;
    let colour = area.colour.as_deref().unwrap_or(&palette.accent);
    let screen = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|(lat, lon)| view.screen(Point::from_degrees(*lat, *lon))).collect()
    };
    context.set_stroke_style_str(colour);
    context.set_fill_style_str(colour);
    context.set_line_join("round");
    context.set_line_width(2.0);
    let mut middle = None;
    match &area.shape {
        Shape::Circle { centre, radius_m } => {
            let centre = Point::from_degrees(centre.0, centre.1);
            let at = view.screen(centre);
            let edge = view.screen(Point { x: centre.x + radius_m / centre.metres_per_unit(), ..centre });
            let radius = (edge.0 - at.0).abs();
            if !view.shows(at, radius + 20.0) {
                return;
            }
            context.begin_path();
            canvas.arc(at, radius, 0.0, TAU);
            fill(canvas);
            context.stroke();
            middle = Some(at);
        }
        Shape::Polygon(ring) if !ring.is_empty() => {
            let points = screen(ring);
            context.begin_path();
            canvas.line(&points);
            context.close_path();
            fill(canvas);
            context.stroke();
            middle = Some(mean(&points));
        }
        Shape::Corridor { line, width_m } if !line.is_empty() => {
            let points = screen(line);
            let at = Point::from_degrees(line[0].0, line[0].1);
            let (x0, _) = view.screen(at);
            let (x1, _) = view.screen(Point { x: at.x + width_m / at.metres_per_unit(), ..at });
            context.begin_path();
            canvas.line(&points);
            context.set_line_cap("round");
            context.set_line_width(((x1 - x0).abs() * 2.0).max(3.0));
            context.set_global_alpha(0.25);
            context.stroke();
            context.set_global_alpha(1.0);
            context.set_line_width(2.0);
            context.stroke();
            context.set_line_cap("butt");
            middle = points.get(points.len() / 2).copied();
        }
        Shape::Polygon(_) | Shape::Corridor { .. } => {}
    }
    if edited {
        for handle in area.handles() {
            context.begin_path();
            canvas.arc(view.screen(handle), 6.5, 0.0, TAU);
            context.set_fill_style_str(&palette.panel);
            context.fill();
            context.stroke();
        }
    }
    if let Some(at) = middle.filter(|at| view.zoom() >= 9.0 && view.shows(*at, 0.0) && !area.name.is_empty()) {
        context.set_font("600 12px Inter, system-ui, sans-serif");
        context.set_text_align("center");
        context.set_text_baseline("middle");
        canvas.text(&area.name, at, &palette.text, &palette.halo);
    }
}

fn fill(canvas: &Canvas) {
    canvas.context.set_global_alpha(0.16);
    canvas.context.fill();
    canvas.context.set_global_alpha(1.0);
}

fn mean(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len().max(1) as f64;
    (points.iter().map(|(x, _)| x).sum::<f64>() / count, points.iter().map(|(_, y)| y).sum::<f64>() / count)
}

//! The vehicles on the map.

use std::f64::consts::{FRAC_PI_2, TAU};

use bugbrother_wire::{Vin, live::Motion};

use super::{
    area::{Area, draw_area},
    canvas::Canvas,
    palette::Palette,
};
use crate::{
    cluster::{self, APART_ZOOM, Cluster},
    fleet::{Fleet, LOOKS, Look, Vehicle, track::Pose},
    format::Freshness,
    geo::{
        Point, View,
        labels::{Box, Room},
    },
    replay::Way,
};

/// Width of a sprite.
const SPRITE: f64 = 40.0;
/// From this zoom on every vehicle has its name.
const NAME_ZOOM: f64 = 9.0;
/// Most names on a screen.
const MOST_NAMES: usize = 120;
/// From this zoom on vehicles have their trails.
const TRAIL_ZOOM: f64 = 10.0;
/// Most vehicles on a screen that have their trails: lines are what drawing takes longest for.
const MOST_TRAILS: Limit = Limit { most: 200, again: 160 };
/// Most vehicles on a screen that are drawn each by itself.
const MOST_APART: Limit = Limit { most: 1000, again: 850 };
/// From this zoom on they are, however many: nothing is closer.
const ALWAYS_APART_ZOOM: f64 = 16.0;
/// Parts of a trail, each fainter than the one before it.
const TRAIL_PARTS: usize = 10;

/// What a click can hit.
pub enum Target {
    /// A vehicle.
    Vehicle(Vin),
    /// Many, between these corners.
    Cluster(Point, Point),
}

/// A signal by which vehicles are coloured.
#[derive(Debug, Clone, PartialEq)]
pub struct Tint {
    /// Its key.
    pub key: String,
    /// From what to what.
    pub range: (f64, f64),
}

impl Tint {
    /// Which of the colours a value has.
    pub fn step(&self, value: f64) -> usize {
        let (low, high) = self.range;
        let part = (value - low) / (high - low).max(f64::EPSILON);
        ((part * TINTS as f64).max(0.0) as usize).min(TINTS - 1)
    }
}

/// Colours of a signal.
const TINTS: usize = 5;

/// What is drawn beside the vehicles.
pub struct Extras<'a> {
    /// Areas that are watched.
    pub areas: &'a [Area],
    /// Where the selected vehicle was.
    pub way: Option<&'a Way>,
    /// By what vehicles are coloured; by what they do without it.
    pub tint: Option<&'a Tint>,
}

/// A number that is kept to, without going to and fro at it.
struct Limit {
    most: usize,
    /// Once it was passed, not more than so many.
    again: usize,
}

impl Limit {
    /// Whether so many are within it, if those before were or were not.
    fn holds(&self, count: usize, held: bool) -> bool {
        count <= if held { self.most } else { self.again }
    }
}

/// Draws vehicles.
pub struct Markers {
    /// Whether there was room for trails, and for each vehicle by itself, in the frame before.
    room: (bool, bool),
    sprites: Canvas,
    /// One for each colour of a signal, once one is needed.
    tinted: Vec<Canvas>,
    targets: Vec<((f64, f64), f64, Target)>,
}

impl Markers {
    /// With the colours of a palette.
    pub fn new(palette: &Palette) -> Self {
        Markers { room: (true, true), sprites: draw_sprites(palette), tinted: Vec::new(), targets: Vec::new() }
    }

    /// Draws everything; answers the screen position of the selected vehicle.
    pub fn draw(
        &mut self,
        canvas: &Canvas,
        view: &View,
        palette: &Palette,
        fleet: &Fleet,
        (selected, extras): (Option<Vin>, &Extras<'_>),
        frame_ms: f64,
    ) -> Option<(f64, f64)> {
        let context = &canvas.context;
        canvas.reset();
        context.clear_rect(0.0, 0.0, view.size.0, view.size.1);
        self.targets.clear();
        if extras.tint.is_some() && self.tinted.is_empty() {
            self.tinted = (0..TINTS).map(|step| draw_sprites(&palette.tinted(palette.speed(step)))).collect();
        }
        for area in extras.areas {
            draw_area(canvas, view, palette, area, false);
        }
        if let Some(way) = extras.way {
            draw_way(canvas, view, palette, way);
        }
        let zoom = view.zoom();
        let poses: Vec<Option<Pose>> =
            fleet.vehicles().iter().map(|vehicle| vehicle.track.as_ref().map(|track| track.pose(frame_ms))).collect();
        let is_selected = |vehicle: &Vehicle| Some(vehicle.vin) == selected;
        let markers = || fleet.vehicles().iter().zip(&poses).enumerate();
        let selection =
            markers().find(|(_, (vehicle, _))| is_selected(vehicle)).and_then(|(_, (v, pose))| Some((v, (*pose)?)));

        let seen = poses.iter().flatten().filter(|pose| view.shows(view.screen(pose.at), 0.0)).count();
        self.room = (MOST_TRAILS.holds(seen, self.room.0), MOST_APART.holds(seen, self.room.1));
        if zoom >= TRAIL_ZOOM && self.room.0 {
            for (_, (vehicle, pose)) in markers().filter(|(_, (vehicle, _))| !is_selected(vehicle)) {
                if let Some(pose) = pose {
                    draw_trail(canvas, view, vehicle, *pose, palette.look(vehicle.motion.into()), 2.5, 0.5);
                }
            }
        }
        if let Some((vehicle, pose)) = selection {
            draw_trail(canvas, view, vehicle, pose, &palette.accent, 4.0, 0.9);
        }

        let apart = zoom >= ALWAYS_APART_ZOOM || (zoom >= APART_ZOOM && self.room.1);
        let alone: Vec<(usize, Pose)> = if apart {
            markers().filter_map(|(index, (_, pose))| Some((index, (*pose)?))).collect()
        } else {
            let gathered = markers().filter_map(|(index, (vehicle, pose))| {
                let pose = (*pose)?;
                (!is_selected(vehicle)).then_some((index, pose.at, vehicle.look()))
            });
            let (one, many): (Vec<_>, Vec<_>) =
                cluster::gather(gathered, view).into_iter().partition(|c| c.count() == 1);
            for cluster in many {
                draw_cluster(canvas, palette, &cluster);
                self.targets.push((cluster.at, cluster.radius(), Target::Cluster(cluster.bounds.0, cluster.bounds.1)));
            }
            one.iter().filter_map(|cluster| Some((cluster.member, poses[cluster.member]?))).collect()
        };
        let now = fleet.now(frame_ms);
        let mut shown = Vec::new();
        for (index, pose) in alone {
            let (vehicle, at) = (&fleet.vehicles()[index], view.screen(pose.at));
            if view.shows(at, SPRITE) && !is_selected(vehicle) {
                self.draw_vehicle(canvas, palette, (vehicle, extras.tint), pose, at, now);
                shown.push((vehicle, at));
            }
        }
        let selected_at = selection.map(|(vehicle, pose)| {
            let at = view.screen(pose.at);
            draw_halo(canvas, palette, at);
            self.draw_vehicle(canvas, palette, (vehicle, extras.tint), pose, at, now);
            shown.insert(0, (vehicle, at));
            at
        });
        draw_names(canvas, palette, &shown, zoom, selected);
        selected_at
    }

    fn draw_vehicle(
        &mut self,
        canvas: &Canvas,
        palette: &Palette,
        (vehicle, tint): (&Vehicle, Option<&Tint>),
        pose: Pose,
        at: (f64, f64),
        now: i64,
    ) {
        let look = vehicle.look();
        let turns = look == Look::Moving;
        canvas.transform(at.0, at.1, if turns { pose.heading.to_radians() } else { 0.0 });
        let context = &canvas.context;
        context.set_global_alpha(match Freshness::of(vehicle.age_ms(now)) {
            Freshness::Fresh => 1.0,
            Freshness::Ageing => 0.75,
            Freshness::Stale => 0.55,
        });
        let step = tint.and_then(|tint| Some(tint.step(vehicle.value(&tint.key)?)));
        let sprites = step.and_then(|step| self.tinted.get(step)).unwrap_or(&self.sprites);
        let ratio = f64::from(sprites.element.height()) / SPRITE;
        let x = look as usize as f64 * SPRITE * ratio;
        let side = SPRITE * ratio;
        context
            .draw_image_with_html_canvas_element_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
                &sprites.element,
                x,
                0.0,
                side,
                side,
                -SPRITE / 2.0,
                -SPRITE / 2.0,
                SPRITE,
                SPRITE,
            )
            .expect("the sprite is inside its canvas");
        if look == Look::Alert && vehicle.motion == Motion::Moving {
            // A triangle stands upright to be read; where it goes to is told by a tip beside it.
            canvas.transform(at.0, at.1, pose.heading.to_radians());
            context.begin_path();
            canvas.line(&[(0.0, -20.0), (4.5, -14.5), (-4.5, -14.5)]);
            context.set_fill_style_str(palette.look(look));
            context.fill();
        }
        context.set_global_alpha(1.0);
        canvas.reset();
        self.targets.push((at, 18.0, Target::Vehicle(vehicle.vin)));
    }

    /// What is at a position of the screen.
    pub fn hit(&self, (x, y): (f64, f64)) -> Option<&Target> {
        let distance = |at: &(f64, f64)| (at.0 - x).hypot(at.1 - y);
        self.targets
            .iter()
            .filter(|(at, radius, _)| distance(at) <= *radius)
            .min_by(|a, b| distance(&a.0).total_cmp(&distance(&b.0)))
            .map(|(_, _, target)| target)
    }
}

/// Where the selected vehicle was, faintly: its trail lies over it.
fn draw_way(canvas: &Canvas, view: &View, palette: &Palette, way: &Way) {
    let context = &canvas.context;
    context.set_line_cap("round");
    context.set_line_join("round");
    context.set_stroke_style_str(&palette.accent);
    context.set_line_width(3.0);
    context.set_global_alpha(0.55);
    for piece in &way.pieces {
        let points: Vec<_> = piece.iter().map(|step| view.screen(step.at)).collect();
        context.begin_path();
        canvas.line(&points);
        context.stroke();
    }
    context.set_global_alpha(1.0);
    context.set_line_cap("butt");
}

fn draw_sprites(palette: &Palette) -> Canvas {
    let canvas = Canvas::new((SPRITE * LOOKS.len() as f64, SPRITE));
    let context = &canvas.context;
    for (index, look) in LOOKS.into_iter().enumerate() {
        canvas.transform((index as f64 + 0.5) * SPRITE, SPRITE / 2.0, 0.0);
        context.begin_path();
        match look {
            Look::Moving => canvas.line(&[(0.0, -12.5), (9.5, 10.5), (0.0, 6.0), (-9.5, 10.5)]),
            Look::Idle => canvas.arc((0.0, 0.0), 7.0, 0.0, TAU),
            Look::Parked => {
                context.round_rect_with_f64(-6.5, -6.5, 13.0, 13.0, 4.0).expect("a radius is not negative");
            }
            Look::Silent => canvas.arc((0.0, 0.0), 6.0, 0.0, TAU),
            Look::Alert => canvas.line(&[(0.0, -11.5), (11.5, 9.0), (-11.5, 9.0)]),
        }
        context.close_path();
        context.set_line_join("round");
        context.set_shadow_color("rgba(0, 0, 0, 0.45)");
        context.set_shadow_blur(6.0 * super::canvas::pixel_ratio());
        context.set_shadow_offset_y(1.5 * super::canvas::pixel_ratio());
        context.set_stroke_style_str(&palette.edge);
        context.set_line_width(if look == Look::Silent { 6.5 } else { 4.0 });
        context.stroke();
        context.set_shadow_color("transparent");
        if look == Look::Silent {
            context.set_stroke_style_str(palette.look(look));
            context.set_line_width(3.0);
            context.stroke();
            continue;
        }
        context.set_fill_style_str(palette.look(look));
        context.fill();
        if look == Look::Alert {
            context.set_stroke_style_str(palette.look(look));
            context.set_line_width(1.5);
            context.stroke();
            context.begin_path();
            canvas.line(&[(0.0, -4.5), (0.0, 2.0)]);
            canvas.line(&[(0.0, 5.6), (0.0, 5.8)]);
            context.set_line_cap("round");
            context.set_stroke_style_str("#fff");
            context.set_line_width(2.4);
            context.stroke();
            context.set_line_cap("butt");
        }
    }
    canvas.reset();
    canvas
}

fn draw_halo(canvas: &Canvas, palette: &Palette, at: (f64, f64)) {
    let context = &canvas.context;
    context.begin_path();
    canvas.arc(at, 22.0, 0.0, TAU);
    context.set_global_alpha(0.18);
    context.set_fill_style_str(&palette.accent);
    context.fill();
    context.set_global_alpha(0.9);
    context.set_stroke_style_str(&palette.accent);
    context.set_line_width(2.0);
    context.stroke();
    context.set_global_alpha(1.0);
}

/// The trail up to the marker: a fix that the marker has not reached is not part of it.
fn draw_trail(canvas: &Canvas, view: &View, vehicle: &Vehicle, pose: Pose, colour: &str, width: f64, opacity: f64) {
    let Some(track) = &vehicle.track else { return };
    let mut points: Vec<(f64, f64)> =
        track.trail().filter(|(point, _)| *point != track.fix()).map(|(point, _)| view.screen(*point)).collect();
    points.push(view.screen(pose.at));
    if points.len() < 2 || !points.iter().any(|at| view.shows(*at, 0.0)) {
        return;
    }
    let context = &canvas.context;
    context.set_stroke_style_str(colour);
    context.set_line_width(width);
    context.set_line_join("round");
    context.set_line_cap("round");
    let step = (points.len() / TRAIL_PARTS).max(1);
    let mut start = 0;
    while start + 1 < points.len() {
        let end = (start + step + 1).min(points.len());
        context.set_global_alpha(opacity * end as f64 / points.len() as f64);
        context.begin_path();
        canvas.line(&points[start..end]);
        context.stroke();
        start = end - 1;
    }
    context.set_line_cap("butt");
    context.set_global_alpha(1.0);
}

/// A disc with the number, in a ring with a part for each state.
fn draw_cluster(canvas: &Canvas, palette: &Palette, cluster: &Cluster) {
    let context = &canvas.context;
    let radius = cluster.radius();
    context.begin_path();
    canvas.arc(cluster.at, radius, 0.0, TAU);
    context.set_fill_style_str(&palette.panel);
    context.set_shadow_color("rgba(0, 0, 0, 0.4)");
    context.set_shadow_blur(8.0);
    context.fill();
    context.set_shadow_color("transparent");
    let count = f64::from(cluster.count());
    let mut from = -FRAC_PI_2;
    context.set_line_width(4.0);
    // The worst first, from the top.
    for look in LOOKS.into_iter().rev() {
        let part = f64::from(cluster.looks[look as usize]) / count * TAU;
        if part > 0.0 {
            context.begin_path();
            canvas.arc(cluster.at, radius - 2.0, from, from + part);
            context.set_stroke_style_str(palette.look(look));
            context.stroke();
            from += part;
        }
    }
    context.set_font("650 13px Inter, system-ui, sans-serif");
    context.set_text_align("center");
    context.set_text_baseline("middle");
    context.set_fill_style_str(&palette.text);
    context.fill_text(&cluster.count().to_string(), cluster.at.0, cluster.at.1 + 0.5).expect("text can be drawn");
}

/// Names below the markers, the selected one's first, none on another.
fn draw_names(canvas: &Canvas, palette: &Palette, shown: &[(&Vehicle, (f64, f64))], zoom: f64, selected: Option<Vin>) {
    let context = &canvas.context;
    context.set_font("600 12px Inter, system-ui, sans-serif");
    context.set_text_align("center");
    context.set_text_baseline("middle");
    let mut room = Room::default();
    for (vehicle, (x, y)) in shown.iter().take(MOST_NAMES) {
        let is_selected = Some(vehicle.vin) == selected;
        if zoom < NAME_ZOOM && !is_selected {
            continue;
        }
        let width = context.measure_text(&vehicle.name).map_or(0.0, |metrics| metrics.width()) + 14.0;
        let (left, top) = (x - width / 2.0, y + if is_selected { 27.0 } else { 16.0 });
        if !room.take(Box { x: left, y: top, width, height: 20.0 }) {
            continue;
        }
        context.begin_path();
        context.round_rect_with_f64(left, top, width, 20.0, 6.0).expect("a radius is not negative");
        context.set_global_alpha(0.88);
        context.set_fill_style_str(if is_selected { &palette.accent } else { &palette.panel });
        context.fill();
        context.set_global_alpha(1.0);
        context.set_fill_style_str(if is_selected { &palette.edge } else { &palette.text });
        context.fill_text(&vehicle.name, *x, top + 10.5).expect("text can be drawn");
    }
}

//! A map of a page of its own: ways coloured by speed, areas, and a marker that somebody moves.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use bugbrother_wire::message::Shape;
use wasm_bindgen::closure::Closure;
use web_sys::HtmlElement;
use yew::prelude::*;

use super::{
    BaseMap,
    area::{Area, draw_area},
    canvas::{self, Canvas},
    leaflet::{Map, MouseEvent},
    palette::Palette,
};
use crate::{
    geo::{Insets, Point, View, fit},
    replay::Way,
    ui::{
        browser::{self, Frames, set_attribute},
        settings::use_settings,
    },
};

/// The map moves no closer than this by itself.
const CLOSEST: f64 = 16.0;
/// A single place is shown with the towns around it.
const CLOSEST_ALONE: f64 = 12.0;
/// Speeds at which the colour of a way changes, in km/h.
pub const STEPS_KMH: [f64; 4] = [30.0, 60.0, 90.0, 120.0];

/// What is drawn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drawing {
    /// A way that was driven.
    pub way: Option<Rc<Way>>,
    /// Areas.
    pub areas: Vec<Area>,
    /// Where something happened.
    pub marks: Vec<Point>,
}

impl Drawing {
    /// What is to be seen of it at first.
    fn extent(&self) -> Vec<Point> {
        let way = self.way.iter().flat_map(|way| way.pieces.iter().flatten()).map(|step| step.at);
        let areas = self.areas.iter().flat_map(|area| corners(&area.shape));
        way.chain(areas).chain(self.marks.iter().copied()).collect()
    }
}

/// Points that enclose an area.
pub fn corners(shape: &Shape) -> Vec<Point> {
    let at = |(lat, lon): &(f64, f64)| Point::from_degrees(*lat, *lon);
    match shape {
        Shape::Circle { centre, radius_m } => {
            let centre = at(centre);
            let reach = radius_m / centre.metres_per_unit();
            [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)]
                .map(|(dx, dy)| Point { x: centre.x + dx * reach, y: centre.y + dy * reach })
                .to_vec()
        }
        Shape::Polygon(points) | Shape::Corridor { line: points, .. } => points.iter().map(at).collect(),
    }
}

/// A place and a heading that change by the frame.
pub type Marker = Rc<RefCell<Option<(Point, f64)>>>;

/// What a hand does on the map.
#[derive(Clone, PartialEq, Default)]
pub struct Hands {
    /// Somewhere was clicked.
    pub click: Option<Callback<Point>>,
    /// A corner of the first area was moved there.
    pub corner: Option<Callback<(usize, Point)>>,
    /// The middle of the map rests there.
    pub middle: Option<Callback<Point>>,
}

/// Properties of [`Sketch`].
#[derive(Properties, PartialEq)]
pub struct SketchProps {
    /// What is drawn.
    pub drawing: Rc<Drawing>,
    /// What the map is fitted to; it moves by itself when this changes.
    #[prop_or_default]
    pub subject: AttrValue,
    /// The marker.
    #[prop_or_default]
    pub marker: Option<Marker>,
    /// What a hand does.
    #[prop_or_default]
    pub hands: Hands,
    /// What it shows, for a screen reader.
    pub label: AttrValue,
    /// For tests.
    #[prop_or("sketch")]
    pub testid: &'static str,
}

/// The map.
#[component]
pub fn Sketch(props: &SketchProps) -> Html {
    let settings = use_settings();
    let base: BaseMap = use_context().expect("the shell keeps the base map");
    let host = use_node_ref();
    let newest = use_mut_ref(|| (Rc::clone(&props.drawing), props.subject.clone(), props.hands.clone()));
    newest.replace((Rc::clone(&props.drawing), props.subject.clone(), props.hands.clone()));
    {
        let (host, marker) = (host.clone(), props.marker.clone());
        use_effect_with(settings.is_dark, move |_| {
            let surface = host.cast::<HtmlElement>().map(|host| Surface::new(host, base, newest, marker));
            let frames = surface.map(|mut surface| Frames::start(move |_| surface.frame()));
            move || drop(frames)
        });
    }
    html! {
        <div class="map sketch" ref={host} role="application" aria-label={props.label.clone()} data-testid={props.testid} />
    }
}

type Newest = Rc<RefCell<(Rc<Drawing>, AttrValue, Hands)>>;

/// Clicks that wait for their frames.
const MAX_CLICKS: usize = 8;

/// What Leaflet has told since the last frame.
#[derive(Default)]
struct Heard {
    /// One is answered in each frame, since what it changes is drawn before the next.
    clicks: VecDeque<(f64, f64)>,
    down: Option<(f64, f64)>,
    moved: Option<(f64, f64)>,
    up: bool,
}

/// What was drawn last: from where, on which base map, what, and the marker.
type Drawn = (View, u32, Rc<Drawing>, Option<(Point, f64)>);

struct Surface {
    map: Map,
    host: HtmlElement,
    under: Canvas,
    over: Canvas,
    base: BaseMap,
    newest: Newest,
    marker: Option<Marker>,
    palette: Palette,
    glow: Canvas,
    view: View,
    fitted: Option<AttrValue>,
    drawn: Option<Drawn>,
    heard: Rc<RefCell<Heard>>,
    held: Option<usize>,
    middle: Option<Point>,
    _closures: Vec<Closure<dyn FnMut(MouseEvent)>>,
}

impl Surface {
    fn new(host: HtmlElement, base: BaseMap, newest: Newest, marker: Option<Marker>) -> Self {
        let reduced_motion = browser::fits("(prefers-reduced-motion: reduce)");
        let map = Map::new(&host, Point::from_degrees(47.0, 8.0), 6.0, "+", "−", reduced_motion);
        let palette = Palette::read();
        let heard = Rc::new(RefCell::new(Heard::default()));
        type Hear = fn(&mut Heard, (f64, f64));
        let events: [(&str, Hear); 4] = [
            ("click", |heard, at| {
                if heard.clicks.len() < MAX_CLICKS {
                    heard.clicks.push_back(at);
                }
            }),
            ("mousedown", |heard, at| heard.down = Some(at)),
            ("mousemove", |heard, at| heard.moved = Some(at)),
            ("mouseup", |heard, _| heard.up = true),
        ];
        let closures = events
            .into_iter()
            .map(|(name, hear)| {
                let heard = Rc::clone(&heard);
                let closure = Closure::new(move |event: MouseEvent| hear(&mut heard.borrow_mut(), event.at()));
                map.listen(name, &closure);
                closure
            })
            .collect();
        Surface {
            under: Canvas::inside(&host, "map-base"),
            over: Canvas::inside(&host, "map-vehicles"),
            glow: canvas::glow(&palette.town),
            map,
            host,
            base,
            newest,
            marker,
            palette,
            view: View::default(),
            fitted: None,
            drawn: None,
            heard,
            held: None,
            middle: None,
            _closures: closures,
        }
    }

    fn frame(&mut self) {
        let size = (f64::from(self.host.client_width()), f64::from(self.host.client_height()));
        if size != self.view.size {
            self.view.size = size;
            self.under.resize(size);
            self.over.resize(size);
            self.map.resize();
            self.drawn = None;
        }
        if size.0 < 1.0 || size.1 < 1.0 {
            return;
        }
        let (drawing, subject, hands) = self.newest.borrow().clone();
        let extent = if self.fitted.as_ref() == Some(&subject) { Vec::new() } else { drawing.extent() };
        if !extent.is_empty() {
            let margin = 28.0;
            let insets = Insets { left: margin, right: margin, top: margin, bottom: margin };
            let closest = if extent.len() == 1 { CLOSEST_ALONE } else { CLOSEST };
            if let Some((center, zoom)) = fit(extent.into_iter(), size, insets, closest) {
                self.map.jump(center, zoom);
            }
            self.fitted = Some(subject);
        }
        self.view = View::new(self.map.center(), self.map.zoom(), size);
        self.answer(&drawing, &hands);
        self.draw(drawing);
    }

    fn answer(&mut self, drawing: &Drawing, hands: &Hands) {
        let mut heard = std::mem::take(&mut *self.heard.borrow_mut());
        let clicked = heard.clicks.pop_front();
        self.heard.borrow_mut().clicks = std::mem::take(&mut heard.clicks);
        let ground = |(x, y): (f64, f64)| self.view.ground(x, y);
        if let (Some(at), Some(_)) = (heard.down, &hands.corner) {
            let handles = drawing.areas.first().map(|area| area.handles()).unwrap_or_default();
            let near = |point: &Point| {
                let (x, y) = self.view.screen(*point);
                (x - at.0).hypot(y - at.1) <= 14.0
            };
            self.held = handles.iter().position(near);
            if self.held.is_some() {
                self.map.drags(false);
            }
        }
        if let (Some(corner), Some(at), Some(moved)) = (self.held, heard.moved, &hands.corner) {
            moved.emit((corner, ground(at)));
        }
        if heard.up && self.held.take().is_some() {
            self.map.drags(true);
        } else if let (Some(at), Some(click), None) = (clicked, &hands.click, self.held) {
            click.emit(ground(at));
        }
        if let Some(middle) = &hands.middle {
            let center = self.map.center();
            if self.middle != Some(center) {
                self.middle = Some(center);
                middle.emit(center);
            }
        }
    }

    fn draw(&mut self, drawing: Rc<Drawing>) {
        let marker = self.marker.as_ref().and_then(|marker| *marker.borrow());
        let base = self.base.revision();
        let before = self.drawn.as_ref();
        let moved = before.is_none_or(|(view, revision, ..)| *view != self.view || *revision != base);
        if moved {
            self.base.want(&self.view);
            self.base.draw(&self.under, &self.view, &self.palette, &self.glow);
        }
        let same = before.is_some_and(|(_, _, drawn, at)| Rc::ptr_eq(drawn, &drawing) && *at == marker);
        if !moved && same {
            return;
        }
        let context = &self.over.context;
        self.over.reset();
        context.clear_rect(0.0, 0.0, self.view.size.0, self.view.size.1);
        for (n, area) in drawing.areas.iter().enumerate() {
            let edited = n == 0 && self.newest.borrow().2.corner.is_some();
            draw_area(&self.over, &self.view, &self.palette, area, edited);
        }
        if let Some(way) = &drawing.way {
            self.draw_way(way);
        }
        for mark in &drawing.marks {
            let at = self.view.screen(*mark);
            context.begin_path();
            self.over.arc(at, 6.0, 0.0, std::f64::consts::TAU);
            context.set_fill_style_str(&self.palette.alert);
            context.fill();
            context.set_line_width(2.0);
            context.set_stroke_style_str(&self.palette.edge);
            context.stroke();
        }
        if let Some((at, heading)) = marker {
            let (x, y) = self.view.screen(at);
            self.over.transform(x, y, heading.to_radians());
            context.begin_path();
            self.over.line(&[(0.0, -13.0), (9.0, 10.0), (0.0, 5.0), (-9.0, 10.0)]);
            context.close_path();
            context.set_fill_style_str(&self.palette.accent);
            context.fill();
            context.set_line_width(2.0);
            context.set_stroke_style_str(&self.palette.edge);
            context.stroke();
            self.over.reset();
            set_attribute(&self.host, "data-marker", &format!("{x:.1} {y:.1}"));
        } else {
            set_attribute(&self.host, "data-marker", "");
        }
        self.drawn = Some((self.view, base, drawing, marker));
    }

    fn draw_way(&self, way: &Way) {
        let context = &self.over.context;
        context.set_line_cap("round");
        context.set_line_join("round");
        for piece in &way.pieces {
            let points: Vec<_> = piece.iter().map(|step| self.view.screen(step.at)).collect();
            context.set_line_width(7.0);
            context.set_stroke_style_str(&self.palette.edge);
            context.begin_path();
            self.over.line(&points);
            context.stroke();
            context.set_line_width(4.0);
            for (n, pair) in points.windows(2).enumerate() {
                let speed = piece[n + 1].speed.or(piece[n].speed);
                context.set_stroke_style_str(self.palette.speed(speed_step(speed)));
                context.begin_path();
                self.over.line(pair);
                context.stroke();
            }
        }
        context.set_line_cap("butt");
    }
}

/// Which colour a speed has.
pub fn speed_step(speed: Option<f64>) -> usize {
    speed.map_or(0, |speed| STEPS_KMH.iter().take_while(|step| speed >= **step).count())
}

impl Drop for Surface {
    fn drop(&mut self) {
        self.map.remove();
    }
}

//! The map as one surface: Leaflet pans and zooms, two canvases of ours are drawn with it, frame by frame.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bugbrother_wire::Vin;
use wasm_bindgen::closure::Closure;
use web_sys::HtmlElement;
use yew::Callback;

use super::{
    area::Area,
    base::BaseMap,
    canvas::{self, Canvas},
    leaflet::{Map, MouseEvent, ZOOMS},
    markers::{Extras, Markers, Target, Tint},
    palette::Palette,
};
use crate::{
    fleet::Fleet,
    geo::{Insets, Point, View, fit},
    replay::Way,
    ui::browser::{frame_ms, set_attribute},
};

/// Leaflet's zoom animation.
const ZOOM_MS: f64 = 250.0;
/// The map moves no closer than this by itself.
const CLOSEST_FIT: f64 = 14.0;
/// Zoom at which a single vehicle is looked at.
const VEHICLE_ZOOM: f64 = 13.0;
/// Time without movement after which the view is told.
const REST_MS: f64 = 300.0;
/// What stands is drawn again this often, because it fades.
const IDLE_MS: f64 = 1_000.0;

/// What the page wants of the surface, as it stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wishes {
    /// The selected vehicle.
    pub selected: Option<Vin>,
    /// Whether the map follows it.
    pub following: bool,
    /// What hides the map.
    pub insets: Insets,
    /// Areas that are watched, if they are shown.
    pub areas: Rc<Vec<Area>>,
    /// Where the selected vehicle was.
    pub way: Option<Rc<Way>>,
    /// By what vehicles are coloured; by what they do without it.
    pub tint: Option<Tint>,
}

/// What the map is to do once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Order {
    /// Show the whole fleet.
    Fit,
    /// Move to a vehicle.
    Center(Vin),
    /// Move to a place.
    Go(Point, f64),
    /// Read the colours again.
    Repaint,
}

/// Orders that have not been carried out.
pub type Orders = Rc<RefCell<Vec<Order>>>;

/// Whom the surface tells.
#[derive(Clone, PartialEq)]
pub struct Listeners {
    /// A vehicle was clicked, or the bare map.
    pub select: Callback<Option<Vin>>,
    /// The view rests.
    pub view: Callback<(Point, f64)>,
    /// The person has moved the map away from what it followed.
    pub let_go: Callback<()>,
}

/// What Leaflet has told since the last frame.
#[derive(Default)]
struct Heard {
    clicked: Cell<Option<(f64, f64)>>,
    pointer: Cell<Option<(f64, f64)>>,
    dragged: Cell<bool>,
    zoom_began: Cell<Option<f64>>,
}

/// The surface.
pub struct Surface {
    map: Map,
    host: HtmlElement,
    under: Canvas,
    over: Canvas,
    base: BaseMap,
    fleet: Rc<RefCell<Fleet>>,
    wishes: Rc<RefCell<Wishes>>,
    orders: Orders,
    listeners: Listeners,
    heard: Rc<Heard>,
    palette: Palette,
    markers: Markers,
    glow: Canvas,
    /// Whether the first view is still to be found.
    is_lost: bool,
    /// The selection that has been brought into the free part.
    shown: Option<Vin>,
    view: View,
    zoom_from: Option<(View, f64)>,
    drawn: Option<(View, u32)>,
    seen: Option<(u64, Wishes)>,
    drawn_ms: f64,
    moved_ms: Option<f64>,
    told: Option<(i64, i64)>,
    /// Whether the tiles are laid, if there are any.
    tiled: bool,
    pointing: bool,
    _closures: Vec<Closure<dyn FnMut(MouseEvent)>>,
}

/// What a surface is made of.
pub struct Parts {
    /// The element that it fills.
    pub host: HtmlElement,
    /// The base map.
    pub base: BaseMap,
    /// The fleet.
    pub fleet: Rc<RefCell<Fleet>>,
    /// What the page wants.
    pub wishes: Rc<RefCell<Wishes>>,
    /// What the map is to do.
    pub orders: Orders,
    /// Whom it tells.
    pub listeners: Listeners,
    /// Where it begins; without, the fleet is fitted.
    pub start: Option<(Point, f64)>,
    /// Whether animation is unwanted.
    pub reduced_motion: bool,
}

impl Surface {
    /// Puts a map into an element.
    pub fn new(parts: Parts) -> Self {
        let Parts { host, base, fleet, wishes, orders, listeners, start, reduced_motion } = parts;
        let (center, zoom) = start.unwrap_or((Point::from_degrees(47.0, 8.0), 4.0));
        let map = Map::new(&host, center, zoom, "+", "−", reduced_motion);
        let heard = Rc::new(Heard::default());
        let closures = listen(&map, &heard);
        let palette = Palette::read();
        Surface {
            under: Canvas::inside(&host, "map-base"),
            over: Canvas::inside(&host, "map-vehicles"),
            markers: Markers::new(&palette),
            glow: canvas::glow(&palette.town),
            is_lost: start.is_none(),
            shown: None,
            view: View::default(),
            zoom_from: None,
            drawn: None,
            seen: None,
            drawn_ms: 0.0,
            moved_ms: None,
            told: None,
            tiled: false,
            pointing: false,
            _closures: closures,
            map,
            host,
            base,
            fleet,
            wishes,
            orders,
            listeners,
            heard,
            palette,
        }
    }

    /// Draws a frame.
    pub fn frame(&mut self) {
        let now = frame_ms();
        self.resize();
        self.tile();
        self.locate(now);
        self.obey();
        self.follow(now);
        self.answer();
        self.draw(now);
        self.tell(now);
    }

    fn tile(&mut self) {
        if !self.tiled
            && let Some(tiles) = self.base.tiles()
        {
            self.tiled = true;
            self.map.lay(&tiles);
        }
    }

    fn resize(&mut self) {
        let size = (f64::from(self.host.client_width()), f64::from(self.host.client_height()));
        if size != self.view.size {
            self.view.size = size;
            self.under.resize(size);
            self.over.resize(size);
            self.map.resize();
            self.drawn = None;
        }
    }

    /// Finds what Leaflet shows. It knows the end of a zoom animation alone: the way there is ours to follow.
    fn locate(&mut self, now: f64) {
        if let Some(began) = self.heard.zoom_began.take() {
            self.zoom_from = Some((self.view, began));
        }
        let target = View::new(self.map.center(), self.map.zoom(), self.view.size);
        let part = self.zoom_from.map_or(1.0, |(_, began)| (now - began) / ZOOM_MS);
        if part >= 1.0 {
            self.zoom_from = None;
        }
        let view = self.zoom_from.map_or(target, |(from, _)| from.towards(&target, ease(part.max(0.0))));
        if view != self.view {
            self.moved_ms = Some(now);
            self.view = view;
        }
    }

    fn obey(&mut self) {
        let fleet = self.fleet.borrow();
        let located = || fleet.vehicles().iter().filter_map(|vehicle| vehicle.track.as_ref());
        if self.is_lost && fleet.is_loaded() && located().next().is_some() {
            self.is_lost = false;
            self.orders.borrow_mut().insert(0, Order::Fit);
        }
        let Wishes { selected, insets, .. } = *self.wishes.borrow();
        let find = |vin| fleet.find(vin).and_then(|vehicle| Some(vehicle.track.as_ref()?.fix()));
        // The selection and what its drawer hides are wished at once: nothing is brought from behind it too early.
        if selected != self.shown {
            match selected.map(find) {
                None => self.shown = None,
                Some(None) => {}
                Some(Some(at)) => {
                    self.shown = selected;
                    if !self.is_free(self.view.screen(at), insets) {
                        self.center(at, insets);
                    }
                }
            }
        }
        for order in self.orders.take() {
            match order {
                Order::Fit => {
                    let points = located().map(|track| track.fix());
                    if let Some((center, zoom)) = fit(points, self.view.size, insets, CLOSEST_FIT) {
                        // Far away there is nothing to see on the way.
                        if self.view.zoom() < 5.0 { self.map.jump(center, zoom) } else { self.map.fly(center, zoom) }
                    }
                }
                Order::Center(vin) => {
                    if let Some(at) = find(vin) {
                        self.center(at, insets);
                    }
                }
                Order::Go(at, zoom) => {
                    self.is_lost = false;
                    if let Some((center, _)) = fit(std::iter::once(at), self.view.size, insets, zoom) {
                        self.map.fly(center, zoom);
                    }
                }
                Order::Repaint => {
                    self.palette = Palette::read();
                    self.markers = Markers::new(&self.palette);
                    self.glow = canvas::glow(&self.palette.town);
                    self.drawn = None;
                }
            }
        }
    }

    fn is_free(&self, (x, y): (f64, f64), insets: Insets) -> bool {
        let (width, height) = self.view.size;
        let margin = 40.0;
        self.view.zoom() >= 8.0
            && (insets.left + margin..width - insets.right - margin).contains(&x)
            && (insets.top + margin..height - insets.bottom - margin).contains(&y)
    }

    /// Brings a point into the middle of the free part.
    fn center(&self, at: Point, insets: Insets) {
        let zoom = if self.view.zoom() < 8.0 { VEHICLE_ZOOM } else { self.view.zoom() };
        if let Some((center, _)) = fit(std::iter::once(at), self.view.size, insets, zoom) {
            self.map.fly(center, zoom);
        }
    }

    fn follow(&mut self, now: f64) {
        let dragged = self.heard.dragged.take();
        let wishes = self.wishes.borrow();
        if !wishes.following || self.zoom_from.is_some() {
            return;
        }
        if dragged {
            return self.listeners.let_go.emit(());
        }
        let fleet = self.fleet.borrow();
        let Some(track) = wishes.selected.and_then(|vin| fleet.find(vin)).and_then(|vehicle| vehicle.track.as_ref())
        else {
            return;
        };
        let at = self.view.screen(track.pose(now).at);
        let (x, y) = wishes.insets.middle(self.view.size);
        let offset = ((at.0 - x).round(), (at.1 - y).round());
        if offset != (0.0, 0.0) {
            self.map.pan(offset, false);
            self.view = View::new(self.map.center(), self.map.zoom(), self.view.size);
        }
    }

    fn answer(&mut self) {
        if let Some(at) = self.heard.pointer.take() {
            let pointing = self.markers.hit(at).is_some();
            if pointing != self.pointing {
                self.pointing = pointing;
                set_attribute(&self.host, "data-pointing", &pointing.to_string());
            }
        }
        let Some(at) = self.heard.clicked.take() else { return };
        match self.markers.hit(at) {
            Some(Target::Vehicle(vin)) => self.listeners.select.emit(Some(*vin)),
            Some(Target::Cluster(low, high)) => {
                let insets = self.wishes.borrow().insets;
                let closer = (self.view.zoom() + 1.0).min(ZOOMS.1);
                if let Some((center, zoom)) = fit([*low, *high].into_iter(), self.view.size, insets, CLOSEST_FIT) {
                    self.map.fly(center, zoom.max(closer));
                }
            }
            None => self.listeners.select.emit(None),
        }
    }

    fn draw(&mut self, now: f64) {
        let drawn = (self.view, self.base.revision());
        let base_changed = self.drawn != Some(drawn);
        if base_changed {
            self.base.want(&self.view);
            self.base.draw(&self.under, &self.view, &self.palette, &self.glow);
            self.drawn = Some(drawn);
        }
        let fleet = self.fleet.borrow();
        let wishes = self.wishes.borrow();
        let moves = fleet.vehicles().iter().any(|v| v.track.as_ref().is_some_and(|track| track.is_under_way(now)));
        let changed =
            self.seen.as_ref().is_none_or(|(revision, seen)| *revision != fleet.revision() || *seen != *wishes);
        if !base_changed && !moves && !changed && now - self.drawn_ms < IDLE_MS {
            return;
        }
        if changed {
            set_attribute(&self.host, "data-areas", &wishes.areas.len().to_string());
            self.seen = Some((fleet.revision(), wishes.clone()));
        }
        self.drawn_ms = now;
        let extras = Extras { areas: &wishes.areas, way: wishes.way.as_deref(), tint: wishes.tint.as_ref() };
        let at = self.markers.draw(&self.over, &self.view, &self.palette, &fleet, (wishes.selected, &extras), now);
        // Tenths of a pixel.
        let told = at.map(|(x, y)| ((x * 10.0).round() as i64, (y * 10.0).round() as i64));
        if told != self.told {
            self.told = told;
            let text = |v: Option<i64>| v.map(|v| format!("{:.1}", v as f64 / 10.0)).unwrap_or_default();
            set_attribute(&self.host, "data-selected-x", &text(told.map(|told| told.0)));
            set_attribute(&self.host, "data-selected-y", &text(told.map(|told| told.1)));
        }
    }

    fn tell(&mut self, now: f64) {
        let following = self.wishes.borrow().following;
        if !self.is_lost && !following && self.moved_ms.is_some_and(|moved| now - moved > REST_MS) {
            self.moved_ms = None;
            self.listeners.view.emit((self.map.center(), self.map.zoom()));
        }
    }
}

impl Drop for Surface {
    fn drop(&mut self) {
        self.map.remove();
    }
}

fn listen(map: &Map, heard: &Rc<Heard>) -> Vec<Closure<dyn FnMut(MouseEvent)>> {
    type Hear = fn(&Heard, &MouseEvent);
    let events: [(&str, Hear); 4] = [
        ("click", |heard, event| heard.clicked.set(Some(event.at()))),
        ("mousemove", |heard, event| heard.pointer.set(Some(event.at()))),
        ("dragstart", |heard, _| heard.dragged.set(true)),
        ("zoomanim", |heard, _| heard.zoom_began.set(Some(frame_ms()))),
    ];
    events
        .into_iter()
        .map(|(name, hear)| {
            let heard = Rc::clone(heard);
            let closure = Closure::new(move |event: MouseEvent| hear(&heard, &event));
            map.listen(name, &closure);
            closure
        })
        .collect()
}

/// `cubic-bezier(0, 0, 0.25, 1)`, the timing of Leaflet's style sheet.
fn ease(part: f64) -> f64 {
    // x(s) = 0.75 s² (1-s) + s³ is solved for s by halving; y(s) = 3 s² (1-s) + s³.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..24 {
        let s: f64 = (low + high) / 2.0;
        if 0.75 * s * s * (1.0 - s) + s * s * s < part { low = s } else { high = s }
    }
    3.0 * low * low * (1.0 - low) + low * low * low
}

//! Several charts as one: they are panned, zoomed and pointed at together, and fetch what they show.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use bugbrother_wire::{
    Vin,
    api::{KnownSignal, SeriesList},
    signal,
};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, PointerEvent, WheelEvent};
use yew::{Callback, platform::spawn_local};

use super::{
    Shared,
    plot::{Plot, Style},
};
use crate::{
    fleet::Fleet,
    tiles::{BUCKETS, Tile, Tiles, covering, width_for},
    ui::{
        api,
        browser::{document, frame_ms, set_attribute, window},
        settings::units,
    },
};

const HEIGHT_PX: f64 = 150.0;
/// Shortest and longest span.
const SPAN_MS: (f64, f64) = (10_000.0, 400.0 * 86_400_000.0);
/// Time without movement after which the page is told.
const REST_MS: f64 = 350.0;
/// Newest values that are kept beside the tiles.
const MAX_TAIL: usize = 7_200;
/// What is fetched at a time.
const MAX_FETCHES: usize = 4;
/// Between two looks at what is missing, at most.
const LOOK_MS: f64 = 1_000.0;
/// Tiles that reach into the present are fetched again.
const FRESH_MS: f64 = 60_000.0;

/// What was fetched and is being fetched; shared with the fetches under way.
#[derive(Default)]
struct Store {
    tiles: Tiles,
    under_way: BTreeSet<Tile>,
    /// What could not be had is not asked for again at once.
    failed: BTreeMap<Tile, f64>,
    revision: u32,
}

/// The charts of a page.
pub struct Board {
    host: HtmlElement,
    vin: Vin,
    signals: Vec<String>,
    charts: Vec<Chart>,
    sight: Shared,
    fleet: Rc<RefCell<Fleet>>,
    bounds: Option<(f64, f64)>,
    moved: Callback<(f64, f64)>,
    store: Rc<RefCell<Store>>,
    tails: BTreeMap<String, Vec<(f64, f64)>>,
    tail_ts: i64,
    width: f64,
    drawn: Option<((f64, f64), u32, usize)>,
    /// The resolution that is drawn: the last one that was whole.
    width_ms: i64,
    pointed: Option<f64>,
    moved_ms: Option<f64>,
    fresh_ms: f64,
    wanted_ms: f64,
    hands: Vec<(i32, f64)>,
}

struct Chart {
    key: String,
    row: Element,
    told: Element,
    plot: Plot,
}

impl Board {
    /// Charts in an element.
    pub fn new(
        host: HtmlElement,
        vin: Vin,
        signals: &[KnownSignal],
        sight: Shared,
        fleet: Rc<RefCell<Fleet>>,
        bounds: Option<(f64, f64)>,
        moved: Callback<(f64, f64)>,
    ) -> Self {
        let width = f64::from(host.client_width()).max(120.0);
        let charts = signals.iter().enumerate().map(|(n, signal)| Chart::new(&host, signal, n, width)).collect();
        Board {
            charts,
            host,
            vin,
            signals: signals.iter().map(|signal| signal.key.clone()).collect(),
            sight,
            fleet,
            bounds,
            moved,
            store: Rc::default(),
            tails: BTreeMap::new(),
            tail_ts: 0,
            width,
            drawn: None,
            width_ms: 0,
            pointed: None,
            moved_ms: None,
            fresh_ms: frame_ms(),
            wanted_ms: 0.0,
            hands: Vec::new(),
        }
    }

    /// What is to be seen was changed from outside.
    pub fn look_again(&mut self) {
        self.drawn = None;
    }

    /// Draws a frame, if there is something new.
    pub fn frame(&mut self, now: f64) {
        let width = f64::from(self.host.client_width());
        if width >= 1.0 && (width - self.width).abs() >= 1.0 {
            self.width = width;
            self.charts.iter().for_each(|chart| chart.plot.resize((width, HEIGHT_PX)));
            self.drawn = None;
        }
        self.take_live();
        let span = self.sight.borrow().span;
        let tail = self.tails.values().map(Vec::len).sum();
        let revision = self.store.borrow().revision;
        let is_new = self.drawn != Some((span, revision, tail));
        // Also where nothing moves: what could not be had is asked for again.
        if is_new || now - self.wanted_ms > LOOK_MS {
            self.wanted_ms = now;
            self.want(span, now);
        }
        if is_new {
            self.draw(span);
            self.drawn = Some((span, revision, tail));
            self.pointed = None;
        }
        let cursor = self.sight.borrow().cursor;
        if cursor != self.pointed {
            self.pointed = cursor;
            self.point(cursor);
        }
        if self.hands.is_empty() && self.moved_ms.is_some_and(|moved| now - moved > REST_MS) {
            self.moved_ms = None;
            self.moved.emit(span);
        }
    }

    /// Values that have come since the last frame; the span goes on with them.
    fn take_live(&mut self) {
        let fleet = self.fleet.borrow();
        let now = fleet.now(frame_ms()) as f64;
        if self.bounds.is_none()
            && let Some(vehicle) = fleet.find(self.vin)
            && vehicle.source_ts > self.tail_ts
        {
            self.tail_ts = vehicle.source_ts;
            for key in &self.signals {
                if let Some(value) = vehicle.value(key) {
                    let tail = self.tails.entry(key.clone()).or_default();
                    tail.push((vehicle.source_ts as f64, value));
                    if tail.len() > MAX_TAIL {
                        tail.drain(..MAX_TAIL / 4);
                    }
                }
            }
        }
        let mut sight = self.sight.borrow_mut();
        if sight.is_live && self.hands.is_empty() {
            let length = sight.span.1 - sight.span.0;
            // By a pixel or not at all: what would not be seen is not drawn.
            if now - sight.span.1 >= length / self.width.max(1.0) {
                sight.span = (now - length, now);
            }
        }
    }

    /// Fetches what is missing: first what is seen, then its neighbours.
    fn want(&mut self, (from, to): (f64, f64), now: f64) {
        let wanted = width_for(to - from, self.width);
        let reach = (BUCKETS * wanted) as f64;
        let seen: Vec<Tile> = covering(from, to, wanted).collect();
        if now - self.fresh_ms > FRESH_MS {
            // That may be long ago: a page that nobody sees draws nothing.
            let before = std::mem::replace(&mut self.fresh_ms, now);
            let present = self.fleet.borrow().now(before) - FRESH_MS as i64 * 2;
            self.store.borrow_mut().tiles.go_stale_after(present);
        }
        let near = covering(from - reach / 2.0, to + reach / 2.0, wanted);
        let mut store = self.store.borrow_mut();
        if self.width_ms == 0 || seen.iter().all(|tile| store.tiles.has(*tile, &self.signals)) {
            self.width_ms = wanted;
        }
        let present = self.fleet.borrow().now(now);
        for tile in seen.iter().copied().chain(near) {
            let waits = store.failed.get(&tile).is_some_and(|failed| now - failed < 5_000.0);
            let future = tile.from() > present && present > 0;
            if store.under_way.len() >= MAX_FETCHES
                || waits
                || future
                || store.under_way.contains(&tile)
                || store.tiles.is_fresh(tile, &self.signals)
            {
                continue;
            }
            store.under_way.insert(tile);
            fetch(Rc::clone(&self.store), self.vin, tile, &self.signals);
        }
    }

    fn draw(&self, span: (f64, f64)) {
        let store = self.store.borrow();
        // A little more than is seen, for the next frames.
        let more = (span.1 - span.0) / 2.0;
        for chart in &self.charts {
            let tail = self.tails.get(&chart.key).map_or(&[][..], Vec::as_slice);
            let columns = store.tiles.columns(&chart.key, (span.0 - more, span.1 + more), self.width_ms, tail);
            set_attribute(&chart.row, "data-points", &columns.ts.len().to_string());
            let unit = signal::find(&chart.key).map_or("", |signal| signal.unit);
            chart.plot.show(&columns.map(|value| units().convert(value, unit).0));
            chart.plot.look(span);
        }
        set_attribute(&self.host, "data-from", &format!("{:.0}", span.0));
        set_attribute(&self.host, "data-to", &format!("{:.0}", span.1));
        set_attribute(&self.host, "aria-busy", &(!store.under_way.is_empty()).to_string());
    }

    fn point(&self, cursor: Option<f64>) {
        let store = self.store.borrow();
        let span = self.sight.borrow().span;
        for chart in &self.charts {
            chart.plot.point_at(cursor);
            let tail = self.tails.get(&chart.key).map_or(&[][..], Vec::as_slice);
            let told = cursor.and_then(|ts| {
                let columns = store.tiles.columns(&chart.key, span, self.width_ms, tail);
                columns.at(ts, (self.width_ms * 3).max(15_000) as f64)
            });
            let text = told.map(|number| {
                let (number, unit) = units().value(&chart.key, number);
                format!("{number} {unit}")
            });
            chart.told.set_text_content(text.as_deref());
        }
        set_attribute(&self.host, "data-cursor", &cursor.map(|ts| format!("{ts:.0}")).unwrap_or_default());
    }

    /// A hand takes hold.
    pub fn grab(&mut self, event: &PointerEvent) {
        if event.button() != 0 {
            return;
        }
        // Without capture a hand that leaves the charts is lost; it is no harm.
        drop(self.host.set_pointer_capture(event.pointer_id()));
        self.hands.push((event.pointer_id(), f64::from(event.client_x())));
    }

    /// It moves: one hand pans, two zoom. Without any it points.
    pub fn drag(&mut self, event: &PointerEvent) {
        let x = f64::from(event.client_x());
        let Some(chart) = self.charts.first() else { return };
        let Some(at) = self.hands.iter().position(|(id, _)| *id == event.pointer_id()) else {
            self.sight.borrow_mut().cursor = Some(chart.plot.moment(x));
            return;
        };
        let (from, to) = self.sight.borrow().span;
        let per_pixel = (to - from) / chart.plot.width();
        let before = std::mem::replace(&mut self.hands[at].1, x);
        let other = self.hands.iter().find(|(id, _)| *id != event.pointer_id()).map(|(_, x)| *x);
        match other {
            None => self.go((from - (x - before) * per_pixel, to - (x - before) * per_pixel)),
            Some(other) => {
                let (then, now) = ((before - other).abs().max(20.0), (x - other).abs().max(20.0));
                let about = chart.plot.moment((x + other) / 2.0);
                self.zoom(then / now, about);
            }
        }
    }

    /// It lets go.
    pub fn drop(&mut self, event: &PointerEvent) {
        self.hands.retain(|(id, _)| *id != event.pointer_id());
    }

    /// The wheel zooms about the pointer; sideways it pans.
    pub fn wheel(&mut self, event: &WheelEvent) {
        let Some(chart) = self.charts.first() else { return };
        let (from, to) = self.sight.borrow().span;
        let (dx, dy) = (event.delta_x(), event.delta_y());
        if event.shift_key() || dx.abs() > dy.abs() {
            let by = if dx == 0.0 { dy } else { dx } * (to - from) / chart.plot.width();
            self.go((from + by, to + by));
        } else {
            let about = chart.plot.moment(f64::from(event.client_x()));
            self.zoom((dy / 400.0).exp().clamp(0.5, 2.0), about);
        }
    }

    /// Arrows pan, + and − zoom. Whether the key was one of them.
    pub fn key(&mut self, key: &str) -> bool {
        let (from, to) = self.sight.borrow().span;
        let step = (to - from) / 8.0;
        match key {
            "ArrowLeft" => self.go((from - step, to - step)),
            "ArrowRight" => self.go((from + step, to + step)),
            "+" | "=" => self.zoom(0.5, (from + to) / 2.0),
            "-" => self.zoom(2.0, (from + to) / 2.0),
            _ => return false,
        }
        true
    }

    fn zoom(&mut self, factor: f64, about: f64) {
        let (from, to) = self.sight.borrow().span;
        let length = ((to - from) * factor).clamp(SPAN_MS.0, SPAN_MS.1);
        let part = ((about - from) / (to - from)).clamp(0.0, 1.0);
        self.go((about - part * length, about + (1.0 - part) * length));
    }

    fn go(&mut self, (mut from, mut to): (f64, f64)) {
        let now = self.fleet.borrow().now(frame_ms()) as f64;
        let (first, last) = self.bounds.unwrap_or((0.0, now + (to - from) * 0.1));
        let length = (to - from).min(last - first);
        if from < first {
            (from, to) = (first, first + length);
        }
        if to > last {
            (from, to) = (last - length, last);
        }
        let mut sight = self.sight.borrow_mut();
        sight.span = (from, to);
        sight.is_live = self.bounds.is_none() && to >= now - length * 0.01;
        self.moved_ms = Some(frame_ms());
    }
}

impl Chart {
    fn new(host: &HtmlElement, signal: &KnownSignal, n: usize, width: f64) -> Self {
        let make = |tag: &str, class: &str, into: &Element| -> Element {
            let element = document().create_element(tag).expect("every browser has these");
            element.set_class_name(class);
            into.append_child(&element).expect("it is an element");
            element
        };
        let row = make("div", "chart", host);
        set_attribute(&row, "data-testid", &format!("chart-{}", signal.key));
        let head = make("p", "head", &row);
        make("b", "", &head).set_text_content(Some(&signal.label));
        let shown = match signal::find(&signal.key) {
            Some(known) => units().convert(0.0, known.unit).1,
            None => crate::format::unit(&signal.unit),
        };
        make("small", "", &head).set_text_content(Some(shown));
        let told = make("output", "told", &head);
        let colour = |name: &str| {
            let style = window().get_computed_style(host).ok().flatten();
            style.and_then(|style| style.get_property_value(name).ok()).unwrap_or_default().trim().to_owned()
        };
        let style = Style {
            colour: colour(&format!("--series-{}", n % 4 + 1)),
            band: colour(&format!("--series-{}-band", n % 4 + 1)),
            text: colour("--chart-text"),
            grid: colour("--chart-grid"),
        };
        let plot = Plot::new(&row, (width, HEIGHT_PX), &style);
        Chart { key: signal.key.clone(), row, told, plot }
    }
}

impl Drop for Chart {
    fn drop(&mut self) {
        self.row.remove();
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.charts.clear();
        self.host.unchecked_ref::<Element>().set_inner_html("");
    }
}

fn fetch(store: Rc<RefCell<Store>>, vin: Vin, tile: Tile, signals: &[String]) {
    let signals = signals.join(",");
    let (from, to) = (tile.from().max(0), tile.to());
    let path = format!("/vehicles/{vin}/series?signals={signals}&from={from}&to={to}&buckets={BUCKETS}");
    spawn_local(async move {
        let answer = api::get::<SeriesList>(&path).await;
        let mut store = store.borrow_mut();
        store.under_way.remove(&tile);
        store.revision = store.revision.wrapping_add(1);
        match answer {
            Ok(list) => {
                store.failed.remove(&tile);
                store.tiles.put(tile, list.series);
            }
            Err(_) => {
                store.failed.insert(tile, frame_ms());
            }
        }
    });
}

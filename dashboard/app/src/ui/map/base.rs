//! The base map: Natural Earth's land and water and GeoNames' places, from our own server.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use bugbrother_wire::api::{MapSettings, TileLayer};
use futures_util::join;
use gloo_net::http::Request;
use wasm_bindgen_futures::JsFuture;
use yew::platform::spawn_local;

use super::{canvas::Canvas, palette::Palette};
use crate::{
    geo::{
        Point, View, clip,
        labels::{self, Room},
        pack::{self, Cell, Kind, Line, Place, World},
    },
    ui::{
        api,
        browser::{asset, document},
    },
};

/// From this zoom on the finer lines are drawn.
const FINE_ZOOM: f64 = 6.0;
/// From this zoom on the places of the single cells are shown.
const PLACES_ZOOM: f64 = 7.0;
/// Cells of places on each side of the world.
const CELLS: f64 = 32.0;
/// Most cells that are kept.
const MOST_CELLS: usize = 64;
/// From this zoom on a grid helps the eye where the map has nothing else.
const GRID_ZOOM: f64 = 9.0;
/// From this zoom on the extent of towns is hinted at.
const TOWN_ZOOM: f64 = 8.0;
/// Radius of a town of a thousand people, in metres; the area grows with the people.
const TOWN_M: f64 = 420.0;

/// What of the base map has been loaded.
#[derive(Default)]
struct Loaded {
    coarse: World,
    fine: Option<World>,
    fine_asked: bool,
    places: Vec<Place>,
    cells: HashSet<Cell>,
    near: HashMap<Cell, Vec<Place>>,
    asked: HashSet<Cell>,
    revision: u32,
    tiles: Option<TileLayer>,
}

/// The base map; clones are the same map.
#[derive(Clone, Default)]
pub struct BaseMap(Rc<RefCell<Loaded>>);

impl PartialEq for BaseMap {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl BaseMap {
    /// Begins to load the world.
    pub fn load() -> Self {
        let map = BaseMap::default();
        let loading = map.clone();
        spawn_local(async move {
            let (world, places) = join!(fetch(asset("world.bin")), fetch(format!("{}/world.bin", asset("places"))));
            loading.change(|loaded| {
                if let Some(world) = world.as_deref().and_then(pack::world) {
                    loaded.coarse = world;
                }
                if let Some((places, cells)) = places.as_deref().and_then(pack::gazetteer) {
                    loaded.places = places;
                    loaded.cells = cells.into_iter().collect();
                }
            });
            // Without them, or without a network, the built-in map is all there is.
            if let Ok(MapSettings { tiles: Some(tiles) }) = api::get::<MapSettings>("/map").await {
                loading.change(|loaded| loaded.tiles = Some(tiles));
            }
            // Names that were drawn before the font had come are drawn again.
            if let Ok(ready) = document().fonts().ready()
                && JsFuture::from(ready).await.is_ok()
            {
                loading.change(|_| ());
            }
        });
        map
    }

    /// Changes whenever something has been loaded.
    pub fn revision(&self) -> u32 {
        self.0.borrow().revision
    }

    /// Tiles that lie over it.
    pub fn tiles(&self) -> Option<TileLayer> {
        self.0.borrow().tiles.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Loaded)) {
        let mut loaded = self.0.borrow_mut();
        change(&mut loaded);
        loaded.revision += 1;
    }

    /// Towns and countries whose names begin with a text, the largest first.
    pub fn find(&self, text: &str, most: usize) -> Vec<(String, Point, f64)> {
        let needle = text.trim().to_lowercase();
        let loaded = self.0.borrow();
        let fits = |place: &&Place| place.name.to_lowercase().starts_with(&needle);
        let mut found: Vec<&Place> = loaded.places.iter().chain(loaded.near.values().flatten()).filter(fits).collect();
        found.sort_by_key(|place| std::cmp::Reverse(place.weight));
        let mut names: Vec<(String, Point, f64)> = Vec::new();
        for place in found {
            // A large town is both in the world's list and in its cell's.
            let known = names.iter().any(|(name, at, _)| *name == place.name && at.distance(place.at) < 1e-4);
            if !known && names.len() < most {
                let zoom = if place.kind == Kind::Country { 6.0 } else { 11.0 };
                names.push((place.name.clone(), place.at, zoom));
            }
        }
        names
    }

    /// Asks for what a view needs and has not.
    pub fn want(&self, view: &View) {
        let zoom = view.zoom();
        if zoom >= FINE_ZOOM && !std::mem::replace(&mut self.0.borrow_mut().fine_asked, true) {
            let map = self.clone();
            spawn_local(async move {
                if let Some(world) = fetch(asset("fine.bin")).await.as_deref().and_then(pack::world) {
                    map.change(|loaded| loaded.fine = Some(world));
                }
            });
        }
        if zoom < PLACES_ZOOM {
            return;
        }
        for cell in cells_of(view) {
            let mut loaded = self.0.borrow_mut();
            if !loaded.cells.contains(&cell) || !loaded.asked.insert(cell) {
                continue;
            }
            let map = self.clone();
            spawn_local(async move {
                let path = format!("{}/{}-{}.bin", asset("places"), cell.0, cell.1);
                if let Some(places) = fetch(path).await.as_deref().and_then(pack::places) {
                    map.change(|loaded| loaded.keep(cell, places));
                }
            });
        }
    }

    /// Draws everything.
    pub fn draw(&self, canvas: &Canvas, view: &View, palette: &Palette, glow: &Canvas) {
        let loaded = self.0.borrow();
        let zoom = view.zoom();
        let context = &canvas.context;
        canvas.reset();
        context.set_fill_style_str(&palette.sea);
        context.fill_rect(0.0, 0.0, view.size.0, view.size.1);
        let world = loaded.fine.as_ref().filter(|_| zoom >= FINE_ZOOM).unwrap_or(&loaded.coarse);
        let mut pen = Pen { canvas, points: Vec::new(), spare: Vec::new() };
        for copy in view.copies() {
            pen.areas(&copy, &world.land, &palette.land, &palette.coast);
            pen.lines(&copy, &world.rivers, &palette.river, 1.0);
            pen.areas(&copy, &world.lakes, &palette.sea, &palette.coast);
            pen.lines(&copy, &world.borders, &palette.border, 1.2);
        }
        if zoom >= GRID_ZOOM {
            pen.grid(view, &palette.grid);
        }
        for copy in view.copies() {
            loaded.names(canvas, &copy, palette, glow);
        }
    }
}

impl Loaded {
    /// Keeps the places of a cell; another one goes if there are too many.
    fn keep(&mut self, cell: Cell, places: Vec<Place>) {
        if self.near.len() >= MOST_CELLS
            && let Some(old) = self.near.keys().next().copied()
        {
            self.near.remove(&old);
            self.asked.remove(&old);
        }
        self.near.insert(cell, places);
    }

    fn names(&self, canvas: &Canvas, view: &View, palette: &Palette, glow: &Canvas) {
        let mut near: Vec<&Place> = Vec::new();
        if view.zoom() >= PLACES_ZOOM {
            near.extend(cells_of(view).filter_map(|cell| self.near.get(&cell)).flatten());
            near.sort_by_key(|place| std::cmp::Reverse(place.weight));
        }
        let context = &canvas.context;
        context.set_text_align("center");
        context.set_text_baseline("alphabetic");
        let zoom = view.zoom();
        if zoom >= TOWN_ZOOM {
            draw_towns(canvas, view, glow, self.places.iter().chain(near.iter().copied()));
        }
        for (place, (x, y), size) in labels::choose(self.places.iter().chain(near), view, &mut Room::default()) {
            let weight = if place.kind == Kind::Capital || place.weight >= 500 { 600 } else { 500 };
            context.set_font(&format!("{weight} {size}px Inter, system-ui, sans-serif"));
            if place.kind == Kind::Country {
                canvas.text(&place.name.to_uppercase(), (x, y), &palette.name_faint, &palette.halo);
                continue;
            }
            let colour =
                if place.weight >= 20 || place.kind == Kind::Capital { &palette.name } else { &palette.name_faint };
            canvas.text(&place.name, (x, y - 5.0), colour, &palette.halo);
            if zoom < 12.0 {
                context.begin_path();
                canvas.arc((x, y), if place.kind == Kind::Capital { 2.6 } else { 1.8 }, 0.0, std::f64::consts::TAU);
                context.set_fill_style_str(colour);
                context.fill();
            }
        }
    }
}

/// A glow for each town, as large as so many people need: the data knows no outlines.
fn draw_towns<'a>(canvas: &Canvas, view: &View, glow: &Canvas, places: impl Iterator<Item = &'a Place>) {
    for place in places.filter(|place| place.kind != Kind::Country) {
        let metres = TOWN_M * f64::from(place.weight.max(1)).sqrt();
        let radius = metres / place.at.metres_per_unit() * view.scale;
        let (x, y) = view.screen(place.at);
        if radius > 2.0 && view.shows((x, y), radius) {
            let side = radius * 2.0;
            canvas
                .context
                .draw_image_with_html_canvas_element_and_dw_and_dh(&glow.element, x - radius, y - radius, side, side)
                .expect("a glow is an image");
        }
    }
}

/// Cells of places that a view touches.
fn cells_of(view: &View) -> impl Iterator<Item = Cell> + use<> {
    let (a, b) = (view.ground(0.0, 0.0), view.ground(view.size.0, view.size.1));
    let index = |v: f64| (v * CELLS).floor().clamp(0.0, CELLS - 1.0) as u32;
    let (left, right) = (index(a.x), index(b.x));
    (index(a.y)..=index(b.y)).flat_map(move |row| (left..=right).map(move |column| (column, row)))
}

async fn fetch(path: String) -> Option<Vec<u8>> {
    let response = Request::get(&path).send().await.ok()?;
    if !response.ok() {
        return None;
    }
    response.binary().await.ok()
}

struct Pen<'a> {
    canvas: &'a Canvas,
    points: Vec<(f64, f64)>,
    spare: Vec<(f64, f64)>,
}

impl Pen<'_> {
    fn areas(&mut self, view: &View, areas: &[Line], fill: &str, stroke: &str) {
        let context = &self.canvas.context;
        context.begin_path();
        for area in areas.iter().filter(|area| clip::is_seen(view, area)) {
            clip::project(view, area, &mut self.points);
            clip::cut_area(view, &mut self.points, &mut self.spare);
            if self.points.len() > 2 {
                self.canvas.line(&self.points);
                context.close_path();
            }
        }
        context.set_fill_style_str(fill);
        context.fill_with_canvas_winding_rule(web_sys::CanvasWindingRule::Evenodd);
        context.set_stroke_style_str(stroke);
        context.set_line_width(1.0);
        context.stroke();
    }

    fn lines(&mut self, view: &View, lines: &[Line], stroke: &str, width: f64) {
        let context = &self.canvas.context;
        context.begin_path();
        for line in lines.iter().filter(|line| clip::is_seen(view, line)) {
            clip::project(view, line, &mut self.points);
            clip::cut_line(view, &self.points, |piece| self.canvas.line(piece));
        }
        context.set_stroke_style_str(stroke);
        context.set_line_width(width);
        context.set_line_join("round");
        context.stroke();
    }

    /// Lines fixed to the ground: where there is nothing else, they show that the map moves.
    fn grid(&self, view: &View, stroke: &str) {
        let context = &self.canvas.context;
        // A power of two of the world, 100 to 200 pixels wide.
        let step = view.scale / (view.scale / 100.0).log2().floor().exp2();
        context.begin_path();
        let mut x = view.origin.0.rem_euclid(step);
        while x < view.size.0 {
            self.canvas.line(&[(x.round() + 0.5, 0.0), (x.round() + 0.5, view.size.1)]);
            x += step;
        }
        let mut y = view.origin.1.rem_euclid(step);
        while y < view.size.1 {
            self.canvas.line(&[(0.0, y.round() + 0.5), (view.size.0, y.round() + 0.5)]);
            y += step;
        }
        context.set_stroke_style_str(stroke);
        context.set_line_width(1.0);
        context.stroke();
    }
}

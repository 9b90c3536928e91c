//! Leaflet, as far as it is used: the surface that pans and zooms.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;

use crate::geo::Point;

#[wasm_bindgen]
extern "C" {
    /// `L.Map`
    #[derive(Clone)]
    pub type Map;
    #[wasm_bindgen(js_namespace = L, js_name = map)]
    fn new_map(host: &web_sys::Element, options: &JsValue) -> Map;
    #[wasm_bindgen(method, js_name = setView)]
    fn set_view_js(this: &Map, center: &JsValue, zoom: f64, options: &JsValue);
    #[wasm_bindgen(method, js_name = flyTo)]
    fn fly_to_js(this: &Map, center: &JsValue, zoom: f64, options: &JsValue);
    #[wasm_bindgen(method, js_name = panBy)]
    fn pan_by_js(this: &Map, offset: &JsValue, options: &JsValue);
    #[wasm_bindgen(method, js_name = getCenter)]
    fn center_js(this: &Map) -> LatLng;
    /// The zoom, the target of an animation that runs.
    #[wasm_bindgen(method, js_name = getZoom)]
    pub fn zoom(this: &Map) -> f64;
    #[wasm_bindgen(method, js_name = invalidateSize)]
    fn invalidate_size_js(this: &Map, options: &JsValue);
    #[wasm_bindgen(method)]
    fn on(this: &Map, event: &str, listener: &JsValue);
    /// Takes the map off its element.
    #[wasm_bindgen(method)]
    pub fn remove(this: &Map);
    #[wasm_bindgen(method, getter)]
    fn dragging(this: &Map) -> Handler;

    type Handler;
    #[wasm_bindgen(method)]
    fn enable(this: &Handler);
    #[wasm_bindgen(method)]
    fn disable(this: &Handler);

    #[wasm_bindgen(method, getter, js_name = attributionControl)]
    fn attribution(this: &Map) -> Attribution;

    type Attribution;
    #[wasm_bindgen(method, js_name = setPrefix)]
    fn set_prefix(this: &Attribution, prefix: &str);
    #[wasm_bindgen(method, js_name = addAttribution)]
    fn add(this: &Attribution, html: &str);

    type LatLng;
    #[wasm_bindgen(method, getter)]
    fn lat(this: &LatLng) -> f64;
    #[wasm_bindgen(method, getter)]
    fn lng(this: &LatLng) -> f64;

    type Zoom;
    #[wasm_bindgen(js_namespace = ["L", "control"], js_name = zoom)]
    fn new_zoom(options: &JsValue) -> Zoom;
    #[wasm_bindgen(method, js_name = addTo)]
    fn add_to(this: &Zoom, map: &Map);

    type TileLayer;
    #[wasm_bindgen(js_namespace = L, js_name = tileLayer)]
    fn new_tile_layer(url: &str, options: &JsValue) -> TileLayer;
    #[wasm_bindgen(method, js_name = addTo)]
    fn add_to(this: &TileLayer, map: &Map);

    type Scale;
    #[wasm_bindgen(js_namespace = ["L", "control"], js_name = scale)]
    fn new_scale(options: &JsValue) -> Scale;
    #[wasm_bindgen(method, js_name = addTo)]
    fn add_to(this: &Scale, map: &Map);

    /// A mouse event of Leaflet's.
    pub type MouseEvent;
    #[wasm_bindgen(method, getter, js_name = containerPoint)]
    fn container_point(this: &MouseEvent) -> Pixel;

    type Pixel;
    #[wasm_bindgen(method, getter)]
    fn x(this: &Pixel) -> f64;
    #[wasm_bindgen(method, getter)]
    fn y(this: &Pixel) -> f64;
}

/// How far one can zoom.
pub const ZOOMS: (f64, f64) = (2.0, 18.0);

fn options(pairs: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (key, value) in pairs {
        Reflect::set(&object, &JsValue::from_str(key), value).expect("a plain object takes any key");
    }
    object.into()
}

fn lat_lng(point: Point) -> JsValue {
    let (lat, lon) = point.to_degrees();
    Array::of2(&lat.into(), &lon.into()).into()
}

impl MouseEvent {
    /// Position on the map.
    pub fn at(&self) -> (f64, f64) {
        let pixel = self.container_point();
        (pixel.x(), pixel.y())
    }
}

impl Map {
    /// A map in an element.
    pub fn new(
        host: &web_sys::Element,
        center: Point,
        zoom: f64,
        zoom_in: &str,
        zoom_out: &str,
        reduced_motion: bool,
    ) -> Self {
        let map = new_map(
            host,
            &options(&[
                ("zoomControl", false.into()),
                ("zoomSnap", 0.25.into()),
                ("wheelPxPerZoomLevel", 90.into()),
                ("minZoom", ZOOMS.0.into()),
                ("maxZoom", ZOOMS.1.into()),
                ("worldCopyJump", true.into()),
                ("zoomAnimation", (!reduced_motion).into()),
                ("inertia", (!reduced_motion).into()),
            ]),
        );
        let attribution = map.attribution();
        attribution.set_prefix("");
        attribution.add("Natural Earth · GeoNames");
        new_zoom(&options(&[
            ("position", "bottomright".into()),
            ("zoomInTitle", zoom_in.into()),
            ("zoomOutTitle", zoom_out.into()),
        ]))
        .add_to(&map);
        new_scale(&options(&[("imperial", false.into())])).add_to(&map);
        map.jump(center, zoom);
        map
    }

    /// Lays tiles over what is below; where one is missing that is seen.
    pub fn lay(&self, tiles: &bugbrother_wire::api::TileLayer) {
        let options = options(&[
            ("minNativeZoom", tiles.min_zoom.into()),
            ("maxNativeZoom", tiles.max_zoom.into()),
            ("maxZoom", ZOOMS.1.into()),
        ]);
        new_tile_layer(&tiles.url, &options).add_to(self);
        // Leaflet takes HTML.
        let plain = tiles.attribution.replace('&', "&amp;").replace('<', "&lt;");
        if !plain.is_empty() {
            self.attribution().add(&plain);
        }
    }

    /// Goes there at once.
    pub fn jump(&self, center: Point, zoom: f64) {
        self.set_view_js(&lat_lng(center), zoom, &options(&[("animate", false.into())]));
    }

    /// Flies there.
    pub fn fly(&self, center: Point, zoom: f64) {
        self.fly_to_js(&lat_lng(center), zoom, &options(&[("duration", 0.7.into())]));
    }

    /// Moves by pixels.
    pub fn pan(&self, offset: (f64, f64), animate: bool) {
        let offset = Array::of2(&offset.0.into(), &offset.1.into());
        self.pan_by_js(&offset, &options(&[("animate", animate.into()), ("duration", 0.35.into())]));
    }

    /// Whether a hand drags it.
    pub fn drags(&self, on: bool) {
        if on { self.dragging().enable() } else { self.dragging().disable() }
    }

    /// The middle of the map.
    pub fn center(&self) -> Point {
        let center = self.center_js();
        Point::from_degrees(center.lat(), center.lng())
    }

    /// The element has another size.
    pub fn resize(&self) {
        self.invalidate_size_js(&options(&[("animate", false.into())]));
    }

    /// Listens for as long as the closure lives.
    pub fn listen(&self, event: &str, listener: &Closure<dyn FnMut(MouseEvent)>) {
        self.on(event, listener.as_ref());
    }
}

//! uPlot, as far as it is used: a line in a band over time.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::Element;

use crate::tiles::Columns;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = uPlot)]
    type UPlot;
    #[wasm_bindgen(constructor, js_class = "uPlot")]
    fn new(options: &JsValue, data: &JsValue, host: &Element) -> UPlot;
    #[wasm_bindgen(method, js_name = setData)]
    fn set_data(this: &UPlot, data: &JsValue, reset: bool);
    #[wasm_bindgen(method, js_name = setScale)]
    fn set_scale(this: &UPlot, key: &str, limits: &JsValue);
    #[wasm_bindgen(method, js_name = setSize)]
    fn set_size(this: &UPlot, size: &JsValue);
    #[wasm_bindgen(method, js_name = setCursor)]
    fn set_cursor(this: &UPlot, place: &JsValue, hooks: bool);
    #[wasm_bindgen(method, js_name = posToVal)]
    fn pos_to_val(this: &UPlot, pos: f64, scale: &str) -> f64;
    #[wasm_bindgen(method, js_name = valToPos)]
    fn val_to_pos(this: &UPlot, value: f64, scale: &str) -> f64;
    #[wasm_bindgen(method)]
    fn destroy(this: &UPlot);
    #[wasm_bindgen(method, getter)]
    fn over(this: &UPlot) -> Element;
}

/// How a chart looks.
pub struct Style {
    /// Of the line.
    pub colour: String,
    /// Of what lies between the lowest and the highest value.
    pub band: String,
    /// Of the axes' text.
    pub text: String,
    /// Of the grid.
    pub grid: String,
}

/// A chart.
pub struct Plot {
    plot: UPlot,
}

fn object(pairs: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (key, value) in pairs {
        Reflect::set(&object, &JsValue::from_str(key), value).expect("a plain object takes any key");
    }
    object.into()
}

fn list(items: impl IntoIterator<Item = JsValue>) -> JsValue {
    items.into_iter().collect::<Array>().into()
}

/// How moments are written along the axis: for steps from so many ms on, what stands there, and what where a year or a day
/// begins. Without words, which would be of one language.
fn times() -> JsValue {
    const DAY: f64 = 86_400_000.0;
    let steps: [(f64, &str, Option<&str>, Option<&str>); 5] = [
        (28.0 * DAY, "{M}/{YYYY}", None, None),
        (DAY, "{D}/{M}", Some("\n{YYYY}"), None),
        (60_000.0, "{HH}:{mm}", None, Some("\n{D}/{M}")),
        (1_000.0, "{HH}:{mm}:{ss}", None, Some("\n{D}/{M}")),
        (1.0, "{ss}.{fff}", None, None),
    ];
    let text = |text: Option<&str>| text.map_or(JsValue::NULL, JsValue::from_str);
    list(steps.map(|(from, always, year, day)| {
        let none = JsValue::NULL;
        list([
            from.into(),
            always.into(),
            text(year),
            none.clone(),
            text(day),
            none.clone(),
            none.clone(),
            none,
            1.into(),
        ])
    }))
}

impl Plot {
    /// A chart of that size in an element.
    pub fn new(host: &Element, (width, height): (f64, f64), style: &Style) -> Self {
        let axis = |size: f64, more: Option<(&str, JsValue)>| {
            let mut pairs = vec![
                ("stroke", style.text.as_str().into()),
                ("font", "12px Inter, system-ui, sans-serif".into()),
                ("size", size.into()),
                ("grid", object(&[("stroke", style.grid.as_str().into()), ("width", 1.into())])),
                ("ticks", object(&[("show", false.into())])),
            ];
            pairs.extend(more);
            object(&pairs)
        };
        let none = || object(&[("show", false.into())]);
        let edge = || object(&[("stroke", "transparent".into()), ("points", none()), ("width", 0.into())]);
        let line = object(&[
            ("stroke", style.colour.as_str().into()),
            ("width", 1.75.into()),
            ("points", none()),
            ("spanGaps", false.into()),
        ]);
        let band = object(&[("series", list([2.into(), 1.into()])), ("fill", style.band.as_str().into())]);
        let options = object(&[
            ("width", width.into()),
            ("height", height.into()),
            ("ms", 1.into()),
            ("pxAlign", 0.into()),
            ("legend", none()),
            (
                "cursor",
                object(&[
                    ("drag", object(&[("x", false.into()), ("y", false.into())])),
                    ("y", false.into()),
                    ("points", object(&[("size", 7.into())])),
                ]),
            ),
            ("scales", object(&[("x", object(&[("time", true.into()), ("auto", false.into())]))])),
            ("axes", list([axis(46.0, Some(("values", times()))), axis(56.0, None)])),
            ("series", list([object(&[]), edge(), edge(), line])),
            ("bands", list([band])),
            ("padding", list([8.into(), 12.into(), 0.into(), 0.into()])),
        ]);
        let empty = list([list([]), list([]), list([]), list([])]);
        Plot { plot: UPlot::new(&options, &empty, host) }
    }

    /// Shows other values.
    pub fn show(&self, columns: &Columns) {
        let column = |values: &[f64]| {
            list(values.iter().map(|value| if value.is_nan() { JsValue::NULL } else { JsValue::from_f64(*value) }))
        };
        let ts = list(columns.ts.iter().map(|ts| JsValue::from_f64(*ts)));
        let data = list([ts, column(&columns.low), column(&columns.high), column(&columns.mean)]);
        self.plot.set_data(&data, false);
    }

    /// Shows another span.
    pub fn look(&self, (from, to): (f64, f64)) {
        self.plot.set_scale("x", &object(&[("min", from.into()), ("max", to.into())]));
    }

    /// Takes another size.
    pub fn resize(&self, (width, height): (f64, f64)) {
        self.plot.set_size(&object(&[("width", width.into()), ("height", height.into())]));
    }

    /// Puts the cursor at a moment, or away.
    pub fn point_at(&self, ts: Option<f64>) {
        let left = ts.map_or(-10.0, |ts| self.plot.val_to_pos(ts, "x"));
        self.plot.set_cursor(&object(&[("left", left.into()), ("top", 4.into())]), false);
    }

    /// The moment at a place on the page.
    pub fn moment(&self, client_x: f64) -> f64 {
        self.plot.pos_to_val(client_x - self.plot.over().get_bounding_client_rect().left(), "x")
    }

    /// Width of what is drawn on, in pixels.
    pub fn width(&self) -> f64 {
        self.plot.over().get_bounding_client_rect().width().max(1.0)
    }
}

impl Drop for Plot {
    fn drop(&mut self) {
        self.plot.destroy();
    }
}

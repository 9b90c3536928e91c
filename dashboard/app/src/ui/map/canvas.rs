//! A canvas as sharp as the screen.

use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement};

use crate::{
    geo::Size,
    ui::browser::{document, set_attribute, window},
};

/// A canvas and its context, in CSS pixels.
pub struct Canvas {
    /// The element.
    pub element: HtmlCanvasElement,
    /// What draws.
    pub context: CanvasRenderingContext2d,
    ratio: f64,
}

impl Canvas {
    /// A canvas of that size.
    pub fn new(size: Size) -> Self {
        let element: HtmlCanvasElement =
            document().create_element("canvas").expect("every browser has canvases").unchecked_into();
        let context =
            element.get_context("2d").ok().flatten().expect("every canvas can be drawn on in 2d").unchecked_into();
        let mut canvas = Canvas { element, context, ratio: 1.0 };
        canvas.resize(size);
        canvas
    }

    /// A canvas that fills its host.
    pub fn inside(host: &Element, class: &str) -> Self {
        let canvas = Canvas::new((1.0, 1.0));
        canvas.element.set_class_name(class);
        set_attribute(&canvas.element, "aria-hidden", "true");
        host.append_child(&canvas.element).expect("the host is an element");
        canvas
    }

    /// Takes another size; what was drawn is gone.
    pub fn resize(&mut self, size: Size) {
        self.ratio = pixel_ratio();
        self.element.set_width((size.0 * self.ratio).ceil() as u32);
        self.element.set_height((size.1 * self.ratio).ceil() as u32);
        self.reset();
    }

    /// Back to CSS pixels from the corner.
    pub fn reset(&self) {
        self.transform(0.0, 0.0, 0.0);
    }

    /// Draws from here on around a point, turned by an angle in radians.
    pub fn transform(&self, x: f64, y: f64, angle: f64) {
        let (sin, cos) = angle.sin_cos();
        let r = self.ratio;
        self.context
            .set_transform(r * cos, r * sin, -r * sin, r * cos, r * x, r * y)
            .expect("finite numbers make a transform");
    }

    /// Starts a path along points.
    pub fn line(&self, points: &[(f64, f64)]) {
        for (index, (x, y)) in points.iter().enumerate() {
            if index == 0 {
                self.context.move_to(*x, *y);
            } else {
                self.context.line_to(*x, *y);
            }
        }
    }

    /// A whole or a part of a circle, in radians.
    pub fn arc(&self, (x, y): (f64, f64), radius: f64, from: f64, to: f64) {
        self.context.arc(x, y, radius, from, to).expect("a radius is not negative");
    }

    /// Text with a halo around it.
    pub fn text(&self, text: &str, (x, y): (f64, f64), colour: &str, halo: &str) {
        self.context.set_stroke_style_str(halo);
        self.context.set_line_width(3.0);
        self.context.set_line_join("round");
        self.context.stroke_text(text, x, y).expect("text can be drawn");
        self.context.set_fill_style_str(colour);
        self.context.fill_text(text, x, y).expect("text can be drawn");
    }
}

/// Width of a glow.
const GLOW_PX: f64 = 128.0;

/// A disc that fades from its middle to its edge, to be drawn at any size.
pub fn glow(colour: &str) -> Canvas {
    let canvas = Canvas::new((GLOW_PX, GLOW_PX));
    let (context, half) = (&canvas.context, GLOW_PX / 2.0);
    let gradient = context.create_radial_gradient(half, half, 0.0, half, half, half).expect("a radius is not negative");
    // The disc's own colour where the gradient is opaque.
    for (at, opacity) in [(0.0, 1.0), (0.35, 0.72), (0.7, 0.22), (1.0, 0.0)] {
        gradient.add_color_stop(at, &format!("rgb(0 0 0 / {opacity})")).expect("a stop is inside the gradient");
    }
    context.set_fill_style_canvas_gradient(&gradient);
    context.fill_rect(0.0, 0.0, GLOW_PX, GLOW_PX);
    context.set_global_composite_operation("source-in").expect("every canvas knows it");
    context.set_fill_style_str(colour);
    context.fill_rect(0.0, 0.0, GLOW_PX, GLOW_PX);
    canvas
}

/// Pixels of the screen per CSS pixel; more than 3 nobody sees.
pub fn pixel_ratio() -> f64 {
    window().device_pixel_ratio().clamp(1.0, 3.0)
}

//! A page that is being drawn: A4, points from its lower left corner.

use pdf_writer::{Content, Name, Str};

use super::font::{self, Face};

pub const WIDTH: f32 = 595.28;
pub const HEIGHT: f32 = 841.89;
pub const MARGIN: f32 = 42.0;

/// A colour: red, green and blue, 0 to 1.
pub type Colour = [f32; 3];
pub const INK: Colour = [0.075, 0.102, 0.18];
pub const MUTED: Colour = [0.34, 0.38, 0.5];
pub const ACCENT: Colour = [0.114, 0.306, 0.847];
pub const PALE: Colour = [0.957, 0.965, 0.98];
pub const LINE: Colour = [0.86, 0.885, 0.925];
pub const WHITE: Colour = [1.0, 1.0, 1.0];

/// How a text is written.
#[derive(Debug, Clone, Copy)]
pub struct Pen {
    pub face: Face,
    pub size: f32,
    pub colour: Colour,
}

impl Pen {
    pub const fn new(face: Face, size: f32, colour: Colour) -> Self {
        Pen { face, size, colour }
    }
}

/// A page.
pub struct Page(Content);

impl Page {
    pub fn new() -> Self {
        Page(Content::new())
    }

    pub fn finish(self) -> Vec<u8> {
        self.0.finish().to_vec()
    }

    /// A text that begins at `x` and stands on `y`.
    pub fn text(&mut self, x: f32, y: f32, pen: Pen, text: &str) {
        let face = match pen.face {
            Face::Regular => Name(b"R"),
            Face::Bold => Name(b"B"),
        };
        let [red, green, blue] = pen.colour;
        self.0.set_fill_rgb(red, green, blue);
        self.0.begin_text();
        self.0.set_font(face, pen.size);
        self.0.next_line(x, y);
        self.0.show(Str(&font::encode(text)));
        self.0.end_text();
    }

    /// A text that ends at `x`.
    pub fn text_until(&mut self, x: f32, y: f32, pen: Pen, text: &str) {
        self.text(x - font::width(text, pen.face, pen.size), y, pen, text);
    }

    /// A filled rectangle.
    pub fn fill(&mut self, [x, y, width, height]: [f32; 4], [red, green, blue]: Colour) {
        self.0.set_fill_rgb(red, green, blue);
        self.0.rect(x, y, width, height);
        self.0.fill_nonzero();
    }

    /// A filled shape with corners.
    pub fn shape(&mut self, corners: &[(f32, f32)], [red, green, blue]: Colour) {
        let Some(((x, y), rest)) = corners.split_first() else { return };
        self.0.set_fill_rgb(red, green, blue);
        self.0.move_to(*x, *y);
        for (x, y) in rest {
            self.0.line_to(*x, *y);
        }
        self.0.close_path();
        self.0.fill_nonzero();
    }

    /// A thin line from left to right.
    pub fn rule(&mut self, x: f32, y: f32, width: f32) {
        self.fill([x, y, width, 0.6], LINE);
    }
}

//! The map's colours, from the style sheet.

use web_sys::CssStyleDeclaration;

use crate::{
    fleet::{LOOKS, Look},
    ui::browser::{document, window},
};

/// Colours as CSS.
#[derive(Debug, Clone, Default)]
pub struct Palette {
    pub sea: String,
    pub land: String,
    pub coast: String,
    pub border: String,
    pub river: String,
    pub grid: String,
    pub name: String,
    pub name_faint: String,
    pub town: String,
    pub halo: String,
    pub panel: String,
    pub text: String,
    pub accent: String,
    pub edge: String,
    pub alert: String,
    speeds: [String; 5],
    looks: [String; LOOKS.len()],
}

impl Palette {
    /// As the style sheet says now.
    pub fn read() -> Self {
        let root = document().document_element();
        let Some(style) = root.and_then(|root| window().get_computed_style(&root).ok().flatten()) else {
            return Palette::default();
        };
        let get = |name: &str| property(&style, name);
        Palette {
            sea: get("--map-sea"),
            land: get("--map-land"),
            coast: get("--map-coast"),
            border: get("--map-border"),
            river: get("--map-river"),
            grid: get("--map-grid"),
            name: get("--map-name"),
            name_faint: get("--map-name-faint"),
            town: get("--map-town"),
            halo: get("--map-halo"),
            panel: get("--panel"),
            text: get("--text"),
            accent: get("--accent"),
            edge: get("--map-edge"),
            alert: get("--alert"),
            speeds: [1, 2, 3, 4, 5].map(|n| get(&format!("--speed-{n}"))),
            looks: LOOKS.map(|look| get(&format!("--{}", look.class()))),
        }
    }

    /// The colour of a speed, from slow to fast; also of any signal from its lowest to its highest.
    pub fn speed(&self, step: usize) -> &str {
        &self.speeds[step.min(self.speeds.len() - 1)]
    }

    /// The same with one colour for all states.
    pub fn tinted(&self, colour: &str) -> Self {
        Palette { looks: self.looks.each_ref().map(|_| colour.to_owned()), ..self.clone() }
    }

    /// The colour of a state.
    pub fn look(&self, look: Look) -> &str {
        &self.looks[look as usize]
    }
}

fn property(style: &CssStyleDeclaration, name: &str) -> String {
    style.get_property_value(name).unwrap_or_default().trim().to_owned()
}

//! The state of a vehicle as a shape: arrow, dot, square, ring, triangle. Colour never tells it alone.

use yew::prelude::*;

use crate::fleet::Look;

impl Look {
    /// Style class.
    pub fn class(self) -> &'static str {
        match self {
            Look::Moving => "moving",
            Look::Idle => "idle",
            Look::Parked => "parked",
            Look::Silent => "silent",
            Look::Alert => "alert",
        }
    }
}

/// Properties of [`Glyph`].
#[derive(Properties, PartialEq)]
pub struct GlyphProps {
    /// What it shows.
    pub look: Look,
    /// Where an arrow points to.
    #[prop_or_default]
    pub heading: f64,
}

/// The shape of a state, without words: what it stands beside says them.
#[component]
pub fn Glyph(props: &GlyphProps) -> Html {
    let shape = match props.look {
        Look::Moving => {
            // In steps: a list need not turn with every degree.
            let turn = format!("rotate({:.0} 10 10)", (props.heading / 15.0).round() * 15.0);
            html! { <path d="M10 2.5 16 17l-6-3.2L4 17 10 2.5Z" transform={turn} /> }
        }
        Look::Idle => html! { <circle cx="10" cy="10" r="5" /> },
        Look::Parked => html! { <rect x="5" y="5" width="10" height="10" rx="2.5" /> },
        Look::Silent => html! { <circle cx="10" cy="10" r="4.6" class="hollow" /> },
        Look::Alert => html! {
            <>
                <path d="M10 2.8 18 16.8H2L10 2.8Z" stroke-linejoin="round" />
                <path class="bang" d="M10 8v4M10 14.3v.2" />
            </>
        },
    };
    html! {
        <svg class={classes!("glyph", props.look.class())} viewBox="0 0 20 20" aria-hidden="true" focusable="false">{ shape }</svg>
    }
}

//! What the fleet's cameras see.

use yew::prelude::*;

use super::{kit::Empty, settings::use_phrases};

/// The video wall. No agent tells of cameras yet, so there are none to show.
#[component]
pub fn Wall() -> Html {
    let words = use_phrases().running;
    html! { <section class="page"><Empty title={words.wall_empty} hint={words.wall_hint} /></section> }
}

//! The page of an address that has none.

use yew::prelude::*;
use yew_router::prelude::*;

use super::{route::Route, settings::use_phrases};

/// No page.
#[component]
pub fn Lost() -> Html {
    let phrases = use_phrases();
    html! {
        <section class="empty tall" data-testid="not-found">
            <p class="code" aria-hidden="true">{ "404" }</p>
            <h1>{ phrases.not_found }</h1>
            <p>{ phrases.not_found_hint }</p>
            <Link<Route> to={Route::Map} classes="primary">{ phrases.back_to_map }</Link<Route>>
        </section>
    }
}

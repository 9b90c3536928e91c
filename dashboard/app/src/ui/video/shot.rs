//! A photo or clip that is on the server.

use bugbrother_wire::message::{Media, MediaKind};
use yew::prelude::*;

use crate::ui::settings::use_phrases;

/// Properties of [`Shot`].
#[derive(Properties, PartialEq)]
pub struct ShotProps {
    /// What was taken.
    pub media: Media,
}

/// A button, and what it shows: nothing is fetched, and noted as looked at, before somebody wants to see it.
#[component]
pub fn Shot(props: &ShotProps) -> Html {
    let words = use_phrases().video;
    let is_open = use_state(|| false);
    let Media { vin, id, kind, .. } = &props.media;
    let file = format!("/api/frontend/vehicles/{vin}/media/{id}/file");
    if !*is_open {
        let onclick = Callback::from(move |_: MouseEvent| is_open.set(true));
        return html! {
            <button type="button" class="secondary" {onclick} data-testid={format!("show-{id}")}>{ words.show }</button>
        };
    }
    let seen = match kind {
        MediaKind::Photo => html! { <img src={file.clone()} alt={words.photo} data-testid="shown" /> },
        MediaKind::Clip => html! {
            <video src={file.clone()} controls=true playsinline=true autoplay=true muted=true data-testid="shown"></video>
        },
    };
    let extension = if *kind == MediaKind::Photo { "jpg" } else { "mp4" };
    html! {
        <span class="shot">
            { seen }
            <a href={file} download={format!("{vin}-{id}.{extension}")}>{ words.keep }</a>
        </span>
    }
}

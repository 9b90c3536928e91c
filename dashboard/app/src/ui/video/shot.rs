//! A photo or clip that is on the server.

use bugbrother_wire::{
    MediaId,
    message::{Media, MediaKind},
};
use yew::prelude::*;

use crate::ui::{icon::Icon, settings::use_phrases};

/// Properties of [`Shot`].
#[derive(Properties, PartialEq)]
pub struct ShotProps {
    /// What was taken.
    pub media: Media,
    /// Whose small picture it has, where it has one.
    #[prop_or_default]
    pub thumbnail: Option<MediaId>,
}

/// A small picture, and what it stands for: the file itself is not fetched, and noted as looked at, before somebody wants to
/// see it.
#[component]
pub fn Shot(props: &ShotProps) -> Html {
    let words = use_phrases().video;
    let is_open = use_state(|| false);
    let Media { vin, id, kind, .. } = &props.media;
    let of_vehicle = format!("/api/frontend/vehicles/{vin}/media");
    let file = format!("{of_vehicle}/{id}/file");
    let name = if *kind == MediaKind::Photo { words.photo } else { words.clip };
    if !*is_open {
        let onclick = Callback::from(move |_: MouseEvent| is_open.set(true));
        return html! {
            <button type="button" class="thumb" {onclick} aria-label={format!("{}: {name}", words.show)} data-testid={format!("show-{id}")}>
                if let Some(of) = props.thumbnail {
                    <img src={format!("{of_vehicle}/{of}/thumbnail")} alt="" loading="lazy" decoding="async" data-testid="thumbnail" />
                }
                <span class="thumb-sign">{ if *kind == MediaKind::Photo { Icon::Camera.draw() } else { Icon::Play.draw() } }</span>
            </button>
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
            <a href={format!("{file}?download=1")} download={format!("{vin}-{id}.{extension}")}>{ words.keep }</a>
        </span>
    }
}

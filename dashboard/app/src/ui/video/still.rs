//! The last small picture of a camera, where there is no live one.

use bugbrother_wire::{Vin, api::CameraStill};
use yew::prelude::*;

use crate::{
    format::Span,
    ui::{feed::use_live, moment::moment, news::clock, settings::use_phrases},
};

/// Properties of [`Still`] and [`StillAge`].
#[derive(Properties, PartialEq)]
pub struct StillProps {
    /// The vehicle.
    pub vin: Vin,
    /// Its picture.
    pub still: CameraStill,
}

/// The picture. Its age stands elsewhere: it is no picture of now.
#[component]
pub fn Still(props: &StillProps) -> Html {
    let src = format!("/api/frontend/vehicles/{}/media/{}/thumbnail", props.vin, props.still.id);
    html! { <img class="camera-still" {src} alt="" decoding="async" data-testid="still" /> }
}

/// How old it is.
#[component]
pub fn StillAge(props: &StillProps) -> Html {
    let phrases = use_phrases();
    let age = (clock(&use_live()) - props.still.at).max(0);
    let text = (phrases.video.still_of)(&(phrases.ago)(Span::of(age)));
    html! { <span class="camera-lag" title={moment(phrases, props.still.at)} data-testid="still-age">{ text }</span> }
}

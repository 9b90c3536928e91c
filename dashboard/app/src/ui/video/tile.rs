//! A camera on the wall: its last picture with its age, and live when somebody wants that.

use bugbrother_wire::{
    Vin,
    api::{CameraEntry, CameraList},
    live::News,
};
use yew::prelude::*;

use super::{
    Player,
    still::{Still, StillAge},
};
use crate::ui::{
    icon::Icon,
    news::{use_fresh, use_kept},
    settings::use_phrases,
};

/// Properties of [`Tile`].
#[derive(Properties, PartialEq)]
pub struct TileProps {
    /// The vehicle.
    pub vin: Vin,
    /// Its camera.
    pub camera: CameraEntry,
    /// What both are called.
    pub title: AttrValue,
    /// Whether it is live.
    pub live: bool,
    /// Whether it is to be.
    pub watch: Callback<bool>,
    /// Takes it off the wall.
    pub remove: Callback<()>,
}

/// The tile.
#[component]
pub fn Tile(props: &TileProps) -> Html {
    let words = use_phrases().video;
    let vin = props.vin;
    let list = use_fresh::<CameraList>(Some(format!("/vehicles/{vin}/cameras")), Some(vin), &[News::Media]);
    let kept = use_kept(&list.is);
    let known = kept.as_ref().and_then(|list| list.cameras.iter().find(|camera| camera.id == props.camera.id));
    let camera = known.unwrap_or(&props.camera).clone();
    let title = props.title.clone();
    if props.live {
        let stop = props.watch.reform(|()| false);
        return html! { <Player {vin} {camera} {title} small=true {stop} /> };
    }
    let start = props.watch.reform(|_: MouseEvent| true);
    let remove = props.remove.reform(|_: MouseEvent| ());
    html! {
        <figure class="camera" data-testid="tile" data-camera={camera.id.to_string()}>
            <button type="button" class="camera-start" onclick={start} aria-label={format!("{}: {title}", words.watch)} data-testid="watch-live">
                if let Some(still) = camera.still {
                    <Still {vin} {still} />
                } else if kept.is_some() {
                    <span class="camera-none">{ words.no_still }</span>
                }
                <span class="thumb-sign">{ Icon::Play.draw() }</span>
            </button>
            <figcaption>
                <b>{ title }</b>
                if let Some(still) = camera.still { <StillAge {vin} {still} /> }
                <span class="camera-does">
                    <button type="button" class="icon" onclick={remove} title={words.take_off} aria-label={words.take_off}>{ Icon::Close.draw() }</button>
                </span>
            </figcaption>
        </figure>
    }
}

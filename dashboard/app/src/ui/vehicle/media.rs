//! Photos and clips of a vehicle.

use bugbrother_wire::{
    Vin,
    api::{CameraList, MediaList, Right},
    live::News,
};
use yew::prelude::*;

use super::eyes::Eyes;
use crate::{
    phrases::Phrases,
    ui::{
        account::use_account,
        feed::use_live,
        fetch::{Fetch, Fetched},
        kit::{Empty, Refused},
        news::{clock, use_fresh, use_kept},
        settings::use_phrases,
        table::Skeleton,
        video::{Frame, Player, Reel},
    },
};

const MONTH_MS: i64 = 31 * 86_400_000;

/// Properties of [`MediaTab`].
#[derive(Properties, PartialEq)]
pub struct MediaTabProps {
    /// The vehicle.
    pub vin: Vin,
}

/// The tab.
#[component]
pub fn MediaTab(props: &MediaTabProps) -> Html {
    let phrases = use_phrases();
    let vin = props.vin;
    let now = clock(&use_live());
    let to = use_state(|| now + 86_400_000);
    let path = format!("/vehicles/{vin}/media?from={}&to={}", *to - MONTH_MS, *to);
    let media = use_fresh::<MediaList>(Some(path), Some(vin), &[News::Media]);
    let may_set = use_account().may(Right::Settings);
    let list = use_fresh::<CameraList>(Some(format!("/vehicles/{vin}/cameras")), Some(vin), &[News::Media]);
    // What is looked at goes on while the list is asked for again.
    let cameras = use_kept(&list.is);
    let players = cameras.as_ref().map(|list| {
        list.cameras.iter().map(|camera| html! { <Player key={camera.id.to_string()} {vin} camera={camera.clone()} /> })
    });
    html! {
        <>
            if let Some(players) = players { <div class="cameras">{ for players }</div> }
            { library(phrases, &media) }
            if may_set { <Eyes {vin} changed={list.reload.clone()} /> }
        </>
    }
}

/// What the cameras have taken.
fn library(phrases: &'static Phrases, media: &Fetch<MediaList>) -> Html {
    let words = &phrases.vehicle_page;
    match &media.is {
        Fetched::Loading => html! { <Skeleton rows=4 /> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={media.reload.clone()} /> },
        Fetched::Ready(list) if list.media.is_empty() => {
            html! { <Empty title={words.no_media} hint={words.no_media_hint} /> }
        }
        Fetched::Ready(list) => {
            html! { <Reel frames={Frame::of_list(list).rev().collect::<Vec<_>>()} testid="media" /> }
        }
    }
}

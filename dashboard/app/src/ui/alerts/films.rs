//! What the cameras saw when an alert was opened.

use bugbrother_wire::{AlertId, Vin, api::AlertFilmList, live::News};
use yew::prelude::*;

use crate::ui::{
    fetch::Fetched,
    news::use_fresh,
    settings::use_phrases,
    video::{Frame, Reel},
};

/// Properties of [`Films`].
#[derive(Properties, PartialEq)]
pub struct FilmsProps {
    /// The alert.
    pub id: AlertId,
    /// Its vehicle.
    pub vin: Vin,
}

/// The films, and what was asked for; nothing at all of a vehicle that has none.
#[component]
pub fn Films(props: &FilmsProps) -> Html {
    let words = use_phrases().video;
    let path = format!("/alerts/{}/films", props.id);
    let films = use_fresh::<AlertFilmList>(Some(path), Some(props.vin), &[News::Media, News::Command]);
    let Fetched::Ready(list) = &films.is else { return Html::default() };
    if list.films.is_empty() {
        return html! { <p class="muted" data-testid="no-alert-film">{ words.no_film }</p> };
    }
    html! {
        <>
            <h3>{ words.of_the_moment }</h3>
            <Reel frames={list.films.iter().map(Frame::of_alert).collect::<Vec<_>>()} testid="alert-films" />
        </>
    }
}

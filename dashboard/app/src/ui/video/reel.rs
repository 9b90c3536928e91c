//! Photos and clips side by side, with what is known of each.

use bugbrother_wire::{
    MediaId,
    api::{AlertFilm, FilmState, MediaList},
    message::{Media, MediaState},
};
use yew::prelude::*;

use super::Shot;
use crate::ui::{moment::moment, settings::use_phrases};

/// A place in a [`Reel`].
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The camera.
    pub camera: String,
    /// How far it has come.
    pub state: FilmState,
    /// What was taken, once there is something.
    pub media: Option<Media>,
    /// Whose small picture it has.
    pub thumbnail: Option<MediaId>,
    /// Why there is none.
    pub why: Option<String>,
}

impl Frame {
    /// All of a list, in its order.
    pub fn of_list(list: &MediaList) -> impl DoubleEndedIterator<Item = Frame> + '_ {
        list.media.iter().map(|media| Frame {
            camera: media.camera.to_string(),
            state: match media.state {
                MediaState::Requested => FilmState::Wanted,
                MediaState::Recording => FilmState::Recording,
                MediaState::Ready => FilmState::OnItsWay,
                MediaState::Uploaded => FilmState::Ready,
                MediaState::Failed => FilmState::Failed,
                MediaState::Expired => FilmState::Evicted,
            },
            thumbnail: list.thumbnails.get(&media.id).copied(),
            why: media.reason.clone(),
            media: Some(media.clone()),
        })
    }

    /// A film of an alert.
    pub fn of_alert(film: &AlertFilm) -> Self {
        Frame {
            camera: film.camera.to_string(),
            state: film.state,
            media: film.media.as_deref().cloned(),
            thumbnail: film.thumbnail,
            why: film.why.clone(),
        }
    }
}

/// Properties of [`Reel`].
#[derive(Properties, PartialEq)]
pub struct ReelProps {
    /// In this order.
    pub frames: Vec<Frame>,
    /// What tests call it.
    pub testid: &'static str,
}

/// The photos and clips.
#[component]
pub fn Reel(props: &ReelProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.video;
    let frame = |frame: &Frame| {
        let state = format!("{:?}", frame.state);
        let key = frame.media.as_ref().map_or_else(|| format!("wanted-{}", frame.camera), |media| media.id.to_string());
        html! {
            <li {key} data-state={state}>
                {
                    match &frame.media {
                        Some(media) if frame.state == FilmState::Ready => {
                            html! { <Shot media={media.clone()} thumbnail={frame.thumbnail} /> }
                        }
                        _ => html! { <span class="thumb" aria-hidden="true"></span> },
                    }
                }
                <b>{ &frame.camera }</b>
                if let Some(media) = &frame.media { <span>{ moment(phrases, media.from) }</span> }
                if frame.state != FilmState::Ready { <small role="status">{ (words.film_state)(frame.state) }</small> }
                if let (FilmState::Failed | FilmState::Evicted, Some(why)) = (frame.state, &frame.why) { <small>{ why }</small> }
            </li>
        }
    };
    html! { <ul class="reel" data-testid={props.testid}>{ for props.frames.iter().map(frame) }</ul> }
}

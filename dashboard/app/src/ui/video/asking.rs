//! What a camera is asked for from beside its picture, and what became of that.

use bugbrother_wire::{
    CommandId, Vin,
    api::{CameraEntry, CommandEntry, CommandProgress, KeptMedia, NewCommand},
    live::News,
    message::Argument,
};
use gloo_timers::callback::Timeout;
use uuid::Uuid;
use yew::{platform::spawn_local, prelude::*};

use crate::ui::{
    account::use_account,
    api::{self, Refusal},
    browser::frame_ms,
    feed::use_live,
    fetch::Fetched,
    kit::use_toasts,
    news::use_fresh,
    saving::trouble,
    settings::use_phrases,
};

/// What is saved on demand, in seconds before and after.
const BEFORE_S: i64 = 30;
const AFTER_S: i64 = 5;
/// A vehicle that has not heard of it by then is not asked any more.
const EXPIRES_S: u32 = 60;
/// When it is looked at whether it has expired: nobody says so.
const LATE_MS: u32 = EXPIRES_S * 1000 + 2_000;

/// What a camera is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A photo.
    Photo,
    /// The film of the last seconds.
    Film,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Nothing,
    /// The server is told.
    Sending(Wish),
    /// The vehicle is.
    Given(Wish, CommandId),
}

/// Asks a camera for things, one at a time, and says in passing what came of it.
#[derive(Clone, PartialEq)]
pub struct Asking {
    /// What it is asked for now.
    pub busy: Option<Wish>,
    /// Asks for something.
    pub ask: Callback<Wish>,
}

/// Of that camera of that vehicle.
#[hook]
pub fn use_asking(vin: Vin, camera: &CameraEntry) -> Asking {
    let phrases = use_phrases();
    let words = phrases.video;
    let (toasts, live, ended) = (use_toasts(), use_live(), use_account().ended);
    let stage = use_state_eq(|| Stage::Nothing);
    let given = match *stage {
        Stage::Given(wish, id) => Some((wish, id)),
        Stage::Nothing | Stage::Sending(_) => None,
    };
    let path = given.map(|(_, id)| format!("/vehicles/{vin}/commands/{id}"));
    let found = use_fresh::<CommandEntry>(path, Some(vin), &[News::Command]);
    let late = use_state_eq(|| None::<CommandId>);
    {
        let late = late.setter();
        use_effect_with(given, move |given| {
            let timeout = given.map(|(_, id)| Timeout::new(LATE_MS, move || late.set(Some(id))));
            move || drop(timeout)
        });
    }
    {
        let reload = found.reload.clone();
        use_effect_with(*late, move |late| {
            if late.is_some() {
                reload.emit(());
            }
        });
    }
    let outcome = given.and_then(|(wish, id)| match &found.is {
        Fetched::Ready(entry) if entry.id == id && entry.state.is_end() => {
            Some((wish, entry.state, entry.detail.clone()))
        }
        Fetched::Failed(refusal) => Some((wish, CommandProgress::Failed, trouble(phrases, refusal))),
        Fetched::Ready(_) | Fetched::Loading => None,
    });
    {
        let (stage, toasts) = (stage.setter(), toasts.clone());
        use_effect_with(outcome, move |outcome| {
            let Some((wish, state, detail)) = outcome else { return };
            stage.set(Stage::Nothing);
            let why = detail.as_deref().unwrap_or(words.unheard);
            match (wish, state) {
                (Wish::Photo, CommandProgress::Done) => toasts.say(words.photo_taken),
                (Wish::Film, CommandProgress::Done) => toasts.say(words.saving),
                (Wish::Photo, _) => toasts.say((words.no_photo)(why)),
                (Wish::Film, _) => toasts.say((words.not_saved)(why)),
            }
        });
    }
    let busy = match *stage {
        Stage::Nothing => None,
        Stage::Sending(wish) | Stage::Given(wish, _) => Some(wish),
    };
    let ask = {
        let (camera, is_reached) = (camera.id.clone(), camera.reached);
        let (stage, fleet) = (stage.setter(), live.fleet.clone());
        Callback::from(move |wish: Wish| {
            if busy.is_some() {
                return;
            }
            // By the server's clock, now: the vehicle hears of it seconds later.
            let at = fleet.borrow().server().map(|_| fleet.borrow().now(frame_ms()));
            let (stage, toasts, ended, camera) = (stage.clone(), toasts.clone(), ended.clone(), camera.clone());
            stage.set(Stage::Sending(wish));
            spawn_local(async move {
                let refused = if is_reached {
                    let what = if wish == Wish::Photo { "photo" } else { "clip" };
                    let kept = api::post::<KeptMedia>(&format!("/vehicles/{vin}/cameras/{camera}/{what}"), &()).await;
                    stage.set(Stage::Nothing);
                    if kept.is_ok() {
                        toasts.say(if wish == Wish::Photo { words.photo_kept } else { words.kept });
                    }
                    kept.err()
                } else {
                    let command = command(wish, camera.to_string(), at);
                    let given = api::post::<CommandEntry>(&format!("/vehicles/{vin}/commands"), &command).await;
                    stage.set(if given.is_ok() { Stage::Given(wish, command.id) } else { Stage::Nothing });
                    given.err()
                };
                match refused {
                    None => {}
                    Some(Refusal::Unauthorised(_)) => ended.emit(()),
                    Some(refusal) => {
                        let why = trouble(phrases, &refusal).unwrap_or_default();
                        let say = if wish == Wish::Photo { words.no_photo } else { words.not_saved };
                        toasts.say(say(&why));
                    }
                }
            });
        })
    };
    Asking { busy, ask }
}

fn command(wish: Wish, camera: String, at: Option<i64>) -> NewCommand {
    let (name, numbers) = match wish {
        Wish::Photo => ("photo", Vec::new()),
        Wish::Film => {
            let seconds = [("before_s", BEFORE_S), ("after_s", AFTER_S)];
            ("clip", seconds.into_iter().chain(at.map(|at| ("at", at))).collect())
        }
    };
    let numbers = numbers.into_iter().map(|(name, value)| (name.to_owned(), Argument::Integer(value)));
    NewCommand {
        id: CommandId(Uuid::new_v4()),
        name: name.to_owned(),
        arguments: numbers.chain([("camera".to_owned(), Argument::Text(camera))]).collect(),
        expires_in_s: Some(EXPIRES_S),
    }
}

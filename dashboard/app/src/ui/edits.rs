//! Edits that wait for the network are made when it is back.

use gloo_net::http::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use yew::{platform::spawn_local, prelude::*};

use super::{
    api::{self, Refusal},
    browser,
    feed::{Link, use_live},
    kit::use_toasts,
    offline::wall_ms,
    settings::use_phrases,
};
use crate::later::{Edit, Later};

/// Under what they are remembered.
pub const WAITING: &str = "edits";

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// The server has it.
    Now,
    /// It waits for the network.
    Later,
}

fn waiting() -> Later {
    Later::recall(browser::remembered(WAITING).as_deref(), wall_ms() as f64)
}

/// Makes an edit that is safe to make later and to make twice; without a network it waits.
pub async fn make(method: Method, path: &str, body: &impl Serialize) -> Result<Made, Refusal> {
    match api::act(method.clone(), path, body).await {
        Err(Refusal::Unreachable) => {}
        answer => return answer.map(|()| Made::Now),
    }
    let Ok(body) = serde_json::to_string(body) else { return Err(Refusal::Unreachable) };
    let mut later = waiting();
    let made = wall_ms() as f64;
    if !later.keep(Edit { method: method.to_string(), path: path.to_owned(), body, made }) {
        return Err(Refusal::Unreachable);
    }
    browser::remember(WAITING, &later.text());
    Ok(Made::Later)
}

/// Makes what waits whenever there is a network again.
#[hook]
pub fn use_waiting_edits() {
    let phrases = use_phrases();
    let toasts = use_toasts();
    let link = use_live().link;
    use_effect_with(link, move |link| {
        if *link != Link::Live || waiting().is_empty() {
            return;
        }
        spawn_local(async move {
            let (mut made, mut refused) = (0, 0);
            while let Some(edit) = waiting().next().cloned() {
                let method = Method::try_from(edit.method.as_str()).unwrap_or(Method::PUT);
                let body = RawValue::from_string(edit.body).ok();
                match api::act(method, &edit.path, &body).await {
                    Err(Refusal::Unreachable | Refusal::Unauthorised(_)) => break,
                    Ok(()) => made += 1,
                    Err(_) => refused += 1,
                }
                // Read again: another tab may have added to it.
                let mut later = waiting();
                later.done();
                browser::remember(WAITING, &later.text());
            }
            if made + refused > 0 {
                toasts.say((phrases.edits_made)(made, refused));
            }
        });
    });
}

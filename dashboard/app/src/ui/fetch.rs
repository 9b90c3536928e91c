//! What a page shows of the server: asked for once, again when it has changed, and kept while it is asked for again.

use std::rc::Rc;

use serde::de::DeserializeOwned;
use yew::{platform::spawn_local, prelude::*};

use super::{
    account::use_account,
    api::{self, Refusal},
};

/// How far it has come.
#[derive(Debug, PartialEq)]
pub enum Fetched<T> {
    /// Nothing has come yet.
    Loading,
    /// It is here. It stays while it is asked for again.
    Ready(Rc<T>),
    /// It could not be had.
    Failed(Refusal),
}

impl<T> Clone for Fetched<T> {
    fn clone(&self) -> Self {
        match self {
            Fetched::Loading => Fetched::Loading,
            Fetched::Ready(value) => Fetched::Ready(Rc::clone(value)),
            Fetched::Failed(refusal) => Fetched::Failed(refusal.clone()),
        }
    }
}

impl<T> Fetched<T> {
    /// What has come.
    pub fn ready(&self) -> Option<&Rc<T>> {
        match self {
            Fetched::Ready(value) => Some(value),
            _ => None,
        }
    }
}

/// What came, and how to ask again.
#[derive(Clone)]
pub struct Fetch<T> {
    /// How far it has come.
    pub is: Fetched<T>,
    /// Asks again; what is there stays until the answer comes.
    pub reload: Callback<()>,
}

/// What is at an address below `/api/frontend`; without one nothing is asked for. Another address asks anew, and an answer to
/// an address that is not wanted any more is dropped.
#[hook]
pub fn use_fetch<T: DeserializeOwned + PartialEq + 'static>(path: Option<String>) -> Fetch<T> {
    use_fetch_at(path.map(|path| format!("/api/frontend{path}")))
}

/// What is at an address of the server, see [`use_fetch`].
#[hook]
pub fn use_fetch_at<T: DeserializeOwned + PartialEq + 'static>(path: Option<String>) -> Fetch<T> {
    let state = use_state(|| (None::<String>, Fetched::Loading));
    let turn = use_state(|| 0_u32);
    let ended = use_account().ended;
    {
        let setter = state.setter();
        use_effect_with((path.clone(), *turn), move |(path, _)| {
            let wanted = Rc::new(std::cell::Cell::new(true));
            if let Some(path) = path.clone() {
                let wanted = Rc::clone(&wanted);
                spawn_local(async move {
                    let answer = api::get_at::<T>(&path).await;
                    if !wanted.get() {
                        return;
                    }
                    if matches!(answer, Err(Refusal::Unauthorised(_))) {
                        return ended.emit(());
                    }
                    let fetched = match answer {
                        Ok(value) => Fetched::Ready(Rc::new(value)),
                        Err(refusal) => Fetched::Failed(refusal),
                    };
                    setter.set((Some(path), fetched));
                });
            }
            move || wanted.set(false)
        });
    }
    // An answer to another address is none to this one.
    let is = if state.0 == path { state.1.clone() } else { Fetched::Loading };
    let reload = Callback::from(move |()| turn.set(turn.wrapping_add(1)));
    Fetch { is, reload }
}

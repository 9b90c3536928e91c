//! A user, and what an administrator can do about it.

use bugbrother_wire::api::{InvitationLink, UserSummary};
use gloo_net::http::Method;
use yew::prelude::*;

use super::{
    badges,
    form::{Change, Clients},
    link::Link,
};
use crate::ui::{
    api, day,
    kit::{Sheet, use_toasts},
    saving::use_saving,
    settings::use_phrases,
};

/// Properties of [`Detail`].
#[derive(Properties, PartialEq)]
pub struct DetailProps {
    /// The user.
    pub user: UserSummary,
    /// Whether it is who looks.
    pub is_me: bool,
    /// The clients that there are.
    pub choices: Clients,
    /// Closes it.
    pub close: Callback<()>,
    /// The user is another, or gone.
    pub changed: Callback<()>,
}

/// A user at the side of the list.
#[component]
pub fn Detail(props: &DetailProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let toasts = use_toasts();
    let saving = use_saving();
    let link = use_state(|| None::<InvitationLink>);
    let user = &props.user;
    let path = format!("/users/{}", user.name);
    // Does something about the user and says so; what can be undone can be.
    let act = |method: Method, path: String, said: String, undo: Option<String>, leaves: bool| {
        let (saving, toasts) = (saving.clone(), toasts.clone());
        let (changed, close) = (props.changed.clone(), props.close.clone());
        Callback::from(move |_: MouseEvent| {
            let (method, path, said, undo) = (method.clone(), path.clone(), said.clone(), undo.clone());
            let (toasts, changed, close) = (toasts.clone(), changed.clone(), close.clone());
            let sends = async move { api::act(method, &path, &serde_json::json!({})).await };
            saving.run(sends, move |()| {
                match undo {
                    Some(undo) => {
                        let changed = changed.clone();
                        let undone = Callback::from(move |()| {
                            let (undo, changed) = (undo.clone(), changed.clone());
                            yew::platform::spawn_local(async move {
                                if api::act(Method::POST, &undo, &serde_json::json!({})).await.is_ok() {
                                    changed.emit(());
                                }
                            });
                        });
                        toasts.undo(said, undone);
                    }
                    None => toasts.say(said),
                }
                changed.emit(());
                if leaves {
                    close.emit(());
                }
            });
        })
    };
    let invite = {
        let (saving, link, path, changed) =
            (saving.clone(), link.setter(), format!("{path}/invitation"), props.changed.clone());
        Callback::from(move |_: MouseEvent| {
            let (path, link, changed) = (path.clone(), link.clone(), changed.clone());
            let sends = async move { api::post::<InvitationLink>(&path, &serde_json::json!({})).await };
            saving.run(sends, move |made| {
                link.set(Some(made));
                changed.emit(());
            });
        })
    };
    let (name, busy) = (user.name.as_str(), saving.busy());
    let (disable, enable) = (format!("{path}/disable"), format!("{path}/enable"));
    let actions = html! {
        <>
            if user.disabled.is_none() {
                <button class="secondary" onclick={invite} disabled={busy} data-testid="user-invite">{ words.invite }</button>
                <button class="secondary" onclick={act(Method::DELETE, format!("{path}/sessions"), (words.signed_out_everywhere)(name), None, false)} disabled={busy} data-testid="user-sign-out">{ words.sign_out_everywhere }</button>
            }
            if user.second_factor.is_some() {
                <button class="secondary" onclick={act(Method::DELETE, format!("{path}/second-factor"), words.second_factor_removed.to_owned(), None, false)} disabled={busy} data-testid="user-factor">{ words.remove_second_factor }</button>
            }
            if !props.is_me && user.disabled.is_none() {
                <button class="secondary grave" onclick={act(Method::POST, disable, (words.disabled_now)(name), Some(enable), false)} disabled={busy} data-testid="user-disable">{ words.disable }</button>
            } else if user.disabled.is_some() {
                <button class="secondary" onclick={act(Method::POST, enable, (words.enabled_now)(name), Some(disable), false)} disabled={busy} data-testid="user-enable">{ words.enable }</button>
                <button class="secondary grave" onclick={act(Method::DELETE, path.clone(), (words.deleted_now)(name), None, true)} disabled={busy} data-testid="user-delete">{ words.delete }</button>
                <p class="muted">{ words.delete_hint }</p>
            }
        </>
    };
    let title = if link.is_some() { words.invitation_ready.to_owned() } else { user.name.clone() };
    html! {
        <Sheet {title} close={props.close.clone()}>
            if let Some(link) = &*link {
                <Link link={link.clone()} done={props.close.clone()} />
            } else {
                <div class="chips">{ badges(phrases, user, day::now()) }</div>
                if user.asks.is_some() { <p class="notice">{ words.asks_hint }</p> }
                <Change user={user.clone()} choices={props.choices.clone()} changed={props.changed.clone()} />
                if let Some(trouble) = saving.trouble() { <p class="error" role="alert">{ trouble }</p> }
                <div class="stack">{ actions }</div>
            }
        </Sheet>
    }
}

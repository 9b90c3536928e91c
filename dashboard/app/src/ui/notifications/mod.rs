//! How people are told of alerts: one's own channels and hours, and for who runs the fleet its channels and what became of
//! every message.

mod channels;
mod fleet;
mod form;
mod hours;
mod log;
mod push;

use bugbrother_wire::api::OwnNotifications;
use yew::prelude::*;

use super::{
    fetch::{Fetched, use_fetch},
    kit::Refused,
    settings::use_phrases,
    table::Skeleton,
};
use channels::Channels;
pub use fleet::FleetNotificationsPage;

/// Where one's own are.
const OWN: &str = "/notifications";
/// Where the fleet's are.
const FLEET: &str = "/fleet-notifications";

/// One's own channels and hours, on the page of the account.
#[component]
pub fn OwnNotificationsBlock() -> Html {
    let words = use_phrases().notification;
    let fetch = use_fetch::<OwnNotifications>(Some(OWN.to_owned()));
    match &fetch.is {
        Fetched::Loading => html! { <section class="panel block"><Skeleton rows=4 /></section> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(own) => html! {
            <>
                <section class="panel block" data-testid="own-channels">
                    <h2>{ words.channels }</h2>
                    <p class="muted">{ words.channels_hint }</p>
                    <Channels base={OWN} channels={own.channels.clone()} reload={fetch.reload.clone()}>
                        if let Some(key) = own.push_key.clone() {
                            <push::ThisBrowser public={key} channels={own.channels.clone()} reload={fetch.reload.clone()} />
                        }
                    </Channels>
                </section>
                <hours::Hours attention={own.attention.clone()} reload={fetch.reload.clone()} />
            </>
        },
    }
}

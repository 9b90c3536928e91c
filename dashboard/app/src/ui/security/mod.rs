//! One's own account: what lets one in, where one is signed in, whom one lets in, and how one wants the app to be.

mod codes;
mod factor;
mod password;
mod sessions;
mod tokens;

pub use codes::Once;
use yew::prelude::*;

use super::{
    account::use_account, kit::Tabs, notifications::OwnNotificationsBlock, preferences::PreferencesPage,
    settings::use_phrases,
};

const SECURITY: &str = "security";
const PREFERENCES: &str = "preferences";
const NOTIFICATIONS: &str = "notifications";

/// The page of one's own account.
#[component]
pub fn AccountPage() -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    let account = use_account();
    let here = use_state_eq(|| SECURITY);
    let choose = {
        let here = here.clone();
        Callback::from(move |word| here.set(word))
    };
    let called = account.session.display_name.as_ref();
    html! {
        <section class="page people scroll" data-testid="account-page">
            <header class="person">
                <h1>{ called.unwrap_or(&account.session.name) }</h1>
                if called.is_some() { <span class="muted">{ &account.session.name }</span> }
            </header>
            <Tabs label={words.account} here={*here} {choose}
                tabs={vec![
                    (SECURITY, AttrValue::from(words.security)),
                    (NOTIFICATIONS, phrases.notification.notifications.into()),
                    (PREFERENCES, words.preferences.into()),
                ]} />
            if *here == PREFERENCES {
                <section class="panel block"><PreferencesPage /></section>
            } else if *here == NOTIFICATIONS {
                <OwnNotificationsBlock />
            } else {
                <password::PasswordBlock />
                <factor::FactorBlock />
                <sessions::SessionsBlock />
                <tokens::TokensBlock />
            }
        </section>
    }
}

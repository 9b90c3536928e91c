//! The top: settings, and the way in.

use bugbrother_wire::api::Session;
use yew::{platform::spawn_local, prelude::*};
use yew_router::prelude::*;

use super::{
    account::Account,
    api::{self, Refusal},
    elsewhere,
    feed::{Live, use_feed},
    kit::{Toasts, Tray, use_new_toasts},
    offline,
    settings::{Settings, use_new_settings},
    shell::Shell,
    sign_in::{InvitationPage, SignInPage, invited},
};

#[derive(Clone, PartialEq)]
enum Gate {
    /// Nobody knows yet.
    Asking,
    /// Somebody has to sign in; whether a session has just ended.
    SignedOut {
        ended: bool,
    },
    SignedIn(Session),
}

/// The app.
#[component]
pub fn App() -> Html {
    let settings = use_new_settings();
    let gate = use_state(|| Gate::Asking);
    let invitation = use_state(invited);
    {
        let gate = gate.setter();
        use_effect_with((), move |()| {
            spawn_local(async move {
                let session = match elsewhere::arrive().await {
                    Some(session) => session,
                    None => api::session().await,
                };
                gate.set(match (session, offline::remembered_session()) {
                    (Ok(session), _) => Gate::SignedIn(session),
                    // Without a network one sees what was known last.
                    (Err(Refusal::Unreachable), Some(session)) => Gate::SignedIn(session),
                    (Err(refusal), _) => {
                        if refusal != Refusal::Unreachable {
                            offline::forget();
                        }
                        Gate::SignedOut { ended: false }
                    }
                });
            });
        });
    }
    let enter = gate_callback(&gate, Gate::SignedIn);
    let ended = gate_callback(&gate, |()| {
        offline::forget();
        Gate::SignedOut { ended: true }
    });
    let sign_out = {
        let gate = gate.setter();
        Callback::from(move |()| {
            let gate = gate.clone();
            spawn_local(async move {
                // A session that the server no longer knows is as good as ended.
                if matches!(api::sign_out().await, Ok(()) | Err(Refusal::Unauthorised(_))) {
                    offline::forget();
                    gate.set(Gate::SignedOut { ended: false });
                }
            });
        })
    };
    let accepted = {
        let (gate, invitation) = (gate.setter(), invitation.setter());
        Callback::from(move |session: Option<Session>| {
            // Whoever was signed in here before, it was perhaps another.
            gate.set(session.map_or(Gate::SignedOut { ended: false }, Gate::SignedIn));
            invitation.set(None);
        })
    };
    if let Some(token) = &*invitation {
        return html! {
            <ContextProvider<Settings> context={settings}><InvitationPage token={token.clone()} done={accepted} /></ContextProvider<Settings>>
        };
    }
    let page = match &*gate {
        // An empty page for the moment that the answer takes: a skeleton would flash.
        Gate::Asking => html! { <main class="asking" aria-busy="true" /> },
        Gate::SignedOut { ended } => html! { <SignInPage {enter} ended={*ended} /> },
        Gate::SignedIn(session) => {
            offline::remember_session(session);
            let account = Account { session: session.clone(), sign_out, ended };
            html! {
                <ContextProvider<Account> context={account}>
                    <SignedIn />
                </ContextProvider<Account>>
            }
        }
    };
    html! { <ContextProvider<Settings> context={settings}>{ page }</ContextProvider<Settings>> }
}

fn gate_callback<T: 'static>(gate: &UseStateHandle<Gate>, make: impl Fn(T) -> Gate + 'static) -> Callback<T> {
    let gate = gate.setter();
    Callback::from(move |value| gate.set(make(value)))
}

#[component]
fn SignedIn() -> Html {
    let live = use_feed();
    let toasts = use_new_toasts();
    html! {
        <ContextProvider<Live> context={live}>
            <ContextProvider<Toasts> context={toasts}>
                <BrowserRouter><Shell /></BrowserRouter>
                <Tray />
            </ContextProvider<Toasts>>
        </ContextProvider<Live>>
    }
}

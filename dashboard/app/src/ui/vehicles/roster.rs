//! What the list shows that vehicles do not tell themselves.

use std::{collections::HashMap, rc::Rc};

use bugbrother_wire::{
    ClientId, Vin,
    api::{NamedClient, Roster, RosterLine},
};
use yew::{platform::spawn_local, prelude::*};

use crate::ui::{account::use_account, api, api::Refusal};

/// Vehicles of all pages.
#[derive(Debug, Default, PartialEq)]
pub struct Whole {
    lines: HashMap<Vin, RosterLine>,
    clients: HashMap<ClientId, String>,
    /// Whether anything has come.
    pub loaded: bool,
}

impl Whole {
    /// What is known of a vehicle.
    pub fn line(&self, vin: Vin) -> Option<&RosterLine> {
        self.lines.get(&vin)
    }

    /// What a vehicle's client is called.
    pub fn client(&self, vin: Vin) -> Option<&str> {
        let client = self.lines.get(&vin)?.client?;
        self.clients.get(&client).map(String::as_str)
    }

    /// Clients by name.
    pub fn clients(&self) -> Vec<NamedClient> {
        let mut all: Vec<_> =
            self.clients.iter().map(|(id, name)| NamedClient { id: *id, name: name.clone() }).collect();
        all.sort_by_cached_key(|client| client.name.to_lowercase());
        all
    }

    /// Classes by name.
    pub fn classes(&self) -> Vec<String> {
        let mut all: Vec<String> = self.lines.values().filter_map(|line| line.class.clone()).collect();
        all.sort_by_cached_key(|class| class.to_lowercase());
        all.dedup();
        all
    }
}

/// The roster, page by page, and how to ask for it again.
#[hook]
pub fn use_roster() -> (Rc<Whole>, Callback<()>) {
    let whole = use_state(|| Rc::new(Whole::default()));
    let turn = use_state(|| 0_u32);
    let ended = use_account().ended;
    {
        let whole = whole.setter();
        use_effect_with(*turn, move |_| {
            spawn_local(async move {
                let mut found = Whole { loaded: true, ..Whole::default() };
                let mut path = "/roster?limit=5000".to_owned();
                loop {
                    match api::get::<Roster>(&path).await {
                        Ok(page) => {
                            found.lines.extend(page.vehicles.into_iter().map(|line| (line.vin, line)));
                            found.clients.extend(page.clients.into_iter().map(|client| (client.id, client.name)));
                            let Some(next) = page.next else { break };
                            path = format!("/roster?limit=5000&after={next}");
                        }
                        Err(Refusal::Unauthorised(_)) => return ended.emit(()),
                        // The list is of use without it.
                        Err(_) => break,
                    }
                }
                whole.set(Rc::new(found));
            });
        });
    }
    let reload = Callback::from(move |()| turn.set(turn.wrapping_add(1)));
    ((*whole).clone(), reload)
}

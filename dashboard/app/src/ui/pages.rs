//! The pages that the side bar leads to, who sees them, and their keys.

use bugbrother_wire::api::Right;

use super::{icon::Icon, route::Route};
use crate::phrases::Phrases;

/// A page in the side bar.
pub struct Page {
    /// Where it is.
    pub route: Route,
    /// How it is drawn.
    pub icon: Icon,
    /// What it is called.
    pub name: fn(&Phrases) -> &'static str,
    /// Who may see it: whoever has this right; without one everybody.
    pub needs: Option<Right>,
    /// The key after `g` that leads there.
    pub key: &'static str,
    /// Whether it has a place in the bar of a phone.
    pub on_phone: bool,
}

/// In their order.
pub const PAGES: &[Page] = &[
    Page {
        route: Route::Overview,
        icon: Icon::Overview,
        name: |phrases| phrases.business.overview,
        needs: Some(Right::Watch),
        key: "o",
        on_phone: true,
    },
    Page {
        route: Route::Map,
        icon: Icon::Map,
        name: |phrases| phrases.map,
        needs: Some(Right::Watch),
        key: "m",
        on_phone: true,
    },
    Page {
        route: Route::Vehicles,
        icon: Icon::Car,
        name: |phrases| phrases.vehicles,
        needs: Some(Right::Watch),
        key: "v",
        on_phone: true,
    },
    Page {
        route: Route::Alerts,
        icon: Icon::Bell,
        name: |phrases| phrases.alerts,
        needs: Some(Right::Watch),
        key: "a",
        on_phone: true,
    },
    Page {
        route: Route::Statistics,
        icon: Icon::Bars,
        name: |phrases| phrases.business.statistics,
        needs: Some(Right::Watch),
        key: "t",
        on_phone: false,
    },
    Page {
        route: Route::Wall,
        icon: Icon::Film,
        name: |phrases| phrases.running.wall,
        needs: Some(Right::Watch),
        key: "w",
        on_phone: false,
    },
    Page {
        route: Route::Geofences,
        icon: Icon::Fence,
        name: |phrases| phrases.geofence_page.geofences,
        needs: Some(Right::Watch),
        key: "f",
        on_phone: false,
    },
    Page {
        route: Route::Rules,
        icon: Icon::Rule,
        name: |phrases| phrases.rule_page.rules,
        needs: Some(Right::HandleAlerts),
        key: "r",
        on_phone: false,
    },
    Page {
        route: Route::Clients,
        icon: Icon::Clients,
        name: |phrases| phrases.business.clients,
        needs: Some(Right::Clients),
        key: "c",
        on_phone: false,
    },
    Page {
        route: Route::Contracts,
        icon: Icon::Contract,
        name: |phrases| phrases.business.contracts,
        needs: Some(Right::Clients),
        key: "k",
        on_phone: false,
    },
    Page {
        route: Route::Users,
        icon: Icon::Card,
        name: |phrases| phrases.people.users,
        needs: Some(Right::Users),
        key: "u",
        on_phone: false,
    },
    Page {
        route: Route::Audit,
        icon: Icon::Book,
        name: |phrases| phrases.people.audit,
        needs: Some(Right::Audit),
        key: "l",
        on_phone: false,
    },
    Page {
        route: Route::Settings,
        icon: Icon::Sliders,
        name: |phrases| phrases.running.settings,
        needs: Some(Right::Settings),
        key: "s",
        on_phone: false,
    },
    Page {
        route: Route::Notifications,
        icon: Icon::Letter,
        name: |phrases| phrases.notification.notifications,
        needs: Some(Right::Settings),
        key: "n",
        on_phone: false,
    },
    Page {
        route: Route::System,
        icon: Icon::Pulse,
        name: |phrases| phrases.running.system,
        needs: Some(Right::Settings),
        key: "y",
        on_phone: false,
    },
    Page {
        route: Route::Developers,
        icon: Icon::Code,
        name: |phrases| phrases.running.developers,
        needs: None,
        key: "d",
        on_phone: false,
    },
];

/// What a page is called.
pub fn title(route: Route, phrases: &Phrases) -> &'static str {
    if let Route::Vehicle { .. } = route {
        return phrases.vehicle;
    }
    if route == Route::Account {
        return phrases.people.account;
    }
    // A single thing is called as the list that it is from.
    let route = match route {
        Route::Client { .. } => Route::Clients,
        Route::Contract { .. } => Route::Contracts,
        route => route,
    };
    let page = PAGES.iter().find(|page| page.route == route);
    page.map_or(phrases.not_found, |page| (page.name)(phrases))
}

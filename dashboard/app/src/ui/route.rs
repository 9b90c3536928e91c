//! Pages.

use bugbrother_wire::Vin;
use bugbrother_wire::{ClientId, ContractId};
use yew_router::prelude::*;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Routable)]
pub enum Route {
    /// The fleet on a map.
    #[at("/")]
    Map,
    /// The fleet at a glance.
    #[at("/overview")]
    Overview,
    /// The fleet as a table.
    #[at("/vehicles")]
    Vehicles,
    /// A vehicle.
    #[at("/vehicles/:vin")]
    Vehicle {
        /// Which.
        vin: Vin,
    },
    /// Alerts.
    #[at("/alerts")]
    Alerts,
    /// What trips amount to.
    #[at("/statistics")]
    Statistics,
    /// Whom the fleet serves.
    #[at("/clients")]
    Clients,
    /// A client.
    #[at("/clients/:id")]
    Client { id: ClientId },
    /// On what terms.
    #[at("/contracts")]
    Contracts,
    /// A contract.
    #[at("/contracts/:id")]
    Contract { id: ContractId },
    /// What cameras see.
    #[at("/wall")]
    Wall,
    /// How the fleet is run.
    #[at("/settings")]
    Settings,
    /// How people are told of alerts.
    #[at("/notifications")]
    Notifications,
    /// How the system is.
    #[at("/system")]
    System,
    /// The interface for programs.
    #[at("/developers")]
    Developers,
    /// Rules by which alerts are raised.
    #[at("/rules")]
    Rules,
    /// Areas that are watched.
    #[at("/geofences")]
    Geofences,
    /// Who may sign in.
    #[at("/users")]
    Users,
    /// Who did what.
    #[at("/audit")]
    Audit,
    /// The own account.
    #[at("/account")]
    Account,
    /// No page.
    #[not_found]
    #[at("/404")]
    Lost,
}

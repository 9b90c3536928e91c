//! Pages.

use yew_router::prelude::*;

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Routable)]
pub enum Route {
    /// The fleet on a map.
    #[at("/")]
    Map,
    /// The fleet as a table.
    #[at("/vehicles")]
    Vehicles,
    /// Open alerts.
    #[at("/alerts")]
    Alerts,
    /// How the fleet is run.
    #[at("/settings")]
    Settings,
    /// How the system is.
    #[at("/system")]
    System,
    /// The interface for programs.
    #[at("/developers")]
    Developers,
    /// No page.
    #[not_found]
    #[at("/404")]
    Lost,
}

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
    /// No page.
    #[not_found]
    #[at("/404")]
    Lost,
}

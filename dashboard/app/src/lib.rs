//! The web app: the fleet on a map, live.
//!
//! # Layout
//! - [`fleet`]: the fleet as the live feed tells it, tracks between fixes, filters
//! - [`geo`]: web mercator, the base map's lines and names
//! - [`cluster`]: markers that stand for many vehicles
//! - [`phrases`]: every phrase of the app in every language; [`format`]: numbers and ages
//! - [`address`]: what of the map's state lives in the URL
//! - [`groups`]: signals as people look for them
//! - [`later`]: edits that wait for the network; [`palette`]: what somebody means by a few letters
//! - [`servers`]: which of the fleet's dashboards to be at
//! - [`tiles`]: what charts show of signals; [`replay`]: a drive that is seen again
//! - [`rule`]: rules as they are typed, as sentences, and to begin with
//! - [`password`]: what one that is chosen must be like
//! - [`units`]: kilometres or miles, as a person wants them
//! - [`theme`]: dark, light, or as the system is
//! - `ui` (in a browser only): Yew components, the map's surface, the live feed's socket
//!
//! # Invariants
//! - Everything apart from `ui` is pure and runs in native tests.
//! - The fleet is not in Yew's state: the animation frame and the lists read it, at their own pace.
//! - Nothing is fetched from a third party, and no style or script is inline: the server's policy forbids both.

pub mod address;
pub mod cluster;
pub mod fleet;
pub mod format;
pub mod geo;
pub mod groups;
pub mod later;
pub mod palette;
pub mod password;
pub mod phrases;
pub mod replay;
pub mod rule;
pub mod servers;
pub mod theme;
pub mod tiles;
#[cfg(target_arch = "wasm32")]
mod ui;
pub mod units;

#[cfg(target_arch = "wasm32")]
pub use ui::start;

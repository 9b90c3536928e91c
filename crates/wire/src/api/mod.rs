//! Bodies of the dashboard's HTTP API, as JSON: a file for each room of it.
//!
//! With the feature `schema` each describes itself as a JSON Schema, from which the server makes its OpenAPI document.

mod alert;
mod client;
mod command;
mod contract;
mod diagnostics;
mod geofence;
mod health;
mod history;
mod maintenance;
mod map;
mod notification;
mod people;
mod preferences;
mod problem;
mod roster;
mod rule;
mod session;
mod statistics;
mod system;
mod trip;
mod vehicle;
mod video;
mod view;

pub use alert::*;
pub use client::*;
pub use command::*;
pub use contract::*;
pub use diagnostics::*;
pub use geofence::*;
pub use health::*;
pub use history::*;
pub use maintenance::*;
pub use map::*;
pub use notification::*;
pub use people::*;
pub use preferences::*;
pub use problem::*;
pub use roster::*;
pub use rule::*;
pub use session::*;
pub use statistics::*;
pub use system::*;
pub use trip::*;
pub use vehicle::*;
pub use video::*;
pub use view::*;

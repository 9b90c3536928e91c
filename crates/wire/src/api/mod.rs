//! Bodies of the dashboard's HTTP API, as JSON: a file for each room of it.
//!
//! With the feature `schema` each describes itself as a JSON Schema, from which the server makes its OpenAPI document.

mod alert;
mod command;
mod diagnostics;
mod geofence;
mod health;
mod history;
mod problem;
mod rule;
mod session;
mod system;
mod trip;
mod vehicle;

pub use alert::*;
pub use command::*;
pub use diagnostics::*;
pub use geofence::*;
pub use health::*;
pub use history::*;
pub use problem::*;
pub use rule::*;
pub use session::*;
pub use system::*;
pub use trip::*;
pub use vehicle::*;

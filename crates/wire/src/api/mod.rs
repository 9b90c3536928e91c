//! Bodies of the dashboard's HTTP API, as JSON: a file for each room of it.
//!
//! With the feature `schema` each describes itself as a JSON Schema, from which the server makes its OpenAPI document.

mod alert;
mod health;
mod history;
mod people;
mod preferences;
mod problem;
mod session;
mod trip;
mod vehicle;

pub use alert::*;
pub use health::*;
pub use history::*;
pub use people::*;
pub use preferences::*;
pub use problem::*;
pub use session::*;
pub use trip::*;
pub use vehicle::*;

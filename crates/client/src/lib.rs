//! An MQTT session on rumqttc for BugBrother's services and vehicles: it connects, backs off, subscribes again, hands
//! over what arrives to be acknowledged by hand, and tells of each publish when the broker has it.
//!
//! # Layout
//! - [`Options`]: to whom and as whom
//! - [`connect`]: begins a session; [`Publisher`] and [`Events`] are its two ends
//! - `link`: publishes that wait for their PUBACK, of one connection
//! - `backoff`: when to try again
//!
//! # Invariants
//! - Every connection has an rumqttc client and event loop of its own. Nothing is carried over to the next one: rumqttc
//!   forgets what was pending when a session is new, so it is never trusted with anything (the vehicle's outbox is).
//! - An acknowledgement goes to the connection that its message came on, or nowhere.
//! - At most [`Options::window`] publishes are under way, far below rumqttc's own limit, whose packet ids would collide.

mod backoff;
mod link;
mod options;
mod session;

pub use link::{ConnectionLost, NotConnected, Publisher, Receipt};
pub use options::{Options, Qos, Will};
pub use session::{Delivery, Event, Events, connect};

//! An MQTT 5.0 session on rumqttc for BugBrother's services and vehicles: it connects, backs off, subscribes again, hands
//! over what arrives to be acknowledged by hand, and tells of each publish when the broker has it.
//!
//! # Layout
//! - [`Options`]: to whom and as whom; [`Tls`]: secured by what
//! - [`connect`]: begins a session; [`Publisher`] and [`Events`] are its two ends, [`Delivery`] is what arrives
//! - `connection`: one connection, from CONNECT to its end; `ear`: who is told of it
//! - `link`: publishes that wait for their PUBACK, of one connection
//! - [`Traffic`]: bytes over the network; [`Standing`]: whether the session is up
//! - [`Backoff`]: when to try again; [`Ahead`]: how much may wait for its acknowledgement; `reason`: errors in words
//! - [`try_sign_in`]: one attempt, for those who look for what is wrong
//!
//! # Invariants
//! - Every connection has an rumqttc client and event loop of its own. Nothing is carried over to the next one: rumqttc
//!   forgets what was pending when a session is new, so it is never trusted with anything (the vehicle's outbox is).
//! - An acknowledgement goes to the connection that its message came on, or nowhere.
//! - At most [`Options::window`] publishes are under way, the oldest that is not acknowledged among them, fewer than rumqttc
//!   has packet ids.
//! - Nothing is given to rumqttc that it would drop the connection over: what is too large, or what the broker does not know.
//! - Every step has a deadline: name, TCP, TLS and CONNACK together, and each event after that.

mod ahead;
mod backoff;
mod connection;
mod delivery;
mod ear;
mod link;
mod options;
mod reason;
mod session;
mod standing;
mod tls;
mod traffic;
mod trial;

pub use ahead::Ahead;
pub use backoff::Backoff;
pub use delivery::Delivery;
pub use link::{PublishError, Publisher, Receipt};
pub use options::{Options, Peer, Qos, Will, WillPayload};
pub use session::{Event, Events, connect};
pub use standing::Standing;
pub use tls::{Tls, TlsError};
pub use traffic::Traffic;
pub use trial::{Fault, Refusal, try_sign_in};

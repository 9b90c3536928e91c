//! MQTT clients that hide nothing.
//!
//! - [`Client`]: publishes and subscribes, and shows every code that the broker answers
//! - [`peer`]: sends any bytes and acknowledges what and when the test wants; every packet is there to be looked at
//! - [`packet`]: packets as bytes, and read strictly; [`property`]: what 5.0 adds to them

mod client;
pub mod packet;
pub mod peer;
pub mod property;

pub use client::{Client, Connect, Message, Socket, VERSIONS};

//! Clients that others have written, on both brokers: publish, subscribe, retained, will, wildcards, a large payload,
//! a wrong password.
//!
//! # Layout
//! - `lab`: a broker with the accounts `one` to `four`
//! - `mosquitto`: Debian's mosquitto_pub, mosquitto_sub and mosquitto_rr
//! - `scripts`: Eclipse Paho for Python over TCP, `mqtt` of npm over WebSocket
//! - `restart`: the same two while the embedded broker is killed: QoS 2, sessions that stay, shared subscriptions

mod lab;
mod mosquitto;
mod restart;
mod scripts;

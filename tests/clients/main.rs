//! Clients that others have written, on both brokers: publish, subscribe, retained, will, wildcards, a large payload,
//! a wrong password.
//!
//! # Layout
//! - `lab`: a broker with the two accounts `one` and `two`
//! - `mosquitto`: Debian's mosquitto_pub, mosquitto_sub and mosquitto_rr
//! - `scripts`: Eclipse Paho for Python over TCP, `mqtt` of npm over WebSocket

mod lab;
mod mosquitto;
mod scripts;

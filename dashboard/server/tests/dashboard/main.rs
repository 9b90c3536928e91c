//! The dashboard's server as its users meet it: over HTTP, over its WebSocket and over MQTT.

mod enrolment;
mod guide;
mod live;
mod pipeline;
mod requests;
mod rig;
mod sign_in;
mod tokens;
mod viewer;

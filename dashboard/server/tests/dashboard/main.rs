//! The dashboard's server as its users meet it: over HTTP, over its WebSocket and over MQTT.

mod api_tokens;
mod clients;
mod doings;
mod drive;
mod enrolment;
mod export;
mod guide;
mod herald;
mod history;
mod live;
mod media;
mod notifications;
mod office;
mod pipeline;
mod requests;
mod rig;
mod rights;
mod roster;
mod rubbish;
mod second_factor;
mod sessions;
mod sign_in;
mod statistics;
mod tokens;
mod users;
mod viewer;

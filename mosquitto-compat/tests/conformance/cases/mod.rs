//! What is tried, by the parts of the specification.
//!
//! - `connect`, `account`, `identifier`: CONNECT and its answer; `will`; `session`
//! - `publish`, `retain`, `delivery`, `once`, `queue`: messages, and how they travel at each QoS
//! - `subscribe`, `unsubscribe`, `topics`, `shared`: subscriptions, and what they match
//! - `property`, `alias`, `flow`, `size`: what 5.0 adds
//! - `malformed`, `text`, `farewell`, `websocket`: bytes, and what ends a connection

mod account;
mod alias;
mod connect;
mod delivery;
mod farewell;
mod flow;
mod identifier;
mod malformed;
mod once;
mod property;
mod publish;
mod queue;
mod retain;
mod session;
mod shared;
mod size;
mod subscribe;
mod text;
mod topics;
mod unsubscribe;
mod websocket;
mod will;

use crate::case::Case;

/// All of them.
pub fn all() -> Vec<&'static Case> {
    let files = [
        account::CASES,
        alias::CASES,
        connect::CASES,
        delivery::CASES,
        farewell::CASES,
        flow::CASES,
        identifier::CASES,
        malformed::CASES,
        once::CASES,
        property::CASES,
        publish::CASES,
        queue::CASES,
        retain::CASES,
        session::CASES,
        shared::CASES,
        size::CASES,
        subscribe::CASES,
        text::CASES,
        topics::CASES,
        unsubscribe::CASES,
        websocket::CASES,
        will::CASES,
    ];
    files.into_iter().flatten().collect()
}

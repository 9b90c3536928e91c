//! What the tests share: a session's events with a limit, the embedded broker, certificates.
#![allow(dead_code, reason = "not every test needs every part")]

pub mod certificates;
pub mod embedded;

use std::time::Duration;

use anyhow::{Context, Result};
use bugbrother_client::{Delivery, Event, Events, Options, Qos};
use tokio::time::timeout;

pub const LIMIT: Duration = Duration::from_secs(60);

pub fn options(port: u16, name: &str, filters: &[&str]) -> Options {
    let mut options = Options::new("127.0.0.1", port, name, name, "secret");
    options.subscriptions = filters.iter().map(|filter| ((*filter).to_owned(), Qos::AtLeastOnce)).collect();
    options
}

pub async fn next(events: &mut Events) -> Result<Event> {
    timeout(LIMIT, events.recv()).await?.context("the session has ended")
}

pub async fn until_up(events: &mut Events) -> Result<()> {
    while !matches!(next(events).await?, Event::Up) {}
    Ok(())
}

/// Why it is down.
pub async fn until_down(events: &mut Events) -> Result<String> {
    loop {
        if let Event::Down { reason } = next(events).await? {
            return Ok(reason);
        }
    }
}

pub async fn next_message(events: &mut Events) -> Result<Delivery> {
    loop {
        if let Event::Message(delivery) = next(events).await? {
            return Ok(delivery);
        }
    }
}

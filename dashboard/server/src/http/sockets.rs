//! What all WebSockets have in common: pings that tell who is still there, a send with a deadline, and a farewell.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

/// Longest that somebody may take over saying goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why somebody cannot be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The connection has ended.
    Gone,
    /// It is there, and nothing goes through.
    Stuck,
}

/// Whether somebody is still there, whatever the connection looks like.
pub(super) struct Pulse {
    pings: Interval,
    heard: Instant,
    gone_after: Duration,
}

impl Pulse {
    /// Asks every `every`; who has said nothing for `gone_after` is gone.
    pub fn new(every: Duration, gone_after: Duration) -> Self {
        let mut pings = interval(every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Pulse { pings, heard: Instant::now(), gone_after }
    }

    /// Something was heard.
    pub fn hear(&mut self) {
        self.heard = Instant::now();
    }

    /// When it is time to ask: what to send, or that nothing was heard for too long. Cancel safe.
    pub async fn beat(&mut self) -> Result<Message, Lost> {
        self.pings.tick().await;
        if self.heard.elapsed() > self.gone_after { Err(Lost::Stuck) } else { Ok(Message::Ping(Bytes::new())) }
    }
}

/// Returns when the message is in the operating system's hands: a socket never holds a second one.
pub(super) async fn send(socket: &mut WebSocket, message: Message, patience: Duration) -> Result<(), Lost> {
    match timeout(patience, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Lost::Gone),
        Err(_) => Err(Lost::Stuck),
    }
}

/// Closes a socket and tells why.
pub(super) async fn say_goodbye(mut socket: WebSocket, code: u16, reason: &'static str) {
    let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    let farewell = async {
        if socket.send(close).await.is_ok() {
            // Closing with something unread would reset the connection, and the other side would not learn why.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Who does not answer is left all the same.
    drop(timeout(FAREWELL, farewell).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_asked_and_then_gone() {
        let (every, gone_after) = (Duration::from_secs(20), Duration::from_secs(60));
        let mut pulse = Pulse::new(every, gone_after);
        let began = Instant::now();
        for _ in 0..4 {
            assert!(matches!(pulse.beat().await, Ok(Message::Ping(_))));
        }
        pulse.hear();
        for _ in 0..3 {
            assert!(pulse.beat().await.is_ok());
        }
        assert_eq!(pulse.beat().await.unwrap_err(), Lost::Stuck);
        assert_eq!(began.elapsed(), every * 7, "the first ping is at once");
    }
}

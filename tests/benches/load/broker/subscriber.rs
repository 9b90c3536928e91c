//! Those who hear everything.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{PUBLISHERS, clock};
use crate::packet;

const READ_BYTES: usize = 256 * 1024;

/// What one of them has heard.
#[derive(Default)]
pub struct Heard {
    /// Messages, each counted once.
    pub messages: AtomicU64,
    /// Messages that came a second time.
    pub again: AtomicU64,
    /// Stamp of each message, and how long it was under way, in µs.
    pub delays: Mutex<Vec<(u64, u32)>>,
}

/// Hears and acknowledges until the connection ends.
pub async fn run(mut stream: TcpStream, heard: Arc<Heard>) -> Result<()> {
    let mut buffer = Vec::with_capacity(2 * READ_BYTES);
    let (mut acknowledgements, mut delays) = (Vec::new(), Vec::new());
    // The number that each publisher's next message has, if none is lost.
    let mut next = vec![0_u32; PUBLISHERS];
    loop {
        buffer.reserve(READ_BYTES);
        let count = stream.read_buf(&mut buffer).await?;
        ensure!(count > 0, "the broker has closed the connection of a subscriber");
        let now = clock::now_us();
        let (mut at, mut again) = (0, 0);
        while let Some((first, body, length)) = packet::take(&buffer[at..]) {
            at += length;
            if first >> 4 != 3 {
                continue;
            }
            let (payload, id) = packet::delivery(first, body)?;
            if let Some(id) = id {
                packet::puback(&mut acknowledgements, id);
            }
            let (stamp, rest) = payload.split_first_chunk::<8>().context("a stamp")?;
            let (publisher, rest) = rest.split_first_chunk::<4>().context("a publisher")?;
            let (number, _) = rest.split_first_chunk::<4>().context("a number")?;
            let next = next.get_mut(u32::from_be_bytes(*publisher) as usize).context("a publisher of ours")?;
            let (stamp, number) = (u64::from_be_bytes(*stamp), u32::from_be_bytes(*number));
            if number < *next {
                again += 1;
                continue;
            }
            *next = number + 1;
            delays.push((stamp, now.saturating_sub(stamp) as u32));
        }
        buffer.drain(..at);
        heard.messages.fetch_add(delays.len() as u64, Relaxed);
        heard.again.fetch_add(again, Relaxed);
        heard.delays.lock().unwrap_or_else(PoisonError::into_inner).append(&mut delays);
        if !acknowledgements.is_empty() {
            stream.write_all(&acknowledgements).await?;
            acknowledgements.clear();
        }
    }
}

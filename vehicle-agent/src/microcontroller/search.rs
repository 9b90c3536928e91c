use std::{path::Path, time::Duration};

use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout_at},
};
use tokio_serial::SerialPortBuilderExt;
use tracing::debug;

use super::{Input, line::Lines, message};
use crate::{
    gps::gate::Gate,
    ports::{Claim, Ports},
};

/// Speeds at which it is looked for, the likeliest first.
const BAUDS: [u32; 3] = [115_200, 57_600, 9600];
/// It says hello every 5 s, and boards that are started by being opened take a second or two.
const LISTEN: Duration = Duration::from_millis(7_500);
/// What is heard meanwhile is kept, so that no button is lost.
const MOST: usize = 16 * 1024;

/// A port that one speaks on.
pub(super) struct Found {
    pub input: Input,
    pub baud: u32,
    /// What it has said so far.
    pub heard: Vec<u8>,
}

enum Verdict {
    Ours(Box<Found>),
    /// Nothing, or nothing that is readable at this speed.
    Unread {
        silent: bool,
    },
    /// Another device's, or it cannot be opened.
    Others,
}

/// Listens on each port that is free, and says nothing: what is at the other end may be anything.
pub(super) async fn find(ports: &Ports) -> Option<(Claim, Found)> {
    for path in ports.free() {
        let Some(claim) = ports.claim(&path) else { continue };
        for baud in BAUDS {
            match listen(&path, baud).await {
                Verdict::Ours(found) => return Some((claim, *found)),
                Verdict::Unread { silent: false } => {}
                // What is silent at one speed is silent at each.
                Verdict::Unread { silent: true } | Verdict::Others => break,
            }
        }
        debug!(port = %path.display(), "no microcontroller here");
    }
    None
}

async fn listen(path: &Path, baud: u32) -> Verdict {
    let Ok(mut port) = tokio_serial::new(path.to_string_lossy(), baud).open_native_async() else {
        return Verdict::Others;
    };
    let until = Instant::now() + LISTEN;
    let (mut lines, mut gate) = (Lines::default(), Gate::default());
    let (mut heard, mut bytes) = (Vec::new(), [0; 512]);
    loop {
        let count = match timeout_at(until, port.read(&mut bytes)).await {
            Ok(Ok(count)) if count > 0 => count,
            Ok(_) => return Verdict::Others,
            Err(_) => return Verdict::Unread { silent: heard.is_empty() },
        };
        heard.extend_from_slice(&bytes[..count]);
        let (mut ours, mut receivers) = (false, false);
        for byte in &bytes[..count] {
            ours |= matches!(lines.push(*byte), Some(Ok(line)) if message::read(&line).is_ok());
            receivers |= matches!(gate.push(*byte), Some(Ok(_)));
        }
        if ours {
            return Verdict::Ours(Box::new(Found { input: Box::new(port), baud, heard }));
        }
        if receivers {
            return Verdict::Others;
        }
        if heard.len() > MOST {
            return Verdict::Unread { silent: false };
        }
    }
}

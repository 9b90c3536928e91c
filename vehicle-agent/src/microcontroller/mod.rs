//! A microcontroller on a serial line → values, buttons, contacts. `docs/microcontroller.md` describes what it says.
//!
//! # Layout
//! - `line`: bytes → lines; [`message`]: a line → what it says, or why it is refused
//! - [`signals`]: which signals it may tell, and in which units
//! - [`timeline`]: its clock → ours
//! - [`buttons`]: presses and contacts, each once
//! - [`thinner`]: so many values → those that are recorded
//! - [`reader`](Reader): all of it together, without I/O
//! - `search`: finds the port that it is on
//!
//! # Invariants
//! - It tells of its own sensors alone: no position, no speed, nothing that the engine tells.
//! - A button that was pressed is told, whatever else there is too much of.
//! - Nothing is ever sent to it: the port may turn out to be another device's.

pub mod buttons;
pub mod line;
pub mod message;
mod reader;
mod search;
pub mod signals;
pub mod thinner;
pub mod timeline;

use std::{io, str::FromStr, time::Duration};

use bugbrother_wire::message::SignalDeclaration;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::TcpStream,
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_serial::SerialPortBuilderExt;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use self::{
    buttons::Press,
    reader::{Heard, Reader},
};
use crate::{
    link::{Link, LinkError},
    outbox::Happening,
    ports::Ports,
    recorder::Reading,
    retry::Retry,
};

/// Where the microcontroller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On one of the serial ports.
    Auto,
    /// There.
    Link(Link),
}

impl FromStr for Source {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        match text {
            "auto" => Ok(Source::Auto),
            link => Link::parse(link, BAUD).map(Source::Link),
        }
    }
}

/// Where what it tells goes.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// Every value.
    pub readings: mpsc::Sender<Reading>,
    /// A panic button, a door: without a place, which is not known here, and with the computer's time.
    pub happenings: mpsc::Sender<Happening>,
    /// Buttons that were pressed.
    pub presses: mpsc::Sender<Press>,
    /// What it will tell is added to what others do.
    pub signals: watch::Sender<Vec<SignalDeclaration>>,
}

/// What the example's sketch speaks at.
const BAUD: u32 = 115_200;
/// It says hello every 5 s.
const DEAD_AFTER: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Input = Box<dyn AsyncRead + Send + Unpin>;

/// Listens until `shutdown`; a microcontroller that is gone is opened again.
pub async fn run(source: &Source, ports: &Ports, outputs: Outputs, shutdown: &CancellationToken) {
    let mut retry = Retry::new();
    let mut last_reason = String::new();
    while !shutdown.is_cancelled() && !outputs.readings.is_closed() {
        let began = Instant::now();
        let attempt = async {
            match source {
                Source::Auto => match search::find(ports).await {
                    Some((claim, mut found)) => {
                        info!(port = %claim.path().display(), baud = found.baud, "microcontroller found");
                        listen(found.input, Some(std::mem::take(&mut found.heard)), &outputs).await
                    }
                    None => io::Error::new(io::ErrorKind::NotFound, "none of the serial ports has one"),
                },
                Source::Link(link) => match open(link, ports).await {
                    Ok((_claim, input)) => {
                        info!(microcontroller = %link, "microcontroller opened");
                        listen(input, None, &outputs).await
                    }
                    Err(error) => error,
                },
            }
        };
        let Some(ended) = shutdown.run_until_cancelled(attempt).await else { return };
        metrics::counter!("bugbrother_agent_microcontroller_losses_total").increment(1);
        let reason = ended.to_string();
        // One that is away for hours is one line in the log, not one for every attempt.
        if reason != last_reason {
            warn!(reason, "no microcontroller");
        }
        last_reason = reason;
        shutdown.run_until_cancelled(sleep(retry.next_wait(began.elapsed()))).await;
    }
}

async fn open(link: &Link, ports: &Ports) -> io::Result<(Option<crate::ports::Claim>, Input)> {
    match link {
        Link::Serial { path, baud } => {
            let busy = || io::Error::new(io::ErrorKind::NotFound, "its port is not there, or another device's");
            let claim = ports.claim(path).ok_or_else(busy)?;
            let port = tokio_serial::new(path.to_string_lossy(), *baud).open_native_async()?;
            Ok((Some(claim), Box::new(port)))
        }
        Link::Tcp(address) => {
            let connect = TcpStream::connect((address.host.as_str(), address.port));
            Ok((None, Box::new(timeout(CONNECT_TIMEOUT, connect).await??)))
        }
    }
}

/// Listens until it falls silent or is gone, or nobody takes what it tells; answers why. `heard` was read already.
async fn listen(mut input: Input, heard: Option<Vec<u8>>, outputs: &Outputs) -> io::Error {
    let mut reader = Reader::new();
    let origin = std::time::Instant::now();
    let mut last_valid = Instant::now();
    let mut bytes = heard.unwrap_or_default();
    loop {
        let at_ms = u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        for byte in &bytes {
            let Some(heard) = reader.push(*byte, at_ms) else { continue };
            last_valid = Instant::now();
            if let Err(closed) = tell(heard, origin, outputs).await {
                return closed;
            }
        }
        bytes.resize(1024, 0);
        match timeout(DEAD_AFTER.saturating_sub(last_valid.elapsed()), input.read(&mut bytes)).await {
            Ok(Ok(0)) => return io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"),
            Ok(Ok(count)) => bytes.truncate(count),
            Ok(Err(error)) => return error,
            Err(_) => return io::Error::new(io::ErrorKind::TimedOut, "it says nothing that can be understood"),
        }
    }
}

/// Adds declarations to those that are known; answers whether that changes them.
fn declare(known: &mut Vec<SignalDeclaration>, signals: Vec<SignalDeclaration>) -> bool {
    let mut changes = false;
    for signal in signals {
        match known.iter_mut().find(|known| known.key == signal.key) {
            Some(same) if same.unit == signal.unit => continue,
            Some(other) => *other = signal,
            None => known.push(signal),
        }
        changes = true;
    }
    changes
}

/// Hands on what was heard. Buttons and doors wait until they are taken; values that nobody takes in time are counted.
async fn tell(heard: Heard, origin: std::time::Instant, outputs: &Outputs) -> io::Result<()> {
    let closed = || io::Error::new(io::ErrorKind::BrokenPipe, "nobody listens any more");
    for happening in heard.happenings {
        outputs.happenings.send(happening).await.map_err(|_| closed())?;
    }
    if let Some(press) = heard.press {
        debug!(?press, "button");
        if outputs.presses.try_send(press).is_err() {
            warn!(?press, "nobody heeds the button");
        }
    }
    if let Some(signals) = heard.signals {
        outputs.signals.send_if_modified(|known| declare(known, signals));
    }
    if !heard.values.is_empty() {
        let at = origin + Duration::from_millis(heard.at_ms);
        match outputs.readings.try_send(Reading { at, values: heard.values }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                metrics::counter!("bugbrother_agent_refused_lines_total", "reason" => "flood").increment(1);
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(closed()),
        }
    }
    Ok(())
}

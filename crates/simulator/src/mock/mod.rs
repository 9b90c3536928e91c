//! An adapter of any kind in a car of any kind, for tests: it answers as slowly as is wanted, and whatever is wanted goes
//! wrong with it.
//!
//! # Layout
//! - [`car`]: control units as a table of what they answer; [`cars`]: some of them
//! - [`Mock`]: the adapter's end of the wire

pub mod car;
pub mod cars;

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::elm::{Elm327, Model};
pub use car::{Unit, VirtualCar};

/// What goes wrong with an answer.
#[derive(Debug, Clone)]
pub enum Say {
    /// This is said instead, as it stands, before the prompt. A carriage return ends a line.
    This(Cow<'static, str>),
    /// The right answer, but only after so long.
    Late(Duration),
    /// The right answer, but without all after so many characters, the prompt apart.
    Torn(usize),
    /// Nothing at all.
    Nothing,
    /// The adapter starts anew in the middle of it.
    Restart,
    /// The connection ends.
    HangUp,
}

impl Say {
    /// This is said instead.
    pub fn this(text: &'static str) -> Self {
        Say::This(text.into())
    }
}

/// How long things take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Latency {
    /// A setting.
    pub setting: Duration,
    /// A request to the car.
    pub request: Duration,
    /// The search for a protocol, or the wake-up of a K-line.
    pub connect: Duration,
}

/// An adapter and its car. Cloning gives another handle to the same ones.
#[derive(Debug, Clone)]
pub struct Mock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    adapter: Elm327,
    car: VirtualCar,
    latency: Latency,
    /// What is said to a command next.
    next: BTreeMap<String, VecDeque<Say>>,
    /// What is always said to a command.
    always: BTreeMap<String, Say>,
    heard: Vec<String>,
    unplugged: CancellationToken,
}

/// The longest history that is kept.
const MOST_HEARD: usize = 100_000;

impl Mock {
    /// An adapter that was just plugged in.
    pub fn new(model: Model, car: VirtualCar) -> Self {
        Mock(Arc::new(Mutex::new(State {
            adapter: Elm327::of(model),
            car,
            latency: Latency::default(),
            next: BTreeMap::new(),
            always: BTreeMap::new(),
            heard: Vec::new(),
            unplugged: CancellationToken::new(),
        })))
    }

    /// How long things take from now on.
    pub fn set_latency(&self, latency: Latency) {
        self.lock().latency = latency;
    }

    /// What goes wrong with the next answers to a command, one after the other.
    pub fn say_next(&self, command: &str, says: impl IntoIterator<Item = Say>) {
        self.lock().next.entry(command.to_owned()).or_default().extend(says);
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        let mut state = self.lock();
        state.next.clear();
        state.always.clear();
    }

    /// What goes wrong with every answer to a command.
    pub fn say_always(&self, command: &str, say: Say) {
        self.lock().always.insert(command.to_owned(), say);
    }

    /// Plays a recorded conversation: lines that begin with `>` are commands, those after them what was said. Of several
    /// answers to the same command the last one is said for ever. What is not in it the adapter and the car answer.
    pub fn play(&self, recording: &str) {
        let mut answers: BTreeMap<String, VecDeque<String>> = BTreeMap::new();
        let mut command = None;
        for line in recording.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(asked) = line.strip_prefix('>') {
                let asked = asked.trim().to_owned();
                answers.entry(asked.clone()).or_default().push_back(String::new());
                command = Some(asked);
            } else if let Some(said) = command.as_ref().and_then(|asked| answers.get_mut(asked)?.back_mut()) {
                *said += line;
                said.push('\r');
            }
        }
        for (command, mut said) in answers {
            if let Some(last) = said.pop_back() {
                self.say_next(&command, said.into_iter().map(|text| Say::This(text.into())));
                self.say_always(&command, Say::This(last.into()));
            }
        }
    }

    /// Changes the car, or looks at it.
    pub fn car<T>(&self, change: impl FnOnce(&mut VirtualCar) -> T) -> T {
        change(&mut self.lock().car)
    }

    /// What was said to the adapter since this was asked last.
    pub fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().heard)
    }

    /// Ends the connection. The adapter is without power until it is connected again.
    pub fn unplug(&self) {
        let mut state = self.lock();
        std::mem::take(&mut state.unplugged).cancel();
        state.adapter.restart();
    }

    /// Listens on a free port of this machine for one client at a time, until `stop`.
    pub async fn listen(&self, stop: CancellationToken) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mock = self.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Small answers must not wait for more.
                if stream.set_nodelay(true).is_ok() {
                    mock.serve(stream).await;
                }
            }
        }));
        Ok(address)
    }

    /// Answers until the other end leaves, or the adapter is unplugged or hangs up.
    pub async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let unplugged = self.lock().unplugged.clone();
        unplugged.run_until_cancelled(self.converse(&mut stream)).await;
    }

    async fn converse(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<()> {
        let mut bytes = [0; 256];
        let mut line = Vec::new();
        let mut answer: Option<(Instant, Vec<u8>)> = None;
        loop {
            let due = answer.as_ref().map(|(due, _)| *due);
            let count = tokio::select! {
                biased;
                () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                    let (_, text) = answer.take()?;
                    stream.write_all(&text).await.ok()?;
                    continue;
                }
                read = stream.read(&mut bytes) => read.ok().filter(|count| *count > 0)?,
            };
            if answer.take().is_some() {
                // A byte interrupts the chip at whatever it does, and is lost.
                stream.write_all(b"STOPPED\r\r>").await.ok()?;
            }
            for byte in &bytes[..count] {
                line.push(*byte);
                let wakes = self.lock().adapter.is_asleep();
                if *byte == b'\r' || wakes {
                    let (delay, text) = self.answer(&std::mem::take(&mut line))?;
                    answer = Some((Instant::now() + delay, text));
                }
            }
        }
    }

    /// What is said and after how long; `None` to hang up.
    fn answer(&self, line: &[u8]) -> Option<(Duration, Vec<u8>)> {
        let mut state = self.lock();
        let state = &mut *state;
        let command = String::from_utf8_lossy(line).trim().to_owned();
        if !command.is_empty() && state.heard.len() < MOST_HEARD {
            state.heard.push(command.clone());
        }
        let say = state.next.get_mut(&command).and_then(VecDeque::pop_front);
        let say = say.or_else(|| state.always.get(&command).cloned());
        let right = state.adapter.receive(line, &mut state.car);
        let text = String::from_utf8_lossy(&right);
        let connects = text.contains("SEARCHING") || text.contains("BUS INIT");
        let mut delay = match command.starts_with("AT") || command.is_empty() {
            true => state.latency.setting,
            false if connects => state.latency.connect,
            false => state.latency.request,
        };
        let said = match say {
            None => right,
            // As Latin-1: some say bytes that are no text.
            Some(Say::This(text)) => text.chars().map(|c| c as u8).chain(*b"\r\r>").collect(),
            Some(Say::Late(after)) => {
                delay = after;
                right
            }
            Some(Say::Torn(length)) => [&right[..length.min(right.len())], b"\r\r>"].concat(),
            Some(Say::Nothing) => Vec::new(),
            Some(Say::Restart) => [&right[..right.len() / 3], &state.adapter.restart()].concat(),
            Some(Say::HangUp) => return None,
        };
        Some((delay, said))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing that holds the adapter panics")
    }
}

//! An ELM327 as a device of crate obd2, over any byte stream.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use obd2::{
    Obd2, Obd2Device,
    device::{Error as DeviceError, Obd2BaseDevice, Obd2Reader},
};
use tokio_util::sync::CancellationToken;

use super::{
    answer::{self, Fault, Reply},
    port::Port,
};

/// ATZ restarts the adapter.
const RESTART: Duration = Duration::from_secs(5);
/// The first question after ATSP0 tries one protocol after the other.
const SEARCH: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(3);
/// After a time-out the adapter is quiet when nothing has come for so long.
const QUIET: Duration = Duration::from_millis(200);
/// How long an adapter may take to find back after a time-out.
const PLACE: Duration = Duration::from_secs(6);
const LONGEST_CHATTER: Duration = Duration::from_secs(2);
const LONGEST_ANSWER: usize = 16 * 1024;

/// The car behind an adapter: what goes out and comes back passes through crate obd2.
pub(super) struct Car {
    obd: Obd2<Elm>,
    elm: Elm,
}

impl Car {
    /// Sets the adapter up. `stop` cuts every wait short.
    pub fn connect(port: Box<dyn Port>, stop: CancellationToken) -> Result<Self, Fault> {
        let line =
            Line { port, stop, said: Vec::new(), patience: ANSWER, name: String::new(), ecus: Vec::new(), fault: None };
        let elm = Elm(Rc::new(RefCell::new(line)));
        elm.0.borrow_mut().set_up()?;
        NEXT.with(|next| *next.borrow_mut() = Some(elm.clone()));
        Ok(Car { obd: Obd2::default(), elm })
    }

    /// Has the adapter look for the bus; answers the mask of supported PIDs of each ECU.
    pub fn search(&mut self) -> Result<Vec<Reply>, Fault> {
        self.elm.0.borrow_mut().patience = SEARCH;
        let found = self.ask(0x01, 0x00);
        self.elm.0.borrow_mut().patience = ANSWER;
        found
    }

    /// Asks for a PID; the answers are without service byte and PID.
    pub fn ask(&mut self, mode: u8, pid: u8) -> Result<Vec<Reply>, Fault> {
        let answered = self.obd.obd_command(mode, pid);
        self.elm.join(answered)
    }

    /// Asks for a mode that has no PIDs; the answers are without service byte.
    pub fn ask_mode(&mut self, mode: u8) -> Result<Vec<Reply>, Fault> {
        let answered = self.obd.obd_mode_command(mode);
        self.elm.join(answered)
    }

    /// The voltage at the connector, as the adapter measures it.
    pub fn voltage(&mut self) -> Result<Option<f64>, Fault> {
        let said = self.elm.0.borrow_mut().say("ATRV")?;
        let number = said.trim().trim_end_matches(['V', 'v']);
        Ok(number.parse().ok())
    }
}

thread_local! {
    /// `Obd2` can only be made by `Default`, so the opened adapter is handed over here.
    static NEXT: RefCell<Option<Elm>> = const { RefCell::new(None) };
}

/// A handle to the adapter: obd2 owns one, [`Car`] another.
#[derive(Clone)]
struct Elm(Rc<RefCell<Line>>);

impl Default for Elm {
    fn default() -> Self {
        let next = NEXT.with(|next| next.borrow_mut().take());
        next.expect("`Car::connect` is the only way in, and it hands an adapter over")
    }
}

impl Elm {
    /// obd2 tells neither which ECU answered nor what went wrong; that was noted on the way.
    fn join(&self, answered: Result<Vec<Vec<u8>>, obd2::Error>) -> Result<Vec<Reply>, Fault> {
        let mut line = self.0.borrow_mut();
        let ecus = std::mem::take(&mut line.ecus);
        match answered {
            Ok(answers) => {
                let replies = ecus.into_iter().zip(answers);
                Ok(replies.map(|(ecu, data)| Reply { ecu, data }).collect())
            }
            Err(_) => Err(line.fault.take().unwrap_or(Fault::Garbled)),
        }
    }
}

impl Obd2Reader for Elm {
    fn get_line(&mut self) -> Result<Option<Vec<u8>>, DeviceError> {
        self.get_response()
    }

    fn get_response(&mut self) -> Result<Option<Vec<u8>>, DeviceError> {
        let said = self.0.borrow_mut().listen();
        said.map(|said| Some(said.into_bytes())).map_err(to_device)
    }
}

impl Obd2BaseDevice for Elm {
    fn reset(&mut self) -> Result<(), DeviceError> {
        self.0.borrow_mut().set_up().map_err(to_device)
    }

    fn send_cmd(&mut self, data: &[u8]) -> Result<(), DeviceError> {
        self.0.borrow_mut().write(&to_hex(data, "")).map_err(to_device)
    }

    /// Answers lines of hexadecimal bytes, one for each ECU, which all begin as obd2 expects.
    fn cmd(&mut self, sent: &[u8]) -> Result<Option<String>, DeviceError> {
        let mut line = self.0.borrow_mut();
        line.ecus.clear();
        line.fault = None;
        let replies = line.say(&to_hex(sent, "")).and_then(|said| answer::read(sent, &said));
        match replies {
            Ok(replies) => {
                line.ecus = replies.iter().map(|reply| reply.ecu).collect();
                let lines: Vec<String> = replies.iter().map(|r| to_hex(&r.data, " ")).collect();
                Ok(Some(lines.join("\n")))
            }
            Err(fault) => {
                line.fault = Some(fault.clone());
                Err(to_device(fault))
            }
        }
    }
}

fn to_device(fault: Fault) -> DeviceError {
    DeviceError::Communication(fault.to_string())
}

fn to_hex(bytes: &[u8], between: &str) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(between)
}

/// The adapter's end of the wire.
struct Line {
    port: Box<dyn Port>,
    stop: CancellationToken,
    /// Read and not yet used.
    said: Vec<u8>,
    patience: Duration,
    /// What it says to ATI.
    name: String,
    ecus: Vec<Option<u32>>,
    fault: Option<Fault>,
}

impl Line {
    fn set_up(&mut self) -> Result<(), Fault> {
        self.name.clear();
        self.fall_silent()?;
        self.patience = RESTART;
        self.say("ATZ")?;
        self.patience = ANSWER;
        // Echo off. What answers anything else is no adapter, or answers to an older question.
        if !self.say("ATE0")?.contains("OK") {
            return Err(Fault::Garbled);
        }
        self.name = self.say("ATI")?.trim().to_owned();
        // Line feeds and blanks off; headers on, to tell ECUs apart; adaptive timing. Cheap copies know some of these
        // only by name, which the reading of answers allows for.
        for command in ["ATL0", "ATS0", "ATH1", "ATAT1"] {
            self.say(command)?;
        }
        // Protocol by search.
        if self.say("ATSP0")?.contains('?') {
            return Err(Fault::Unknown);
        }
        Ok(())
    }

    /// Sends a command and waits for the prompt.
    fn say(&mut self, command: &str) -> Result<String, Fault> {
        self.write(command)?;
        let said = self.listen();
        if said == Err(Fault::Timeout) && !self.name.is_empty() {
            self.find_place()?;
        }
        said
    }

    /// After a time-out: a late answer must never be taken for that of the next command. All that comes before the
    /// adapter has said its name, which no ECU says, is thrown away.
    fn find_place(&mut self) -> Result<(), Fault> {
        self.write("")?;
        self.fall_silent()?;
        self.write("ATI")?;
        let end = Instant::now() + PLACE;
        while Instant::now() < end {
            match self.listen() {
                Ok(said) if said.trim() == self.name => return Ok(()),
                Ok(_) | Err(Fault::Timeout) => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::Gone("it does not say its name any more".to_owned()))
    }

    fn write(&mut self, command: &str) -> Result<(), Fault> {
        self.port.write_all(format!("{command}\r").as_bytes()).and_then(|()| self.port.flush()).map_err(gone)
    }

    /// What is said up to the prompt.
    fn listen(&mut self) -> Result<String, Fault> {
        let end = Instant::now() + self.patience;
        loop {
            if let Some(prompt) = self.said.iter().position(|byte| *byte == b'>') {
                let rest = self.said.split_off(prompt + 1);
                let mut said = std::mem::replace(&mut self.said, rest);
                said.truncate(prompt);
                return Ok(String::from_utf8_lossy(&said).into_owned());
            }
            if self.said.len() > LONGEST_ANSWER {
                self.fall_silent()?;
                return Err(Fault::Garbled);
            }
            if Instant::now() >= end {
                return Err(Fault::Timeout);
            }
            self.read_some()?;
        }
    }

    /// Throws away what comes until nothing more does.
    fn fall_silent(&mut self) -> Result<(), Fault> {
        let end = Instant::now() + LONGEST_CHATTER;
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < QUIET && Instant::now() < end {
            self.said.clear();
            if self.read_some()? > 0 {
                quiet_since = Instant::now();
            }
        }
        self.said.clear();
        Ok(())
    }

    fn read_some(&mut self) -> Result<usize, Fault> {
        if self.stop.is_cancelled() {
            return Err(Fault::Gone("the agent ends".to_owned()));
        }
        let mut bytes = [0; 512];
        match self.port.read(&mut bytes) {
            Ok(0) => Err(gone(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.said.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(gone(error)),
            },
        }
    }
}

fn gone(error: io::Error) -> Fault {
    Fault::Gone(error.to_string())
}

//! An ELM327 v1.5: the chip between the diagnostic bus and a serial line (Elm Electronics' data sheet ELM327DSI).

pub mod bus;
mod frame;
mod model;
mod settings;

pub use model::Model;

use bus::Bus;
use settings::{Link, Settings};

/// The chip's own limit.
const MAX_COMMAND: usize = 253;

/// The adapter's state; it knows nothing of sockets and time.
#[derive(Debug, Clone)]
pub struct Elm327 {
    model: Model,
    settings: Settings,
    /// It was told to save power: the next byte wakes it and is lost.
    asleep: bool,
    /// How many lines it has written, by which a copy loses blanks.
    written: usize,
    /// The bytes of a command that has not ended yet.
    pending: Vec<u8>,
    /// An empty line repeats it.
    last: String,
}

impl Default for Elm327 {
    fn default() -> Self {
        Elm327::new()
    }
}

impl Elm327 {
    /// An adapter that was just given power.
    pub fn new() -> Self {
        Elm327::of(Model::GENUINE)
    }

    /// An adapter of that kind.
    pub fn of(model: Model) -> Self {
        Elm327 {
            model,
            settings: Settings::default(),
            asleep: false,
            written: 0,
            pending: Vec::new(),
            last: String::new(),
        }
    }

    /// Whether the next byte only wakes it.
    pub fn is_asleep(&self) -> bool {
        self.asleep
    }

    /// Loses its settings, as without power for a moment, and says what it then says.
    pub fn restart(&mut self) -> Vec<u8> {
        *self = Elm327::of(self.model);
        format!("\r\r{}\r\r>", self.model.version).into_bytes()
    }

    /// Takes bytes from the line and returns what goes back: echo, answers and prompts.
    pub fn receive(&mut self, bytes: &[u8], car: &mut impl Bus) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in bytes {
            if self.asleep {
                out.extend(self.restart());
                continue;
            }
            // NUL is ignored by the chip; line feeds are, too, as it waits for CR.
            if byte == 0 || byte == b'\n' {
                continue;
            }
            if self.settings.echo {
                out.push(byte);
            }
            if byte != b'\r' {
                // One more than fits is kept, so that the end of the line knows.
                if self.pending.len() <= MAX_COMMAND {
                    self.pending.push(byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.pending);
            let answer = self.execute(&line, car);
            // Before it sleeps it says OK and nothing more.
            out.extend(if self.asleep { b"OK".to_vec() } else { self.typeset(&answer) });
        }
        out
    }

    fn execute(&mut self, line: &[u8], car: &mut impl Bus) -> Vec<String> {
        if line.len() > MAX_COMMAND || !line.is_ascii() {
            return vec!["?".to_owned()];
        }
        let typed: String =
            line.iter().map(|&b| char::from(b)).filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
        let command = if typed.is_empty() { self.last.clone() } else { typed };
        if command.is_empty() {
            return Vec::new();
        }
        self.last.clone_from(&command);
        match command.strip_prefix("AT") {
            Some(at) if begins(at, self.model.unknown) => vec!["?".to_owned()],
            Some(at) if begins(at, self.model.deaf_to) => vec!["OK".to_owned()],
            Some("LP") => {
                self.asleep = true;
                Vec::new()
            }
            Some(at) => self.settings.execute(at, self.model.version, car),
            None => self.request(&command, car),
        }
    }

    /// A request to the car in hexadecimal; an odd digit at its end is how many answers to wait for.
    fn request(&mut self, digits: &str, car: &mut impl Bus) -> Vec<String> {
        let Some((request, expected)) = parse(digits) else {
            return vec!["?".to_owned()];
        };
        if (expected.is_some() && !self.model.digits)
            || (request.len() > 2 && request[0] == 0x01 && !self.model.several)
        {
            return vec!["?".to_owned()];
        }
        let mut lines = Vec::new();
        match self.settings.connect(car) {
            Link::Found => {}
            Link::Made(text) => lines.push(text.to_owned()),
            Link::Failed(text) => {
                lines.extend(text.iter().map(|line| (*line).to_owned()));
                return lines;
            }
        }
        let mut answers = car.ask(&request);
        answers.retain(|(id, _)| self.settings.hears(*id));
        if !self.model.waits {
            // The answer proper comes when it does not listen any more.
            let waits: Vec<u32> =
                answers.iter().filter(|(_, body)| matches!(body[..], [0x7F, _, 0x78])).map(|(id, _)| *id).collect();
            answers.retain(|(id, body)| !waits.contains(id) || body[0] == 0x7F);
        }
        answers.truncate(expected.unwrap_or(usize::MAX));
        if answers.is_empty() {
            lines.push("NO DATA".to_owned());
        }
        lines.extend(frame::lines(&answers, car.protocol(), self.settings.headers, self.settings.spaces));
        for line in lines.iter_mut().filter(|_| self.model.loses_blanks) {
            self.written += 1;
            if self.written.is_multiple_of(2) {
                line.retain(|character| character != ' ');
            }
        }
        lines
    }

    fn typeset(&self, lines: &[String]) -> Vec<u8> {
        let end = if self.settings.line_feeds { "\r\n" } else { "\r" };
        let mut text = String::new();
        for line in lines {
            text += line;
            text += end;
        }
        text += end;
        text.push('>');
        text.into_bytes()
    }
}

fn begins(command: &str, with: &[&str]) -> bool {
    with.iter().any(|start| command.starts_with(start))
}

fn parse(digits: &str) -> Option<(Vec<u8>, Option<usize>)> {
    if digits.len() < 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (hex, expected) = match digits.len() % 2 {
        0 => (digits, None),
        _ => {
            let (hex, count) = digits.split_at(digits.len() - 1);
            (hex, Some(usize::from_str_radix(count, 16).ok()?))
        }
    };
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16)).collect::<Result<_, _>>().ok()?;
    // A single CAN frame holds seven bytes.
    (bytes.len() <= 7).then_some((bytes, expected))
}

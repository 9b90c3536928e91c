//! An ELM327 v1.5: the chip between the diagnostic bus and a serial line (Elm Electronics' data sheet ELM327DSI).

mod frame;
mod settings;

use crate::{car::Car, ecu};
use settings::Settings;

/// The chip's own limit.
const MAX_COMMAND: usize = 253;
const VERSION: &str = "ELM327 v1.5";

/// The adapter's state; it knows nothing of sockets and time.
#[derive(Debug, Clone, Default)]
pub struct Elm327 {
    settings: Settings,
    /// The bytes of a command that has not ended yet.
    pending: Vec<u8>,
    /// An empty line repeats it.
    last: String,
}

impl Elm327 {
    /// An adapter that was just given power.
    pub fn new() -> Self {
        Elm327::default()
    }

    /// Takes bytes from the line and returns what goes back: echo, answers and prompts.
    pub fn receive(&mut self, bytes: &[u8], car: &mut Car) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in bytes {
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
            out.extend(self.typeset(&answer));
        }
        out
    }

    fn execute(&mut self, line: &[u8], car: &mut Car) -> Vec<String> {
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
            Some(at) => self.settings.execute(at, car),
            None => self.request(&command, car),
        }
    }

    /// A request to the car in hexadecimal; an odd digit at its end is how many answers to wait for.
    fn request(&mut self, digits: &str, car: &mut Car) -> Vec<String> {
        let Some((request, expected)) = parse(digits) else {
            return vec!["?".to_owned()];
        };
        let mut lines = Vec::new();
        match self.settings.connect(car) {
            settings::Bus::Found => {}
            settings::Bus::Searched => lines.push("SEARCHING...".to_owned()),
            settings::Bus::Failed(text) => {
                lines.extend(text.iter().map(|line| (*line).to_owned()));
                return lines;
            }
        }
        let mut answers = ecu::ask(car, &request);
        answers.retain(|(id, _)| self.settings.hears(*id));
        answers.truncate(expected);
        if answers.is_empty() {
            lines.push("NO DATA".to_owned());
        }
        lines.extend(frame::lines(&answers, self.settings.headers, self.settings.spaces));
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

fn parse(digits: &str) -> Option<(Vec<u8>, usize)> {
    if digits.len() < 2 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (hex, expected) = match digits.len() % 2 {
        0 => (digits, usize::MAX),
        _ => {
            let (hex, count) = digits.split_at(digits.len() - 1);
            (hex, usize::from_str_radix(count, 16).ok()?)
        }
    };
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16)).collect::<Result<_, _>>().ok()?;
    // A single CAN frame holds seven bytes.
    (bytes.len() <= 7).then_some((bytes, expected))
}

use bugbrother_wire::message::{EventKind, SignalDeclaration};
use tracing::{info, warn};

use super::{
    buttons::{Buttons, Press},
    line::Lines,
    message::{self, Message, Refusal, Word},
    signals::Signals,
    timeline::Timeline,
};
use crate::{now_ms, outbox::Happening, recorder::Key};

/// More values in a second are not taken: an IMU with six axes at 100 Hz is 600.
const VALUES_PER_S: u32 = 1_000;

/// What a line says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// When it was measured, in the milliseconds of whoever reads.
    pub at_ms: u64,
    /// Signal key and value.
    pub values: Vec<(Key, f64)>,
    /// Events, as yet without a place.
    pub happenings: Vec<Happening>,
    /// A button that was pressed.
    pub press: Option<Press>,
    /// All that it tells, when something new is among it.
    pub signals: Option<Vec<SignalDeclaration>>,
}

/// Bytes of a microcontroller → what it says.
#[derive(Debug, Default)]
pub struct Reader {
    lines: Lines,
    signals: Signals,
    timeline: Timeline,
    buttons: Buttons,
    name: String,
    /// Values of this second.
    second: (u64, u32),
    refused: u64,
}

impl Reader {
    /// One that has heard nothing yet.
    pub fn new() -> Self {
        Reader::default()
    }

    /// How many lines and words were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes one byte that came `at_ms`; tells of the line that is complete and right with it.
    pub fn push(&mut self, byte: u8, at_ms: u64) -> Option<Heard> {
        let line = self.lines.push(byte)?;
        match line.and_then(|line| message::read(&line)) {
            Ok(message) if message.hello => Some(self.greet(&message, at_ms)),
            Ok(message) => Some(self.hear(&message, at_ms)),
            Err(refusal) => {
                self.refuse(refusal);
                None
            }
        }
    }

    fn greet(&mut self, message: &Message, at_ms: u64) -> Heard {
        let mut is_news = false;
        for (key, word) in &message.words {
            if matches!(key.as_str(), "name" | "version" | "ms" | "t") {
                continue;
            }
            let Word::Text(unit) = word else {
                self.refuse(Refusal::Malformed);
                continue;
            };
            // A number without a unit is written as `-`.
            let unit = if unit == "-" { "" } else { unit };
            match self.signals.announce(key, unit) {
                Ok(news) => is_news |= news,
                Err(refusal) => {
                    warn!(key, unit, reason = refusal.reason(), "the microcontroller announces what it may not");
                    self.refuse(refusal);
                }
            }
        }
        let name = format!("{} {}", said(message, "name"), said(message, "version"));
        if name != self.name {
            info!(microcontroller = name, "it says hello");
            self.name = name;
        }
        Heard { at_ms, signals: is_news.then(|| self.signals.declarations()), ..Heard::default() }
    }

    fn hear(&mut self, message: &Message, at_ms: u64) -> Heard {
        let ms = message.count("ms").or(message.count("t"));
        let mut heard = Heard { at_ms: ms.map_or(at_ms, |ms| self.timeline.place(ms, at_ms)), ..Heard::default() };
        let mut is_news = false;
        for (key, word) in &message.words {
            let taken = match (key.as_str(), word) {
                ("ms" | "t" | "n", Word::Number(_)) => Ok(None),
                ("button", Word::Text(name)) => self.press(name, message.count("n"), at_ms, &mut heard).map(|()| None),
                (key, Word::Text(state)) => match key.strip_prefix("contact.") {
                    Some(name) => self.contact(name, state, at_ms, &mut heard).map(Some),
                    None => Err(Refusal::Malformed),
                },
                (key, Word::Number(value)) => self.value(key, *value, at_ms).map(Some),
            };
            match taken {
                Ok(Some((key, value, new))) => {
                    is_news |= new;
                    heard.values.push((key, value));
                }
                Ok(None) => {}
                Err(refusal) => self.refuse(refusal),
            }
        }
        heard.signals = is_news.then(|| self.signals.declarations());
        heard
    }

    fn value(&mut self, key: &str, value: f64, at_ms: u64) -> Result<(Key, f64, bool), Refusal> {
        let second = at_ms / 1000;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        if self.second.1 >= VALUES_PER_S {
            return Err(Refusal::Flood);
        }
        let (key, is_new) = self.signals.take(key, value)?;
        self.second.1 += 1;
        Ok((key, value, is_new))
    }

    fn press(&mut self, name: &str, number: Option<u32>, at_ms: u64, heard: &mut Heard) -> Result<(), Refusal> {
        let press = Press::named(name).ok_or(Refusal::Forbidden)?;
        if self.buttons.press(press, number, at_ms) {
            heard.press = Some(press);
            if press == Press::Panic {
                heard.happenings.push(Happening::new(EventKind::PanicButton, now_ms()));
            }
        }
        Ok(())
    }

    /// `contact.door1=open` is an event, and 1 as signal `x.door1`.
    fn contact(&mut self, name: &str, state: &str, at_ms: u64, heard: &mut Heard) -> Result<(Key, f64, bool), Refusal> {
        let open = match state {
            "open" => true,
            "closed" => false,
            _ => return Err(Refusal::Range),
        };
        let value = f64::from(u8::from(open));
        let (key, is_new) = self.signals.take(&format!("{}{name}", super::signals::OWN), value)?;
        if self.buttons.contact(name, open, at_ms) {
            let mut happening = Happening::new(EventKind::Contact, now_ms());
            happening.values.insert(key.to_string(), value);
            happening.text = Some(format!("{name} {state}"));
            heard.happenings.push(happening);
        }
        Ok((key, value, is_new))
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused += 1;
        metrics::counter!("bugbrother_agent_refused_lines_total", "reason" => refusal.reason()).increment(1);
    }
}

/// A version may look like a number.
fn said(message: &Message, key: &str) -> String {
    match message.words.iter().find(|(known, _)| known == key) {
        Some((_, Word::Text(text))) => text.clone(),
        Some((_, Word::Number(number))) => number.to_string(),
        None => "?".to_owned(),
    }
}

//! The adapter's end of the wire: a command goes out, and what is said up to the prompt comes back.

use std::time::{Duration, Instant};

use super::{answer::Fault, port::Port};

/// ATZ restarts the adapter.
const RESTART: Duration = Duration::from_secs(5);
/// A setting is obeyed at once.
pub(super) const SETTING: Duration = Duration::from_secs(3);
/// After a time-out the adapter is quiet when nothing has come for so long.
const QUIET: Duration = Duration::from_millis(200);
/// How long an adapter may take to find back after a time-out.
const PLACE: Duration = Duration::from_secs(6);
const LONGEST_CHATTER: Duration = Duration::from_secs(2);
const LONGEST_ANSWER: usize = 16 * 1024;
/// It says OK to ATLP, and the prompt never; then it still runs for a second.
const GOODNIGHT: Duration = Duration::from_millis(1500);

pub(super) struct Line {
    port: Port,
    /// Read and not yet used.
    said: Vec<u8>,
    /// What it says to ATI.
    name: String,
}

impl Line {
    pub fn new(port: Port) -> Self {
        Line { port, said: Vec::new(), name: String::new() }
    }

    /// What the adapter calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts the adapter anew and has it speak as [`super::answer`] likes it best.
    pub fn set_up(&mut self) -> Result<(), Fault> {
        self.name.clear();
        self.write("")?;
        self.fall_silent()?;
        self.say("ATZ", RESTART)?;
        // Echo off. What answers anything else is no adapter, or answers to an older question.
        if !self.say("ATE0", SETTING)?.contains("OK") {
            return Err(Fault::Garbled);
        }
        self.name = self.say("ATI", SETTING)?.trim().to_owned();
        // Line feeds and blanks off; headers on, to tell ECUs apart; adaptive timing; nothing is to be written into the
        // chip's memory, which wears. Cheap copies know some of these only by name, which the reading of answers allows for.
        for command in ["ATL0", "ATS0", "ATH1", "ATAT1", "ATM0"] {
            self.say(command, SETTING)?;
        }
        Ok(())
    }

    /// Sends a command and waits for the prompt.
    pub fn say(&mut self, command: &str, patience: Duration) -> Result<String, Fault> {
        // What is here before the question is no answer to it.
        self.said.clear();
        self.write(command)?;
        let said = self.listen(patience);
        if said == Err(Fault::Timeout) && !self.name.is_empty() {
            self.find_place()?;
        }
        said
    }

    /// Sends the adapter to sleep; false if it does not know how to.
    pub fn lie_down(&mut self) -> Result<bool, Fault> {
        self.write("ATLP")?;
        let until = Instant::now() + GOODNIGHT;
        while Instant::now() < until {
            self.read_some(until)?;
            if self.said.contains(&b'?') {
                self.fall_silent()?;
                return Ok(false);
            }
            if self.said.windows(2).any(|pair| pair == b"OK") {
                self.said.clear();
                return Ok(true);
            }
        }
        self.find_place()?;
        Ok(false)
    }

    /// Wakes an adapter that was sent to sleep: by any character, which is lost. It has forgotten its settings, and says
    /// its name with or without being asked.
    pub fn get_up(&mut self) -> Result<(), Fault> {
        self.write("")?;
        self.fall_silent()?;
        self.find_place()?;
        // Some say their name twice, when they wake and when they are asked.
        self.fall_silent()?;
        self.say("ATE0", SETTING).map(drop)
    }

    /// After a time-out: a late answer must never be taken for that of the next command. All that comes before the
    /// adapter has said its name, which no ECU says, is thrown away.
    fn find_place(&mut self) -> Result<(), Fault> {
        self.write("")?;
        self.fall_silent()?;
        self.write("ATI")?;
        let end = Instant::now() + PLACE;
        while Instant::now() < end {
            match self.listen(end - Instant::now()) {
                Ok(said) if said.contains(&self.name) => return Ok(()),
                Ok(_) | Err(Fault::Timeout) => {}
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::Gone("it does not say its name any more".to_owned()))
    }

    pub fn write(&mut self, command: &str) -> Result<(), Fault> {
        self.port.write(format!("{command}\r").as_bytes())
    }

    /// What is said up to the prompt.
    pub fn listen(&mut self, patience: Duration) -> Result<String, Fault> {
        let end = Instant::now() + patience;
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
            self.read_some(end)?;
        }
    }

    /// Throws away what comes until nothing more does.
    pub fn fall_silent(&mut self) -> Result<(), Fault> {
        let end = Instant::now() + LONGEST_CHATTER;
        while Instant::now() < end {
            self.said.clear();
            if self.read_some(Instant::now() + QUIET)? == 0 {
                break;
            }
        }
        self.said.clear();
        Ok(())
    }

    /// Whether anything is said within `time`; it is thrown away.
    pub fn hears_anything(&mut self, time: Duration) -> Result<bool, Fault> {
        let heard = self.read_some(Instant::now() + time)?;
        self.said.clear();
        Ok(heard > 0)
    }

    /// Whether an adapter is at the other end and speaks at this speed. Its prompt is what no modem has and no receiver.
    pub fn is_adapter(&mut self, patience: Duration) -> Result<bool, Fault> {
        // Ends what was typed before, at whatever speed, and what it may be doing.
        self.write("")?;
        self.fall_silent()?;
        match self.say("ATI", patience) {
            Ok(said) => Ok(said.is_ascii() && said.chars().any(|character| character.is_ascii_alphanumeric())),
            Err(Fault::Timeout | Fault::Garbled) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Changes the speed of a serial port.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), Fault> {
        self.said.clear();
        self.port.set_baud(baud)
    }

    fn read_some(&mut self, until: Instant) -> Result<usize, Fault> {
        let mut bytes = [0; 512];
        let count = self.port.read(&mut bytes, until)?;
        self.said.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

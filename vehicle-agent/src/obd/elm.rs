//! An ELM327 as a device of crate obd2, over any byte stream.

use std::{cell::RefCell, rc::Rc, time::Duration};

use obd2::{
    Obd2, Obd2Device,
    device::{Error as DeviceError, Obd2BaseDevice, Obd2Reader},
};

use super::{
    answer::{self, Fault, Reply},
    line::{Line, SETTING},
    protocol::{K_LINE, Protocol, SEARCH},
};

/// A question that was interrupted, or that an ECU was too busy for, is asked so often.
const ATTEMPTS: u32 = 4;
/// One that could not be put together, where the answer matters more than the time.
const PATIENT_ATTEMPTS: u32 = 3;
/// An ECU that is busy gets so long before it is asked again (ISO 14229: at least 10 ms).
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// So many answers with the number of ECUs behind the question must be missing before it is left out for good.
const DIGIT_MISSES: u32 = 3;

/// The car behind an adapter: what goes out and comes back passes through crate obd2.
pub(super) struct Car {
    obd: Obd2<Elm>,
    elm: Elm,
    /// The protocol that the adapter was told to use; `None` while it searches.
    told: Option<Protocol>,
    protocol: Option<Protocol>,
    digit: Digit,
}

/// A hexadecimal digit behind the question says how many ECUs answer, so that the adapter does not wait for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digit {
    Works { misses: u32 },
    Chokes,
}

impl Car {
    /// Sets the adapter up.
    pub fn connect(line: Line) -> Result<Self, Fault> {
        let elm = Elm(Rc::new(RefCell::new(Talk::new(line))));
        elm.talk(Line::set_up)?;
        NEXT.with(|next| *next.borrow_mut() = Some(elm.clone()));
        Ok(Car { obd: Obd2::default(), elm, told: None, protocol: None, digit: Digit::Chokes })
    }

    /// Sets the adapter up again, which has lost its settings.
    pub fn set_up(&mut self) -> Result<(), Fault> {
        (self.told, self.protocol) = (None, None);
        self.elm.talk(Line::set_up)
    }

    /// What the adapter calls itself.
    pub fn adapter(&self) -> String {
        self.elm.0.borrow().line.name().to_owned()
    }

    /// What the bus speaks, once it is known.
    pub fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Has the adapter use the protocol that is `known`, or look for one, and asks who is there: answers the mask of
    /// supported PIDs of each ECU.
    pub fn find_bus(&mut self, known: Option<Protocol>) -> Result<Vec<Reply>, Fault> {
        match known {
            Some(protocol) if self.told != known && self.protocol != known => self.tell(protocol)?,
            Some(_) => {}
            None => {
                if self.say("ATSP0")?.contains('?') {
                    return Err(Fault::Unknown);
                }
                (self.told, self.protocol) = (None, None);
            }
        }
        let patience = self.protocol.or(self.told).map_or(SEARCH, Protocol::patience);
        let masks = self.ask_with(&[0x01, 0x00], &Manner { patience: Some(patience), ..Manner::default() })?;
        if self.protocol.is_none() {
            self.protocol = self.told.or(Protocol::parse(&self.say("ATDPN")?));
        }
        self.digit = self.try_digit(&masks);
        Ok(masks)
    }

    fn tell(&mut self, protocol: Protocol) -> Result<(), Fault> {
        let digit = protocol.digit();
        // The first is forgotten with the power, the other is written into the chip; some know only that.
        if self.say(&format!("ATTP{digit}"))?.contains('?') && self.say(&format!("ATSP{digit}"))?.contains('?') {
            return Err(Fault::Unknown);
        }
        (self.told, self.protocol) = (Some(protocol), None);
        Ok(())
    }

    /// Cheap copies take the digit for a mistake, or for a part of the question.
    fn try_digit(&mut self, masks: &[Reply]) -> Digit {
        let manner = Manner { answers: Some(masks.len()), ..Manner::default() };
        match self.ask_with(&[0x01, 0x00], &manner) {
            Ok(again) if again == masks => Digit::Works { misses: 0 },
            _ => Digit::Chokes,
        }
    }

    /// Asks for a PID that so many ECUs answer, each in a single frame where a number is given; the answers are without
    /// service byte and PID.
    pub fn ask(&mut self, mode: u8, pid: u8, answers: Option<usize>) -> Result<Vec<Reply>, Fault> {
        let Digit::Works { misses } = self.digit else {
            return self.ask_with(&[mode, pid], &Manner::default());
        };
        let asked = self.ask_with(&[mode, pid], &Manner { answers, ..Manner::default() });
        if answers.is_some() {
            self.digit = match asked {
                Ok(_) => Digit::Works { misses: 0 },
                Err(Fault::Unknown | Fault::Garbled | Fault::Timeout) if misses + 1 >= DIGIT_MISSES => Digit::Chokes,
                Err(Fault::Unknown | Fault::Garbled | Fault::Timeout) => Digit::Works { misses: misses + 1 },
                Err(_) => self.digit,
            };
        }
        asked
    }

    /// Asks for several PIDs of mode 01 at once, which only a CAN carries; the answers are without service byte and the
    /// first PID.
    pub fn ask_several(&mut self, pids: &[u8]) -> Result<Vec<Reply>, Fault> {
        self.ask_with(&[&[0x01], pids].concat(), &Manner { echoed: 2, ..Manner::default() })
    }

    /// Asks for what is kept of a PID in freeze frame 0; the answers are without service byte, PID and number.
    pub fn ask_frozen(&mut self, pid: u8) -> Result<Vec<Reply>, Fault> {
        let mut replies = self.ask_patiently(&[0x02, pid, 0x00])?;
        for reply in &mut replies {
            reply.data.drain(..reply.data.len().min(1));
        }
        Ok(replies)
    }

    /// Asks for a mode that has no PIDs; the answers are without service byte.
    pub fn ask_mode(&mut self, mode: u8) -> Result<Vec<Reply>, Fault> {
        self.ask_patiently(&[mode])
    }

    /// Asks for what is asked seldom and must be whole.
    pub fn ask_patiently(&mut self, sent: &[u8]) -> Result<Vec<Reply>, Fault> {
        let mut attempt = 1;
        loop {
            match self.ask_with(sent, &Manner::default()) {
                Err(Fault::Garbled | Fault::Bus) if attempt < PATIENT_ATTEMPTS => attempt += 1,
                asked => return asked,
            }
        }
    }

    /// The answers without service byte and PID, those of the lowest address first.
    fn ask_with(&mut self, sent: &[u8], manner: &Manner) -> Result<Vec<Reply>, Fault> {
        let patience = manner.patience.or(self.protocol.map(Protocol::patience)).unwrap_or(K_LINE);
        let mut attempt = 1;
        loop {
            self.elm.0.borrow_mut().question = Question {
                more: sent.get(2..).unwrap_or_default().to_vec(),
                echoed: if manner.echoed == 0 { sent.len() } else { manner.echoed },
                // That an ECU wants more time counts as an answer.
                digit: manner.answers.filter(|answers| attempt == 1 && (1..=9).contains(answers)),
                patience,
            };
            let answered = match *sent {
                [mode, pid, ..] => self.obd.obd_command(mode, pid),
                [mode] => self.obd.obd_mode_command(mode),
                [] => return Err(Fault::Unknown),
            };
            match self.elm.join(answered) {
                Err(Fault::Stopped) if attempt < ATTEMPTS => {}
                Err(Fault::Pending) if attempt < ATTEMPTS => {
                    self.elm.talk(|line| line.hears_anything(BUSY_PAUSE)).map(drop)?
                }
                joined => return joined,
            }
            attempt += 1;
        }
    }

    /// The voltage at the connector, as the adapter measures it; the bus is not touched.
    pub fn voltage(&mut self) -> Result<Option<f64>, Fault> {
        let said = self.say("ATRV")?;
        if said.contains("ELM327") {
            return Err(Fault::Reset);
        }
        let number = said.trim().trim_end_matches(['V', 'v']);
        Ok(number.parse().ok())
    }

    /// Has the adapter leave the bus: on a K-line it would go on keeping the ECU awake, every three seconds.
    pub fn leave_bus(&mut self) -> Result<(), Fault> {
        self.say("ATPC").map(drop)
    }

    /// Sends the adapter to sleep; false if it does not know how to.
    pub fn lie_down(&mut self) -> Result<bool, Fault> {
        self.elm.talk(Line::lie_down)
    }

    /// Wakes it.
    pub fn get_up(&mut self) -> Result<(), Fault> {
        self.elm.talk(Line::get_up)
    }

    fn say(&mut self, command: &str) -> Result<String, Fault> {
        self.elm.talk(|line| line.say(command, SETTING))
    }
}

/// How a question is asked.
#[derive(Default)]
struct Manner {
    /// How many ECUs answer, if that is to be said.
    answers: Option<usize>,
    /// How much of the question comes back; all of it if 0.
    echoed: usize,
    /// How long is waited; by the protocol if absent.
    patience: Option<Duration>,
}

thread_local! {
    /// `Obd2` can only be made by `Default`, so the opened adapter is handed over here.
    static NEXT: RefCell<Option<Elm>> = const { RefCell::new(None) };
}

/// A handle to the adapter: obd2 owns one, [`Car`] another.
#[derive(Clone)]
struct Elm(Rc<RefCell<Talk>>);

struct Talk {
    line: Line,
    question: Question,
    /// Who gave the answers that obd2 has.
    ecus: Vec<Option<u32>>,
    fault: Option<Fault>,
}

/// What obd2 has no words for: it sends a service and a PID.
struct Question {
    /// What goes out behind them.
    more: Vec<u8>,
    echoed: usize,
    digit: Option<usize>,
    patience: Duration,
}

impl Talk {
    fn new(line: Line) -> Self {
        let question = Question { more: Vec::new(), echoed: usize::MAX, digit: None, patience: SETTING };
        Talk { line, question, ecus: Vec::new(), fault: None }
    }

    fn ask(&mut self, sent: &[u8]) -> Result<Vec<Reply>, Fault> {
        let sent = [sent, &self.question.more].concat();
        let digit = self.question.digit.map(|answers| answers.to_string()).unwrap_or_default();
        let said = self.line.say(&(to_hex(&sent, "") + &digit), self.question.patience)?;
        let mut replies = answer::read_echoing(&sent, self.question.echoed, &said)?;
        replies.sort_by_key(|reply| reply.ecu);
        Ok(replies)
    }
}

impl Default for Elm {
    fn default() -> Self {
        let next = NEXT.with(|next| next.borrow_mut().take());
        next.expect("`Car::connect` is the only way in, and it hands an adapter over")
    }
}

impl Elm {
    fn talk<T>(&self, talk: impl FnOnce(&mut Line) -> Result<T, Fault>) -> Result<T, Fault> {
        talk(&mut self.0.borrow_mut().line)
    }

    /// obd2 tells neither which ECU answered nor what went wrong; that was noted on the way.
    fn join(&self, answered: Result<Vec<Vec<u8>>, obd2::Error>) -> Result<Vec<Reply>, Fault> {
        let mut talk = self.0.borrow_mut();
        let ecus = std::mem::take(&mut talk.ecus);
        match answered {
            Ok(answers) => {
                let replies = ecus.into_iter().zip(answers);
                Ok(replies.map(|(ecu, data)| Reply { ecu, data }).collect())
            }
            Err(_) => Err(talk.fault.take().unwrap_or(Fault::Garbled)),
        }
    }
}

impl Obd2Reader for Elm {
    fn get_line(&mut self) -> Result<Option<Vec<u8>>, DeviceError> {
        self.get_response()
    }

    fn get_response(&mut self) -> Result<Option<Vec<u8>>, DeviceError> {
        let said = self.talk(|line| line.listen(SETTING));
        said.map(|said| Some(said.into_bytes())).map_err(to_device)
    }
}

impl Obd2BaseDevice for Elm {
    fn reset(&mut self) -> Result<(), DeviceError> {
        self.talk(Line::set_up).map_err(to_device)
    }

    fn send_cmd(&mut self, data: &[u8]) -> Result<(), DeviceError> {
        self.talk(|line| line.write(&to_hex(data, ""))).map_err(to_device)
    }

    /// Answers lines of hexadecimal bytes, one for each ECU, which all begin as obd2 expects.
    fn cmd(&mut self, sent: &[u8]) -> Result<Option<String>, DeviceError> {
        let mut talk = self.0.borrow_mut();
        talk.ecus.clear();
        talk.fault = None;
        match talk.ask(sent) {
            Ok(replies) => {
                talk.ecus = replies.iter().map(|reply| reply.ecu).collect();
                let lines: Vec<String> = replies.iter().map(|r| to_hex(&r.data, " ")).collect();
                Ok(Some(lines.join("\n")))
            }
            Err(fault) => {
                talk.fault = Some(fault.clone());
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

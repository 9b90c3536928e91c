//! What an ELM327 says → what each ECU answered. Pure text work.
//!
//! Crate obd2 0.2 ends in `todo!()` on negative answers, wrong PIDs and interleaved ECUs; only answers that were
//! put together here reach it.

use std::collections::BTreeMap;

use super::legacy;

/// What an ECU answered, from the service byte on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The ECU's address, where the adapter tells it.
    pub ecu: Option<u32>,
    /// Service byte, PID and data.
    pub data: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No ECU answered.
    #[error("no ECU answers")]
    NoData,
    /// No protocol fits: the ignition is off, as a rule.
    #[error("no bus to connect to")]
    NoBus,
    /// The adapter does not know the command.
    #[error("the adapter does not know the command")]
    Unknown,
    /// The adapter was interrupted.
    #[error("the adapter was interrupted")]
    Stopped,
    /// The adapter has started anew by itself, as for want of power, and has forgotten its settings.
    #[error("the adapter has started anew")]
    Reset,
    /// The ECU wants more time than the adapter gave it, or to be asked again.
    #[error("the ECU is busy")]
    Pending,
    /// The bus is disturbed, or the adapter's buffer ran over.
    #[error("the bus is disturbed")]
    Bus,
    /// The ECU refuses (ISO 14229).
    #[error("service {service:02X} refused with code {code:02X}")]
    Negative {
        /// The service that was asked for.
        service: u8,
        /// Why.
        code: u8,
    },
    /// The adapter did not answer in time.
    #[error("the adapter does not answer")]
    Timeout,
    /// Not an answer to what was asked, or not a whole one.
    #[error("the answer is garbled")]
    Garbled,
    /// The adapter is gone.
    #[error("the adapter is gone: {0}")]
    Gone(String),
}

impl Fault {
    /// Whether there is no use in asking the next question.
    pub fn ends_talk(&self) -> bool {
        matches!(self, Fault::Gone(_) | Fault::Timeout | Fault::Reset)
    }
}

/// Response pending (ISO 14229): the answer proper follows.
const PENDING: u8 = 0x78;
/// Busy, ask again (ISO 14229).
const BUSY: u8 = 0x21;
const NEGATIVE: u8 = 0x7F;

/// The answers to `sent` in what the adapter said up to its prompt. At least one, each at least as long as `sent`, and
/// each an answer to it.
pub fn read(sent: &[u8], said: &str) -> Result<Vec<Reply>, Fault> {
    read_echoing(sent, sent.len(), said)
}

/// The answers to a question of which they repeat the first `echoed` bytes, the service among them.
pub fn read_echoing(sent: &[u8], echoed: usize, said: &str) -> Result<Vec<Reply>, Fault> {
    let service = sent.first().copied().unwrap_or_default();
    let mut head = sent[..echoed.min(sent.len())].to_vec();
    if let Some(first) = head.first_mut() {
        *first |= 0x40;
    }
    let mut replies = Replies { head, service, ..Replies::default() };
    let echo: String = sent.iter().map(|byte| format!("{byte:02X}")).collect();
    for line in said.split(['\r', '\n']) {
        let line = line.chars().filter(|c| !c.is_whitespace() && *c != '\0');
        let line: String = line.collect::<String>().to_ascii_uppercase();
        if line.contains("LVRESET") || line.contains("ELM327") {
            return Err(Fault::Reset);
        }
        let line = without_search(&line)?;
        if line.is_empty() || is_echo(line, &echo) {
            continue;
        }
        if let Some(fault) = spoken_fault(line) {
            return Err(fault);
        }
        replies.add_line(line)?;
    }
    replies.finish()
}

/// What was typed, perhaps with the digit that says how many answers are waited for.
fn is_echo(line: &str, echo: &str) -> bool {
    line.strip_prefix(echo).is_some_and(|rest| rest.is_empty() || (rest.len() == 1 && echo.len() > 2))
}

/// While it looks for the protocol the adapter says so, some of them in the line of the answer.
fn without_search(line: &str) -> Result<&str, Fault> {
    for words in ["SEARCHING", "BUSINIT"] {
        if let Some(rest) = line.strip_prefix(words) {
            let rest = rest.trim_start_matches(['.', ':']);
            // Nobody wakes on this bus: the ignition is off, as a rule.
            return if rest == "ERROR" { Err(Fault::NoBus) } else { Ok(rest.strip_prefix("OK").unwrap_or(rest)) };
        }
    }
    Ok(line)
}

fn spoken_fault(line: &str) -> Option<Fault> {
    const DISTURBED: [&str; 5] = ["ERROR", "BUSBUSY", "BUFFERFULL", "LPALERT", "ACTALERT"];
    match line {
        "NODATA" => Some(Fault::NoData),
        "UNABLETOCONNECT" => Some(Fault::NoBus),
        "?" => Some(Fault::Unknown),
        "STOPPED" => Some(Fault::Stopped),
        // ERR94 and its like are faults of the chip's own.
        _ => (line.starts_with("ERR") || DISTURBED.iter().any(|words| line.contains(words))).then_some(Fault::Bus),
    }
}

#[derive(Default)]
struct Replies {
    service: u8,
    /// What each answer begins with.
    head: Vec<u8>,
    whole: Vec<Reply>,
    /// ISO-TP messages that are not complete, by ECU.
    open: BTreeMap<u32, Message>,
    /// A message in the adapter's own numbering, which headers off give.
    numbered: Option<Message>,
    announced: Option<usize>,
}

struct Message {
    want: usize,
    data: Vec<u8>,
    next: u8,
}

impl Replies {
    fn add_line(&mut self, line: &str) -> Result<(), Fault> {
        if let Some((number, data)) = line.split_once(':') {
            return self.add_numbered(number, &bytes(data)?);
        }
        if !line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Fault::Garbled);
        }
        match line.len() {
            3 => {
                self.announced = usize::from_str_radix(line, 16).ok();
                Ok(())
            }
            // An 11-bit address makes the number of digits odd.
            odd if odd % 2 == 1 && odd > 3 => self.add_frame(number(&line[..3])?, &bytes(&line[3..])?),
            even if even > 8 && line.starts_with("18DA") => self.add_frame(number(&line[..8])?, &bytes(&line[8..])?),
            _ => self.add_bare(&bytes(line)?),
        }
    }

    /// Without headers, or with the header and the checksum of the protocols before CAN.
    fn add_bare(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (ecu, data) = match legacy::read(line) {
            // The header of a PWM bus begins like the answer to mode 01: its checksum tells the two apart.
            Some((ecu, data)) if self.is_answer(data) => (Some(ecu), data),
            _ if self.is_answer(line) => (None, line),
            // The answer to another question, which is left out in the end.
            Some((ecu, data)) => (Some(ecu), data),
            None if line.first() == self.head.first() => (None, line),
            None => return Err(Fault::Garbled),
        };
        self.whole.push(Reply { ecu, data: data.to_vec() });
        Ok(())
    }

    fn is_answer(&self, data: &[u8]) -> bool {
        data.starts_with(&self.head) || data.starts_with(&[NEGATIVE, self.service])
    }

    fn add_numbered(&mut self, index: &str, data: &[u8]) -> Result<(), Fault> {
        let index = u8::try_from(number(index)?).map_err(|_| Fault::Garbled)?;
        if index == 0 && self.numbered.is_none() {
            let want = self.announced.take().unwrap_or(usize::MAX);
            self.numbered = Some(Message { want, data: Vec::new(), next: 0 });
        }
        let message = self.numbered.as_mut().ok_or(Fault::Garbled)?;
        // A number twice: a frame is lost, or two ECUs speak at once and cannot be told apart.
        if message.next != index {
            return Err(Fault::Garbled);
        }
        message.next = (index + 1) & 0x0F;
        message.data.extend_from_slice(data);
        Ok(())
    }

    /// A CAN frame with its address: ISO 15765-2.
    fn add_frame(&mut self, ecu: u32, frame: &[u8]) -> Result<(), Fault> {
        let (control, rest) = frame.split_first().ok_or(Fault::Garbled)?;
        let low = control & 0x0F;
        match control >> 4 {
            0 => {
                let data = rest.get(..usize::from(low)).filter(|data| !data.is_empty());
                let data = data.ok_or(Fault::Garbled)?.to_vec();
                self.whole.push(Reply { ecu: Some(ecu), data });
            }
            1 => {
                let (length, data) = rest.split_first().ok_or(Fault::Garbled)?;
                let message =
                    Message { want: usize::from(low) << 8 | usize::from(*length), data: data.to_vec(), next: 1 };
                self.open.insert(ecu, message);
            }
            2 => {
                let message = self.open.get_mut(&ecu).ok_or(Fault::Garbled)?;
                if message.next != low {
                    return Err(Fault::Garbled);
                }
                message.next = (low + 1) & 0x0F;
                message.data.extend_from_slice(rest);
                if message.data.len() >= message.want
                    && let Some(mut message) = self.open.remove(&ecu)
                {
                    message.data.truncate(message.want);
                    self.whole.push(Reply { ecu: Some(ecu), data: message.data });
                }
            }
            // Flow control, which is not for us.
            3 => {}
            _ => return Err(Fault::Garbled),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Reply>, Fault> {
        if let Some(mut message) = self.numbered.take() {
            if message.want != usize::MAX && message.data.len() < message.want {
                return Err(Fault::Garbled);
            }
            message.data.truncate(message.want);
            self.whole.push(Reply { ecu: None, data: message.data });
        }
        if !self.open.is_empty() {
            return Err(Fault::Garbled);
        }
        // Who wants more time and then answers has answered.
        let waits = |reply: &Reply| matches!(reply.data[..], [NEGATIVE, _, PENDING | BUSY, ..]);
        let answered: Vec<_> = self.whole.iter().filter(|reply| !waits(reply)).map(|reply| reply.ecu).collect();
        if self.whole.iter().any(|reply| waits(reply) && !answered.contains(&reply.ecu)) {
            return Err(Fault::Pending);
        }
        let refused = self.whole.iter().find_map(|reply| match reply.data[..] {
            [NEGATIVE, service, code, ..] if code != PENDING => Some(Fault::Negative { service, code }),
            _ => None,
        });
        let Replies { mut whole, head, .. } = self;
        whole.retain(|reply| reply.data.starts_with(&head));
        if whole.is_empty() {
            return Err(refused.unwrap_or(Fault::Garbled));
        }
        Ok(whole)
    }
}

fn number(digits: &str) -> Result<u32, Fault> {
    u32::from_str_radix(digits, 16).map_err(|_| Fault::Garbled)
}

fn bytes(digits: &str) -> Result<Vec<u8>, Fault> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::Garbled);
    }
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| Fault::Garbled);
    (0..digits.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(sent: &[u8], said: &str) -> Vec<Vec<u8>> {
        let replies = read(sent, said).unwrap();
        replies.into_iter().map(|reply| reply.data).collect()
    }

    #[test]
    fn an_answer_is_the_same_with_and_without_headers_blanks_echo_and_search() {
        for said in [
            "41 0C 14 5F",
            "410C145F",
            "010C\r41 0C 14 5F\r\r",
            "SEARCHING...\r41 0C 14 5F",
            "SEARCHING...410C145F",
            "BUS INIT: OK\r41 0C 14 5F",
            "7E8 04 41 0C 14 5F",
            "7E804410C145FAAAAAA",
            "18 DA F1 10 04 41 0C 14 5F",
            "48 6B 10 41 0C 14 5F 83",
            "48 6B 10 41 0C 14 5F AF",
            "41 6B 10 41 0C 14 5F 20",
            "010C1\r41 0C 14 5F",
            "84 F1 11 41 0C 14 5F 46",
            "7E8 03 7F 01 78\r7E8 04 41 0C 14 5F",
        ] {
            assert_eq!(data(&[1, 0x0C], said), [[0x41, 0x0C, 0x14, 0x5F]], "{said}");
        }
    }

    #[test]
    fn what_the_adapter_says_instead_is_told_apart() {
        for (said, fault) in [
            ("NO DATA", Fault::NoData),
            ("SEARCHING...\rUNABLE TO CONNECT", Fault::NoBus),
            ("?", Fault::Unknown),
            ("STOPPED", Fault::Stopped),
            ("CAN ERROR", Fault::Bus),
            ("BUS INIT: ...ERROR", Fault::NoBus),
            ("BUS ERROR", Fault::Bus),
            ("ERR94", Fault::Bus),
            ("LV RESET", Fault::Reset),
            ("41 0C\r\rELM327 v1.5", Fault::Reset),
            ("7F 01 78", Fault::Pending),
            ("7E8 03 7F 01 21", Fault::Pending),
            ("7E8 03 7F 01 78\r7E9 04 41 0C 14 5F", Fault::Pending),
            ("48 6B 10 41 0C 14 5F 84", Fault::Garbled),
            ("84 F1 11 41 0C 14 47", Fault::Garbled),
            ("41 0C 14\rBUFFER FULL", Fault::Bus),
            ("41 0C 14 5F <RX ERROR", Fault::Bus),
            ("7F 01 12", Fault::Negative { service: 1, code: 0x12 }),
            ("41 0D 14", Fault::Garbled),
            ("41", Fault::Garbled),
            ("48 6B 10 41 0D 14 33", Fault::Garbled),
            ("", Fault::Garbled),
            ("41 0C ÿþ", Fault::Garbled),
        ] {
            assert_eq!(read(&[1, 0x0C], said), Err(fault), "{said}");
        }
    }

    #[test]
    fn a_question_for_more_than_one_value_is_answered_by_what_begins_with_the_first() {
        let replies = read_echoing(&[1, 0x0C, 0x0D], 2, "7E8 06 41 0C 14 5F 0D 0A 00").unwrap();
        assert_eq!(replies[0].data, [0x41, 0x0C, 0x14, 0x5F, 0x0D, 0x0A]);
        let frozen = read_echoing(&[2, 0x0C, 0], 3, "7E8 05 42 0C 00 14 5F").unwrap();
        assert_eq!(frozen[0].data, [0x42, 0x0C, 0, 0x14, 0x5F]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_brings_the_reading_down(said in "[0-9A-F: \r<>.é]{0,80}", sent in proptest::collection::vec(0u8..0x40, 0..4)) {
            if let Ok(replies) = read(&sent, &said) {
                proptest::prop_assert!(!replies.is_empty());
                proptest::prop_assert!(replies.iter().all(|reply| reply.data.len() >= sent.len()));
            }
        }
    }

    #[test]
    fn interleaved_ecus_are_put_together_each_for_itself() {
        let said = "7E8 10 14 49 02 01 57 50 30\r7E9 10 14 49 02 01 57 50 31\r7E8 21 5A 5A 5A 39 39 5A 54\r\
                    7E9 21 5A 5A 5A 39 39 5A 54\r7E8 22 53 33 39 30 30 30 30\r7E9 22 53 33 39 30 30 30 31";
        let replies = read(&[9, 2], said).unwrap();
        assert_eq!(replies.iter().map(|r| r.ecu).collect::<Vec<_>>(), [Some(0x7E8), Some(0x7E9)]);
        assert_eq!(&replies[0].data[3..], b"WP0ZZZ99ZTS390000");
        assert_eq!(&replies[1].data[3..], b"WP1ZZZ99ZTS390001");
        let blind = "014\r0: 49 02 01 57 50 30\r014\r0: 49 02 01 57 50 30\r1: 5A 5A 5A 39 39 5A 54";
        assert_eq!(read(&[9, 2], blind), Err(Fault::Garbled));
    }

    #[test]
    fn a_lost_frame_is_never_an_answer() {
        for said in [
            "7E8 10 14 49 02 01 57 50 30\r7E8 22 53 33 39 30 30 30 30",
            "7E8 10 14 49 02 01 57 50 30\r7E8 21 5A 5A 5A 39 39 5A 54",
            "7E8 21 5A 5A 5A 39 39 5A 54",
            "014\r0: 49 02 01 57 50 30\r2: 53 33 39 30 30 30 30",
            "014\r0: 49 02 01 57 50 30\r1: 5A 5A 5A 39 39 5A 54",
            "7E8 07 41 0C 14",
        ] {
            assert!(read(&[9, 2], said).is_err(), "{said}");
        }
    }
}

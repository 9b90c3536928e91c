//! Answers as lines of text: ISO 15765-2 frames, or messages of the older buses; with headers as they were on the bus,
//! without as the chip joins them.

use super::bus::{Answer, Protocol};

/// Data bytes of a CAN frame.
const FRAME: usize = 8;
/// What unused bytes of a frame hold.
const PADDING: u8 = 0x00;

pub(super) fn lines(answers: &[Answer], protocol: Protocol, headers: bool, spaces: bool) -> Vec<String> {
    let messages = answers.iter().map(|(id, body)| match (protocol.is_can(), headers) {
        (true, true) => frames(body).iter().map(|frame| with_header(*id, frame, spaces)).collect(),
        (true, false) => bare(body, &frames(body), spaces),
        (false, true) => vec![hex(&legacy(*id, body, protocol), spaces)],
        (false, false) => vec![hex(body, spaces)],
    });
    interleave(messages.collect())
}

/// Control units speak at once: the frames of one come between those of the others.
fn interleave(messages: Vec<Vec<String>>) -> Vec<String> {
    let longest = messages.iter().map(Vec::len).max().unwrap_or_default();
    let row = |at: usize| messages.iter().filter_map(move |lines| lines.get(at).cloned());
    (0..longest).flat_map(row).collect()
}

/// Header, data and checksum of a message to the tester.
fn legacy(address: u32, body: &[u8], protocol: Protocol) -> Vec<u8> {
    let address = address as u8;
    let header = match protocol {
        Protocol::J1850Pwm => [0x41, 0x6B, address],
        Protocol::KwpSlow | Protocol::KwpFast => [0x80 | body.len() as u8, 0xF1, address],
        _ => [0x48, 0x6B, address],
    };
    let mut message = [&header, body].concat();
    let checksum = if protocol.is_k_line() {
        message.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte))
    } else {
        // SAE J1850: the polynomial 1D, begun with FF and inverted.
        let bit = |crc: u8| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x1D };
        !message.iter().fold(0xFF, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| bit(crc)))
    };
    message.push(checksum);
    message
}

/// A single frame, or a first frame and consecutive ones.
fn frames(body: &[u8]) -> Vec<Vec<u8>> {
    let pad = |mut frame: Vec<u8>| {
        frame.resize(FRAME, PADDING);
        frame
    };
    if body.len() < FRAME {
        return vec![pad([&[body.len() as u8], body].concat())];
    }
    let (first, rest) = body.split_at(6);
    let length = [0x10 | (body.len() >> 8) as u8, body.len() as u8];
    let mut frames = vec![[&length[..], first].concat()];
    for (i, chunk) in rest.chunks(7).enumerate() {
        let counter = 0x20 | ((i + 1) & 0x0F) as u8;
        frames.push(pad([&[counter], chunk].concat()));
    }
    frames
}

fn with_header(id: u32, frame: &[u8], spaces: bool) -> String {
    let gap = if spaces { " " } else { "" };
    let id = if id > 0x7FF { hex(&id.to_be_bytes(), spaces) } else { format!("{id:03X}{gap}") };
    id + &hex(frame, spaces)
}

/// Without headers a long answer has its length on a line and then numbered lines.
fn bare(body: &[u8], frames: &[Vec<u8>], spaces: bool) -> Vec<String> {
    if frames.len() == 1 {
        return vec![hex(body, spaces)];
    }
    let gap = if spaces { " " } else { "" };
    let mut lines = vec![format!("{:03X}", body.len())];
    for (i, frame) in frames.iter().enumerate() {
        let skip = if i == 0 { 2 } else { 1 };
        lines.push(format!("{:X}:{gap}{}", i & 0x0F, hex(&frame[skip..], spaces)));
    }
    lines
}

/// The chip puts a blank after each byte, the last one too.
fn hex(bytes: &[u8], spaces: bool) -> String {
    let gap = if spaces { " " } else { "" };
    bytes.iter().map(|byte| format!("{byte:02X}{gap}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_answer_is_a_line_and_a_padded_frame() {
        let answer = [(0x7E8, vec![0x41, 0x0C, 0x1A, 0xF8])];
        assert_eq!(lines(&answer, Protocol::Can11, false, true), ["41 0C 1A F8 "]);
        assert_eq!(lines(&answer, Protocol::Can11, false, false), ["410C1AF8"]);
        assert_eq!(lines(&answer, Protocol::Can11, true, true), ["7E8 04 41 0C 1A F8 00 00 00 "]);
    }

    #[test]
    fn the_older_buses_have_three_bytes_in_front_and_a_checksum() {
        let answer = [(0x10, vec![0x41, 0x0C, 0x14, 0x5F])];
        for (protocol, line) in [
            (Protocol::Iso9141, "486B10410C145F83"),
            (Protocol::KwpFast, "84F110410C145F45"),
            (Protocol::J1850Vpw, "486B10410C145FAF"),
            (Protocol::J1850Pwm, "416B10410C145F20"),
        ] {
            assert_eq!(lines(&answer, protocol, true, false), [line]);
        }
        let answer = [(0x18DA_F110, vec![0x41, 0x0D, 0x0A])];
        assert_eq!(lines(&answer, Protocol::Can29, true, true), ["18 DA F1 10 03 41 0D 0A 00 00 00 00 "]);
    }

    #[test]
    fn a_long_answer_is_a_first_frame_and_consecutive_ones() {
        let body = [&[0x49, 0x02, 0x01][..], b"WP0ZZZ99ZTS390000"].concat();
        let answer = [(0x7E8, body)];
        assert_eq!(
            lines(&answer, Protocol::Can11, true, false),
            ["7E81014490201575030", "7E8215A5A5A39395A54", "7E82253333930303030"]
        );
        assert_eq!(
            lines(&answer, Protocol::Can11, false, true),
            ["014", "0: 49 02 01 57 50 30 ", "1: 5A 5A 5A 39 39 5A 54 ", "2: 53 33 39 30 30 30 30 "]
        );
    }
}

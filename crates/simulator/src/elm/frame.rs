//! Answers as lines of text: ISO 15765-2 frames, with headers as they were on the bus, without as the chip joins them.

use crate::ecu::Answer;

/// Data bytes of a CAN frame.
const FRAME: usize = 8;
/// What unused bytes of a frame hold.
const PADDING: u8 = 0x00;

pub(super) fn lines(answers: &[Answer], headers: bool, spaces: bool) -> Vec<String> {
    answers
        .iter()
        .flat_map(|(id, body)| {
            let frames = frames(body);
            if headers {
                frames.iter().map(|frame| with_header(*id, frame, spaces)).collect()
            } else {
                bare(body, &frames, spaces)
            }
        })
        .collect()
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

fn with_header(id: u16, frame: &[u8], spaces: bool) -> String {
    let gap = if spaces { " " } else { "" };
    format!("{id:03X}{gap}{}", hex(frame, spaces))
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
        assert_eq!(lines(&answer, false, true), ["41 0C 1A F8 "]);
        assert_eq!(lines(&answer, false, false), ["410C1AF8"]);
        assert_eq!(lines(&answer, true, true), ["7E8 04 41 0C 1A F8 00 00 00 "]);
    }

    #[test]
    fn a_long_answer_is_a_first_frame_and_consecutive_ones() {
        let body = [&[0x49, 0x02, 0x01][..], b"WP0ZZZ99ZTS390000"].concat();
        let answer = [(0x7E8, body)];
        assert_eq!(lines(&answer, true, false), ["7E81014490201575030", "7E8215A5A5A39395A54", "7E82253333930303030"]);
        assert_eq!(
            lines(&answer, false, true),
            ["014", "0: 49 02 01 57 50 30 ", "1: 5A 5A 5A 39 39 5A 54 ", "2: 53 33 39 30 30 30 30 "]
        );
    }
}

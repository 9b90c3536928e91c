//! Helvetica, which every reader of PDF has: how wide its characters are, and their bytes in WinAnsiEncoding
//! (ISO 32000-1, annex D). Characters that it has not are shown by their base letter or as `?`.

use unicode_normalization::UnicodeNormalization;

/// Regular or bold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Regular,
    Bold,
}

/// Widths of the characters from space to tilde in thousandths of the size (Adobe's metrics of the standard fonts).
const REGULAR: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611,
    556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389,
    280, 389, 584,
];

/// The bytes of a text.
pub fn encode(text: &str) -> Vec<u8> {
    text.chars().map(byte).collect()
}

fn byte(c: char) -> u8 {
    match c {
        ' '..='~' => c as u8,
        '\u{a0}'..='\u{ff}' => c as u8,
        '\u{202f}' | '\u{2009}' => 0xa0,
        '€' => 0x80,
        '…' => 0x85,
        'Œ' => 0x8c,
        'œ' => 0x9c,
        'Š' => 0x8a,
        'š' => 0x9a,
        'Ž' => 0x8e,
        'ž' => 0x9e,
        'Ÿ' => 0x9f,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '\u{2212}' => b'-',
        _ => base(c).unwrap_or(b'?'),
    }
}

fn base(c: char) -> Option<u8> {
    std::iter::once(c).nfkd().next().filter(|base| matches!(base, ' '..='~')).map(|base| base as u8)
}

/// How wide a text is at a size, in points.
pub fn width(text: &str, face: Face, size: f32) -> f32 {
    let widths = match face {
        Face::Regular => &REGULAR,
        Face::Bold => &BOLD,
    };
    let of = |c: char| {
        let plain = if matches!(c, ' '..='~') { Some(c as u8) } else { base(c) };
        match c {
            '…' | '—' => 1000,
            '’' | '‘' => 222,
            _ => plain.map_or(556, |byte| widths[usize::from(byte - b' ')]),
        }
    };
    text.chars().map(|c| f32::from(of(c))).sum::<f32>() / 1000.0 * size
}

/// A text that is no wider than `room`: cut where it must be, with an ellipsis.
pub fn fit(text: &str, face: Face, size: f32, room: f32) -> String {
    if width(text, face, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept, face, size) + width("…", face, size) > room {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_are_bytes_and_what_the_font_has_not_is_shown_by_its_base_or_a_question_mark() {
        assert_eq!(encode("Été"), [0xc9, b't', 0xe9]);
        assert_eq!(encode("Škoda – 5\u{202f}€"), [0x8a, b'k', b'o', b'd', b'a', b' ', 0x96, b' ', b'5', 0xa0, 0x80]);
        assert_eq!(encode("Čech и"), b"Cech ?");
    }

    #[test]
    fn a_text_is_cut_to_its_room() {
        assert_eq!(width("AV", Face::Regular, 10.0), 13.34);
        assert_eq!(fit("Van 12", Face::Regular, 10.0, 100.0), "Van 12");
        let cut = fit("A very long name of a vehicle", Face::Bold, 10.0, 60.0);
        assert!(cut.ends_with('…') && width(&cut, Face::Bold, 10.0) <= 60.0, "{cut}");
    }
}

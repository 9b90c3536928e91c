//! Bytes → lines.

use super::message::Refusal;

/// Longest line, in bytes.
pub const LONGEST: usize = 256;

/// Finds lines in bytes that come in pieces of any size. A line ends at LF or CR; empty ones are none.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    /// Why the line that is being read is refused already.
    wrong: Option<Refusal>,
}

impl Lines {
    /// Takes one byte; tells of the line that ends with it.
    pub fn push(&mut self, byte: u8) -> Option<Result<String, Refusal>> {
        match byte {
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                match self.wrong.take() {
                    Some(refusal) => Some(Err(refusal)),
                    None if line.is_empty() => None,
                    // Only printable ASCII has come so far.
                    None => Some(String::from_utf8(line).map_err(|_| Refusal::Binary)),
                }
            }
            _ if self.wrong.is_some() => None,
            b' '..=b'~' if self.line.len() < LONGEST => {
                self.line.push(byte);
                None
            }
            b' '..=b'~' => self.refuse(Refusal::TooLong),
            _ => self.refuse(Refusal::Binary),
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Option<Result<String, Refusal>> {
        self.wrong = Some(refusal);
        self.line.clear();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Result<String, Refusal>> {
        let mut lines = Lines::default();
        bytes.iter().filter_map(|byte| lines.push(*byte)).collect()
    }

    #[test]
    fn lines_end_in_any_way_and_noise_costs_its_own_line_only() {
        assert_eq!(lines(b"a=1*00\r\nb=2*00\n\n\rc"), [Ok("a=1*00".to_owned()), Ok("b=2*00".to_owned())]);
        assert_eq!(lines(b"a\0b\nc\xff\nd\n"), [Err(Refusal::Binary), Err(Refusal::Binary), Ok("d".to_owned())]);
        let long = [vec![b'x'; LONGEST], b"\n".to_vec(), vec![b'x'; LONGEST + 1], b"\nd\n".to_vec()].concat();
        let found = lines(&long);
        assert_eq!(found[0].as_ref().map(String::len), Ok(LONGEST));
        assert_eq!(found[1..], [Err(Refusal::TooLong), Ok("d".to_owned())]);
    }
}

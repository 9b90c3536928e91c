//! The newest lines of the log, for who asks for them from afar.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes of all lines together.
const MOST_BYTES: usize = 256 * 1024;
/// Longer lines are cut.
const LONGEST_LINE: usize = 1024;

/// Keeps the newest lines in memory. Cloning gives another handle to the same ones.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Log {
    /// Nothing was said yet.
    pub fn new() -> Self {
        Log::default()
    }

    /// The newest `count` lines, fewer if they would be more than `bytes` together; each ends with a line feed.
    pub fn newest(&self, count: usize, bytes: usize) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = bytes;
        let fits = |line: &&String| {
            let fits = line.len() < left;
            left = left.saturating_sub(line.len() + 1);
            fits
        };
        let newest: Vec<&String> = kept.lines.iter().rev().take(count).take_while(fits).collect();
        newest.into_iter().rev().flat_map(|line| [line, "\n"]).collect()
    }

    fn push(&self, text: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.lines() {
            let line: String = line.chars().take(LONGEST_LINE).collect();
            kept.bytes += line.len();
            kept.lines.push_back(line);
        }
        while kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }
}

/// One line, as `tracing` writes it.
pub struct Line(Log, Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (4 * LONGEST_LINE).saturating_sub(self.1.len());
        self.1.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.push(&String::from_utf8_lossy(&self.1));
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line(self.clone(), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_told_in_their_order_and_only_as_many_as_fit() {
        let log = Log::new();
        assert_eq!(log.newest(9, 1000), "");
        for n in 0..5 {
            writeln!(log.make_writer(), "line {n}").unwrap();
        }
        assert_eq!(log.newest(2, 1000), "line 3\nline 4\n");
        assert_eq!(log.newest(9, 21), "line 2\nline 3\nline 4\n");
        assert_eq!(log.newest(9, 20), "line 3\nline 4\n");
    }

    #[test]
    fn it_holds_no_more_than_it_may() {
        let log = Log::new();
        for _ in 0..2_000 {
            writeln!(log.make_writer(), "{}", "é".repeat(9_000)).unwrap();
        }
        let kept = log.0.lock().unwrap();
        assert!(kept.bytes <= MOST_BYTES);
        assert_eq!(kept.bytes, kept.lines.iter().map(String::len).sum::<usize>());
        drop(kept);
        assert!(log.newest(1, 9_000).len() <= 2 * LONGEST_LINE + 1);
    }
}

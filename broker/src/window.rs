//! Packet identifiers of deliveries that a client has not acknowledged.

use std::collections::HashSet;

#[derive(Debug)]
pub(crate) struct Window {
    last: u16,
    size: usize,
    open: HashSet<u16>,
}

impl Window {
    pub(crate) fn new(size: u16) -> Self {
        Window { last: 0, size: usize::from(size.max(1)), open: HashSet::new() }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// How many deliveries may still be sent.
    pub(crate) fn room(&self) -> usize {
        self.size.saturating_sub(self.open.len())
    }

    /// An identifier that is not in use. There is one as long as [`Window::has_room`].
    pub(crate) fn open(&mut self) -> u16 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if self.open.insert(self.last) {
                return self.last;
            }
        }
    }

    /// Takes an acknowledgement; `false` when nothing of this identifier was delivered.
    pub(crate) fn close(&mut self, id: u16) -> bool {
        self.open.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_never_zero_and_never_used_twice_at_a_time() {
        let mut window = Window::new(3);
        assert_eq!([window.open(), window.open(), window.open()], [1, 2, 3]);
        assert!(!window.has_room());
        assert!(window.close(2) && !window.close(2) && !window.close(9));
        assert!(window.has_room());
        window.last = u16::MAX - 1;
        assert_eq!(window.open(), u16::MAX);
        assert!(window.close(u16::MAX));
        assert_eq!(window.open(), 2, "1 is still open");
    }
}

//! Deliveries that a client has not acknowledged, by their packet identifier.

use std::collections::HashMap;

use crate::subscriber::Delivery;

#[derive(Debug)]
pub(crate) struct Window {
    last: u16,
    size: usize,
    open: HashMap<u16, Flight>,
    /// Of those that are open, the ones that this connection has not seen yet.
    unsent: usize,
    sent: u64,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    /// They go again in this order.
    order: u64,
    pub(crate) qos: u8,
    /// PUBREC has come: the message is the client's, its identifier is not free yet.
    pub(crate) released: bool,
    /// An earlier connection has left it open.
    pub(crate) was_left: bool,
    /// Where it may be needed again.
    pub(crate) delivery: Option<Delivery>,
}

impl Flight {
    pub(crate) fn new(qos: u8, released: bool, delivery: Option<Delivery>) -> Self {
        Flight { order: 0, qos, released, was_left: false, delivery }
    }

    /// Its number on disk; 0 for none.
    pub(crate) fn seq(&self) -> u64 {
        self.delivery.as_ref().and_then(|delivery| delivery.seq).unwrap_or(0)
    }
}

impl Window {
    /// One with what an earlier connection has left open, in order.
    pub(crate) fn new(size: u16, left: Vec<(u16, Flight)>) -> Self {
        let unsent = left.len();
        let last = left.last().map_or(0, |(id, _)| *id);
        let open = left
            .into_iter()
            .zip(1..)
            .map(|((id, flight), order)| (id, Flight { order, was_left: true, ..flight }))
            .collect();
        Window { last, size: usize::from(size.max(1)), open, unsent, sent: unsent as u64 }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// How many deliveries may still be sent.
    pub(crate) fn room(&self) -> usize {
        self.size.saturating_sub(self.open.len().saturating_sub(self.unsent))
    }

    /// An identifier that is not in use. There is one as long as [`Window::has_room`] and all that was left open has gone
    /// again.
    pub(crate) fn open(&mut self, flight: Flight) -> u16 {
        self.sent += 1;
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.open.contains_key(&self.last) {
                self.open.insert(self.last, Flight { order: self.sent, ..flight });
                return self.last;
            }
        }
    }

    pub(crate) fn get(&mut self, id: u16) -> Option<&mut Flight> {
        self.open.get_mut(&id)
    }

    /// One that was left open goes again now.
    pub(crate) fn resent(&mut self) {
        self.unsent = self.unsent.saturating_sub(1);
    }

    /// Ends one; `None` when nothing of this identifier was delivered.
    pub(crate) fn close(&mut self, id: u16) -> Option<Flight> {
        self.open.remove(&id)
    }

    /// What is still open, in the order in which it was sent.
    pub(crate) fn into_left(self) -> Vec<(u16, Flight)> {
        let mut left: Vec<_> = self.open.into_iter().collect();
        left.sort_unstable_by_key(|(_, flight)| flight.order);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight() -> Flight {
        Flight::new(1, false, None)
    }

    #[test]
    fn identifiers_are_never_zero_and_never_used_twice_at_a_time() {
        let mut window = Window::new(3, Vec::new());
        assert_eq!([window.open(flight()), window.open(flight()), window.open(flight())], [1, 2, 3]);
        assert!(!window.has_room());
        assert!(window.close(2).is_some() && window.close(2).is_none() && window.close(9).is_none());
        assert!(window.has_room());
        window.last = u16::MAX - 1;
        assert_eq!(window.open(flight()), u16::MAX);
        assert!(window.close(u16::MAX).is_some());
        assert_eq!(window.open(flight()), 2, "1 is still open");
    }

    #[test]
    fn what_was_left_open_keeps_its_identifier_and_order_and_takes_room_when_it_goes_again() {
        let mut window = Window::new(9, Vec::new());
        for _ in 0..3 {
            window.open(flight());
        }
        window.close(1);
        window.open(flight());
        let left = window.into_left();
        assert_eq!(left.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 3, 4]);
        let mut window = Window::new(2, left);
        assert_eq!(window.room(), 2);
        window.resent();
        window.resent();
        assert_eq!(window.room(), 0);
        window.close(2);
        window.resent();
        assert_eq!(window.room(), 0);
        window.close(3);
        assert_eq!(window.open(flight()), 5);
        assert_eq!(window.into_left().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [4, 5]);
    }
}

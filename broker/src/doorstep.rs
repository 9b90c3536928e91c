//! Sockets that have not been told yet whether they are welcome: not too many, and not all from one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::Limits;

/// Who has an IPv6 address has all that share these first bits.
const IPV6_PREFIX: u128 = u128::MAX << 64;

pub(crate) struct Doorstep {
    places: usize,
    places_per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place on the doorstep; given back when it is dropped.
pub(crate) struct Place {
    doorstep: Arc<Doorstep>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    All,
    Address,
}

impl Crowded {
    /// For the metric.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Crowded::All => "handshakes",
            Crowded::Address => "handshakes_of_address",
        }
    }
}

impl Doorstep {
    pub(crate) fn new(limits: &Limits) -> Self {
        Doorstep {
            places: limits.handshakes,
            places_per_address: limits.handshakes_per_address,
            taken: Mutex::default(),
        }
    }

    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Crowded> {
        let address = subscriber(peer);
        let mut taken = self.taken();
        if taken.all >= self.places {
            return Err(Crowded::All);
        }
        let own = taken.by_address.get(&address).copied().unwrap_or_default();
        if own >= self.places_per_address {
            return Err(Crowded::Address);
        }
        taken.all += 1;
        taken.by_address.insert(address, own + 1);
        Ok(Place { doorstep: Arc::clone(self), address })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing in here panics between two steps that belong together.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.doorstep.taken();
        taken.all -= 1;
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// What stands for all addresses that one subscriber of a network usually has.
fn subscriber(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_PREFIX).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doorstep(handshakes: usize, handshakes_per_address: usize) -> Arc<Doorstep> {
        Arc::new(Doorstep::new(&Limits { handshakes, handshakes_per_address, ..Limits::default() }))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_the_places_of_all() {
        let doorstep = doorstep(4, 2);
        let (one, two, three) = (address("192.0.2.1"), address("192.0.2.2"), address("192.0.2.3"));
        let first = doorstep.enter(one).unwrap();
        let _second = doorstep.enter(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(doorstep.enter(one).err(), Some(Crowded::Address));
        let _others = (doorstep.enter(two).unwrap(), doorstep.enter(two).unwrap());
        assert_eq!(doorstep.enter(three).err(), Some(Crowded::All));
        drop(first);
        assert!(doorstep.enter(three).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_and_nothing_stays_behind() {
        let doorstep = doorstep(9, 1);
        let place = doorstep.enter(address("2001:db8::1")).unwrap();
        assert_eq!(doorstep.enter(address("2001:db8::ffff:1")).err(), Some(Crowded::Address));
        let other = doorstep.enter(address("2001:db8:0:1::1")).unwrap();
        drop((place, other));
        assert!(doorstep.taken().by_address.is_empty());
    }
}

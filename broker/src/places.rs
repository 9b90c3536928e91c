//! How many clients may be connected, in all and of one address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Who has an IPv6 address has all that share these first bits.
const IPV6_PREFIX: u128 = u128::MAX << 64;
/// Whoever asks for it gets as much.
const IPV6_SITE: u128 = u128::MAX << 80;

pub(crate) struct Places {
    in_all: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One of the places; given back when it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    All,
    Address,
}

impl Places {
    pub(crate) fn new(in_all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Places { in_all, per_address, taken: Mutex::default() })
    }

    /// Takes a place for a client of this address.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Crowded> {
        let address = subscriber(peer);
        let mut taken = self.taken();
        if taken.all >= self.in_all {
            return Err(Crowded::All);
        }
        let own = taken.by_address.get(&address).copied().unwrap_or_default();
        if own >= self.per_address {
            return Err(Crowded::Address);
        }
        taken.by_address.insert(address, own + 1);
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), address })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing in here panics between two steps that belong together.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
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
pub(crate) fn subscriber(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_PREFIX).into(),
        address => address,
    }
}

/// What stands for all addresses that one network may have, however easily it gets more.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_SITE).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_the_places_of_all() {
        let places = Places::new(4, 2);
        let (one, two, three) = (address("192.0.2.1"), address("192.0.2.2"), address("192.0.2.3"));
        let first = places.enter(one).unwrap();
        let _second = places.enter(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(places.enter(one).err(), Some(Crowded::Address));
        let _others = (places.enter(two).unwrap(), places.enter(two).unwrap());
        assert_eq!(places.enter(three).err(), Some(Crowded::All));
        drop(first);
        assert!(places.enter(three).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_and_nothing_stays_behind() {
        let places = Places::new(9, 1);
        let place = places.enter(address("2001:db8::1")).unwrap();
        assert_eq!(places.enter(address("2001:db8::ffff:1")).err(), Some(Crowded::Address));
        let other = places.enter(address("2001:db8:0:1::1")).unwrap();
        drop((place, other));
        assert!(places.taken().by_address.is_empty());
    }
}

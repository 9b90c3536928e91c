//! How many sockets may be somewhere, in all and of one address.

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
    /// `None` while it is not known who it is.
    address: Option<IpAddr>,
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

    /// Takes a place for a socket whose address is not known yet: that of a proxy says nothing.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Place, Crowded> {
        let mut taken = self.taken();
        if taken.all >= self.in_all {
            return Err(Crowded::All);
        }
        taken.all += 1;
        Ok(Place { places: Arc::clone(self), address: None })
    }

    /// Takes a place for a socket of this address.
    pub(crate) fn enter_from(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Crowded> {
        let mut place = self.enter()?;
        place.is_of(peer)?;
        Ok(place)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Nothing in here panics between two steps that belong together.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Says whose place it is. To be said once.
    pub(crate) fn is_of(&mut self, peer: IpAddr) -> Result<(), Crowded> {
        let address = subscriber(peer);
        let mut taken = self.places.taken();
        let own = taken.by_address.get(&address).copied().unwrap_or_default();
        if own >= self.places.per_address {
            return Err(Crowded::Address);
        }
        taken.by_address.insert(address, own + 1);
        drop(taken);
        self.address = Some(address);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(own) = taken.by_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&address);
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
        let first = places.enter_from(one).unwrap();
        let _second = places.enter_from(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(places.enter_from(one).err(), Some(Crowded::Address));
        let _others = (places.enter_from(two).unwrap(), places.enter_from(two).unwrap());
        assert_eq!(places.enter_from(three).err(), Some(Crowded::All));
        drop(first);
        assert!(places.enter_from(three).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_and_nothing_stays_behind() {
        let places = Places::new(9, 1);
        let place = places.enter_from(address("2001:db8::1")).unwrap();
        assert_eq!(places.enter_from(address("2001:db8::ffff:1")).err(), Some(Crowded::Address));
        let other = places.enter_from(address("2001:db8:0:1::1")).unwrap();
        drop((place, other));
        assert!(places.taken().by_address.is_empty());
    }

    #[test]
    fn who_is_behind_a_proxy_counts_from_when_it_is_known() {
        let places = Places::new(3, 1);
        let (mut first, mut second) = (places.enter().unwrap(), places.enter().unwrap());
        first.is_of(address("192.0.2.1")).unwrap();
        assert_eq!(second.is_of(address("192.0.2.1")), Err(Crowded::Address));
        drop(first);
        let mut third = places.enter().unwrap();
        third.is_of(address("192.0.2.1")).unwrap();
        drop((second, third));
        let taken = places.taken();
        assert!(taken.all == 0 && taken.by_address.is_empty());
    }
}

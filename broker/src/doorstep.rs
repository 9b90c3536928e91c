//! The sockets that have not been told yet whether they are welcome.
//!
//! When there are as many as there may be, whoever has most of them makes room for a newcomer who has fewer. So a few
//! networks with many silent sockets keep out nobody but themselves. Where all have about as many (a fleet that comes
//! back) the newcomer waits instead, because those before it are soon done.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use crate::places::{Crowded, network};

pub(crate) struct Doorstep {
    in_all: usize,
    per_network: usize,
    crowd: Mutex<Crowd>,
}

/// Who a socket belongs to; `None` while a proxy has not told yet.
type Party = Option<IpAddr>;

#[derive(Default)]
struct Crowd {
    all: usize,
    last: u64,
    /// By the order in which they came. A party without a socket is not in here.
    parties: HashMap<Party, BTreeMap<u64, CancellationToken>>,
}

/// A socket's place; given back when it is dropped.
pub(crate) struct Waiting {
    doorstep: Arc<Doorstep>,
    number: u64,
    party: Party,
    put_out: CancellationToken,
}

impl Doorstep {
    pub(crate) fn new(in_all: usize, per_network: usize) -> Arc<Self> {
        Arc::new(Doorstep { in_all, per_network, crowd: Mutex::default() })
    }

    /// Takes a place for a socket of `peer`, which is `None` where it is a proxy's.
    pub(crate) fn enter(self: &Arc<Self>, peer: Option<IpAddr>) -> Result<Waiting, Crowded> {
        let party = peer.map(network);
        let mut crowd = self.crowd();
        if party.is_some() && crowd.of(party) >= self.per_network {
            return Err(Crowded::Address);
        }
        if crowd.all >= self.in_all {
            crowd.make_room_for(party)?;
        }
        crowd.last += 1;
        let (number, put_out) = (crowd.last, CancellationToken::new());
        crowd.add(party, number, put_out.clone());
        Ok(Waiting { doorstep: Arc::clone(self), number, party, put_out })
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd> {
        // Nothing in here panics between two steps that belong together.
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Crowd {
    fn of(&self, party: Party) -> usize {
        self.parties.get(&party).map_or(0, BTreeMap::len)
    }

    fn add(&mut self, party: Party, number: u64, put_out: CancellationToken) {
        self.parties.entry(party).or_default().insert(number, put_out);
        self.all += 1;
    }

    fn remove(&mut self, party: Party, number: u64) -> Option<CancellationToken> {
        let own = self.parties.get_mut(&party)?;
        let removed = own.remove(&number)?;
        if own.is_empty() {
            self.parties.remove(&party);
        }
        self.all -= 1;
        Some(removed)
    }

    /// Puts out the oldest socket of the party that has most, if that is fair.
    fn make_room_for(&mut self, newcomer: Party) -> Result<(), Crowded> {
        let (party, sockets) = self.parties.iter().max_by_key(|(_, sockets)| sockets.len()).ok_or(Crowded::All)?;
        // It would have to have more than the newcomer even afterwards.
        let (party, fair) = (*party, sockets.len() > self.of(newcomer) + 1);
        let oldest = sockets.first_key_value().map(|(number, _)| *number).filter(|_| fair).ok_or(Crowded::All)?;
        if let Some(put_out) = self.remove(party, oldest) {
            put_out.cancel();
        }
        Ok(())
    }
}

impl Waiting {
    /// Says whose socket it is, once a proxy has told.
    pub(crate) fn is_of(&mut self, peer: IpAddr) -> Result<(), Crowded> {
        let party = Some(network(peer));
        let mut crowd = self.doorstep.crowd();
        if crowd.of(party) >= self.doorstep.per_network {
            return Err(Crowded::Address);
        }
        // One that is put out just now has no place any more.
        if let Some(put_out) = crowd.remove(self.party, self.number) {
            crowd.add(party, self.number, put_out);
            self.party = party;
        }
        Ok(())
    }

    /// Waits until somebody else needs the place more.
    pub(crate) fn put_out(&self) -> impl Future<Output = ()> + use<> {
        self.put_out.clone().cancelled_owned()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.doorstep.crowd().remove(self.party, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn who_has_most_makes_room_for_who_has_fewer_and_the_oldest_goes_first() {
        let doorstep = Doorstep::new(6, 4);
        let (one, two, three) = (address("192.0.2.1"), address("192.0.2.2"), address("192.0.2.3"));
        let many: Vec<_> = (0..4).map(|_| doorstep.enter(one).unwrap()).collect();
        assert_eq!(doorstep.enter(address("::ffff:192.0.2.1")).err(), Some(Crowded::Address));
        let few: Vec<_> = (0..2).map(|_| doorstep.enter(two).unwrap()).collect();
        let is_out = |waiting: &Waiting| waiting.put_out.is_cancelled();
        let _newcomer = doorstep.enter(three).unwrap();
        assert_eq!(many.iter().map(is_out).collect::<Vec<_>>(), [true, false, false, false]);
        // 3, 2 and 1: a place more for the second would be one less than fair for the first.
        assert_eq!(doorstep.enter(two).err(), Some(Crowded::All));
        let _second = doorstep.enter(three).unwrap();
        assert_eq!(many.iter().map(is_out).collect::<Vec<_>>(), [true, true, false, false]);
        assert!(!few.iter().any(is_out));
        drop(many);
        assert_eq!(doorstep.crowd().all, 4);
    }

    #[test]
    fn a_fleet_that_comes_back_does_not_put_itself_out() {
        let doorstep = Doorstep::new(3, 2);
        let _first: Vec<_> = (1..=3).map(|n| doorstep.enter(address(&format!("192.0.2.{n}"))).unwrap()).collect();
        assert_eq!(doorstep.enter(address("192.0.2.9")).err(), Some(Crowded::All));
    }

    #[test]
    fn an_ipv6_site_is_one_and_nothing_stays_behind() {
        let doorstep = Doorstep::new(9, 1);
        let first = doorstep.enter(address("2001:db8:1:1::1")).unwrap();
        assert_eq!(doorstep.enter(address("2001:db8:1:2::1")).err(), Some(Crowded::Address));
        let other = doorstep.enter(address("2001:db8:2::1")).unwrap();
        drop((first, other));
        let crowd = doorstep.crowd();
        assert!(crowd.all == 0 && crowd.parties.is_empty());
    }

    #[test]
    fn who_is_behind_a_proxy_counts_from_when_it_is_known() {
        let doorstep = Doorstep::new(3, 1);
        let one = "192.0.2.1".parse().unwrap();
        let (mut first, mut second) = (doorstep.enter(None).unwrap(), doorstep.enter(None).unwrap());
        first.is_of(one).unwrap();
        assert_eq!(second.is_of(one), Err(Crowded::Address));
        drop(first);
        let mut third = doorstep.enter(None).unwrap();
        third.is_of(one).unwrap();
        // Those who have told nothing are one party.
        let (fourth, fifth) = (doorstep.enter(None).unwrap(), doorstep.enter(address("192.0.2.2")).unwrap());
        assert!(second.put_out.is_cancelled());
        // Too late for that one to say who it is.
        second.is_of("192.0.2.3".parse().unwrap()).unwrap();
        drop((second, third, fourth, fifth));
        let crowd = doorstep.crowd();
        assert!(crowd.all == 0 && crowd.parties.is_empty());
    }
}

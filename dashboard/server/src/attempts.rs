//! How often one may try to sign in, and vehicles to enrol.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Mutex,
    time::{Duration, Instant},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// Most names and addresses that are remembered. Past it strangers are refused until the oldest are forgotten.
const MAX_REMEMBERED: usize = 10_000;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Most visits at once of all addresses together, and how soon there may be one more: 20 a second are a thousandth of
/// what the database can take, and a fleet of 10,000 is through in ten minutes.
const ALL_VISITS: (u32, Duration) = (400, Duration::from_millis(50));

/// Counts visits by address and all together.
pub(crate) struct Visits {
    by_address: Limit<IpAddr>,
    all: Limit<()>,
}

impl Visits {
    pub fn new() -> Self {
        let (burst, period) = ALL_VISITS;
        Visits { by_address: Limit::new(30, Duration::from_secs(2)), all: Limit::new(burst, period) }
    }

    /// Counts one visit; tells how long to wait if it is one too many.
    pub fn count(&self, address: IpAddr) -> Result<(), Duration> {
        // The address first: what one stranger tries too often is no loss to the others.
        self.by_address.count(&network(address))?;
        self.all.count(&())
    }
}

/// Counts attempts by address, by name, and by both.
///
/// The limit for a name is the widest: somebody who tries to lock a person out, or guesses from many places, reaches it
/// last.
pub(crate) struct Attempts {
    by_address: Limit<IpAddr>,
    by_both: Limit<(String, IpAddr)>,
    by_name: Limit<String>,
}

impl Attempts {
    pub fn new() -> Self {
        Attempts {
            by_address: Limit::new(30, Duration::from_secs(2)),
            by_both: Limit::new(10, Duration::from_secs(6)),
            by_name: Limit::new(100, Duration::from_secs(2)),
        }
    }

    /// Counts one attempt; tells how long to wait if it is one too many.
    pub fn count(&self, name: &str, address: IpAddr) -> Result<(), Duration> {
        let network = network(address);
        // The address first: it keeps one stranger from filling the other two.
        self.by_address.count(&network)?;
        self.by_both.count(&(name.to_owned(), network))?;
        self.by_name.count(&name.to_owned())
    }
}

struct Limit<K: Clone + Hash + Eq> {
    limiter: DefaultKeyedRateLimiter<K>,
    period: Duration,
    /// When those who may try again anyway were last forgotten.
    swept: Mutex<Option<Instant>>,
}

impl<K: Clone + Hash + Eq> Limit<K> {
    /// `burst` at once, then one in each `period`.
    fn new(burst: u32, period: Duration) -> Self {
        let quota = Quota::with_period(period)
            .expect("a period is longer than nothing")
            .allow_burst(NonZeroU32::new(burst).expect("a burst is at least one"));
        Limit { limiter: RateLimiter::keyed(quota), period, swept: Mutex::new(None) }
    }

    fn count(&self, key: &K) -> Result<(), Duration> {
        if self.is_full() {
            self.sweep();
            if self.is_full() {
                return Err(self.period);
            }
        }
        self.limiter.check_key(key).map_err(|refusal| refusal.wait_time_from(DefaultClock::default().now()))
    }

    fn is_full(&self) -> bool {
        self.limiter.len() >= MAX_REMEMBERED
    }

    /// Looks at everything that is remembered, so not at every attempt of a flood.
    fn sweep(&self) {
        let mut swept = self.swept.lock().expect("nothing panics while it sweeps");
        if swept.is_none_or(|last| last.elapsed() >= SWEEP_EVERY) {
            self.limiter.retain_recent();
            *swept = Some(Instant::now());
        }
    }
}

/// Who has one IPv6 address has 2^64 of them: the network counts.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut segments = v6.segments();
            segments[4..].fill(0);
            Ipv6Addr::from(segments).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn a_flood_is_told_to_wait_and_others_are_not() {
        let attempts = Attempts::new();
        let refused = (0..11).find_map(|_| attempts.count("admin", address(1)).err());
        assert!(refused.is_some_and(|wait| !wait.is_zero() && wait <= Duration::from_secs(6)));
        assert!(attempts.count("admin", address(2)).is_ok());
        assert!(attempts.count("other", address(1)).is_ok());
    }

    #[test]
    fn many_names_from_one_address_and_one_name_from_many_are_limited() {
        let attempts = Attempts::new();
        assert!((0..40).any(|n| attempts.count(&n.to_string(), address(1)).is_err()));
        let attempts = Attempts::new();
        assert!((0..120).any(|n| attempts.count("admin", address(n)).is_err()));
    }

    #[test]
    fn many_addresses_together_are_limited_and_one_alone_takes_nothing_from_the_others() {
        let visits = Visits::new();
        let heard = (0..10_000).filter(|_| visits.count(address(1)).is_ok()).count();
        assert!((30..40).contains(&heard), "{heard}");
        assert!(visits.count(address(2)).is_ok());
        let heard = (0..2_000).filter(|n| visits.count(address(n + 3)).is_ok()).count();
        assert!((300..=500).contains(&heard), "{heard}");
    }

    #[test]
    fn neighbours_in_an_ipv6_network_count_as_one() {
        let in_network = |text: &str| network(text.parse().unwrap());
        assert_eq!(in_network("2001:db8::1"), in_network("2001:db8::ffff"));
        assert_ne!(in_network("2001:db8::1"), in_network("2001:db8:0:1::1"));
        assert_eq!(in_network("::ffff:10.0.0.1"), in_network("10.0.0.1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limit = Limit::new(2, Duration::from_secs(3600));
        let refused = (0..20_000u32).filter(|n| limit.count(n).is_err()).count();
        assert_eq!(refused, 10_000);
        assert_eq!(limit.limiter.len(), MAX_REMEMBERED);
    }
}

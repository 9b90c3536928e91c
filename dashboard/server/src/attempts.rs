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

/// Most names and addresses that are remembered. Past it who signs in is refused until the oldest are forgotten.
const MAX_REMEMBERED: usize = 10_000;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Most visits at once of all vehicles together, and how soon there may be one more: 20 a second are a thousandth of
/// what the database can take, and a fleet of 10,000 is through in ten minutes.
const ALL_VISITS: (u32, Duration) = (400, Duration::from_millis(50));

/// Counts visits of vehicles: by network, and all together those who have shown that they are vehicles. Strangers use up
/// nothing but what is their own network's.
pub(crate) struct Visits {
    by_network: Limit<IpAddr>,
    by_site: Limit<IpAddr>,
    all: Limit<()>,
}

impl Visits {
    pub fn new() -> Self {
        let (burst, period) = ALL_VISITS;
        Visits {
            by_network: Limit::new(30, Duration::from_secs(2)),
            by_site: Limit::new(120, Duration::from_millis(500)),
            all: Limit::new(burst, period),
        }
    }

    /// Counts one visit of whoever it is; tells how long to wait if it is one too many.
    pub fn count(&self, address: IpAddr) -> Result<(), Duration> {
        // The wider one first: it keeps one site from filling the other.
        if let Some(site) = site(address) {
            self.by_site.count_if_room(&site)?;
        }
        self.by_network.count_if_room(&network(address))
    }

    /// Counts one visit of a vehicle that has a code or a certificate.
    pub fn count_vehicle(&self) -> Result<(), Duration> {
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
    /// Codes of second factors: three of a million are good at a time, so few may be tried.
    codes: Limit<String>,
    links: Limit<IpAddr>,
    refreshes: Limit<IpAddr>,
    forgotten: Limit<IpAddr>,
}

impl Attempts {
    pub fn new() -> Self {
        Attempts {
            by_address: Limit::new(30, Duration::from_secs(2)),
            // Whoever has a second factor takes two to sign in once.
            by_both: Limit::new(20, Duration::from_secs(6)),
            by_name: Limit::new(100, Duration::from_secs(2)),
            codes: Limit::new(8, Duration::from_secs(30)),
            links: Limit::new(30, Duration::from_secs(2)),
            // An office behind one address refreshes as many sessions as people have tabs.
            refreshes: Limit::new(200, Duration::from_millis(250)),
            forgotten: Limit::new(5, Duration::from_secs(60)),
        }
    }

    /// Counts a code of a second factor of a user whose password was right.
    pub fn count_code(&self, name: &str) -> Result<(), Duration> {
        self.codes.count(&name.to_owned())
    }

    /// Counts a look at an invitation, whether it is there or not.
    pub fn count_link(&self, address: IpAddr) -> Result<(), Duration> {
        self.links.count(&network(address))
    }

    /// Counts a refresh of a session.
    pub fn count_refresh(&self, address: IpAddr) -> Result<(), Duration> {
        self.refreshes.count_if_room(&network(address))
    }

    /// Counts somebody who says to have forgotten a password.
    pub fn count_forgotten(&self, address: IpAddr) -> Result<(), Duration> {
        self.forgotten.count(&network(address))
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
        if self.has_room() { self.check(key) } else { Err(self.period) }
    }

    /// The same, but too many to remember are not counted rather than refused: where what they try costs little and is
    /// bounded elsewhere, they must not keep out everybody else.
    fn count_if_room(&self, key: &K) -> Result<(), Duration> {
        if self.has_room() { self.check(key) } else { Ok(()) }
    }

    fn check(&self, key: &K) -> Result<(), Duration> {
        self.limiter.check_key(key).map_err(|refusal| refusal.wait_time_from(DefaultClock::default().now()))
    }

    fn has_room(&self) -> bool {
        if self.is_full() {
            self.sweep();
        }
        !self.is_full()
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
        IpAddr::V6(v6) => beginning(v6, 4),
        v4 => v4,
    }
}

/// Many who have IPv6 have 2^16 networks: these count together too.
fn site(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V6(v6) => Some(beginning(v6, 3)),
        IpAddr::V4(_) => None,
    }
}

fn beginning(address: Ipv6Addr, kept: usize) -> IpAddr {
    let mut segments = address.segments();
    segments[kept..].fill(0);
    Ipv6Addr::from(segments).into()
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
        let refused = (0..21).find_map(|_| attempts.count("admin", address(1)).err());
        assert!(refused.is_some_and(|wait| !wait.is_zero() && wait <= Duration::from_secs(6)));
        assert!(attempts.count("admin", address(2)).is_ok());
        assert!(attempts.count("other", address(1)).is_ok());
    }

    #[test]
    fn few_codes_may_be_tried_and_few_passwords_forgotten() {
        let attempts = Attempts::new();
        assert_eq!((0..100).filter(|_| attempts.count_code("ada").is_ok()).count(), 8);
        assert!(attempts.count_code("bob").is_ok());
        assert_eq!((0..100).filter(|_| attempts.count_forgotten(address(1)).is_ok()).count(), 5);
        assert_eq!((0..100).filter(|_| attempts.count_link(address(1)).is_ok()).count(), 30);
        let refreshed = (0..1_000).filter(|_| attempts.count_refresh(address(1)).is_ok()).count();
        assert!((200..=210).contains(&refreshed), "{refreshed}");
    }

    #[test]
    fn many_names_from_one_address_and_one_name_from_many_are_limited() {
        let attempts = Attempts::new();
        assert!((0..40).any(|n| attempts.count(&n.to_string(), address(1)).is_err()));
        let attempts = Attempts::new();
        assert!((0..120).any(|n| attempts.count("admin", address(n)).is_err()));
    }

    #[test]
    fn one_address_takes_nothing_from_the_others_and_strangers_nothing_from_vehicles() {
        let visits = Visits::new();
        let heard = (0..10_000).filter(|_| visits.count(address(1)).is_ok()).count();
        assert!((30..40).contains(&heard), "{heard}");
        assert!((0..2_000).all(|n| visits.count(address(n + 2)).is_ok()));
        let heard = (0..2_000).filter(|_| visits.count_vehicle().is_ok()).count();
        assert!((400..=500).contains(&heard), "{heard}");
    }

    #[test]
    fn the_networks_of_an_ipv6_site_are_limited_together_and_other_sites_are_not() {
        let visits = Visits::new();
        let of = |site: u16, network: u16| Ipv6Addr::new(0x2001, 0xdb8, site, network, 0, 0, 0, 1).into();
        let heard = (0..1_000).filter(|n| visits.count(of(1, *n)).is_ok()).count();
        assert!((120..200).contains(&heard), "{heard}");
        assert!(visits.count(of(2, 1)).is_ok());
    }

    #[test]
    fn networks_without_number_are_not_remembered_and_keep_nobody_out() {
        let visits = Visits::new();
        let site = |n: u32| IpAddr::from(Ipv6Addr::from_bits(u128::from(n) << 80));
        assert!((0..20_000).all(|n| visits.count(site(n)).is_ok()));
        assert!(visits.by_site.limiter.len() <= MAX_REMEMBERED && visits.by_network.limiter.len() <= MAX_REMEMBERED);
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

//! Which addresses a server may speak to when a person names them: a webhook, a camera. Whoever may give an address could
//! otherwise reach what trusts this machine.
//!
//! # Layout
//! - [`Guard`]: the networks that are allowed beside public ones, and the addresses of a name
//! - `public`: which addresses everybody may have (pure)
//!
//! # Invariants
//! - An address counts as what it is, however it is written: an IPv4 address inside an IPv6 one is judged as itself.
//! - A name is admitted with all of its addresses or not at all, and whoever asks connects to those that are given back: what
//!   the name means a moment later does not matter.

mod public;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;
use tokio::net::lookup_host;

/// Most addresses of a name that are looked at.
const MAX_ADDRESSES: usize = 64;

/// Public addresses may be reached, and those of networks that are allowed by name. A clone is cheap.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Arc<[IpNet]>,
}

/// Why nobody is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is in the server's own network.
    #[error("`{0}` is in the server's own network")]
    Inside(String),
    /// The name has no address.
    #[error("`{0}` has no address")]
    Unknown(String),
}

impl Guard {
    /// One that lets through to these networks, too, such as `10.8.0.0/16`.
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        Guard { allowed: allowed.into_iter().collect() }
    }

    /// Whether an address may be reached.
    pub fn allows(&self, address: IpAddr) -> bool {
        public::is_public(address) || self.names(address)
    }

    /// Whether an address is in a network that is allowed by name.
    pub fn names(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(&address))
    }

    /// The addresses of a host, which is a name or an address itself; all of them may be reached.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        if let Some(address) = literal(host) {
            return self.check(host, [SocketAddr::new(address, port)]);
        }
        let found = lookup_host((host, port)).await.map_err(|_| Refused::Unknown(host.to_owned()))?;
        self.check(host, found)
    }

    /// The same with the addresses that were found. A name that is sometimes this and sometimes that is a trick.
    pub fn check(&self, host: &str, found: impl IntoIterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        let found: Vec<_> = found.into_iter().take(MAX_ADDRESSES + 1).collect();
        if found.is_empty() || found.len() > MAX_ADDRESSES {
            return Err(Refused::Unknown(host.to_owned()));
        }
        if found.iter().all(|address| self.allows(address.ip())) {
            Ok(found)
        } else {
            Err(Refused::Inside(host.to_owned()))
        }
    }
}

/// The address that a host is, with or without the brackets of a URL; none for a name.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        Guard::new(allowed.iter().map(|text| text.parse().unwrap()))
    }

    fn found(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 554)).collect()
    }

    #[test]
    fn what_is_allowed_is_a_network_and_nothing_beside_it() {
        let guard = guard(&["10.8.0.0/16", "fd12::/32", "192.168.1.20/32", "::1/128"]);
        for (address, allows) in [
            ("10.8.255.1", true),
            ("10.9.0.1", false),
            ("fd12:0:1::1", true),
            ("fd13::1", false),
            ("192.168.1.20", true),
            ("192.168.1.21", false),
            ("::ffff:10.8.0.1", true),
            ("::ffff:10.9.0.1", false),
            ("::1", true),
            ("127.0.0.1", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!((guard.allows(address), guard.names(address)), (allows, allows), "{address}");
        }
        let public: IpAddr = "8.8.8.8".parse().unwrap();
        assert!(guard.allows(public) && !guard.names(public), "it is public, and nobody named it");
        assert!(self::guard(&["0.0.0.0/0"]).allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_name_with_several_addresses_is_admitted_with_all_of_them_or_not_at_all() {
        let guard = guard(&["10.8.0.0/16"]);
        let good = found(&["8.8.8.8", "2a00:1450:400a:800::200e", "10.8.0.1"]);
        assert_eq!(guard.check("cam.example", good.clone()), Ok(good));
        for trick in [
            ["8.8.8.8", "127.0.0.1"],
            ["169.254.169.254", "8.8.8.8"],
            ["2a00:1450:400a:800::200e", "::ffff:10.0.0.1"],
            ["8.8.8.8", "fd00:ec2::254"],
        ] {
            let refused = guard.check("trick.example", found(&trick)).unwrap_err();
            assert_eq!(refused, Refused::Inside("trick.example".to_owned()), "{trick:?}");
        }
        assert_eq!(guard.check("none.example", []), Err(Refused::Unknown("none.example".to_owned())));
        let flood = vec![found(&["8.8.8.8"])[0]; MAX_ADDRESSES + 1];
        assert!(guard.check("flood.example", flood).is_err());
    }

    #[tokio::test]
    async fn what_is_given_back_are_addresses_so_that_a_name_is_asked_once() {
        let strict = Guard::default();
        for inside in ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "::ffff:127.0.0.1", "[fe80::1]"] {
            let refused = strict.resolve(inside, 554).await.unwrap_err();
            assert_eq!(refused, Refused::Inside(inside.to_owned()));
        }
        let at_home = guard(&["127.0.0.0/8", "::1/128"]);
        let there = at_home.resolve("localhost", 8554).await.unwrap();
        assert!(!there.is_empty() && there.iter().all(|address| address.ip().is_loopback() && address.port() == 8554));
        assert_eq!(strict.resolve("8.8.8.8", 554).await, Ok(found(&["8.8.8.8"])));
        assert!(matches!(strict.resolve("no such name", 554).await, Err(Refused::Unknown(_))));
    }
}

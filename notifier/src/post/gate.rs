//! The way out: addresses that may be reached, and the one HTTP client.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use tokio::net::lookup_host;

/// How long it may take to get through to somebody.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the whole of it may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Which addresses may be reached. The server's own network may not, unless that is allowed: whoever may name an address could
/// otherwise speak to what trusts this machine.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    allowed: Arc<[IpNet]>,
}

/// An address that may not be reached, or none at all.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// It is in the server's own network.
    #[error("`{0}` is in the server's own network; --allow-private lets notifications out to it")]
    Private(String),
    /// Nobody knows the name.
    #[error("`{0}` has no address")]
    Unknown(String),
    /// It is none that can be reached by HTTP.
    #[error("the address must begin with https:// or http:// and name a host")]
    Address,
}

impl Gate {
    /// A gate that lets through to these networks, too.
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        Gate { allowed: allowed.into_iter().collect() }
    }

    /// Whether an address may be reached.
    pub fn lets(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|net| net.contains(&address))
    }

    /// The addresses of a name, if all of them may be reached: one that is sometimes this and sometimes that is a trick.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Closed> {
        let found = lookup_host((host, port)).await.map_err(|_| Closed::Unknown(host.to_owned()))?;
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Err(Closed::Unknown(host.to_owned()));
        }
        if found.iter().all(|address| self.lets(address.ip())) {
            Ok(found)
        } else {
            Err(Closed::Private(host.to_owned()))
        }
    }

    /// A web address, if it may be one. A name is looked up when the connection is made, and checked then.
    pub fn url(&self, text: &str) -> Result<Url, Closed> {
        let url = Url::parse(text).map_err(|_| Closed::Address)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Closed::Address);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Closed::Address)?;
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal {
            Ok(address) if !self.lets(address) => Err(Closed::Private(host.to_owned())),
            _ => Ok(url),
        }
    }

    /// The client by which everything goes out. It follows nobody elsewhere, keeps nothing, and asks no proxy.
    pub fn client(&self) -> Result<Client, reqwest::Error> {
        // Another one that the program has installed serves as well.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        Client::builder()
            .dns_resolver(Resolver(self.clone()))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(2)
            .user_agent(concat!("BugBrother/", env!("CARGO_PKG_VERSION")))
            .build()
    }
}

struct Resolver(Gate);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.0.clone();
        Box::pin(async move {
            let found = gate.resolve(name.as_str(), 0).await?;
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is one of the whole world's, and not of this machine or its network (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = matches!(
        (a, b, c),
        // This network, shared by providers (RFC 6598), protocol assignments, documentation, benchmarks, the future.
        (0, ..)
            | (100, 64..=127, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (240..=255, ..)
    );
    !(reserved || address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // What is embedded in another address counts as what it is: 6to4, NAT64 and the like lead into IPv4.
    let embedded = match address.segments() {
        [0x2002, high, low, ..] => Some((high, low)),
        [0x64, 0xff9b, .., high, low] => Some((high, low)),
        [0, 0, 0, 0, 0, 0, high, low] => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Global unicast is 2000::/3; of it Teredo and documentation are not for us.
    (0x2000..=0x3fff).contains(&first) && !(first == 0x2001 && matches!(second, 0 | 0xdb8)) && first != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("it is an address")
    }

    #[test]
    fn the_world_may_be_reached_and_the_servers_own_network_may_not() {
        let gate = Gate::default();
        for open in ["1.1.1.1", "192.0.1.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(gate.lets(ip(open)), "{open}");
        }
        for closed in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "fec0::1",
        ] {
            assert!(!gate.lets(ip(closed)), "{closed}");
        }
    }

    #[test]
    fn what_is_allowed_may_be_reached_and_nothing_beside_it() {
        let gate = Gate::new(["192.168.1.0/24", "::1/128"].map(|net| net.parse().expect("it is a network")));
        assert!(gate.lets(ip("192.168.1.7")) && gate.lets(ip("::ffff:192.168.1.7")) && gate.lets(ip("::1")));
        assert!(!gate.lets(ip("192.168.2.7")) && !gate.lets(ip("127.0.0.1")));
    }

    #[test]
    fn however_an_address_is_written_it_is_what_it_is() {
        let gate = Gate::default();
        for closed in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]:80/",
            "http://[::ffff:7f00:1]/",
            "http://127.1/",
            "http://１２７.0.0.1/",
            "https://user:pass@169.254.169.254/",
        ] {
            assert!(matches!(gate.url(closed), Err(Closed::Private(_))), "{closed}");
        }
        for none in ["", "example.org", "ftp://example.org/", "file:///etc/passwd", "http://", "gopher://1.1.1.1/"] {
            assert!(matches!(gate.url(none), Err(Closed::Address)), "{none}");
        }
        assert!(gate.url("https://hooks.example.org/x?y=1").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let gate = Gate::default();
        assert!(matches!(gate.resolve("localhost", 80).await, Err(Closed::Private(_))));
        let client = gate.client().expect("a client can be made");
        let error = client.get("http://localhost:9/").send().await.expect_err("nobody is reached");
        let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        assert!(causes.any(|cause| cause.to_string().contains("own network")), "{error:?}");
    }
}

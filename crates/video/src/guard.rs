//! Which addresses a server may pull cameras from. A URL that a person gives must not reach into the server's own network.

use std::{fmt, net::IpAddr, str::FromStr};

use url::{Host, Url};

/// Networks that may be reached although they are not public, such as `10.8.0.0/16`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    allowed: Vec<Network>,
}

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network: one looks like 10.8.0.0/16 or fd00::/8")]
pub struct NetworkError(String);

/// Why a camera is not pulled.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A file, a web page.
    #[error("a camera's URL must start with rtsp://, this one starts with {0}://")]
    Scheme(String),
    /// There is nothing to connect to.
    #[error("the URL names no host")]
    NoHost,
    /// It would end up in logs.
    #[error("give user name and password apart from the URL")]
    Credentials,
    /// It is in the server's own network.
    #[error("{0} is not a public address, and its network is not among those that are allowed")]
    Inside(IpAddr),
    /// The host's name has no address.
    #[error("the host's name has no address")]
    Unknown(#[source] std::io::Error),
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.chars().take(64).collect());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), |prefix| prefix.parse().map_err(|_| wrong()))?;
        if prefix > longest {
            return Err(wrong());
        }
        Ok(Network { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let differs = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let bits = own.to_bits() ^ other.to_bits();
                bits.checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) != 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let bits = own.to_bits() ^ other.to_bits();
                bits.checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) != 0
            }
            _ => true,
        };
        !differs
    }
}

impl Guard {
    /// Nothing but public addresses and those of these networks.
    pub fn new(allowed: Vec<Network>) -> Self {
        Guard { allowed }
    }

    /// Whether an address may be reached.
    pub fn allows(&self, address: IpAddr) -> bool {
        // An IPv4 address may be written as an IPv6 one.
        let address = address.to_canonical();
        is_public(address) || self.allowed.iter().any(|network| network.contains(address))
    }

    /// The URL with an address in the place of the host's name: what is connected to is what was looked at, whatever the
    /// name means a moment later. retina follows no redirect; whoever does has the new URL admitted, too.
    ///
    /// Every address of the name must be allowed.
    pub async fn admit(&self, url: &Url) -> Result<Url, Refused> {
        if url.scheme() != "rtsp" {
            return Err(Refused::Scheme(url.scheme().chars().take(32).collect()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        // The scheme is none that the URL standard knows, so an address in the host is still a text.
        let address = match url.host().ok_or(Refused::NoHost)? {
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
            Host::Domain(name) => match name.parse() {
                Ok(address) => address,
                Err(_) => return self.resolve(url, name).await,
            },
        };
        self.check(address)?;
        pinned(url, address)
    }

    async fn resolve(&self, url: &Url, name: &str) -> Result<Url, Refused> {
        let found = tokio::net::lookup_host((name, url.port().unwrap_or(554))).await.map_err(Refused::Unknown)?;
        let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.iter().try_for_each(|address| self.check(*address))?;
        pinned(url, *addresses.first().ok_or(Refused::NoHost)?)
    }

    fn check(&self, address: IpAddr) -> Result<(), Refused> {
        if self.allows(address) { Ok(()) } else { Err(Refused::Inside(address)) }
    }
}

fn pinned(url: &Url, address: IpAddr) -> Result<Url, Refused> {
    let mut url = url.clone();
    url.set_ip_host(address).map_err(|()| Refused::NoHost)?;
    Ok(url)
}

/// Whether everybody may have such an address (IANA's special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local() // with the cloud's metadata, 169.254.169.254
                || address.is_multicast()
                || address.is_documentation()
                || address.is_broadcast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b)) // shared by a provider's customers, RFC 6598
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(address) => {
            // Global unicast, without what carries an IPv4 address inside, and without documentation.
            let [a, b, ..] = address.segments();
            (a & 0xE000) == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b < 0x200 || b == 0xDB8))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allowed: &[&str]) -> Guard {
        Guard::new(allowed.iter().map(|text| text.parse().unwrap()).collect())
    }

    async fn admit(guard: &Guard, url: &str) -> Result<String, String> {
        let admitted = guard.admit(&url.parse().unwrap()).await;
        admitted.map(String::from).map_err(|refused| refused.to_string())
    }

    #[test]
    fn nothing_inside_is_reached_by_any_way_of_writing_it() {
        let guard = guard(&[]);
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.20",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "ff02::1",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "240.0.0.1",
        ] {
            assert!(!guard.allows(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "2a00:1450:400a:800::200e", "172.32.0.1", "100.128.0.1"] {
            assert!(guard.allows(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn what_is_allowed_is_a_network_and_nothing_beside_it() {
        let guard = guard(&["10.8.0.0/16", "fd12::/32", "192.168.1.20"]);
        for (address, allows) in [
            ("10.8.255.1", true),
            ("10.9.0.1", false),
            ("fd12:0:1::1", true),
            ("fd13::1", false),
            ("192.168.1.20", true),
            ("192.168.1.21", false),
            ("::ffff:10.8.0.1", true),
        ] {
            assert_eq!(guard.allows(address.parse().unwrap()), allows, "{address}");
        }
        assert!(self::guard(&["0.0.0.0/0"]).allows("127.0.0.1".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "camera", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        assert_eq!("10.8.0.0/16".parse::<Network>().unwrap().to_string(), "10.8.0.0/16");
    }

    #[tokio::test]
    async fn a_url_is_admitted_with_the_address_that_was_looked_at() {
        let strict = guard(&[]);
        for (url, words) in [
            ("http://8.8.8.8/", "must start with rtsp://"),
            ("file:///etc/passwd", "must start with rtsp://"),
            ("rtsp://169.254.169.254/latest", "is not a public address"),
            ("rtsp://[::1]:554/", "is not a public address"),
            ("rtsp://[::ffff:10.0.0.1]/", "is not a public address"),
            ("rtsp://localhost/", "is not a public address"),
            ("rtsp://u:p@8.8.8.8/", "apart from the URL"),
            ("rtsp:/stream", "names no host"),
        ] {
            let refused = admit(&strict, url).await.unwrap_err();
            assert!(refused.contains(words), "{url}: {refused}");
        }
        assert_eq!(admit(&strict, "rtsp://8.8.8.8:8554/s?x=1").await.unwrap(), "rtsp://8.8.8.8:8554/s?x=1");
        let at_home = guard(&["127.0.0.0/8", "::1"]);
        let admitted = admit(&at_home, "rtsp://localhost:8554/s").await.unwrap();
        assert!(["rtsp://127.0.0.1:8554/s", "rtsp://[::1]:8554/s"].contains(&&*admitted), "{admitted}");
    }
}

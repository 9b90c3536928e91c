//! The way to a device, a serial port or a TCP socket, and to the broker.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

/// The way to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// `serial:/dev/ttyUSB0@9600`
    Serial {
        /// The device file.
        path: PathBuf,
        /// Bits per second.
        baud: u32,
    },
    /// `tcp:host:port`
    Tcp(Address),
}

/// Name or address of a host, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name, IPv4 address, or IPv6 address without brackets.
    pub host: String,
    /// TCP port, not 0.
    pub port: u16,
}

/// Where the broker is and how it is spoken to: `mqtts://host:port`, or `host:port` without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Where.
    pub address: Address,
    /// Whether by TLS.
    pub secure: bool,
}

impl Broker {
    /// Whether what is said to it stays on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.address.host.as_str();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Without TLS.
impl From<Address> for Broker {
    fn from(address: Address) -> Self {
        Broker { address, secure: false }
    }
}

impl FromStr for Broker {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (address, secure) = match text.strip_prefix("mqtts://") {
            Some(address) => (address, true),
            None => (text, false),
        };
        Ok(Broker { address: address.parse().map_err(|_| LinkError::Broker(text.to_owned()))?, secure })
    }
}

/// The brokers in the order in which they are preferred, at least one. All are spoken to alike, by TLS or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers(Vec<Broker>);

impl Brokers {
    /// Where they are.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.0.iter().map(|broker| &broker.address)
    }

    /// Whether they are spoken to by TLS.
    pub fn are_secure(&self) -> bool {
        self.0.iter().all(|broker| broker.secure)
    }

    /// Whether what is said to them stays on this machine.
    pub fn are_local(&self) -> bool {
        self.0.iter().all(Broker::is_local)
    }
}

impl<B: Into<Broker>> From<B> for Brokers {
    fn from(one: B) -> Self {
        Brokers(vec![one.into()])
    }
}

impl TryFrom<Vec<Broker>> for Brokers {
    type Error = LinkError;

    fn try_from(brokers: Vec<Broker>) -> Result<Self, LinkError> {
        let Some(first) = brokers.first() else { return Err(LinkError::NoBroker) };
        match brokers.iter().any(|broker| broker.secure != first.secure) {
            true => Err(LinkError::MixedBrokers),
            false => Ok(Brokers(brokers)),
        }
    }
}

/// With commas between them.
impl FromStr for Brokers {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let brokers: Result<Vec<Broker>, _> = text.split(',').map(|broker| broker.trim().parse()).collect();
        brokers?.try_into()
    }
}

/// Why a text is not the address of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Neither serial nor TCP.
    #[error("`{0}` starts with neither `serial:` nor `tcp:`, as in `serial:/dev/ttyUSB0@9600` or `tcp:host:port`")]
    Scheme(String),
    /// No host and port.
    #[error("`{0}` is not `host:port` with a port from 1 to 65535")]
    Address(String),
    /// No broker.
    #[error("`{0}` is neither `mqtts://host:port` nor `host:port`, with a port from 1 to 65535")]
    Broker(String),
    /// A list with none.
    #[error("the list of brokers is empty")]
    NoBroker,
    /// What is secret with one is not with the other.
    #[error("some brokers are spoken to by TLS and some not: use mqtts:// for all of them, or for none")]
    MixedBrokers,
    /// No speed that a serial port has.
    #[error("`{0}` is not a speed in bits per second from 300 to 4000000")]
    Baud(String),
    /// The name of the device file is missing.
    #[error("`serial:` wants a device file, as in `serial:/dev/ttyUSB0@9600`")]
    NoDevice,
}

impl Link {
    /// Reads `serial:PATH[@BAUD]` or `tcp:HOST:PORT`.
    pub fn parse(text: &str, default_baud: u32) -> Result<Self, LinkError> {
        if let Some(device) = text.strip_prefix("serial:") {
            let (path, baud) = match device.rsplit_once('@') {
                Some((path, baud)) => (path, parse_baud(baud)?),
                None => (device, default_baud),
            };
            if path.is_empty() {
                return Err(LinkError::NoDevice);
            }
            Ok(Link::Serial { path: path.into(), baud })
        } else if let Some(address) = text.strip_prefix("tcp:") {
            address.parse().map(Link::Tcp)
        } else {
            Err(LinkError::Scheme(text.to_owned()))
        }
    }
}

fn parse_baud(text: &str) -> Result<u32, LinkError> {
    let baud = text.parse().ok().filter(|b| (300..=4_000_000).contains(b));
    baud.ok_or_else(|| LinkError::Baud(text.to_owned()))
}

impl FromStr for Address {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let wrong = || LinkError::Address(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0);
        let ambiguous = bracketed.is_none() && host.contains(':');
        match port {
            Some(port) if !host.is_empty() && !ambiguous => Ok(Address { host: host.to_owned(), port }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Link::Serial { path, baud } => write!(f, "serial:{}@{baud}", path.display()),
            Link::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_read_back_as_themselves() {
        for text in ["serial:/dev/ttyUSB0@9600", "tcp:gps.local:2947", "tcp:[::1]:2947"] {
            assert_eq!(Link::parse(text, 4800).unwrap().to_string(), text);
        }
        assert_eq!(Link::parse("serial:/dev/rfcomm0", 38_400).unwrap().to_string(), "serial:/dev/rfcomm0@38400");
    }

    #[test]
    fn a_broker_is_secure_by_its_scheme_and_local_by_its_address() {
        for (text, secure, local) in [
            ("mqtts://fleet.example.org:8883", true, false),
            ("mqtts://[::1]:8883", true, true),
            ("localhost:1883", false, true),
            ("127.0.0.2:1883", false, true),
            ("10.0.0.1:1883", false, false),
        ] {
            let broker: Broker = text.parse().unwrap();
            assert_eq!((broker.secure, broker.is_local()), (secure, local), "{text}");
        }
        for wrong in ["http://fleet:80", "mqtts://fleet", "fleet", ":1883", "mqtts://"] {
            assert_eq!(wrong.parse::<Broker>(), Err(LinkError::Broker(wrong.to_owned())));
        }
    }

    #[test]
    fn a_list_of_brokers_has_one_at_least_and_all_are_spoken_to_alike() {
        let two: Brokers = "mqtts://a:8883, mqtts://b:8883".parse().unwrap();
        assert_eq!(two.addresses().map(Address::to_string).collect::<Vec<_>>(), ["a:8883", "b:8883"]);
        assert!(two.are_secure() && !two.are_local());
        assert!("localhost:1883".parse::<Brokers>().unwrap().are_local());
        assert_eq!("mqtts://a:8883,localhost:1883".parse::<Brokers>(), Err(LinkError::MixedBrokers));
        assert_eq!("a:1,".parse::<Brokers>(), Err(LinkError::Broker(String::new())));
        assert_eq!(Brokers::try_from(Vec::new()), Err(LinkError::NoBroker));
    }

    #[test]
    fn a_wrong_link_is_refused_with_the_form_that_is_wanted() {
        for (text, part) in [
            ("/dev/ttyUSB0", "serial:"),
            ("serial:@9600", "device file"),
            ("serial:/dev/ttyUSB0@fast", "bits per second"),
            ("tcp:gps", "host:port"),
            ("tcp:gps:0", "1 to 65535"),
            ("tcp:::1:2947", "host:port"),
        ] {
            let error = Link::parse(text, 9600).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

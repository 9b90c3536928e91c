//! Brokers that are not this program's: their addresses, and how a service signs in there.

use std::{net::IpAddr, str::FromStr};

use anyhow::{Context, Result, bail};
use bugbrother_client::{Options, Peer, Tls};

use crate::arguments::Net;

const PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> Result<Self> {
        let (tls, rest) = match url.split_once("://") {
            Some(("mqtts", rest)) => (true, rest),
            Some(("mqtt", rest)) => (false, rest),
            _ => bail!("{url}: it begins with mqtts:// (or mqtt://, without TLS)"),
        };
        let rest = rest.trim_end_matches('/');
        if rest.contains(['/', '@', '?', '#']) {
            bail!("after mqtts:// come a host and perhaps a port; passwords are in secrets/ of the data folder");
        }
        let standard = if tls { TLS_PORT } else { PORT };
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an IPv6 address are within brackets.
            Some((host, port)) if !port.contains(']') => match port.parse() {
                Ok(port) => (host, port),
                Err(_) => bail!("{url}: `{port}` is no port"),
            },
            _ => (rest, standard),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || (host.contains(':') && host.parse::<IpAddr>().is_err()) {
            bail!("{url}: it names no host");
        }
        Ok(Address { host: host.to_owned(), port, tls })
    }
}

impl Address {
    fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// The brokers that were named, all with TLS or all without. Without it others on the way read and change everything.
pub fn of(net: &Net) -> Result<Vec<Address>> {
    let brokers = parse(&net.brokers, "--broker", net.allow_plain)?;
    if brokers.windows(2).any(|two| two[0].tls != two[1].tls) {
        bail!("--broker: all of them with mqtts:// or all with mqtt://");
    }
    Ok(brokers)
}

/// The brokers of other sites.
pub fn others(net: &Net) -> Result<Vec<Address>> {
    parse(&net.other_brokers, "--other-broker", net.allow_plain)
}

/// The same for a session that is with them, too.
pub fn peers(net: &Net) -> Result<Vec<Peer>> {
    let peer = |Address { host, port, tls }| Peer {
        host,
        port,
        tls: tls.then(|| Tls { ca: net.broker_ca.clone(), identity: None }),
    };
    Ok(others(net)?.into_iter().map(peer).collect())
}

fn parse(urls: &[String], option: &str, allow_plain: bool) -> Result<Vec<Address>> {
    let parsed: Result<Vec<Address>> = urls.iter().map(|url| url.parse()).collect();
    let brokers = parsed.with_context(|| option.to_owned())?;
    if let Some(open) = brokers.iter().find(|broker| !broker.tls && !broker.is_here() && !allow_plain) {
        bail!("{option} {}: to another machine without TLS only with --allow-plain", open.host);
    }
    Ok(brokers)
}

/// A session with the first of them that lets it in, by its name.
pub fn session(brokers: &[Address], net: &Net, name: &str, password: String) -> Option<Options> {
    let (first, others) = brokers.split_first()?;
    let mut options = Options::new(&first.host, first.port, name, name, password);
    options.alternatives = others.iter().map(|broker| (broker.host.clone(), broker.port)).collect();
    options.tls = first.tls.then(|| Tls { ca: net.broker_ca.clone(), identity: None });
    Some(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(urls: &[&str], allow_plain: bool) -> Net {
        Net { brokers: urls.iter().map(|url| (*url).to_owned()).collect(), allow_plain, ..Net::default() }
    }

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        for (url, host, port, tls) in [
            ("mqtts://broker.example.org", "broker.example.org", 8883, true),
            ("mqtts://broker.example.org:18883/", "broker.example.org", 18883, true),
            ("mqtt://127.0.0.1", "127.0.0.1", 1883, false),
            ("mqtts://[2001:db8::1]:8884", "2001:db8::1", 8884, true),
            ("mqtts://[2001:db8::1]", "2001:db8::1", 8883, true),
        ] {
            assert_eq!(url.parse::<Address>().unwrap(), Address { host: host.to_owned(), port, tls }, "{url}");
        }
        for url in
            ["broker.example.org:8883", "http://x", "mqtts://", "mqtts://me:s3cret@x", "mqtts://x:y", "mqtts://x/y"]
        {
            let refused = url.parse::<Address>().unwrap_err().to_string();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn brokers_of_other_sites_are_spoken_to_by_tls_and_trusted_by_the_same_authority() {
        let other = |urls: &[&str]| Net {
            brokers: Vec::new(),
            other_brokers: urls.iter().map(|url| (*url).to_owned()).collect(),
            broker_ca: Some("ca.crt".into()),
            ..Net::default()
        };
        let peers = peers(&other(&["mqtts://b.example.org:8884"])).unwrap();
        let tls = Some(Tls { ca: Some("ca.crt".into()), identity: None });
        assert_eq!(peers, [Peer { host: "b.example.org".into(), port: 8884, tls }]);
        let refused = super::peers(&other(&["mqtt://192.0.2.1"])).unwrap_err();
        assert!(format!("{refused:#}").contains("--other-broker 192.0.2.1"), "{refused:#}");
        assert!(super::peers(&other(&["b.example.org"])).is_err());
    }

    #[test]
    fn another_machine_is_spoken_to_by_tls() {
        assert!(of(&net(&["mqtt://127.0.0.1:1884"], false)).is_ok());
        assert!(of(&net(&["mqtt://192.0.2.1"], false)).is_err());
        assert!(of(&net(&["mqtt://192.0.2.1"], true)).is_ok());
        assert!(of(&net(&["mqtts://a", "mqtt://127.0.0.1"], true)).is_err(), "TLS is a matter of the session");
        let brokers = of(&net(&["mqtts://a", "mqtts://b:9"], false)).unwrap();
        let options = session(&brokers, &net(&[], false), "ingest", String::new()).unwrap();
        assert_eq!((options.host.as_str(), options.alternatives), ("a", vec![("b".to_owned(), 9)]));
        assert!(options.tls.is_some() && session(&[], &net(&[], false), "ingest", String::new()).is_none());
    }
}

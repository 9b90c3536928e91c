//! The way out: addresses that may be reached, and the one HTTP client.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bugbrother_guard::{Guard, Refused, literal};
use ipnet::IpNet;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

/// How long it may take to get through to somebody.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the whole of it may take.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Which addresses may be reached. The server's own network may not, unless that is allowed: whoever may name an address could
/// otherwise speak to what trusts this machine.
#[derive(Debug, Clone, Default)]
pub struct Gate(Guard);

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

impl From<Refused> for Closed {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Inside(host) => Closed::Private(host),
            Refused::Unknown(host) => Closed::Unknown(host),
        }
    }
}

impl Gate {
    /// A gate that lets through to these networks, too.
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        Gate(Guard::new(allowed))
    }

    /// Whether an address may be reached.
    pub fn lets(&self, address: IpAddr) -> bool {
        self.0.allows(address)
    }

    /// The addresses of a name, if all of them may be reached.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Closed> {
        Ok(self.0.resolve(host, port).await?)
    }

    /// A web address, if it may be one. A name is looked up when the connection is made, and checked then.
    pub fn url(&self, text: &str) -> Result<Url, Closed> {
        let url = Url::parse(text).map_err(|_| Closed::Address)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(Closed::Address);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Closed::Address)?;
        match literal(host) {
            Some(address) if !self.lets(address) => Err(Closed::Private(host.to_owned())),
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

#[cfg(test)]
mod tests {
    use super::*;

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

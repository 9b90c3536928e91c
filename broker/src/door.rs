use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use bugbrother_mosquitto_compat::conf::{self, Domain};
use socket2::{Protocol, Socket, Type};
use tokio::net::{TcpListener, lookup_host};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Where clients come in: one `listener` and its sockets.
#[derive(Debug)]
pub struct Door {
    /// What the listener speaks, and whom it lets in.
    pub settings: conf::Listener,
    /// One for each address.
    pub sockets: Vec<TcpListener>,
}

impl Door {
    /// Binds all addresses that `bind` and `domain` of the settings stand for. With port 0 they get the same free port.
    ///
    /// Without `bind` that is every address of this machine, IPv6 only where there is any.
    pub async fn open(settings: conf::Listener) -> io::Result<Self> {
        let mut sockets: Vec<TcpListener> = Vec::new();
        for mut address in addresses(&settings).await? {
            if let (0, Some(first)) = (address.port(), sockets.first()) {
                address.set_port(first.local_addr()?.port());
            }
            match bind(address) {
                Ok(socket) => sockets.push(socket),
                Err(error) if is_missing_family(&error) && !sockets.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Door { settings, sockets })
    }
}

async fn addresses(settings: &conf::Listener) -> io::Result<Vec<SocketAddr>> {
    let wanted = |ip: &IpAddr| match settings.domain {
        Domain::Both => true,
        Domain::V4 => ip.is_ipv4(),
        Domain::V6 => ip.is_ipv6(),
    };
    let found: Vec<IpAddr> = match &settings.bind {
        Some(name) => lookup_host((name.as_str(), settings.port)).await?.map(|address| address.ip()).collect(),
        None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
    };
    let mut found: Vec<SocketAddr> =
        found.into_iter().filter(wanted).map(|ip| SocketAddr::new(ip, settings.port)).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "name has no address of the wanted family"));
    }
    Ok(found)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A machine without IPv6, or with it switched off.
fn is_missing_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use bugbrother_mosquitto_compat::conf::Access;

    use super::*;

    async fn ports(bind: Option<&str>, domain: Domain) -> io::Result<Vec<SocketAddr>> {
        let any = conf::Listener::at((Ipv4Addr::LOCALHOST, 0).into(), Access::default());
        let settings = conf::Listener { bind: bind.map(str::to_owned), domain, ..any };
        Door::open(settings).await?.sockets.iter().map(TcpListener::local_addr).collect()
    }

    #[tokio::test]
    async fn without_an_address_there_is_one_port_for_both_families() {
        let both = ports(None, Domain::Both).await.unwrap();
        assert!(both.iter().all(|address| address.ip().is_unspecified() && address.port() == both[0].port()));
        assert!(both[0].is_ipv4());
        assert!(ports(None, Domain::V4).await.unwrap().iter().all(SocketAddr::is_ipv4));
    }

    #[tokio::test]
    async fn an_address_is_bound_as_it_is() {
        let one = ports(Some("127.0.0.1"), Domain::Both).await.unwrap();
        assert_eq!((one.len(), one[0].ip()), (1, Ipv4Addr::LOCALHOST.into()));
        assert!(ports(Some("127.0.0.1"), Domain::V6).await.is_err());
    }
}

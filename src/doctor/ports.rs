use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::net::TcpListener;

use super::Finding;
use crate::{
    arguments::{Doors, Net},
    services::{HTTP_PORT, MQTT_PORT},
};

const PART: &str = "ports";
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the server is to listen, and whether it does already.
pub(super) async fn look(net: &Net, doors: &Doors) -> (Vec<Finding>, bool) {
    let here = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let http = net.http.unwrap_or(here(HTTP_PORT));
    let runs = is_ours(http).await;
    let mut wanted = vec![("http", Some(http)), ("metrics", net.metrics)];
    if net.brokers.is_empty() && doors.mosquitto_conf.is_none() {
        wanted.push(("mqtt", Some(net.mqtt.unwrap_or(here(MQTT_PORT)))));
        wanted.extend([("vehicles", doors.vehicles), ("mqtts", doors.mqtts), ("ws", doors.ws), ("wss", doors.wss)]);
    }
    let mut findings = Vec::new();
    let mut taken: Vec<(&str, SocketAddr)> = Vec::new();
    for (name, address) in wanted.into_iter().filter_map(|(name, address)| Some((name, address?))) {
        if let Some((other, _)) = taken.iter().find(|(_, known)| meet(*known, address)) {
            let found = format!("`{name}` and `{other}` are the same port {}", address.port());
            findings.push(Finding::bad(PART, found, "give each a port of its own"));
        } else {
            findings.push(try_out(name, address, runs).await);
        }
        if !net.allow_plain && ["http", "metrics", "mqtt", "ws"].contains(&name) && !address.ip().is_loopback() {
            let found = format!("`{name}` {address}: without TLS only a loopback address is taken");
            findings.push(Finding::bad(PART, found, "127.0.0.1, and a proxy with TLS before it"));
        }
        taken.push((name, address));
    }
    (findings, runs)
}

/// Whether two listeners would be in each other's way.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let overlap = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && overlap
}

async fn try_out(name: &str, address: SocketAddr, runs: bool) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) if runs => Finding::note(PART, format!("`{name}` {address}: free, while the dashboard runs")),
        Ok(_) => Finding::good(PART, format!("`{name}` {address}: free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && runs => {
            Finding::good(PART, format!("`{name}` {address}: in use, and the server runs"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::bad(
            PART,
            format!("`{name}` {address}: another program listens there"),
            format!("`ss -ltnp 'sport = :{}'` tells which; stop it, or choose another port", address.port()),
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::bad(
            PART,
            format!("`{name}` {address}: ports below 1024 are the system's"),
            "take a higher one, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit",
        ),
        Err(error) => Finding::bad(
            PART,
            format!("`{name}` {address}: {error}"),
            "is this address one of this machine? `ip address` tells",
        ),
    }
}

/// Whether a dashboard of ours answers there.
async fn is_ours(http: SocketAddr) -> bool {
    let mut address = http;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    let Ok(client) = super::outside::client(PATIENCE) else { return false };
    match client.get(format!("http://{address}/healthz")).send().await {
        Ok(answer) => super::outside::is_health(answer).await,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn net(http: SocketAddr) -> Net {
        Net { http: Some(http), mqtt: Some("127.0.0.1:0".parse().unwrap()), ..Net::default() }
    }

    #[tokio::test]
    async fn a_port_that_another_program_has_is_named_with_how_to_find_it() {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap();
        let (findings, runs) = look(&net(address), &Doors::default()).await;
        assert!(!runs);
        assert!(findings[0].found.contains("another program listens there"), "{findings:?}");
        assert!(findings[0].advice.as_ref().unwrap().contains("ss -ltnp"));
        drop(other);
        let (findings, _) = look(&net(address), &Doors::default()).await;
        assert_eq!(findings[0].verdict, Verdict::Good, "{findings:?}");
    }

    #[tokio::test]
    async fn one_port_for_two_and_an_open_one_are_bad() {
        let doors = Doors { vehicles: Some("0.0.0.0:18883".parse().unwrap()), ..Doors::default() };
        let http = "127.0.0.1:18883".parse().unwrap();
        let (findings, _) = look(&net(http), &doors).await;
        assert!(
            findings.iter().any(|finding| finding.found == "`vehicles` and `http` are the same port 18883"),
            "{findings:?}"
        );
        let (findings, _) = look(&net("0.0.0.0:0".parse().unwrap()), &Doors::default()).await;
        assert!(findings.iter().any(|finding| finding.found.contains("only a loopback address")), "{findings:?}");
        let open = Net { allow_plain: true, ..net("0.0.0.0:0".parse().unwrap()) };
        let (findings, _) = look(&open, &Doors::default()).await;
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:?}");
    }
}

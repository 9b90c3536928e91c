//! Where the broker listens and whom it lets in there, always in the terms of a mosquitto.conf: the command line is made
//! into one, or one is read.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

use anyhow::{Context, Result, bail};
use bugbrother_mosquitto_compat::conf::{Access, Conf, Listener, Protocol, Tls, TlsVersion};

use crate::{arguments::Doors, data::AccessFolder};

/// What the command line says, with files of `folder`. The first listener is the one without TLS for our own services.
pub fn of_arguments(mqtt: SocketAddr, doors: &Doors, folder: &AccessFolder) -> Result<Conf> {
    let mut conf = Conf { listeners: vec![listener(mqtt, folder)], ..Conf::default() };
    conf.listeners
        .extend(doors.ws.map(|address| Listener { protocol: Protocol::WebSockets, ..listener(address, folder) }));
    refuse_open(&conf)?;
    if let Some(address) = doors.vehicles {
        let tls = Tls {
            cafile: Some(folder.ca_certificate()),
            crlfile: Some(folder.revoked()),
            require_certificate: true,
            use_identity_as_username: true,
            ..tls(folder)
        };
        conf.listeners.push(Listener { tls: Some(tls), ..listener(address, folder) });
    }
    if let Some(address) = doors.mqtts {
        conf.listeners.push(Listener { tls: Some(tls(folder)), ..listener(address, folder) });
    }
    if let Some(address) = doors.wss {
        let protocol = Protocol::WebSockets;
        conf.listeners.push(Listener { protocol, tls: Some(tls(folder)), ..listener(address, folder) });
    }
    Ok(conf)
}

/// What a mosquitto.conf says. Unless `allow_open` is set, no listener in it may be open to others without TLS or to
/// those who do not sign in.
pub fn of_file(path: &Path, allow_open: bool) -> Result<Conf> {
    let conf = Conf::load(path)?;
    if !allow_open {
        refuse_open(&conf).with_context(|| format!("in `{}`", path.display()))?;
    }
    Ok(conf)
}

/// The listener where services on this machine find the broker: without TLS, WebSocket and PROXY header, on a loopback
/// address or on all.
pub fn for_services(conf: &Conf) -> Option<&Listener> {
    conf.listeners.iter().find(|listener| {
        let reachable = listener.bind.as_deref().is_none_or(|bind| is_loopback(bind) || is_any(bind));
        listener.tls.is_none() && listener.protocol == Protocol::Mqtt && !listener.proxy_protocol && reachable
    })
}

fn listener(address: SocketAddr, folder: &AccessFolder) -> Listener {
    let access =
        Access { password_file: Some(folder.passwords()), acl_file: Some(folder.acl()), allow_anonymous: false };
    Listener { username_as_client_id: true, ..Listener::at(address, access) }
}

fn tls(folder: &AccessFolder) -> Tls {
    Tls {
        certfile: folder.server_certificate(),
        keyfile: folder.server_key(),
        cafile: None,
        crlfile: None,
        require_certificate: false,
        use_identity_as_username: false,
        min_version: TlsVersion::default(),
    }
}

fn refuse_open(conf: &Conf) -> Result<()> {
    for listener in &conf.listeners {
        let here = listener.bind.as_deref().is_some_and(is_loopback);
        let name = format!("listener {} {}", listener.port, listener.bind.as_deref().unwrap_or("(all addresses)"));
        if here {
            continue;
        }
        let Some(tls) = &listener.tls else {
            bail!("{name}: without TLS only a loopback address is taken; let it have a certificate");
        };
        let signs_in = tls.use_identity_as_username
            || (listener.access.password_file.is_some() && !listener.access.allow_anonymous);
        if !signs_in {
            bail!("{name}: others could come in without a password or certificate");
        }
        if listener.access.acl_file.is_none() {
            bail!("{name}: without an acl_file everybody could read and write everything");
        }
    }
    Ok(())
}

fn is_loopback(bind: &str) -> bool {
    bind == "localhost" || bind.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn is_any(bind: &str) -> bool {
    bind.parse().is_ok_and(|address: IpAddr| address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> AccessFolder {
        AccessFolder::at(Path::new("/x"))
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn of(mqtt: &str, doors: &Doors) -> Result<Conf> {
        of_arguments(address(mqtt), doors, &folder())
    }

    #[test]
    fn without_tls_only_this_machine_is_listened_to() {
        assert!(of("127.0.0.1:1883", &Doors::default()).is_ok());
        assert!(of("[::1]:1883", &Doors::default()).is_ok());
        assert!(of("0.0.0.0:1883", &Doors::default()).is_err());
        let doors = Doors { ws: Some(address("192.0.2.1:9001")), ..Doors::default() };
        assert!(of("127.0.0.1:1883", &doors).is_err());
        let doors = Doors { mqtts: Some(address("0.0.0.0:8883")), wss: Some(address("[::]:443")), ..Doors::default() };
        assert!(of("127.0.0.1:1883", &doors).is_ok());
    }

    #[test]
    fn vehicles_need_a_certificate_that_names_them() {
        let doors = Doors { vehicles: Some(address("0.0.0.0:8883")), ..Doors::default() };
        let conf = of("127.0.0.1:1883", &doors).unwrap();
        let tls = conf.listeners[1].tls.as_ref().unwrap();
        assert!(
            tls.require_certificate && tls.use_identity_as_username && tls.cafile.is_some() && tls.crlfile.is_some()
        );
    }

    #[test]
    fn the_services_find_the_listener_that_is_theirs() {
        let doors =
            Doors { ws: Some(address("127.0.0.1:9001")), mqtts: Some(address("0.0.0.0:8883")), ..Doors::default() };
        let mut conf = of("127.0.0.1:1884", &doors).unwrap();
        assert_eq!(for_services(&conf).map(|listener| listener.port), Some(1884));
        conf.listeners.remove(0);
        assert_eq!(for_services(&conf), None);
    }

    #[test]
    fn a_listener_that_anybody_can_use_is_refused_whoever_wrote_it() {
        let tls = Some(tls(&folder()));
        let good = Listener { bind: None, tls, ..listener(address("127.0.0.1:1"), &folder()) };
        let check = |change: fn(&mut Listener)| {
            let mut listener = good.clone();
            change(&mut listener);
            refuse_open(&Conf { listeners: vec![listener], ..Conf::default() })
        };
        assert!(check(|_| {}).is_ok());
        assert!(check(|listener| listener.tls = None).is_err());
        assert!(check(|listener| listener.access.allow_anonymous = true).is_err());
        assert!(check(|listener| listener.access.password_file = None).is_err());
        assert!(check(|listener| listener.access.acl_file = None).is_err());
        // A certificate that does not say who its owner is lets him choose.
        let chooses = |listener: &mut Listener| {
            listener.access.password_file = None;
            listener.access.allow_anonymous = true;
            listener.tls.as_mut().unwrap().require_certificate = true;
        };
        assert!(check(chooses).is_err());
        assert!(check(|listener| listener.bind = Some("0.0.0.0".into())).is_ok());
        assert!(
            check(|listener| {
                listener.tls = None;
                listener.bind = Some("localhost".into());
            })
            .is_ok()
        );
    }
}

//! A listener as its lines come, and what it must be in the end.

use std::{net::IpAddr, path::PathBuf};

use super::{
    Access, Domain, Listener, Protocol, Tls, TlsVersion,
    statement::{Place, Said},
    values::{self, Problem},
};

/// `password_file` and its kin, of one listener or of all.
#[derive(Debug, Clone, Default)]
pub(super) struct AccessDraft {
    pub password_file: Option<PathBuf>,
    pub acl_file: Option<PathBuf>,
    pub allow_anonymous: Option<bool>,
}

impl AccessDraft {
    pub fn finish(&self, anonymous_by_default: bool) -> Access {
        Access {
            password_file: self.password_file.clone(),
            acl_file: self.acl_file.clone(),
            allow_anonymous: self.allow_anonymous.unwrap_or(anonymous_by_default),
        }
    }
}

/// A listener so far. The one that stands before every `listener` line is the default listener.
#[derive(Debug, Default)]
pub(super) struct ListenerDraft {
    /// The `listener` line, or the first one that says something about the default listener.
    pub place: Option<Place>,
    /// Whether one of its lines was refused, so that the rest need not make sense.
    pub broken: bool,
    pub port: Option<u16>,
    pub bind: Option<String>,
    domain: Domain,
    protocol: Protocol,
    max_connections: Option<u32>,
    proxy_protocol: bool,
    username_as_client_id: bool,
    certfile: Option<Said<PathBuf>>,
    keyfile: Option<Said<PathBuf>>,
    cafile: Option<Said<PathBuf>>,
    crlfile: Option<Said<PathBuf>>,
    require_certificate: Option<Said<bool>>,
    use_identity: Option<Said<bool>>,
    tls_version: Option<Said<TlsVersion>>,
    pub access: AccessDraft,
    allow_anonymous: Option<bool>,
}

impl ListenerDraft {
    /// `listener PORT [BIND]`.
    pub fn begin(&mut self, value: &str, place: &Place) -> Result<(), Problem> {
        let mut words = values::words(value);
        let port = words.next().ok_or_else(|| Problem::invalid("has no port"))?;
        let bind = words.next();
        if words.next().is_some() {
            return Err(Problem::invalid("has more than a port and an address"));
        }
        if port == "0" && bind.is_some() {
            return Err(Problem::unsupported("a Unix socket is not listened on"));
        }
        self.place = Some(place.clone());
        self.port = Some(values::number(port, 1..=u16::MAX.into())?);
        self.bind = bind.map(host).transpose()?;
        Ok(())
    }

    /// An option of [`super::options::Part::Listener`] that belongs to this listener.
    pub fn set(&mut self, name: &str, value: &str, place: &Place) -> Result<(), Problem> {
        let said = |value| Said { value, place: place.clone() };
        match name {
            "certfile" => once(&mut self.certfile, said(values::text(value)?.into()))?,
            "keyfile" => once(&mut self.keyfile, said(values::text(value)?.into()))?,
            "cafile" => once(&mut self.cafile, said(values::text(value)?.into()))?,
            "crlfile" => once(&mut self.crlfile, said(values::text(value)?.into()))?,
            "require_certificate" => {
                self.require_certificate = Some(Said { value: values::boolean(value)?, place: place.clone() });
            }
            "use_identity_as_username" => {
                self.use_identity = Some(Said { value: values::boolean(value)?, place: place.clone() });
            }
            "tls_version" => {
                let value = match values::word(value)? {
                    "tlsv1.2" => TlsVersion::V1_2,
                    "tlsv1.3" => TlsVersion::V1_3,
                    "tlsv1.1" => return Err(Problem::unsupported("TLS before 1.2 is not spoken")),
                    _ => return Err(Problem::invalid("must be `tlsv1.2` or `tlsv1.3`")),
                };
                once(&mut self.tls_version, Said { value, place: place.clone() })?;
            }
            "use_username_as_clientid" => self.username_as_client_id = values::boolean(value)?,
            "max_connections" => self.max_connections = values::limit(value)?,
            "listener_allow_anonymous" => self.allow_anonymous = Some(values::boolean(value)?),
            "protocol" => {
                self.protocol = match values::word(value)? {
                    "mqtt" => Protocol::Mqtt,
                    "websockets" => Protocol::WebSockets,
                    "http_api" | "quic" => return Err(Problem::unsupported("`mqtt` and `websockets` are spoken")),
                    _ => return Err(Problem::invalid("must be `mqtt` or `websockets`")),
                }
            }
            "socket_domain" => {
                self.domain = match values::word(value)? {
                    "ipv4" => Domain::V4,
                    "ipv6" => Domain::V6,
                    _ => return Err(Problem::invalid("must be `ipv4` or `ipv6`")),
                }
            }
            "enable_proxy_protocol" => {
                self.proxy_protocol = match values::word(value)? {
                    "2" => true,
                    "1" => return Err(Problem::unsupported("version 2 of the PROXY protocol is spoken")),
                    _ => return Err(Problem::invalid("must be 2")),
                }
            }
            _ => unreachable!("the table of options has `{name}` for a listener, which does not read it"),
        }
        Ok(())
    }

    /// The listener; `access` is that of all listeners.
    pub fn finish(self, access: Access) -> Result<Listener, (Place, Problem)> {
        let place = self.place.clone().expect("a listener without a line is not finished");
        if let Some(address) = self.bind.as_deref().and_then(|bind| bind.parse::<IpAddr>().ok()) {
            let wanted = if address.is_ipv4() { Domain::V4 } else { Domain::V6 };
            if self.domain != Domain::Both && self.domain != wanted {
                return Err((place, Problem::invalid(format!("`{address}` is not of the family in `socket_domain`"))));
            }
        }
        let access = Access { allow_anonymous: self.allow_anonymous.unwrap_or(access.allow_anonymous), ..access };
        let listener = Listener {
            port: self.port.unwrap_or(1883),
            bind: self.bind.clone(),
            domain: self.domain,
            protocol: self.protocol,
            tls: None,
            max_connections: self.max_connections,
            proxy_protocol: self.proxy_protocol,
            username_as_client_id: self.username_as_client_id,
            access,
        };
        Ok(Listener { tls: self.tls()?, ..listener })
    }

    fn tls(self) -> Result<Option<Tls>, (Place, Problem)> {
        let refused = |place: &Place, reason: &str| Err((place.clone(), Problem::invalid(reason)));
        let require = self.require_certificate.filter(|said| said.value);
        let identity = self.use_identity.filter(|said| said.value);
        let (certfile, keyfile) = match (self.certfile, self.keyfile) {
            (Some(certfile), Some(keyfile)) => (certfile.value, keyfile.value),
            (Some(certfile), None) => return refused(&certfile.place, "needs a `keyfile`"),
            (None, Some(keyfile)) => return refused(&keyfile.place, "needs a `certfile`"),
            (None, None) => {
                let lonely = [
                    self.cafile.map(|said| said.place),
                    self.crlfile.map(|said| said.place),
                    require.map(|said| said.place),
                    identity.map(|said| said.place),
                    self.tls_version.map(|said| said.place),
                ];
                return match lonely.into_iter().flatten().next() {
                    Some(place) => refused(&place, "needs `certfile` and `keyfile`: without them the listener is open"),
                    None => Ok(None),
                };
            }
        };
        if self.cafile.is_none() {
            let crlfile = self.crlfile.as_ref().map(|said| &said.place);
            if let Some(place) = crlfile.or(require.as_ref().map(|said| &said.place)) {
                return refused(place, "needs a `cafile`");
            }
        }
        if let (Some(identity), None) = (&identity, &require) {
            return refused(&identity.place, "needs `require_certificate true` and a `cafile`");
        }
        Ok(Some(Tls {
            certfile,
            keyfile,
            cafile: self.cafile.map(|said| said.value),
            crlfile: self.crlfile.map(|said| said.value),
            require_certificate: require.is_some(),
            use_identity_as_username: identity.is_some(),
            min_version: self.tls_version.map(|said| said.value).unwrap_or_default(),
        }))
    }
}

/// Mosquitto refuses a second value of an option that is text.
pub(super) fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Problem> {
    match slot {
        Some(_) => Err(Problem::invalid("is there twice")),
        None => {
            *slot = Some(value);
            Ok(())
        }
    }
}

/// An address or a host name.
pub(super) fn host(text: &str) -> Result<String, Problem> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    if text.len() > 253 || !text.bytes().all(plain) {
        return Err(Problem::invalid(format!("`{}` is no address and no host name", text.escape_debug())));
    }
    Ok(text.to_owned())
}

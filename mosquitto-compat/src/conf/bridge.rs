//! A bridge as its lines come, and what it must be in the end.

use std::{net::Ipv6Addr, path::PathBuf};

use super::{
    Bridge, BridgeTls, BridgeTopic, Direction, Secret,
    listener::{host, once},
    statement::{Place, Said},
    values::{self, Problem},
};
use crate::topic;

const MAX_ADDRESSES: usize = 16;
const MAX_TOPICS: usize = 1_000;
/// The shortest keep alive that Mosquitto gives a bridge.
const SHORTEST_KEEPALIVE: u16 = 5;

#[derive(Debug)]
pub(super) struct BridgeDraft {
    pub place: Place,
    /// Whether one of its lines was refused, so that the rest need not make sense.
    pub broken: bool,
    pub name: String,
    addresses: Option<Vec<(String, u16)>>,
    topics: Vec<BridgeTopic>,
    client_id: Option<String>,
    username: Option<String>,
    password: Option<Said<String>>,
    cafile: Option<PathBuf>,
    certfile: Option<Said<PathBuf>>,
    keyfile: Option<Said<PathBuf>>,
    keepalive_s: u16,
    clean_session: bool,
}

impl BridgeDraft {
    /// `connection NAME`.
    pub fn begin(value: &str, place: Place) -> Result<Self, Problem> {
        let name = values::word(value)?.to_owned();
        Ok(BridgeDraft {
            place,
            broken: false,
            name,
            addresses: None,
            topics: Vec::new(),
            client_id: None,
            username: None,
            password: None,
            cafile: None,
            certfile: None,
            keyfile: None,
            keepalive_s: 60,
            clean_session: false,
        })
    }

    /// An option of [`super::options::Part::Bridge`]; what of it has no effect.
    pub fn set(&mut self, name: &str, value: &str, place: &Place) -> Result<Option<&'static str>, Problem> {
        let said = |value| Said { value, place: place.clone() };
        match name {
            "address" | "addresses" => once(&mut self.addresses, addresses(value)?)?,
            "remote_clientid" | "clientid" => once(&mut self.client_id, values::text(value)?)?,
            "remote_username" | "username" => once(&mut self.username, values::text(value)?)?,
            "remote_password" | "password" => {
                once(&mut self.password, Said { value: values::text(value)?, place: place.clone() })?;
            }
            "bridge_cafile" => once(&mut self.cafile, values::text(value)?.into())?,
            "bridge_certfile" => once(&mut self.certfile, said(values::text(value)?.into()))?,
            "bridge_keyfile" => once(&mut self.keyfile, said(values::text(value)?.into()))?,
            "cleansession" => self.clean_session = values::boolean(value)?,
            "keepalive_interval" => {
                let keepalive_s: u16 = values::number(value, 0..=u16::MAX.into())?;
                self.keepalive_s = keepalive_s.max(SHORTEST_KEEPALIVE);
                return Ok((keepalive_s < SHORTEST_KEEPALIVE).then_some("5 seconds are the least"));
            }
            "topic" => {
                let mut topic = bridge_topic(value)?;
                if self.topics.len() == MAX_TOPICS {
                    return Err(Problem::invalid(format!("is one of more than {MAX_TOPICS}")));
                }
                let lowered = topic.qos == 2;
                topic.qos = topic.qos.min(1);
                self.topics.push(topic);
                return Ok(lowered.then_some("QoS 2 goes over as QoS 1: a message may come twice, and is not lost"));
            }
            _ => unreachable!("the table of options has `{name}` for a bridge, which does not read it"),
        }
        Ok(None)
    }

    pub fn finish(self) -> Result<Bridge, (Place, Problem)> {
        let refused = |place: &Place, reason: &str| Err((place.clone(), Problem::invalid(reason)));
        let Some(addresses) = self.addresses else { return refused(&self.place, "needs an `address`") };
        if self.topics.is_empty() {
            return refused(&self.place, "needs a `topic`");
        }
        if let (Some(password), None) = (&self.password, &self.username) {
            return refused(&password.place, "needs a `remote_username`");
        }
        let identity = match (self.certfile, self.keyfile) {
            (Some(certfile), Some(_)) if self.cafile.is_none() => {
                return refused(&certfile.place, "needs a `bridge_cafile`: without it there is no TLS");
            }
            (Some(certfile), Some(keyfile)) => Some((certfile.value, keyfile.value)),
            (Some(certfile), None) => return refused(&certfile.place, "needs a `bridge_keyfile`"),
            (None, Some(keyfile)) => return refused(&keyfile.place, "needs a `bridge_certfile`"),
            (None, None) => None,
        };
        Ok(Bridge {
            name: self.name,
            addresses,
            topics: self.topics,
            remote_client_id: self.client_id,
            remote_username: self.username,
            remote_password: self.password.map(|said| Secret(said.value)),
            tls: self.cafile.map(|cafile| BridgeTls { cafile, identity }),
            keepalive_s: self.keepalive_s,
            clean_session: self.clean_session,
        })
    }
}

fn addresses(value: &str) -> Result<Vec<(String, u16)>, Problem> {
    let addresses: Vec<_> = values::words(value).take(MAX_ADDRESSES + 1).map(address).collect::<Result<_, _>>()?;
    match addresses.len() {
        0 => Err(Problem::invalid("has no value")),
        1..=MAX_ADDRESSES => Ok(addresses),
        _ => Err(Problem::invalid(format!("has more than {MAX_ADDRESSES} addresses"))),
    }
}

/// `HOST[:PORT]`: the last colon stands before the port, so that an IPv6 address must have one.
fn address(text: &str) -> Result<(String, u16), Problem> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, values::number(port, 1..=u16::MAX.into())?),
        None => (text, 1883),
    };
    if name.is_empty() || name.contains(':') && name.parse::<Ipv6Addr>().is_err() {
        return Err(Problem::invalid(format!("`{}` needs a host and a port", text.escape_debug())));
    }
    Ok((host(name)?, port))
}

fn bridge_topic(value: &str) -> Result<BridgeTopic, Problem> {
    // A `#` is a topic of its own; after it, it begins a comment.
    let value = value.trim_start_matches(' ');
    let (pattern, rest) = value.split_once(' ').unwrap_or((value, ""));
    if pattern.is_empty() {
        return Err(Problem::invalid("has no value"));
    }
    let mut words = values::words(rest);
    let direction = match words.next().map(str::to_ascii_lowercase).as_deref() {
        None if !rest.is_empty() => return Err(Problem::invalid("direction must stand before a comment")),
        None | Some("out") => Direction::Out,
        Some("in") => Direction::In,
        Some("both") => Direction::Both,
        Some(_) => return Err(Problem::invalid("direction must be `in`, `out` or `both`")),
    };
    let qos = match words.next() {
        None | Some("0") => 0,
        Some("1") => 1,
        Some("2") => 2,
        Some(_) => return Err(Problem::invalid("QoS must be 0, 1 or 2")),
    };
    let pattern = plain(pattern)?;
    let local_prefix = plain(words.next().unwrap_or_default())?;
    let remote_prefix = plain(words.next().unwrap_or_default())?;
    if words.next().is_some() {
        return Err(Problem::invalid("has more than pattern, direction, QoS and two prefixes"));
    }
    for prefix in [&local_prefix, &remote_prefix] {
        if !prefix.is_empty() && !topic::is_valid_name(prefix) {
            return Err(Problem::invalid(format!("prefix `{}` has a wildcard", prefix.escape_debug())));
        }
        let whole = format!("{prefix}{pattern}");
        if !topic::is_valid_filter(&whole) {
            let reason = format!("prefix and pattern make `{}`, which is no topic filter", whole.escape_debug());
            return Err(Problem::invalid(reason));
        }
    }
    Ok(BridgeTopic { pattern, direction, qos, local_prefix, remote_prefix })
}

/// `""` stands for nothing; other quotes would be part of the topic in Mosquitto 2.0, and around it in 2.1.
fn plain(text: &str) -> Result<String, Problem> {
    match text {
        "\"\"" => Ok(String::new()),
        text if text.starts_with('"') => Err(Problem::unsupported("a topic is written without quotes")),
        text => Ok(text.to_owned()),
    }
}

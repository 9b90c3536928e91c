//! Where a request comes from.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderValue, header, request::Parts, uri::Authority},
};

use super::App;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Address of the client, as far as it can be believed.
pub(crate) struct Client {
    pub address: IpAddr,
    /// Whether somebody in between says that it speaks for another.
    pub is_forwarded: bool,
}

impl FromRequestParts<App> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip());
        let trusted = app.config.behind_proxy;
        Ok(Client {
            address: forwarded(&parts.headers).filter(|_| trusted).unwrap_or(peer).to_canonical(),
            is_forwarded: !trusted
                && (parts.headers.contains_key(FORWARDED_FOR) || parts.headers.contains_key("forwarded")),
        })
    }
}

/// What the nearest proxy appended: all before it is the client's own word.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Whether the request is for this machine, by the one name or address that it says it is for. A proxy passes on the
/// name that it is known by, even if it says nothing of the client.
pub(crate) fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
    !authority.as_str().contains('@')
        && (name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(is_loopback))
}

/// Whether a proxy says that a part of the way was without TLS.
pub(crate) fn came_in_the_clear(headers: &HeaderMap) -> bool {
    let is_secure = |value: &HeaderValue| {
        value.to_str().is_ok_and(|list| list.split(',').all(|one| one.trim().eq_ignore_ascii_case("https")))
    };
    !headers.get_all(FORWARDED_PROTO).iter().all(is_secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_proxy_is_believed_and_nobody_before_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded(&headers), None);
        headers.append(FORWARDED_FOR, "10.0.0.9".parse().unwrap());
        headers.append(FORWARDED_FOR, "1.2.3.4, 192.0.2.7".parse().unwrap());
        assert_eq!(forwarded(&headers), "192.0.2.7".parse().ok());
    }

    fn with(name: &'static str, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_loopback_name_or_address_is_this_machine() {
        for here in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.0.1", "[::1]", "[::1]:80"] {
            assert!(is_for_this_machine(&with("host", &[here])), "{here}");
        }
        for elsewhere in [
            "fleet.example",
            "localhost.fleet.example",
            "192.0.2.1:8080",
            "0.0.0.0",
            "[2001:db8::1]:80",
            "localhost@fleet.example",
            "fleet.example@localhost",
            "127.0.0.1.fleet.example",
            "",
        ] {
            assert!(!is_for_this_machine(&with("host", &[elsewhere])), "{elsewhere}");
        }
        assert!(!is_for_this_machine(&HeaderMap::new()));
        assert!(!is_for_this_machine(&with("host", &["localhost", "fleet.example"])));
    }

    #[test]
    fn one_part_of_the_way_in_the_clear_is_enough() {
        for secure in [&[][..], &["https"], &["HTTPS"], &["https, https"], &["https", "https"]] {
            assert!(!came_in_the_clear(&with(FORWARDED_PROTO, secure)), "{secure:?}");
        }
        for clear in [&["http"][..], &[""], &["https, http"], &["http", "https"], &["httpsx"]] {
            assert!(came_in_the_clear(&with(FORWARDED_PROTO, clear)), "{clear:?}");
        }
    }
}

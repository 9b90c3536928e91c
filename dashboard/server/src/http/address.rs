//! Where a request comes from.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};

use super::App;

const FORWARDED_FOR: &str = "x-forwarded-for";

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
}

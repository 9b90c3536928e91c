//! Where a camera is that the server reaches by itself, and whether it may be reached.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bugbrother_guard::{Guard, Refused};
use bugbrother_store::{Eye, Store, StoreError};
use bugbrother_video::{Camera, Credentials, Snapshot, Transport};
use bugbrother_wire::{UnixMs, api::EyeTransport};
use tokio::time::timeout;
use tracing::warn;
use url::Url;

use super::relay::{Find, Found, Key};

/// Longest wait for each of DESCRIBE, SETUP and PLAY: shorter than a vehicle's, because what a hostile camera sends meanwhile is
/// held in memory.
const STEP: Duration = Duration::from_secs(5);
/// Longest wait for a name's addresses.
const RESOLVE: Duration = Duration::from_secs(3);
const RTSP_PORT: u16 = 554;
const HTTP_PORT: u16 = 80;

/// Where a camera is.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    url: Url,
    credentials: Option<Credentials>,
    transport: Transport,
    /// When what is known of it was changed last.
    pub version: UnixMs,
}

/// Why a camera is not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoWay {
    /// The URL cannot be one of a camera.
    #[error("{0}")]
    Url(&'static str),
    /// It leads where nobody may go.
    #[error("{0}; --allow-cameras lets the server reach cameras there")]
    Inside(Refused),
    /// Nobody knows the name.
    #[error("{0}")]
    Unknown(Refused),
    /// The name's addresses were not told in time.
    #[error("the name's address is not known yet")]
    Slow,
    /// Over UDP a camera may name another address to send to.
    #[error("UDP is for cameras in networks that --allow-cameras names; use TCP")]
    Datagrams,
}

impl Aim {
    /// Where an eye is, or its smaller stream.
    pub fn of(eye: &Eye, secret: Option<String>, is_small: bool) -> Result<Self, NoWay> {
        let url = eye.sub_url.as_ref().filter(|_| is_small).unwrap_or(&eye.url);
        let transport = match eye.transport {
            EyeTransport::Tcp => Transport::Tcp,
            EyeTransport::Udp => Transport::Udp,
        };
        Ok(Aim { url: rtsp(url)?, credentials: credentials(eye, secret), transport, version: eye.updated })
    }

    /// The camera at an address that may be reached and is connected to, whatever its name means a moment later. The name is asked
    /// anew each time; of several addresses it is the next one with each try.
    pub async fn admit(&self, guard: &Guard, tries: usize) -> Result<Camera, NoWay> {
        let address = pick(guard, &self.url, RTSP_PORT, tries).await?;
        if self.transport == Transport::Udp && !guard.names(address.ip()) {
            return Err(NoWay::Datagrams);
        }
        let url = pinned(&self.url, address)?;
        let camera = Camera::new(url.as_str(), self.credentials.clone());
        let mut camera = camera.map_err(|_| NoWay::Url("it cannot be a camera's"))?;
        (camera.transport, camera.step_deadline) = (self.transport, STEP);
        Ok(camera)
    }
}

/// Whose a camera is, by the database.
pub(crate) fn finding(store: Store) -> Find {
    Arc::new(move |key| {
        let store = store.clone();
        Box::pin(async move {
            find(&store, &key).await.unwrap_or_else(|error| {
                warn!(error = &error as &dyn std::error::Error, "where a camera is cannot be read");
                Found::Unknown
            })
        })
    })
}

async fn find(store: &Store, key: &Key) -> Result<Found, StoreError> {
    let Some(eye) = store.eye(key.vin, &key.camera).await? else { return Ok(Found::Vehicle) };
    if !eye.enabled {
        return Ok(Found::Nowhere("the camera is switched off here".to_owned()));
    }
    let secret = store.eye_secret(key.vin, &key.camera).await?;
    Ok(match Aim::of(&eye, secret, key.is_small) {
        Ok(aim) => Found::Here(aim),
        Err(why) => Found::Nowhere(why.to_string()),
    })
}

/// Where an eye gives photos by HTTP, at an address that may be reached.
pub(crate) async fn snapshot(eye: &Eye, secret: Option<String>, guard: &Guard) -> Result<Option<Snapshot>, NoWay> {
    let Some(url) = &eye.photo_url else { return Ok(None) };
    let url = http(url)?;
    let address = pick(guard, &url, HTTP_PORT, 0).await?;
    let snapshot = Snapshot::new(pinned(&url, address)?.as_str(), credentials(eye, secret));
    snapshot.map(Some).map_err(|_| NoWay::Url("it cannot be a camera's"))
}

/// A URL as a camera's is.
pub(crate) fn rtsp(text: &str) -> Result<Url, NoWay> {
    parse(
        text,
        "rtsp",
        "it is no URL; one looks like rtsp://camera.example.org:554/stream1",
        "it must start with rtsp://",
    )
}

/// A URL as one for photos is.
pub(crate) fn http(text: &str) -> Result<Url, NoWay> {
    parse(
        text,
        "http",
        "it is no URL; one looks like http://camera.example.org/snapshot.jpg",
        "it must start with http://",
    )
}

/// Whether a camera's host may be reached now; a name that nobody knows may be known later.
pub(crate) async fn may_be(url: &Url, guard: &Guard) -> Result<(), NoWay> {
    match pick(guard, url, RTSP_PORT, 0).await {
        Err(NoWay::Unknown(_) | NoWay::Slow) | Ok(_) => Ok(()),
        Err(refused) => Err(refused),
    }
}

/// Whether a camera is in a network that is allowed by name, as far as its host's name is known.
pub(crate) async fn is_named(url: &Url, guard: &Guard) -> bool {
    let address = pick(guard, url, RTSP_PORT, 0).await;
    address.map_or(true, |address| guard.names(address.ip()))
}

fn parse(text: &str, scheme: &str, none: &'static str, other: &'static str) -> Result<Url, NoWay> {
    let url = Url::parse(text).map_err(|_| NoWay::Url(none))?;
    if url.scheme() != scheme {
        return Err(NoWay::Url(other));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(NoWay::Url("it names no host"));
    }
    // It would end up in logs.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NoWay::Url("give user name and password apart from it"));
    }
    Ok(url)
}

fn credentials(eye: &Eye, secret: Option<String>) -> Option<Credentials> {
    let username = eye.user.clone()?;
    Some(Credentials { username, password: secret.unwrap_or_default() })
}

async fn pick(guard: &Guard, url: &Url, port: u16, tries: usize) -> Result<SocketAddr, NoWay> {
    let host = url.host_str().unwrap_or_default();
    let resolving = guard.resolve(host, url.port().unwrap_or(port));
    let found = timeout(RESOLVE, resolving).await.map_err(|_| NoWay::Slow)?.map_err(|refused| match refused {
        Refused::Inside(_) => NoWay::Inside(refused),
        Refused::Unknown(_) => NoWay::Unknown(refused),
    })?;
    found.get(tries % found.len().max(1)).copied().ok_or(NoWay::Slow)
}

/// The URL with an address in the place of the host.
fn pinned(url: &Url, address: SocketAddr) -> Result<Url, NoWay> {
    let mut url = url.clone();
    url.set_ip_host(address.ip()).map_err(|()| NoWay::Url("it names no host"))?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::CameraId;

    use super::*;

    fn eye(url: &str) -> Eye {
        Eye {
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            camera: CameraId::try_from("yard".to_owned()).unwrap(),
            label: "Yard".into(),
            url: url.into(),
            sub_url: Some("rtsp://8.8.8.8/small".into()),
            photo_url: None,
            transport: EyeTransport::Tcp,
            user: Some("viewer".into()),
            has_secret: true,
            enabled: true,
            by: "ada".into(),
            created: 1,
            updated: 2,
        }
    }

    async fn admitted(url: &str, allowed: &[&str]) -> Result<String, NoWay> {
        let guard = Guard::new(allowed.iter().map(|text| text.parse().unwrap()));
        let camera = Aim::of(&eye(url), Some("secret".into()), false)?.admit(&guard, 0).await?;
        assert!(!format!("{camera:?}").contains("secret"));
        Ok(camera.url().to_string())
    }

    #[tokio::test]
    async fn what_is_connected_to_is_the_address_that_was_looked_at() {
        let there = admitted("rtsp://8.8.8.8:8554/s?x=1", &[]).await;
        assert_eq!(there.as_deref(), Ok("rtsp://8.8.8.8:8554/s?x=1"));
        let home = ["127.0.0.0/8", "::1/128"];
        let named = admitted("rtsp://localhost:8554/s", &home).await.unwrap();
        assert!(["rtsp://127.0.0.1:8554/s", "rtsp://[::1]:8554/s"].contains(&&*named), "{named}");
    }

    #[tokio::test]
    async fn nothing_inside_is_reached_by_any_way_of_writing_it() {
        for inside in [
            "rtsp://127.0.0.1/",
            "rtsp://localhost/",
            "rtsp://127.1/",
            "rtsp://0/",
            "rtsp://[::1]:554/",
            "rtsp://[::ffff:10.0.0.1]/",
            "rtsp://169.254.169.254/latest",
            "rtsp://[fd00:ec2::254]/",
        ] {
            let refused = admitted(inside, &["10.8.0.0/16"]).await.unwrap_err();
            assert!(matches!(refused, NoWay::Inside(_)), "{inside}: {refused:?}");
            assert!(refused.to_string().contains("--allow-cameras"));
        }
    }

    #[test]
    fn only_a_cameras_url_is_one_and_holds_no_credentials() {
        for wrong in ["", "camera", "http://8.8.8.8/", "file:///etc/passwd", "rtsp:/stream", "rtsp://u:p@8.8.8.8/"] {
            assert!(matches!(rtsp(wrong), Err(NoWay::Url(_))), "{wrong}");
        }
        for wrong in ["", "https://camera/x", "rtsp://camera/x", "http://u:p@camera/", "http://"] {
            assert!(matches!(http(wrong), Err(NoWay::Url(_))), "{wrong}");
        }
    }

    #[tokio::test]
    async fn datagrams_are_taken_from_networks_that_are_allowed_by_name() {
        let mut eye = eye("rtsp://8.8.8.8/s");
        eye.transport = EyeTransport::Udp;
        let aim = Aim::of(&eye, None, false).unwrap();
        assert_eq!(aim.admit(&Guard::default(), 0).await.unwrap_err(), NoWay::Datagrams);
        let named = Guard::new(["8.8.8.0/24".parse().unwrap()]);
        assert_eq!(aim.admit(&named, 0).await.unwrap().transport, Transport::Udp);
        assert_eq!(Aim::of(&eye, None, true).unwrap().url.path(), "/small");
    }
}

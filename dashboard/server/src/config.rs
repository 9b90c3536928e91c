//! What the dashboard is told at its start.

use std::{sync::Arc, time::Duration};

use bugbrother_client::Options;
use bugbrother_guard::Guard;
use bugbrother_pki::Authority;
use bugbrother_store::Store;
use bugbrother_wire::{Vin, api::RevokedKeys};
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{Error, documents::Documents, herald::Heralding, key::SigningKey, library::Library, tiles::Tiles};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is wrong with a part of the system, in words; `None` when nothing is.
pub type Trouble = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Takes everything back that a vehicle can come in with.
pub type Revoke =
    Arc<dyn Fn(Vin) -> BoxFuture<'static, Result<RevokedKeys, Box<dyn std::error::Error + Send + Sync>>> + Send + Sync>;

/// What the dashboard is told at its start.
pub struct Config {
    /// The fleet database.
    pub store: Store,
    /// The broker and the account there. Client id and subscriptions are filled in by [`crate::run`].
    pub mqtt: Options,
    /// The key that signs sessions.
    pub key: SigningKey,
    /// What `/metrics` tells; without it there is no such page. Whoever made it keeps up its upkeep.
    pub metrics: Option<PrometheusHandle>,
    /// Bearer token with which `/metrics` may be read from elsewhere than this machine.
    pub metrics_token: Option<String>,
    /// Other parts of the system in this process, by name, that `/healthz` tells of.
    pub parts: Vec<(&'static str, Trouble)>,
    /// What other parts of the system in this process are short of before they can be given work, for `/readyz`.
    pub ready: Vec<(&'static str, Trouble)>,
    /// How long an access token is good.
    pub access_ttl: Duration,
    /// How long one stays signed in without coming back.
    pub session_idle: Duration,
    /// How long one stays signed in at most.
    pub session_longest: Duration,
    /// Origins that browsers may come from, such as `https://fleet.example.org`, beside the one that the request's
    /// `Host` names. Needed behind a proxy that changes `Host`.
    pub origins: Vec<String>,
    /// The dashboards of this fleet as browsers find them, each an origin, the preferred one first: when one does not answer,
    /// the app goes to the next. They share the database and the key that signs sessions.
    pub servers: Vec<String>,
    /// Tiles over the built-in map; without them it is alone.
    pub tiles: Option<Tiles>,
    /// Whether browsers reach the dashboard through TLS: cookies are kept from plain HTTP, and so is the site.
    pub secure_cookies: bool,
    /// Whether a proxy stands in front that appends the client's address to `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Signs vehicles' certificates; without it vehicles cannot enrol here.
    pub enrolment: Option<Enrolment>,
    /// Takes back from a vehicle what it can come in with, and tells the broker; without it people cannot do so here.
    pub revoke: Option<Revoke>,
    /// The public key by which browsers know who may push to them (base64url); without it there is no web push.
    pub push_key: Option<String>,
    /// Where the documents of contracts are; without it there are none.
    pub documents: Option<Arc<Documents>>,
    /// Where photos and clips are; without it vehicles keep them.
    pub library: Option<Library>,
    /// Which addresses the server may reach cameras at.
    pub cameras: Guard,
    /// What others are told of the fleet on the broker; nothing without it.
    pub heralding: Option<Heralding>,
    /// Bounds.
    pub limits: Limits,
}

/// What vehicles that enrol are given.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Signs their certificates.
    pub authority: Arc<Authority>,
    /// Where they find the broker, such as `mqtts://fleet.example.org:8883`.
    pub broker: Option<String>,
}

/// Bounds of what the dashboard takes on.
#[derive(Debug, Clone)]
pub struct Limits {
    /// HTTP connections at a time; more wait. Viewers of the live feed are not among them.
    pub connections: usize,
    /// HTTP connections at a time from one address; more are cut. Not counted behind a proxy.
    pub connections_per_address: usize,
    /// Viewers of the live feed at a time.
    pub viewers: usize,
    /// Viewers of the live feed with the same user name.
    pub viewers_per_user: usize,
    /// Viewers of cameras at a time.
    pub watchers: usize,
    /// Viewers of cameras with the same user name.
    pub watchers_per_user: usize,
    /// Vehicles on the live feed.
    pub vehicles: usize,
    /// Exports under way at a time.
    pub exports: usize,
    /// Exports under way at a time that were begun with the same user name.
    pub exports_per_user: usize,
    /// Bytes of all photos and clips together.
    pub media_bytes: u64,
    /// Longest that a request may take, its body included, until its answer begins.
    pub request_time: Duration,
    /// The same for requests with a large body, such as a document.
    pub upload_time: Duration,
    /// Longest that a viewer may take to read one frame.
    pub write_time: Duration,
    /// Longest that the reader of an export may take to read 64 KiB of it.
    pub export_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4096,
            connections_per_address: 512,
            viewers: 1000,
            viewers_per_user: 50,
            watchers: 1000,
            watchers_per_user: 100,
            vehicles: 20_000,
            exports: 4,
            exports_per_user: 2,
            media_bytes: 100 << 30,
            request_time: Duration::from_secs(15),
            upload_time: Duration::from_secs(120),
            write_time: Duration::from_secs(10),
            export_time: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// A configuration for browsers on this machine: plain HTTP, access tokens of a quarter of an hour, sessions of two weeks
    /// since they were last used and three months at most.
    pub fn new(store: Store, mqtt: Options, key: SigningKey) -> Self {
        Config {
            store,
            mqtt,
            key,
            metrics: None,
            metrics_token: None,
            parts: Vec::new(),
            ready: Vec::new(),
            access_ttl: Duration::from_secs(15 * 60),
            session_idle: 14 * DAY,
            session_longest: 90 * DAY,
            origins: Vec::new(),
            servers: Vec::new(),
            tiles: None,
            secure_cookies: false,
            behind_proxy: false,
            enrolment: None,
            revoke: None,
            push_key: None,
            documents: None,
            library: None,
            cameras: Guard::default(),
            heralding: None,
            limits: Limits::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let second = Duration::from_secs(1);
        let is_sane = |ttl: Duration| (second..=3650 * DAY).contains(&ttl);
        if ![self.access_ttl, self.session_idle, self.session_longest].into_iter().all(is_sane) {
            return Err(Error::SessionTtl);
        }
        for origin in self.origins.iter().chain(&self.servers) {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let fits = host.is_some_and(|host| {
                !host.is_empty()
                    && !host.contains(['/', ' ', '*', '@', ';', ',', '\''])
                    && host == host.to_ascii_lowercase()
            });
            if !fits {
                return Err(Error::Origin(origin.clone()));
            }
        }
        Ok(())
    }
}

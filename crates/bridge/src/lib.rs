//! Carries topics between an existing MQTT broker and this one: what a `connection` of `mosquitto.conf` asks for.
//!
//! A bridge is an ordinary client of both brokers, so each decides by its own rules what it may read and write. Both must
//! speak MQTT 5.0.
//!
//! # Layout
//! - [`run`], [`Config`]: the face
//! - `rules`: which topic goes over, and what it is called there
//! - `lane`: the messages of one direction
//!
//! # Invariants
//! - A QoS 1 message is acknowledged to the broker that it came from when the other one has acknowledged it, so what either
//!   has acknowledged to its publisher is lost only with the broker or the bridge itself. It may arrive twice.
//! - What the source sends in an order goes over in that order (brokers order topic by topic). A message that cannot go over is counted and acknowledged, never waited for.
//! - Nothing that this bridge published is heard by it again: no loop, no double.
//! - Bounded: 128 messages that the source sends unacknowledged, 256 that wait for the destination, in each direction.
//!
//! # What may be lost
//! - QoS 0, as everywhere: when the other broker is away, or more comes than it takes.
//! - While the other broker is away, QoS 1 messages wait at the source: 128 unacknowledged, and behind them as many as the
//!   source queues for one client. What it drops then is lost. The remote broker keeps them while the bridge itself is away
//!   too, if `cleansession` is false; this broker does not, since its sessions end with the connection.
#![warn(missing_docs)]

mod lane;
mod rules;

use std::time::Duration;

use bugbrother_client::{Options, Tls, connect};
use bugbrother_mosquitto_compat::conf::{Bridge, Direction};
use tokio_util::sync::CancellationToken;

use crate::{lane::Lane, rules::Rules};

/// What is bridged.
#[derive(Debug, Clone)]
pub struct Config {
    /// The other broker, and what goes over.
    pub bridge: Bridge,
    /// This broker and the bridge's account with it; its subscriptions, window and backlog are the bridge's to choose.
    pub local: Options,
}

/// Why a bridge ends before it is to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A session is gone, which only a panic inside it can bring about.
    #[error("bridge `{bridge}`: an MQTT session ended by itself")]
    Session {
        /// Its name.
        bridge: String,
    },
}

/// Messages that a broker may send without an acknowledgement, and that we may.
const WINDOW: usize = 128;

/// Carries messages until `shutdown`.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let Config { bridge, local } = config;
    let inward = Rules::new(&bridge.topics, Direction::In);
    let outward = Rules::new(&bridge.topics, Direction::Out);
    let sessions = shutdown.child_token();
    let _end_with_this = sessions.clone().drop_guard();
    let (to_remote, from_remote) = connect(as_bridge(remote(&bridge), &inward), sessions.clone());
    let (to_local, from_local) = connect(as_bridge(local, &outward), sessions.clone());
    let inward = Lane::new(bridge.name.clone(), "in", inward, from_remote, to_local);
    let outward = Lane::new(bridge.name.clone(), "out", outward, from_local, to_remote);
    // When one session has ended the other must not go on alone.
    let until_the_end = async |lane: Lane| {
        lane.run().await;
        sessions.cancel();
    };
    tokio::join!(until_the_end(inward), until_the_end(outward));
    if shutdown.is_cancelled() { Ok(()) } else { Err(Error::Session { bridge: bridge.name }) }
}

fn as_bridge(mut options: Options, rules: &Rules) -> Options {
    options.as_bridge = true;
    options.subscriptions = rules.subscriptions();
    options.window = WINDOW;
    options.backlog = WINDOW;
    options
}

fn remote(bridge: &Bridge) -> Options {
    let mut addresses = bridge.addresses.iter().cloned();
    // Without an address there is nobody to find, which the session says.
    let (host, port) = addresses.next().unwrap_or_default();
    let mut options = Options::new(
        host,
        port,
        bridge.remote_client_id.clone().unwrap_or_else(|| client_id(&bridge.name)),
        bridge.remote_username.clone().unwrap_or_default(),
        bridge.remote_password.as_ref().map(|password| password.0.clone()).unwrap_or_default(),
    );
    options.alternatives = addresses.collect();
    options.keep_alive = Duration::from_secs(bridge.keepalive_s.into());
    // As long as the remote broker will.
    options.keep_session = (!bridge.clean_session).then_some(Duration::MAX);
    options.tls = bridge.tls.as_ref().map(|tls| Tls { ca: Some(tls.cafile.clone()), identity: tls.identity.clone() });
    options
}

/// As Mosquitto's: the host's name and the connection's, so that bridges of two hosts do not take each other over.
fn client_id(name: &str) -> String {
    format!("{}.{name}", rustix::system::uname().nodename().to_string_lossy())
}

//! The MQTT broker: a gate with identity, access and limits, in front of rumqttd's router.
//!
//! rumqttd 0.20 must not face a network by itself: a packet or two stop it. So the gate is the whole MQTT server as the
//! clients see it (sockets, CONNECT, packet identifiers, acknowledgements, keep alive, wills, take-over, retained
//! messages), and rumqttd's router is what it is good at: a log with fan-out to several readers. The router sees no client's
//! name, topic, filter, packet identifier or retain flag.
//!
//! # Layout
//! - [`run`], [`Config`], [`Limits`]: the face
//! - [`Health`]: whether the broker can keep what it is to keep
//! - [`Door`]: the sockets of one `listener`
//! - `gate`: accepts connections, watches over everything, stops it
//! - `arrival`: from a connection to a stream of MQTT; `proxy`, `tls` and `websocket` are its steps
//! - `stream`: what a session reads from and writes to, whatever it is made of
//! - `handshake`: from a stream to a known client, or a CONNACK that says why not
//! - `files`: what is made of files, and made anew when they change
//! - `access`: who may come in and what they may say; `verifier`: password checks, few at a time, and by
//!   `turns` one of each network
//! - `doorstep`: how many sockets may wait to be known, and who makes room; `places`: how many may be connected, in all
//!   and of one address; `attempts`: wrong passwords
//! - `refusals`: how many lines the log gets about strangers, and about what clients do wrong
//! - `registry`: the connected clients of each user; take-over
//! - `session`: one client from CONNACK to the end; `inbound` and `outbound` are its two directions, `acknowledgement`
//!   the steps of QoS 1 and 2, `ending` how it goes on and ends
//! - `sessions`: those whose client is away; delayed wills. `will`: whether a client may have one
//! - `subscriber`: what others know of a session, its `subscriptions` and its queue; `window`: its unacknowledged
//!   deliveries
//! - `hub`: from links of the router to many sessions each
//! - `audience`: who gets messages beside the router, found in a `tree` of filters: sessions that last, and the groups of
//!   shared subscriptions (`share`)
//! - `store`: the file for what must outlive the process; `record`: what stands in it
//! - `bucket`: how often something may be done, for what the clients of one user send most of all
//! - `retained`: the retained messages
//! - `message`: what travels through the router
//! - `router`, `link`: the only files that name rumqttd's links; `canary`: proves that the router lives
//! - `count`: the figures behind metrics (`METRICS.md`) and `sys`, which publishes them as `$SYS/broker/…`
//! - `packet`: frames, then decoding, and encoding
//!
//! # Invariants
//! - Nothing that a client sends reaches rumqttd's router but as opaque payload under a name of ours, at QoS 0 and never
//!   retained. So a window that is full, an acknowledgement out of order or a strange topic is between the client and the
//!   gate, and the router knows three names, whatever clients invent.
//! - Whoever publishes waits for the slowest hub, so that the router's log loses nothing; a hub waits for nobody.
//! - A link of the router is woken only as the answer to its pause, and leaves in steps, so that the router never acts
//!   on an event of a link that is gone.
//! - Who has shown neither a password nor a certificate takes nothing from those who have: no place among the
//!   connections, no client identifier, at most half of the cores for password checks, each network one check at a time,
//!   and of the sockets that wait to be known only the share of a network, which makes room for who
//!   has fewer. Wrong passwords keep out only the name that
//!   was guessed at, only at the address where that was done, and only until its password has been right once. Where a listener lets anybody in, what an unproven client takes belongs to its
//!   address, whatever name it claims.
//! - All that comes before the first packet (a proxy's header, TLS, WebSocket, CONNECT) is done in the connection's own
//!   task under one deadline, so nobody waits for the handshake of somebody else.
//! - What let a client in is asked again when the files change: the password's entry, the certificate, the right to its
//!   subscriptions and to its will. A session that lost one of them ends. Files that cannot be used change nothing;
//!   whom a listener trusts does not wait for its own certificate and key, nor these for those.
//! - Every queue is bounded, in messages and bytes and all of them together. A full one refuses what is new and counts it.
//!   A subscriber that does not read is closed when its socket takes nothing for [`Limits::write_deadline`].
//! - A message at QoS 1 or 2 for a session that lasts is on disk before it is acknowledged to whoever published it. Each
//!   step of QoS 2 is on disk before the packet goes that lets the other side forget the step before.
//! - What reaches a session at QoS 1 or 2 comes by one way only: through `audience` if the session lasts, through the
//!   router if not.
//! - Of the places for retained messages so many are kept free for services as one of them may have. Who may write only
//!   for itself has a 256th of the rest that is left, so hundreds of hostile vehicles leave some to others. A message that
//!   finds no place leaves the older one of its topic where it is.
//! - A frame of WebSocket costs its sender as much as a packet, whatever is in it; who is not known yet may send 1,000.
//! - A line of the log that a client can cause is one of a few per second; the rest is counted.
//! - Whose account or certificate was taken back has no will any more.
//! - Each user has client identifiers of its own: what another user calls its clients is no matter. So only the same
//!   user takes a session over. The old session has ended and its will is out before the new one begins.
//!
//! # What is left out on purpose
//! - **Enhanced authentication**: a method in CONNECT is answered with 0x8C.
//! - **QoS 0 for who is away**: not kept.
//! - **The order of a message and its retransmission across QoS**: each QoS has its own.
//! - **PROXY protocol v1, MQTT 3.1** (and its WebSocket subprotocol `mqttv3.1`): refused.
//! - **Revocation lists' dates, and the end of a certificate's life within a session**: neither ends a session; the next
//!   handshake looks at the certificate's dates again.
//! - **Wills at shutdown**: that the broker stops does not mean that a vehicle is gone.
//!
//! rumqttd's router thread cannot be stopped; it ends with the process.
#![warn(missing_docs)]

mod access;
mod arrival;
mod attempts;
mod audience;
mod bucket;
mod canary;
mod count;
mod door;
mod doorstep;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod handshake;
mod health;
mod hub;
mod limits;
mod link;
mod message;
mod packet;
mod places;
mod proxy;
mod record;
mod refusals;
mod registry;
mod retained;
mod router;
mod session;
mod sessions;
mod share;
mod store;
mod stream;
mod subscriber;
mod subscriptions;
mod sys;
mod tls;
mod tree;
mod turns;
mod verifier;
mod websocket;
mod will;
mod window;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use door::Door;
pub use health::Health;
pub use limits::Limits;
pub use store::StoreError;
pub use tls::TlsError;

/// What a broker needs to know.
#[derive(Debug)]
pub struct Config {
    /// Where clients come in.
    pub doors: Vec<Door>,
    /// What one client and all of them may take.
    pub limits: Limits,
    /// The folder for what is to outlive the process: retained messages, and sessions that last longer than their
    /// connection. `None` keeps them in memory.
    pub persistence: Option<PathBuf>,
    /// Is told whether the file in that folder can be written.
    pub health: Health,
    /// How often `$SYS/broker/…` is published; `None` for never.
    pub sys_interval: Option<Duration>,
    /// Notified (`notify_one`) when all files are to be read again, as on SIGHUP. A change of a file is seen without it.
    pub reload: Arc<Notify>,
}

/// Why the broker cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The password file cannot be used.
    #[error("broker has no users")]
    Passwords(#[source] bugbrother_mosquitto_compat::PasswordError),
    /// The ACL file cannot be used.
    #[error("broker has no access rules")]
    Acl(#[source] bugbrother_mosquitto_compat::AclError),
    /// The files of a listener with TLS cannot be used.
    #[error("broker has a listener without TLS that works")]
    Tls(#[source] TlsError),
    /// The thread that feeds the router cannot be started.
    #[error("broker cannot start its router")]
    Start(#[source] io::Error),
    /// The file for what is to outlive the process cannot be used.
    #[error("broker cannot keep anything")]
    Store(#[source] StoreError),
    /// The thread that writes that file has ended.
    #[error("nothing is written any more: the process must be started again")]
    StoreDied,
    /// The router does not pass messages on any more; only a new process has a new one.
    #[error("router has stopped: the process must be started again")]
    RouterDied,
}

/// Serves MQTT 3.1.1 and 5.0 at all doors until `shutdown`, or until the router dies.
///
/// At shutdown no new connection is taken, 5.0 clients get DISCONNECT 0x8B, and what is already written to a socket's
/// buffer is sent. On an error the process should end and be started again by its supervisor.
pub async fn run(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    gate::run(config, shutdown).await
}

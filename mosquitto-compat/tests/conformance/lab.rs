//! The two brokers, and what a case is given to try one of them.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bugbrother_broker::{Config, Door, Health, Limits};
use bugbrother_kit::{
    mosquitto::Mosquitto,
    mqtt::{
        packet::{Connect, Publish},
        peer::{End, Peer, Welcome},
        property::Properties,
    },
    port,
};
use bugbrother_mosquitto_compat::{PasswordFile, conf::Conf};
use tokio::{net::TcpStream, sync::Notify};
use tokio_util::sync::CancellationToken;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(12);

/// The one who may come in at the guarded door, with this password, and may use `allowed/#` there.
pub const USER: &str = "user";
pub const PASSWORD: &str = "secret";

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Embedded,
    Mosquitto,
}

impl Which {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Which::Embedded => "the embedded broker",
            Which::Mosquitto => "Mosquitto",
        }
    }

    /// The list of what is known to fail on it.
    pub fn file(self) -> &'static str {
        match self {
            Which::Embedded => "embedded.txt",
            Which::Mosquitto => "mosquitto.txt",
        }
    }
}

/// A running broker with three doors: open to all, for one account only, and open to all over WebSocket.
pub struct Broker {
    pub open: SocketAddr,
    pub guarded: SocketAddr,
    pub websocket: SocketAddr,
    _running: Running,
    _folder: tempfile::TempDir,
}

enum Running {
    /// Ends the broker when it is dropped.
    Embedded(#[expect(dead_code, reason = "is dropped at the end")] tokio_util::sync::DropGuard),
    Mosquitto(#[expect(dead_code, reason = "is dropped at the end")] Mosquitto),
}

impl Broker {
    pub async fn start(which: Which) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [open, guarded, websocket] = port::free_ones()?;
        let (passwords, acl) = (folder.path().join("passwords"), folder.path().join("acl"));
        let mut file = PasswordFile::default();
        file.set_with(USER, PASSWORD, 1)?;
        file.save(&passwords)?;
        fs::write(&acl, format!("user {USER}\ntopic readwrite allowed/#\n"))?;
        let options = format!(
            "per_listener_settings true\nallow_anonymous true\n\
             listener {websocket} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n\
             listener {guarded} 127.0.0.1\nallow_anonymous false\npassword_file {}\nacl_file {}\n",
            passwords.display(),
            acl.display()
        );
        let running = match which {
            Which::Mosquitto => Running::Mosquitto(Mosquitto::start_on(open, &options)?),
            Which::Embedded => {
                let path = folder.path().join("mosquitto.conf");
                fs::write(&path, format!("listener {open} 127.0.0.1\n{options}"))?;
                let mut doors = Vec::new();
                for listener in Conf::load(&path)?.listeners {
                    doors.push(Door::open(listener).await?);
                }
                // All cases are one and the same stranger to the broker, who may not do so much by default.
                let limits = Limits {
                    connections_per_user: 1_000,
                    sessions_per_user: 1_000,
                    tokens_per_second: 1_000_000,
                    tokens_per_second_of_services: 1_000_000,
                    ..Limits::default()
                };
                let persistence = Some(folder.path().join("kept"));
                let config = Config {
                    doors,
                    limits,
                    persistence,
                    health: Health::default(),
                    sys_interval: None,
                    reload: Arc::new(Notify::new()),
                };
                let shutdown = CancellationToken::new();
                tokio::spawn(bugbrother_broker::run(config, shutdown.clone()));
                Running::Embedded(shutdown.drop_guard())
            }
        };
        let [open, guarded, websocket] = [open, guarded, websocket].map(port::local);
        Ok(Broker { open, guarded, websocket, _running: running, _folder: folder })
    }
}

/// A case's own corner of a broker.
#[derive(Clone)]
pub struct Lab {
    pub broker: Arc<Broker>,
    pub version: u8,
    name: &'static str,
    number: u16,
}

impl Lab {
    pub fn new(broker: Arc<Broker>, version: u8, name: &'static str) -> Self {
        static LAST: AtomicU16 = AtomicU16::new(0);
        Lab { broker, version, name, number: LAST.fetch_add(1, Ordering::Relaxed) }
    }

    /// The same for clients of 3.1.1.
    pub fn of_3_1_1(&self) -> Self {
        Lab { version: 4, ..self.clone() }
    }

    /// A topic of its own.
    pub fn topic(&self, rest: &str) -> String {
        format!("lab/{}/{}/{rest}", self.name, self.version)
    }

    /// A client identifier of its own, of letters and digits, and shorter than 23.
    pub fn id(&self, name: &str) -> String {
        format!("c{}x{name}", self.number)
    }

    /// A clean CONNECT of that name.
    pub fn connect(&self, name: &str) -> Connect {
        Connect::new(self.version, &self.id(name))
    }

    /// A connection over which nothing has been said.
    pub async fn socket(&self) -> Result<Peer> {
        self.socket_to(self.broker.open).await
    }

    /// The same at another door.
    pub async fn socket_to(&self, address: SocketAddr) -> Result<Peer> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Peer::over(stream, self.version, PATIENCE))
    }

    /// A client that was let in.
    pub async fn peer(&self, name: &str) -> Result<Peer> {
        Ok(self.join(&self.connect(name)).await?.0)
    }

    /// A client that was let in, and what CONNACK says.
    pub async fn join(&self, connect: &Connect) -> Result<(Peer, Welcome)> {
        let mut peer = self.socket().await?;
        let welcome = peer.offer(connect).await?.context("the connection ends without CONNACK")?;
        ensure!(welcome.code == 0, "CONNACK says {:#x}", welcome.code);
        Ok((peer, welcome))
    }

    /// A CONNECT that must be refused: at 3.1.1 without a word or with one of `codes4`, at 5.0 without one or with one
    /// of `codes5`.
    pub async fn turned_away(&self, bytes: &[u8], codes4: &[u8], codes5: &[u8]) -> Result<()> {
        let mut peer = self.socket().await?;
        self.turned_away_over(&mut peer, bytes, codes4, codes5).await
    }

    /// The same over a connection that is there.
    pub async fn turned_away_over(&self, peer: &mut Peer, bytes: &[u8], codes4: &[u8], codes5: &[u8]) -> Result<()> {
        use bugbrother_kit::mqtt::packet::Packet;
        peer.send(bytes).await?;
        match peer.next().await? {
            None => Ok(()),
            Some(Packet::ConnAck { present, code, .. }) => {
                let codes = if self.version == 5 { codes5 } else { codes4 };
                ensure!(codes.contains(&code), "CONNACK says {code:#x}");
                ensure!(!present, "session present in a refusal");
                let end = peer.ended().await?;
                ensure!(end == End::Silent, "{end:?} after a CONNACK that refuses");
                Ok(())
            }
            Some(other) => bail!("{other:?} came instead of CONNACK"),
        }
    }

    /// Sends what must end the connection: at 5.0 with one of these codes, if with any.
    pub async fn refuses(&self, peer: &mut Peer, bytes: &[u8], codes: &[u8]) -> Result<()> {
        match peer.refused(bytes).await? {
            End::Said(code) => {
                ensure!(codes.contains(&code), "DISCONNECT says {code:#x}");
                Ok(())
            }
            End::Silent => Ok(()),
        }
    }

    /// The same by a client that has only just come.
    pub async fn refuses_of_a_client(&self, bytes: &[u8], codes: &[u8]) -> Result<()> {
        let mut peer = self.peer("refused").await?;
        self.refuses(&mut peer, bytes, codes).await
    }

    /// Publishes as a client of its own, which goes again.
    pub async fn say(&self, publish: Publish) -> Result<()> {
        let mut peer = self.peer("sayer").await?;
        let code = peer.publish(publish).await?;
        ensure!(code < 0x80, "PUBLISH is refused with {code:#x}");
        peer.leave().await
    }

    /// What is retained on a topic, as a new subscription finds it.
    pub async fn retained(&self, filter: &str) -> Result<Vec<Publish>> {
        let mut peer = self.peer("finder").await?;
        peer.subscribe(filter, 2).await?;
        // Retained messages come before what is published after SUBACK.
        let end = self.topic("end of what is retained");
        peer.subscribe(&end, 2).await?;
        peer.publish(Publish::new(&end, "end", 1)).await?;
        let mut found = Vec::new();
        loop {
            match peer.message().await? {
                message if message.topic == end => break,
                message => found.push(message),
            }
        }
        peer.leave().await?;
        Ok(found)
    }
}

/// Properties with nothing in them.
pub fn none() -> Properties {
    Properties::new()
}

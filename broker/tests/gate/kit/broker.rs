//! A broker on a free port, with a canary.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bugbrother_broker::{Config, Door, Error, Health, Limits};
use bugbrother_mosquitto_compat::{PasswordFile, conf};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{CAR, Connect, OTHER_CAR, PATIENCE, Raw, packet};

const ACL: &str = "
user ingest
topic read fleet/v1/+/up/#
topic write fleet/v1/+/down/ack
user free
topic readwrite #
user canary
topic readwrite canary/#
user operator
topic readwrite $SYS/#
user glance
topic read $SYS/broker/uptime
pattern write fleet/v1/%u/up/#
pattern read fleet/v1/%u/down/#
";

/// A broker, and a canary of the test's own that was there before all that happens to it.
pub struct Broker {
    pub address: SocketAddr,
    pub passwords: PathBuf,
    pub acl: PathBuf,
    /// The doors besides the first one.
    pub doors: Vec<SocketAddr>,
    pub reload: Arc<Notify>,
    pub shutdown: CancellationToken,
    pub health: Health,
    pub task: JoinHandle<Result<(), Error>>,
    canary: Raw,
    songs: u32,
    folder: tempfile::TempDir,
}

impl Broker {
    pub async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::that_says(limits, None).await
    }

    /// One that publishes its figures in such intervals.
    pub async fn that_says(limits: Limits, sys_interval: Option<Duration>) -> Self {
        Self::open(limits, sys_interval, |_, _| Vec::new()).await
    }

    /// One with more doors than that for MQTT over TCP, made from a folder for files and from that one's access.
    pub async fn with_doors(limits: Limits, more: impl FnOnce(&Path, conf::Access) -> Vec<conf::Listener>) -> Self {
        Self::open(limits, None, more).await
    }

    /// One that keeps what is to outlive it.
    pub async fn that_keeps(limits: Limits) -> Self {
        Self::that_keeps_in(&std::env::temp_dir(), limits).await
    }

    /// The same in a folder of that one.
    pub async fn that_keeps_in(parent: &Path, limits: Limits) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        Self::open_in(folder, true, limits, None, |_, _| Vec::new()).await
    }

    /// Stops it, and starts another one that goes on from what it has kept.
    pub async fn restarted(self, limits: Limits) -> Self {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task).await.expect("the broker stops").unwrap().expect("without an error");
        Self::open_in(self.folder, true, limits, None, |_, _| Vec::new()).await
    }

    async fn open(
        limits: Limits,
        sys_interval: Option<Duration>,
        more: impl FnOnce(&Path, conf::Access) -> Vec<conf::Listener>,
    ) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), false, limits, sys_interval, more).await
    }

    async fn open_in(
        folder: tempfile::TempDir,
        keeps: bool,
        limits: Limits,
        sys_interval: Option<Duration>,
        more: impl FnOnce(&Path, conf::Access) -> Vec<conf::Listener>,
    ) -> Self {
        let (passwords, acl) = (folder.path().join("passwd"), folder.path().join("acl"));
        let mut file = PasswordFile::default();
        for user in [CAR, OTHER_CAR, "ingest", "free", "canary", "operator", "glance"] {
            file.set_with(user, "secret", 1).unwrap();
        }
        file.save(&passwords).unwrap();
        fs::write(&acl, ACL).unwrap();
        let access = conf::Access {
            password_file: Some(passwords.clone()),
            acl_file: Some(acl.clone()),
            allow_anonymous: false,
        };
        let mut doors = Vec::new();
        for settings in [vec![listener(access.clone())], more(folder.path(), access)].concat() {
            doors.push(Door::open(settings).await.unwrap());
        }
        let mut addresses = doors.iter().map(|door| door.sockets[0].local_addr().unwrap());
        let (address, others) = (addresses.next().unwrap(), addresses.collect());
        let (shutdown, reload, health) = (CancellationToken::new(), Arc::new(Notify::new()), Health::default());
        let persistence = keeps.then(|| folder.path().join("kept"));
        let config =
            Config { doors, limits, persistence, health: health.clone(), sys_interval, reload: Arc::clone(&reload) };
        let task = tokio::spawn(bugbrother_broker::run(config, shutdown.clone()));
        let mut canary = Raw::connect(address, Connect::new(5, "canary", "canary").keep_alive(0)).await;
        canary.subscribe("canary/#", 1).await;
        Broker { address, passwords, acl, doors: others, reload, shutdown, health, task, canary, songs: 0, folder }
    }

    /// A client of `user` with the client identifier `id`; `version` is 4 for 3.1.1 and 5 for 5.0.
    pub async fn client(&self, version: u8, id: &str, user: &str) -> Raw {
        Raw::connect(self.address, Connect::new(version, id, user)).await
    }

    pub async fn client_with(&self, connect: Connect) -> Raw {
        Raw::connect(self.address, connect).await
    }

    /// Tries to come in until there is a place.
    pub async fn client_when_free(&self) -> Raw {
        let trying = async {
            loop {
                let mut raw = self.socket().await;
                raw.try_send(&Connect::new(4, "waiting", "free").bytes()).await;
                match raw.packet().await {
                    Some((0x20, body)) if body[1] == 0 => return raw,
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(PATIENCE, trying).await.expect("a place becomes free")
    }

    /// A client, and whether an earlier session goes on.
    pub async fn resumed(&self, connect: Connect) -> (Raw, bool) {
        let mut raw = self.socket().await;
        let present = raw.resumes(connect).await;
        (raw, present)
    }

    pub async fn socket(&self) -> Raw {
        Raw::open(self.address).await
    }

    /// Fails unless a client that was there before still publishes and receives, and a new one is let in.
    pub async fn sings(&mut self) {
        self.songs += 1;
        let song = format!("song {}", self.songs);
        self.canary.publish("canary/song", song.as_bytes(), 1).await;
        let heard = self.canary.message().await;
        assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("canary/song", song.as_bytes()));
        let mut new = self.client(4, "newcomer", "canary").await;
        new.send(&packet(0xE0, &[])).await;
        new.ends().await;
        assert!(!self.task.is_finished(), "the broker has ended");
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task).await.expect("the broker stops").unwrap().expect("without an error");
    }
}

/// MQTT over TCP on a free port.
pub fn listener(access: conf::Access) -> conf::Listener {
    conf::Listener::at((Ipv4Addr::LOCALHOST, 0).into(), access)
}

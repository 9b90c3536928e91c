//! A broker on a free port, and a client that sends any bytes.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use bugbrother_kit::mqtt::packet::{packet, string};

use bugbrother_broker::{Config, Door, Error, Health, Limits};
use bugbrother_mosquitto_compat::{PasswordFile, conf};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

pub const CAR: &str = "WVWZZZ1JZ3W386752";
pub const OTHER_CAR: &str = "1HGCM82633A004352";
/// Longer than anything takes, so that a test that hangs says where.
pub const PATIENCE: Duration = Duration::from_secs(20);

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

/// What goes into a CONNECT.
pub struct Connect {
    version: u8,
    id: String,
    user: Option<(String, String)>,
    will: Option<(String, Vec<u8>, u8)>,
    keep_alive_s: u16,
    clean: bool,
    pub properties: Vec<u8>,
    pub will_properties: Vec<u8>,
}

impl Connect {
    pub fn new(version: u8, id: &str, user: &str) -> Self {
        let user = Some((user.to_owned(), "secret".to_owned()));
        Connect {
            version,
            id: id.into(),
            user,
            will: None,
            keep_alive_s: 60,
            clean: true,
            properties: Vec::new(),
            will_properties: Vec::new(),
        }
    }

    pub fn anonymous(mut self) -> Self {
        self.user = None;
        self
    }

    pub fn password(mut self, password: &str) -> Self {
        self.user.as_mut().unwrap().1 = password.into();
        self
    }

    /// `flags` of the will: QoS times 8, and 0x20 for retain.
    pub fn will(mut self, topic: &str, payload: &[u8], flags: u8) -> Self {
        self.will = Some((topic.into(), payload.into(), flags));
        self
    }

    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive_s = seconds;
        self
    }

    pub fn not_clean(mut self) -> Self {
        self.clean = false;
        self
    }

    /// With a session that lasts: in 5.0 for so many seconds, in 3.1.1 for ever.
    pub fn lasting(mut self, expiry_s: u32) -> Self {
        if self.version == 5 {
            self.properties.push(0x11);
            self.properties.extend(expiry_s.to_be_bytes());
        }
        self.not_clean()
    }

    /// How long the will waits.
    pub fn will_delay(mut self, seconds: u32) -> Self {
        self.will_properties.push(0x18);
        self.will_properties.extend(seconds.to_be_bytes());
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut flags = if self.clean { 2 } else { 0 };
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', self.version, 0];
        body.extend(self.keep_alive_s.to_be_bytes());
        if self.version == 5 {
            body.push(self.properties.len() as u8);
            body.extend(&self.properties);
        }
        string(&mut body, self.id.as_bytes());
        if let Some((topic, payload, will)) = &self.will {
            flags |= 4 | will;
            if self.version == 5 {
                body.push(self.will_properties.len() as u8);
                body.extend(&self.will_properties);
            }
            string(&mut body, topic.as_bytes());
            string(&mut body, payload);
        }
        if let Some((user, password)) = &self.user {
            flags |= 0xC0;
            string(&mut body, user.as_bytes());
            string(&mut body, password.as_bytes());
        }
        body[7] = flags;
        packet(0x10, &body)
    }
}

/// A PUBLISH that came.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub duplicate: bool,
    pub retain: bool,
    pub id: u16,
    pub properties: Vec<u8>,
}

/// Whatever bytes go over.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A client without a mind of its own.
pub struct Raw {
    stream: Box<dyn Wire>,
    /// As in CONNECT.
    pub version: u8,
    last_id: u16,
    /// Messages that came while something else was waited for.
    waiting: Vec<Message>,
    /// Whether deliveries at QoS 1 and 2 are acknowledged as they are read.
    pub acknowledges: bool,
}

impl Raw {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Raw::over(stream)
    }

    /// From another of this machine's own addresses.
    pub async fn open_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        Raw::over(dial_from(source, address).await)
    }

    pub fn over(stream: impl Wire + 'static) -> Self {
        Raw { stream: Box::new(stream), version: 4, last_id: 0, waiting: Vec::new(), acknowledges: true }
    }

    pub async fn connect(address: SocketAddr, connect: Connect) -> Self {
        Self::open(address).await.welcomed(connect).await
    }

    /// Sends CONNECT and is let in.
    pub async fn welcomed(mut self, connect: Connect) -> Self {
        let (first, body) = self.offer(connect).await.expect("a CONNACK");
        assert_eq!((first, body[1]), (0x20, 0), "refused: {body:?}");
        self
    }

    /// Sends CONNECT and is let in; whether an earlier session goes on.
    pub async fn resumes(&mut self, connect: Connect) -> bool {
        let (first, body) = self.offer(connect).await.expect("a CONNACK");
        assert_eq!((first, body[1]), (0x20, 0), "refused: {body:?}");
        body[0] == 1
    }

    /// Sends CONNECT; the code in CONNACK, `None` when there is none.
    pub async fn code(mut self, connect: Connect) -> Option<u8> {
        Some(self.offer(connect).await?.1[1])
    }

    /// Sends CONNECT; what comes back, `None` when the socket is closed.
    pub async fn offer(&mut self, connect: Connect) -> Option<(u8, Vec<u8>)> {
        self.version = connect.version;
        self.send(&connect.bytes()).await;
        self.packet().await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the broker reads").unwrap();
    }

    /// Sends to a broker that may have closed the connection already.
    pub async fn try_send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("the broker reads or closes").ok();
    }

    /// First byte and body of the next packet; `None` when the broker has closed the connection.
    pub async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(PATIENCE, read_packet(&mut self.stream)).await.expect("a packet, or the end of the connection")
    }

    /// The next packet that is no PUBLISH.
    pub async fn answer(&mut self) -> (u8, Vec<u8>) {
        loop {
            let (first, body) = self.packet().await.expect("an answer before the end");
            match first >> 4 {
                3 => {
                    let message = self.take_message(first, &body).await;
                    self.waiting.push(message);
                }
                6 if self.acknowledges => self.send(&packet(0x70, &body[..2])).await,
                _ => return (first, body),
            }
        }
    }

    /// The next message, acknowledged if need be.
    pub async fn message(&mut self) -> Message {
        if !self.waiting.is_empty() {
            return self.waiting.remove(0);
        }
        loop {
            let (first, body) = self.packet().await.expect("a message before the end");
            if first == 0x62 && self.acknowledges {
                self.send(&packet(0x70, &body[..2])).await;
                continue;
            }
            assert_eq!(first >> 4, 3, "not a PUBLISH: {first:#x} {body:?}");
            return self.take_message(first, &body).await;
        }
    }

    /// Nothing is on its way to this client: of what is published now at QoS 0 to a topic of its own, that comes next.
    pub async fn hears_nothing(&mut self, topic: &str) {
        self.publish(topic, b"nothing came before", 0).await;
        assert_eq!(self.message().await.payload, b"nothing came before");
    }

    async fn take_message(&mut self, first: u8, body: &[u8]) -> Message {
        let qos = (first >> 1) & 3;
        let mut at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..at].to_vec()).unwrap();
        let mut id = 0;
        if qos > 0 {
            id = u16::from_be_bytes([body[at], body[at + 1]]);
            at += 2;
        }
        let mut properties = Vec::new();
        if self.version == 5 {
            let length = usize::from(body[at]);
            properties = body[at + 1..at + 1 + length].to_vec();
            at += 1 + length;
        }
        match qos {
            1 if self.acknowledges => self.acknowledge(id).await,
            2 if self.acknowledges => self.send(&packet(0x50, &id.to_be_bytes())).await,
            _ => {}
        }
        let (duplicate, retain) = (first & 8 != 0, first & 1 != 0);
        Message { topic, payload: body[at..].to_vec(), qos, duplicate, retain, id, properties }
    }

    pub async fn acknowledge(&mut self, id: u16) {
        self.send(&packet(0x40, &id.to_be_bytes())).await;
    }

    /// Reads until the connection ends; the last packet before.
    pub async fn ends(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut last = None;
        while let Some(packet) = self.packet().await {
            last = Some(packet);
        }
        last
    }

    /// Publishes; at QoS 1 and 2 the reason code of the answer, 0 where there is none.
    pub async fn publish(&mut self, topic: &str, payload: &[u8], qos: u8) -> u8 {
        self.publish_with(topic, payload, qos << 1, &[]).await
    }

    pub async fn retain(&mut self, topic: &str, payload: &[u8]) -> u8 {
        self.publish_with(topic, payload, 0b11, &[]).await
    }

    pub async fn publish_with(&mut self, topic: &str, payload: &[u8], flags: u8, properties: &[u8]) -> u8 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let id = self.last_id;
        let bytes = publish(self.version, topic.as_bytes(), payload, flags, id, properties);
        self.send(&bytes).await;
        if flags & 0b110 == 0 {
            return 0;
        }
        let (first, body) = self.answer().await;
        let expected = if flags & 0b100 == 0 { 0x40 } else { 0x50 };
        assert_eq!((first, &body[..2]), (expected, &id.to_be_bytes()[..]));
        let reason = body.get(2).copied().unwrap_or(0);
        if expected == 0x50 && reason < 0x80 {
            self.send(&packet(0x62, &id.to_be_bytes())).await;
            assert_eq!(self.answer().await, (0x70, id.to_be_bytes().to_vec()));
        }
        reason
    }

    /// Subscribes; the code in SUBACK.
    pub async fn subscribe(&mut self, filter: &str, options: u8) -> u8 {
        self.subscribe_with(filter, options, &[]).await
    }

    pub async fn subscribe_with(&mut self, filter: &str, options: u8, properties: &[u8]) -> u8 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let id = self.last_id;
        let mut body = id.to_be_bytes().to_vec();
        if self.version == 5 {
            body.push(properties.len() as u8);
            body.extend(properties);
        }
        string(&mut body, filter.as_bytes());
        body.push(options);
        self.send(&packet(0x82, &body)).await;
        let (first, body) = self.answer().await;
        assert_eq!((first, &body[..2]), (0x90, &id.to_be_bytes()[..]));
        *body.last().unwrap()
    }

    pub async fn unsubscribe(&mut self, filter: &str) -> u8 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let mut body = self.last_id.to_be_bytes().to_vec();
        if self.version == 5 {
            body.push(0);
        }
        string(&mut body, filter.as_bytes());
        self.send(&packet(0xA2, &body)).await;
        let (first, body) = self.answer().await;
        assert_eq!((first, &body[..2]), (0xB0, &self.last_id.to_be_bytes()[..]));
        if self.version == 5 { *body.last().unwrap() } else { 0 }
    }

    /// A round trip: all that was sent before has been worked on.
    pub async fn ping(&mut self) {
        self.send(&packet(0xC0, &[])).await;
        assert_eq!(self.answer().await.0, 0xD0);
    }

    /// Says goodbye.
    pub async fn leave(mut self) {
        self.send(&packet(0xE0, &[])).await;
        self.ends().await;
    }

    /// Ends without DISCONNECT.
    pub async fn vanish(mut self) {
        self.stream.shutdown().await.ok();
    }
}

async fn dial_from(source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let stream = socket.connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

async fn read_packet(stream: &mut Box<dyn Wire>) -> Option<(u8, Vec<u8>)> {
    // A connection that is reset has ended too.
    let first = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

pub fn publish(version: u8, topic: &[u8], payload: &[u8], flags: u8, id: u16, properties: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, topic);
    if flags & 0b110 != 0 {
        body.extend(id.to_be_bytes());
    }
    if version == 5 {
        body.push(properties.len() as u8);
        body.extend(properties);
    }
    body.extend(payload);
    packet(0x30 | flags, &body)
}

/// `fleet/v1/{vin}/{rest}`.
pub fn of(vin: &str, rest: &str) -> String {
    format!("fleet/v1/{vin}/{rest}")
}

//! A gate whose clients come from memory, for the fuzz target in `fuzz/`.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bugbrother_mosquitto_compat::conf::{self, Access, Domain, Protocol};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Limits,
    arrival::{Arrival, Entrance},
    files::Files,
    gate::Gate,
    handshake,
    router::Router,
    session,
    store::Store,
    stream::Socket,
};

/// What is in a stream at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Who has shown no password is known by its address: so a client cannot take the canary's session over.
const CANARY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// A broker without sockets, and a client of it that goes on.
pub struct Bench {
    gate: &'static Gate,
    entrance: &'static Entrance,
    _files: Files,
    canary: DuplexStream,
    songs: u32,
}

impl Bench {
    /// Everybody may come in and may do anything.
    pub async fn start() -> Self {
        let limits = Limits {
            tokens_per_second: u32::MAX,
            tokens_per_second_of_services: u32::MAX,
            connections_per_user: 100,
            log_bytes: 64 * 1024,
            retained_bytes_per_user: 1024 * 1024,
            ..Limits::default()
        };
        let settings = conf::Listener {
            port: 0,
            bind: None,
            domain: Domain::Both,
            protocol: Protocol::Mqtt,
            tls: None,
            max_connections: None,
            proxy_protocol: false,
            username_as_client_id: false,
            access: Access { password_file: None, acl_file: None, allow_anonymous: true },
        };
        let mut files = Files::default();
        let entrance = Entrance::new(&settings, &mut files).expect("there is no file that could be missing");
        let router = Router::start(&limits).expect("a thread can be started");
        let gate = Gate::new(limits, router, (Store::none(), Vec::new()), Vec::new(), CancellationToken::new());
        let gate = gate.await.expect("the router lives");
        let (gate, entrance) = (&*Box::leak(Box::new(gate)), &*Box::leak(Box::new(entrance)));
        let (mut canary, far) = duplex(BUFFER_BYTES);
        tokio::spawn(serve(gate, entrance, CANARY, far));
        expect(&mut canary, b"\x10\x12\0\x04MQTT\x04\x02\0\0\0\x06canary", b"\x20\x02\0\0").await;
        expect(&mut canary, b"\x82\x09\0\x01\0\x04song\0", b"\x90\x03\0\x01\0").await;
        Bench { gate, entrance, _files: files, canary, songs: 0 }
    }

    /// Lets a client send these bytes and read to the end; then the canary must still hear what it publishes.
    pub async fn session(&mut self, bytes: &[u8]) {
        let (near, far) = duplex(BUFFER_BYTES);
        let client = async {
            let (mut reader, mut writer) = tokio::io::split(near);
            let send = async {
                writer.write_all(bytes).await.ok();
                writer.shutdown().await.ok();
            };
            let mut nothing = tokio::io::sink();
            tokio::join!(send, tokio::io::copy(&mut reader, &mut nothing)).1.ok();
        };
        let both = async { tokio::join!(serve(self.gate, self.entrance, CLIENT, far), client) };
        timeout(PATIENCE, both).await.expect("a session ends when its client has nothing to say any more");
        self.songs += 1;
        let song = [&b"\x30\x0a\0\x04song"[..], &self.songs.to_be_bytes()].concat();
        expect(&mut self.canary, &song, &song).await;
    }
}

async fn serve(gate: &Gate, entrance: &Entrance, address: Ipv4Addr, stream: DuplexStream) {
    let arrival = Arrival { stream: Socket::Memory(stream).into(), certificate: None };
    let deadline = Instant::now() + gate.limits.connect_deadline;
    if let Ok(client) = handshake::greet(gate, entrance, arrival, SocketAddr::from((address, 1)), deadline).await {
        session::run(gate, client).await;
    }
}

/// Sends a packet and waits for another; clients may make it hear others before.
async fn expect(canary: &mut DuplexStream, packet: &[u8], answer: &[u8]) {
    canary.write_all(packet).await.expect("the canary is connected");
    let hearing = async { while hear(canary).await.expect("the canary stays connected") != answer {} };
    timeout(PATIENCE, hearing).await.expect("the router lives");
}

/// The next packet.
async fn hear(canary: &mut DuplexStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![canary.read_u8().await?];
    let mut length = 0;
    for shift in (0..28).step_by(7) {
        let byte = canary.read_u8().await?;
        packet.push(byte);
        length |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let start = packet.len();
    packet.resize(start + length, 0);
    canary.read_exact(&mut packet[start..]).await?;
    Ok(packet)
}

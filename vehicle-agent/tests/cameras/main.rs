//! The real agent with a real RTSP camera: what it films, photographs and shows, and what becomes of that when it is killed.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

mod films;
mod lives;
#[expect(dead_code, reason = "another test needs the rest")]
#[path = "../parts/mod.rs"]
mod parts;
mod photos;
mod station;

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bugbrother_kit::{camera::Camera, mosquitto::Mosquitto, port, process::Process, wait};
use bugbrother_pki::{Authority, Request, new_key_and_request};
use bugbrother_wire::{
    CommandId, Message, Vin, encode,
    message::{Argument, Command, EventKind, Media, MediaState, Presence, Reply, ReplyState},
    topic::Kind,
};
use parts::database::Database;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use station::Station;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

const LIMIT: Duration = Duration::from_secs(90);
const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const VIN: &str = "WVWZZZ1JZ3W386752";

/// A fleet of one vehicle with a camera.
struct Fleet {
    dir: TempDir,
    database: Database,
    station: Station,
    camera: Camera,
    /// A microcontroller with a panic button.
    buttons: TcpListener,
    _broker: Mosquitto,
    _receiver: TcpListener,
}

impl Fleet {
    /// `path` is the camera's stream; `more` stands in the camera's settings, and `media` in those of films.
    async fn new(path: &str, more: &str, media: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Mosquitto::open_to_all().unwrap();
        let database = Database::start(broker.port());
        let authority = Authority::open_or_create(&dir.path().join("ca"), SystemTime::now()).unwrap();
        let (key, request) = new_key_and_request("a vehicle").unwrap();
        let request = Request::from_pem(&request).unwrap();
        let issued = authority.sign(&request, VIN.parse::<Vin>().unwrap(), SystemTime::now()).unwrap();
        let secret = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path.display().to_string()
        };
        let (password, key) = (secret("password", "s3cret\n"), secret("vehicle.key", &key));
        let certificate = secret("vehicle.crt", &issued.pem);
        let station = Station::start(authority).await;
        let camera = Camera::start(&[]).await.unwrap();
        let (receiver, buttons) = (listener().await, listener().await);
        let mut settings = String::new();
        write!(
            settings,
            "vin = '{VIN}'\nbroker = '127.0.0.1:{}'\npassword_file = '{password}'\ngps = 'tcp:{}'\n\
             microcontroller = 'tcp:{}'\noutbox = '{}'\nserver = '{}'\ncertificate = '{certificate}'\nkey = '{key}'\n\
             [[camera]]\nid = 'dash-1'\nlabel = 'Windscreen'\nurl = '{}'\n{more}\n[media]\n{media}\n",
            broker.port(),
            receiver.local_addr().unwrap(),
            buttons.local_addr().unwrap(),
            dir.path().join("outbox.db").display(),
            station.address(),
            camera.url(path),
        )
        .unwrap();
        let settings = settings.replace("CAMERA", &camera.url(""));
        fs::write(dir.path().join("agent.toml"), settings).unwrap();
        Fleet { dir, database, station, camera, buttons, _broker: broker, _receiver: receiver }
    }

    /// Has the agent reach the server through TLS; who signed its certificate is another authority than the fleet's.
    async fn go_through_tls(&self) {
        parts::certificates::write(self.dir.path(), &["server"]);
        let path = |name: &str| self.dir.path().join(name);
        let certificate = CertificateDer::from_pem_file(path("server.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(path("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let plain = self.station.address();
        let behind = plain.strip_prefix("http://").unwrap().to_owned();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let Ok(mut secure) = acceptor.accept(socket).await else { return };
                    let mut plain = TcpStream::connect(behind).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut secure, &mut plain).await);
                });
            }
        });
        let settings = fs::read_to_string(path("agent.toml")).unwrap();
        let secure = format!("https://{address}'\nserver_ca = '{}", path("ca.crt").display());
        fs::write(path("agent.toml"), settings.replace(&plain, &secure)).unwrap();
    }

    fn start(&self) -> Process {
        let settings = self.dir.path().join("agent.toml").display().to_string();
        let environment = [("BUGBROTHER_LOG", "info,bugbrother_agent=debug"), ("NO_COLOR", "1")];
        Process::start(self.dir.path(), "agent", Path::new(AGENT), &["--config", &settings], &environment).unwrap()
    }

    fn vin(&self) -> Vin {
        VIN.parse().unwrap()
    }

    async fn is_online(&self, times: usize) {
        until("it is online", || {
            self.database.state().statuses.iter().filter(|s| s.status == Presence::Online).count() >= times
        })
        .await;
    }

    async fn plays(&self, agent: &Process) {
        until("the camera plays", || agent.logged().contains("camera plays")).await;
    }

    async fn order(&self, id: u128, name: &str, arguments: &[(&str, Argument)]) -> Reply {
        let command = Command {
            v: 1,
            vin: self.vin(),
            id: CommandId(uuid::Uuid::from_u128(id)),
            name: name.to_owned(),
            arguments: arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            issued: 1_700_000_000_000,
            expires: 4_000_000_000_000,
            by: "ada".to_owned(),
        };
        self.database.say(self.vin(), Kind::Command, encode(&command)).await;
        let ended = || {
            let state = self.database.state();
            state.records.values().find_map(|message| match message {
                Message::Reply(reply) if reply.command == command.id => {
                    let is_last = !matches!(reply.state, ReplyState::Accepted | ReplyState::Running);
                    is_last.then(|| reply.clone())
                }
                _ => None,
            })
        };
        wait::until("the command ends", LIMIT, || std::future::ready(ended())).await.unwrap()
    }

    /// Steps in the lives of photos and films, in order.
    fn media(&self) -> Vec<Media> {
        let state = self.database.state();
        let media = state.records.values().filter_map(|message| match message {
            Message::Media(media) => Some(media.clone()),
            _ => None,
        });
        media.collect()
    }

    /// The first step of that kind.
    async fn reaches(&self, wanted: MediaState) -> Media {
        let find = || self.media().into_iter().find(|media| media.state == wanted);
        wait::until(&format!("{wanted:?}"), LIMIT, || std::future::ready(find())).await.unwrap()
    }

    async fn happens(&self, kind: EventKind) -> bugbrother_wire::message::Event {
        let find = || {
            let state = self.database.state();
            state.records.values().find_map(|message| match message {
                Message::Event(event) if event.kind == kind => Some(event.clone()),
                _ => None,
            })
        };
        wait::until(&format!("{kind:?}"), LIMIT, || std::future::ready(find())).await.unwrap()
    }

    /// The line to the microcontroller, once the agent has found it.
    async fn buttons(&self) -> TcpStream {
        tokio::time::timeout(LIMIT, self.buttons.accept()).await.unwrap().unwrap().0
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("media")
    }

    /// Names of the files that wait, but for the day's bytes.
    fn waiting(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder()) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "uploaded-today").collect()
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind(port::local(0)).await.unwrap()
}

async fn press(line: &mut TcpStream, button: &str, number: u32) {
    let body = format!("button={button} n={number}");
    let sum = bugbrother_agent::microcontroller::message::checksum(&body);
    line.write_all(format!("{body}*{sum:04X}\r\n").as_bytes()).await.unwrap();
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    wait::until(what, LIMIT, || std::future::ready(condition().then_some(()))).await.unwrap();
}

fn integer(name: &str, value: i64) -> (&str, Argument) {
    (name, Argument::Integer(value))
}

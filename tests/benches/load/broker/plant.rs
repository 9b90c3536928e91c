//! Either broker as a process of its own.

use std::{fs, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::mqtt::packet::string;
use bugbrother_kit::{
    broker::Broker,
    mosquitto, port,
    process::{Process, program},
    wait,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::packet::{self, Connect};

/// The account that hears everything.
const READER: &str = "reader";
const PASSWORD: &str = "secret";
const START: Duration = Duration::from_secs(60);
/// Clients of one address, of which there are as many as it takes: the embedded broker has a limit.
const CLIENTS_OF_AN_ADDRESS: usize = 4_000;

/// A broker with an account for each of its clients.
pub struct Plant {
    broker: Broker,
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Plant {
    /// Starts it with accounts for so many vehicles.
    pub fn start(broker: Broker, vehicles: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let port = port::free()?;
        fs::write(path("passwords"), passwords(vehicles)?)?;
        fs::write(
            path("acl"),
            format!("user {READER}\ntopic read #\npattern write fleet/v1/%u/up/#\npattern read fleet/v1/%u/down/#\n"),
        )?;
        // With Mosquitto's own limit of 20 messages under way the one subscriber would be what is measured.
        let conf = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\nacl_file {}\nmax_inflight_messages 1000\n\
             sys_interval 0\n",
            path("passwords").display(),
            path("acl").display()
        );
        let process = match broker {
            Broker::Mosquitto => {
                fs::write(path("mosquitto.conf"), format!("user root\n{conf}"))?;
                mosquitto::serve(folder.path(), "mosquitto", &path("mosquitto.conf"))?
            }
            Broker::Embedded => {
                fs::write(path("mosquitto.conf"), conf)?;
                let data = path("data").display().to_string();
                let conf = path("mosquitto.conf").display().to_string();
                let arguments = ["broker", "--data", &data, "--mosquitto-conf", &conf];
                Process::start(folder.path(), "embedded", &program("bugbrother")?, &arguments, &[])?
            }
        };
        Ok(Plant { broker, process, address: port::local(port), _folder: folder })
    }

    /// As people call it.
    pub fn name(&self) -> &'static str {
        match self.broker {
            Broker::Embedded => "embedded",
            Broker::Mosquitto => "Mosquitto",
        }
    }

    /// The process.
    pub fn process(&self) -> [u32; 1] {
        [self.process.id()]
    }

    /// Waits until it lets clients in.
    pub async fn is_up(&self) -> Result<()> {
        wait::until("the broker is up", START, || async { TcpStream::connect(self.address).await.ok() }).await?;
        Ok(())
    }

    /// A vehicle of that number, which was let in.
    pub async fn vehicle(&self, number: usize) -> Result<TcpStream> {
        self.client(&vehicle(number), 1 + number / CLIENTS_OF_AN_ADDRESS).await
    }

    /// Who hears everything that vehicles say, under a client identifier of that number.
    pub async fn reader(&self, number: usize, qos: u8) -> Result<TcpStream> {
        let mut stream = self.join(&format!("{READER}{number}"), READER, 1).await?;
        subscribe(&mut stream, "fleet/v1/+/up/#", qos).await?;
        Ok(stream)
    }

    async fn client(&self, name: &str, host: usize) -> Result<TcpStream> {
        self.join(name, name, host).await
    }

    async fn join(&self, client_id: &str, user: &str, host: usize) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, host as u8], 0).into())?;
        let mut stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut bytes = Vec::new();
        packet::connect(&mut bytes, &Connect { client_id, user, password: PASSWORD, will: None });
        stream.write_all(&bytes).await?;
        let (first, body) = answer(&mut stream).await?;
        ensure!(first == 0x20 && body[1] == 0, "{user} is refused: {body:?}");
        Ok(stream)
    }
}

/// Subscribes to one filter.
pub async fn subscribe(stream: &mut TcpStream, filter: &str, qos: u8) -> Result<()> {
    let mut body = vec![0, 1, 0];
    string(&mut body, filter.as_bytes());
    body.push(qos);
    stream.write_all(&bugbrother_kit::mqtt::packet::packet(0x82, &body)).await?;
    let (first, body) = answer(stream).await?;
    ensure!(first == 0x90 && body.last() == Some(&qos), "not granted: {body:?}");
    Ok(())
}

async fn answer(stream: &mut TcpStream) -> Result<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.context("the broker has closed the connection")?;
    let length = stream.read_u8().await?;
    ensure!(length < 0x80, "an answer of that length");
    let mut body = vec![0; length.into()];
    stream.read_exact(&mut body).await?;
    Ok((first, body))
}

/// Name of a vehicle, which is its account's and its client's.
pub fn vehicle(number: usize) -> String {
    format!("v{number:05}")
}

/// All share one entry but for its name: what a password costs is not what is measured.
fn passwords(vehicles: usize) -> Result<String> {
    use bugbrother_mosquitto_compat::PasswordFile;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("one");
    let mut file = PasswordFile::default();
    file.set_with(READER, PASSWORD, 1)?;
    file.save(&path)?;
    let line = fs::read_to_string(path)?;
    let (_, entry) = line.trim().split_once(':').context("an entry")?;
    let names = (0..vehicles).map(vehicle).chain([READER.to_owned()]);
    Ok(names.map(|name| format!("{name}:{entry}\n")).collect())
}

//! Where messages arrive: an HTTP server that takes everything and notes when.

use std::{
    collections::HashMap,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bugbrother_wire::{AlertId, message::Alert};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

use super::{clock, probe::Crossing};

/// What signs webhooks.
pub const SECRET: &str = "swordfish";
/// Longest request that is taken.
const MOST: usize = 1 << 20;

/// A request, and when all of it was there.
#[derive(Debug, Clone)]
pub struct Heard {
    at: f64,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Vec<Heard>>,
    news: Notify,
}

pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Sink {
    /// One that answers so to everything.
    pub async fn start(answer: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, shared) = (listener.local_addr()?, Arc::new(Shared::default()));
        let taken = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                // Whoever breaks off has lost a message, which is missed at the end.
                tokio::spawn(async move { serve(socket, answer, &taken).await.ok() });
            }
        });
        Ok(Sink { address, shared })
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn count(&self) -> usize {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until one more has come.
    pub async fn next(&self, limit: Duration) -> Result<()> {
        Ok(timeout(limit, self.shared.news.notified()).await?)
    }

    /// When each crossing was told by a webhook, and of which alert. The signature of every message is checked.
    pub fn alerts(&self) -> Result<HashMap<Crossing, (AlertId, f64)>> {
        let mut found = HashMap::new();
        for one in self.heard() {
            one.check()?;
            let told: Told = serde_json::from_slice(&one.body).context("a webhook's body")?;
            for Matter { alert } in told.alerts {
                if let Some(crossing) = Crossing::of(&alert) {
                    found.entry(crossing).or_insert((alert.id, one.at));
                }
            }
        }
        Ok(found)
    }
}

impl Heard {
    fn header(&self, name: &str) -> Result<&str> {
        self.headers.get(name).map(String::as_str).with_context(|| format!("a request without `{name}`"))
    }

    fn check(&self) -> Result<()> {
        let signature = self.header("x-bugbrother-signature")?.strip_prefix("sha256=").context("a signature")?;
        let bytes: Vec<u8> = (0..signature.len() / 2)
            .map(|place| u8::from_str_radix(&signature[2 * place..2 * place + 2], 16))
            .collect::<Result<_, _>>()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
        mac.update(format!("{}.", self.header("x-bugbrother-timestamp")?).as_bytes());
        mac.update(&self.body);
        mac.verify_slice(&bytes).context("a webhook's signature is another one's")
    }
}

#[derive(Deserialize)]
struct Told {
    alerts: Vec<Matter>,
}

#[derive(Deserialize)]
struct Matter {
    alert: Alert,
}

/// Takes the requests of a connection, one after the other.
async fn serve(mut socket: TcpStream, answer: &str, shared: &Shared) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            ensure!(read.len() < MOST, "a head without end");
            if socket.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let headers: HashMap<String, String> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let length: usize = headers.get("content-length").context("a request without a length")?.parse()?;
        ensure!(length < MOST, "too long a request");
        while read.len() < end + 4 + length {
            ensure!(socket.read_buf(&mut read).await? > 0, "a request broke off");
        }
        let at = clock();
        let body = read[end + 4..end + 4 + length].to_vec();
        read.drain(..end + 4 + length);
        shared.heard.lock().unwrap_or_else(PoisonError::into_inner).push(Heard { at, headers, body });
        shared.news.notify_one();
        socket.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await?;
    }
}

/// A browser that has subscribed, by Node's cryptography.
#[derive(Deserialize)]
pub struct Browser {
    private: String,
    p256dh: String,
    auth: String,
}

impl Browser {
    pub fn new() -> Result<Self> {
        Ok(serde_json::from_value(node(&json!({ "what": "keys" }))?)?)
    }

    /// What it gives to the dashboard.
    pub fn subscription(&self, endpoint: &str) -> String {
        json!({ "endpoint": endpoint, "keys": { "p256dh": self.p256dh, "auth": self.auth } }).to_string()
    }

    /// When it was first told of each alert. Every message is decrypted, and who pushed it is checked.
    pub fn read(&self, heard: &[Heard], vapid: &str) -> Result<HashMap<AlertId, f64>> {
        let mut messages = Vec::new();
        for one in heard {
            messages.push(json!({
                "private": self.private,
                "p256dh": self.p256dh,
                "auth": self.auth,
                "authorization": one.header("authorization")?,
                "vapid": vapid,
                "body": URL_SAFE_NO_PAD.encode(&one.body),
            }));
        }
        let Value::Array(read) = node(&json!({ "what": "all", "messages": messages }))? else {
            bail!("Node reads messages");
        };
        let mut found = HashMap::new();
        for (one, told) in heard.iter().zip(read) {
            // What tells of many has no alert to its name.
            if let Ok(id) = serde_json::from_value::<AlertId>(told["note"]["tag"].clone()) {
                found.entry(id).or_insert(one.at);
            }
        }
        Ok(found)
    }
}

fn node(asked: &Value) -> Result<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/push.mjs");
    let mut node = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    node.stdin.take().context("it listens")?.write_all(asked.to_string().as_bytes())?;
    let output = node.wait_with_output()?;
    ensure!(output.status.success(), "Node cannot read what was pushed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

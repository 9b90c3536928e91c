//! The fleet's server as cameras need it, by hand: sign-in, uploads as docs/video.md says them, and the WebSocket of live
//! pictures.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use bugbrother_pki::Authority;
use bugbrother_wire::{
    MediaId,
    embedded::{Challenge, MAX_PIECE_BYTES, MediaOffer, MediaProgress, SIGN_IN_DOMAIN, SignIn, VehicleSession},
};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::{mpsc, watch},
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        handshake::server::{Request, Response},
        protocol::{CloseFrame, Message},
    },
};

/// Bytes that wait in a socket until they are read.
const RECEIVE_BUFFER: u32 = 64 << 10;

pub struct Station {
    port: u16,
    state: Arc<Mutex<State>>,
    lives: tokio::sync::Mutex<mpsc::UnboundedReceiver<Live>>,
}

#[derive(Default)]
pub struct State {
    /// Given out and not taken yet.
    challenges: Vec<String>,
    tokens: Vec<String>,
    pub uploads: BTreeMap<MediaId, Upload>,
    /// The next so many pieces are lost with their connections.
    pub lose: usize,
    /// The next so many whole files are said to have another hash.
    pub doubt: usize,
    pub sign_ins: usize,
}

pub struct Upload {
    pub offer: MediaOffer,
    pub data: Vec<u8>,
    /// Bytes that arrived, also those that were there already.
    pub received: usize,
    pub stored: bool,
}

/// A live stream as the server has it.
pub struct Live {
    pub path: String,
    pub messages: mpsc::Receiver<Vec<u8>>,
    /// A code with which it is closed.
    pub close: watch::Sender<Option<u16>>,
    /// The code with which the vehicle closed it.
    pub closed: watch::Receiver<Option<u16>>,
}

impl Station {
    pub async fn start(authority: Authority) -> Self {
        // A network that is not read takes little, on every machine: what is set here does not grow.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let (lives, lives_in) = mpsc::unbounded_channel();
        let (shared, authority) = (state.clone(), Arc::new(authority));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (state, authority, lives) = (shared.clone(), authority.clone(), lives.clone());
                // Who asks may be killed at any moment.
                tokio::spawn(async move { drop(answer(socket, &state, &authority, lives).await) });
            }
        });
        Station { port, state, lives: tokio::sync::Mutex::new(lives_in) }
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next live stream.
    pub async fn live(&self) -> Live {
        let mut lives = self.lives.lock().await;
        tokio::time::timeout(crate::LIMIT, lives.recv()).await.expect("a live stream begins").unwrap()
    }

    /// Whether none has begun.
    pub async fn has_no_live(&self) -> bool {
        self.lives.lock().await.is_empty()
    }
}

async fn answer(
    mut socket: TcpStream,
    state: &Mutex<State>,
    authority: &Authority,
    lives: mpsc::UnboundedSender<Live>,
) -> std::io::Result<()> {
    let mut start = [0; 64];
    socket.peek(&mut start).await?;
    if start.starts_with(b"GET /api/embedded/live/") {
        show(socket, state, lives).await;
        return Ok(());
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    socket.read_exact(&mut body).await?;
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let Some((status, said)) = state.lock().unwrap().serve(method, path, token.as_deref(), &body, authority) else {
        // Lost with its connection.
        return Ok(());
    };
    let length = said.len();
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}");
    socket.write_all(answer.as_bytes()).await
}

fn json(value: &impl Serialize) -> Option<(u16, String)> {
    Some((200, serde_json::to_string(value).unwrap()))
}

fn problem(status: u16, word: &str) -> Option<(u16, String)> {
    Some((status, format!(r#"{{"title":"{word}","status":{status},"detail":"{word}","error":"{word}"}}"#)))
}

impl State {
    /// All sessions are over.
    pub fn forget_sessions(&mut self) {
        self.tokens.clear();
    }

    fn serve(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &[u8],
        authority: &Authority,
    ) -> Option<(u16, String)> {
        let what = path.strip_prefix("/api/embedded/").expect("vehicles ask for nothing else");
        match (method, what) {
            ("GET", "challenge") => {
                let challenge = uuid::Uuid::now_v7().to_string();
                self.challenges.push(challenge.clone());
                return json(&Challenge { challenge });
            }
            ("POST", "session") => {
                let SignIn { certificate, challenge, signature } = serde_json::from_slice(body).unwrap();
                let at = self.challenges.iter().position(|known| *known == challenge).expect("a challenge of ours");
                self.challenges.remove(at);
                let signed = [SIGN_IN_DOMAIN, challenge.as_bytes()].concat();
                let holder = authority.verify_holder(&certificate, &signed, &signature, SystemTime::now()).unwrap();
                assert_eq!(holder.vin.as_str(), crate::VIN);
                self.sign_ins += 1;
                let token = format!("token-{}", self.sign_ins);
                self.tokens.push(token.clone());
                return json(&VehicleSession { token, lasts_s: 900 });
            }
            _ => {}
        }
        if !token.is_some_and(|token| self.tokens.iter().any(|known| known == token)) {
            return problem(401, "not_signed_in");
        }
        let (id, query) = what.strip_prefix("media/").unwrap().split_once('?').unzip();
        let id: MediaId = id.or(what.strip_prefix("media/")).unwrap().parse().unwrap();
        if method == "POST" {
            let offer: MediaOffer = serde_json::from_slice(body).unwrap();
            let new = || Upload { offer: offer.clone(), data: Vec::new(), received: 0, stored: false };
            let upload = self.uploads.entry(id).or_insert_with(new);
            assert_eq!(upload.offer, offer, "said again it is the same");
            return json(&MediaProgress { offset: upload.data.len() as u64, stored: upload.stored });
        }
        assert_eq!(method, "PATCH");
        if self.lose > 0 {
            self.lose -= 1;
            return None;
        }
        assert!(body.len() <= MAX_PIECE_BYTES);
        let offset: usize = query.unwrap().strip_prefix("offset=").unwrap().parse().unwrap();
        let upload = self.uploads.get_mut(&id).expect("it was offered");
        upload.received += body.len();
        if offset != upload.data.len() {
            let (status, said) = problem(409, "offset").unwrap();
            let fields = format!(r#","fields":{{"offset":"{}"}}}}"#, upload.data.len());
            return Some((status, said.trim_end_matches('}').to_owned() + &fields));
        }
        upload.data.extend(body);
        let is_whole = upload.data.len() as u64 == upload.offer.bytes;
        if is_whole {
            let digits: String = Sha256::digest(&upload.data).iter().map(|byte| format!("{byte:02x}")).collect();
            if self.doubt > 0 || digits != upload.offer.sha256 {
                self.doubt = self.doubt.saturating_sub(1);
                upload.data.clear();
                return problem(422, "wrong_hash");
            }
            upload.stored = true;
        }
        json(&MediaProgress { offset: upload.data.len() as u64, stored: upload.stored })
    }
}

async fn show(socket: TcpStream, state: &Mutex<State>, lives: mpsc::UnboundedSender<Live>) {
    let (mut path, mut token) = (String::new(), None);
    #[expect(clippy::result_large_err, reason = "the handshake's own type")]
    let read = |request: &Request, response: Response| {
        path = request.uri().to_string();
        token = request.headers().get("authorization").and_then(|value| value.to_str().ok().map(str::to_owned));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(socket, read).await else { return };
    let token = token.and_then(|token| token.strip_prefix("Bearer ").map(str::to_owned));
    assert!(token.is_some_and(|token| state.lock().unwrap().tokens.contains(&token)), "nobody else is let in");
    // Whoever does not take its messages stalls the vehicle.
    let (messages, messages_in) = mpsc::channel(4);
    let (close, mut closing) = watch::channel(None);
    let (closed, closed_in) = watch::channel(None);
    if lives.send(Live { path, messages: messages_in, close, closed: closed_in }).is_err() {
        return;
    }
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => if messages.send(bytes.to_vec()).await.is_err() { return },
                Some(Ok(Message::Close(frame))) => {
                    closed.send_replace(frame.map(|frame| frame.code.into()));
                    // So that the farewell is answered.
                    drop(socket.flush().await);
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            Ok(()) = closing.changed() => {
                let code = closing.borrow_and_update().unwrap_or(1000);
                drop(socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await);
            }
        }
    }
}

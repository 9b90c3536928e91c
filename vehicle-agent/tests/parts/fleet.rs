//! The fleet's server as far as vehicles get certificates from it: the real authority, on this machine.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use bugbrother_pki::{Authority, Request};
use bugbrother_wire::{
    Vin,
    embedded::{Enroll, Enrolled, Renew},
};

pub const VIN: &str = "WVWZZZ1JZ3W386752";

/// It enrols one vehicle for any code, each code for one key, and renews whatever its authority has signed.
pub struct Fleet {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    authority: Authority,
    /// The key that a code was used for.
    codes: HashMap<String, String>,
    /// What was signed for a key is given again.
    signed: HashMap<String, String>,
    refuse: usize,
    renewed: usize,
    /// How far its clock is ahead of the vehicle's.
    ahead: Duration,
}

impl Fleet {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(dir.path(), SystemTime::now()).unwrap();
        let (codes, signed) = (HashMap::new(), HashMap::new());
        let state =
            Arc::new(Mutex::new(State { authority, codes, signed, refuse: 0, renewed: 0, ahead: Duration::ZERO }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who asks may be killed at any moment.
                drop(answer(stream, &mut shared.lock().unwrap()));
            }
        });
        Fleet { port, state }
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on its clock is so far ahead of the vehicle's.
    pub fn be_ahead(&self, ahead: Duration) {
        self.state.lock().unwrap().ahead = ahead;
    }

    /// The next so many renewals are refused.
    pub fn refuse(&self, count: usize) {
        self.state.lock().unwrap().refuse = count;
    }

    /// How many are still to be refused, and how many renewals were granted.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.refuse, state.renewed)
    }
}

fn answer(stream: TcpStream, state: &mut State) -> std::io::Result<()> {
    let mut request = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if request.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(("content-length", value)) = line.to_lowercase().trim().split_once(": ") {
            length = value.parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    request.read_exact(&mut body)?;
    let (status, said) = match state.grant(&head, &body) {
        Ok(enrolled) => ("200 OK", serde_json::to_string(&enrolled).unwrap()),
        Err(word) => {
            ("403 Forbidden", format!(r#"{{"title":"Forbidden","status":403,"error":"{word}","detail":"{word}"}}"#))
        }
    };
    let length = said.len();
    write!(request.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}")
}

impl State {
    fn grant(&mut self, head: &str, body: &[u8]) -> Result<Enrolled, &'static str> {
        let now = SystemTime::now() + self.ahead;
        let csr = if head.starts_with("POST /api/embedded/enroll ") {
            let Enroll { code, csr } = serde_json::from_slice(body).unwrap();
            let key = Request::from_pem(&csr).unwrap().key_sha256();
            if *self.codes.entry(code).or_insert_with(|| key.clone()) != key {
                return Err("wrong_code");
            }
            csr
        } else {
            if self.refuse > 0 {
                self.refuse -= 1;
                return Err("busy");
            }
            let Renew { certificate, csr, signature } = serde_json::from_slice(body).unwrap();
            let renewal = self.authority.verify_renewal(&certificate, &csr, &signature, now);
            assert_eq!(renewal.unwrap().vin.as_str(), VIN);
            self.renewed += 1;
            csr
        };
        let request = Request::from_pem(&csr).unwrap();
        let issued = self.authority.sign(&request, VIN.parse::<Vin>().unwrap(), now).unwrap();
        let certificate = self.signed.entry(request.key_sha256()).or_insert(issued.pem).clone();
        Ok(Enrolled {
            vin: VIN.parse().unwrap(),
            certificate,
            ca: self.authority.certificate_pem().to_owned(),
            not_before: Some(issued.not_before),
            not_after: issued.not_after,
            broker: Some("mqtts://127.0.0.1:8883".to_owned()),
        })
    }
}

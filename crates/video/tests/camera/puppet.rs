//! A camera that does exactly as it is told: an RTSP server by hand (RFC 2326), and RTP packets byte by byte (RFC 6184).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bugbrother_video::{AccessUnit, Item, Parameters};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{next, of, start};

/// What it does next.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends a picture: its RTP timestamp and its NAL units.
    Picture(u32, Vec<Vec<u8>>),
    /// Sends these bytes as they are.
    Bytes(Vec<u8>),
    /// Sends nothing more, and keeps the connection.
    Freeze,
}

/// What it answers to DESCRIBE.
#[derive(Debug, Clone)]
pub enum Description {
    /// H.264, without parameter sets.
    H264,
    /// These bytes instead of an answer, again and again.
    Endless(Vec<u8>),
    /// Go to itself.
    Redirect,
    /// A whole answer with this body.
    Sdp(String),
}

pub struct Puppet {
    pub port: u16,
    connections: Arc<AtomicUsize>,
}

impl Puppet {
    pub async fn start(description: Description, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (description, acts) = (description.clone(), acts.clone());
                // Whoever is spoken to may hang up.
                tokio::spawn(async move { drop(serve(socket, port, description, acts).await) });
            }
        });
        Puppet { port, connections }
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n";

async fn serve(socket: TcpStream, port: u16, description: Description, acts: Vec<Act>) -> std::io::Result<()> {
    let (from, mut to) = socket.into_split();
    let mut lines = BufReader::new(from).lines();
    let (mut request, mut cseq) = (String::new(), String::new());
    while let Some(line) = lines.next_line().await? {
        if request.is_empty() {
            request = line;
            continue;
        }
        if let Some(number) = line.strip_prefix("CSeq: ") {
            number.clone_into(&mut cseq);
        }
        if !line.is_empty() {
            continue;
        }
        let method = std::mem::take(&mut request);
        let method = method.split(' ').next().unwrap_or_default();
        let head = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n");
        let answer = match (method, &description) {
            ("DESCRIBE", Description::Endless(bytes)) => loop {
                to.write_all(bytes).await?;
                tokio::task::yield_now().await;
            },
            ("DESCRIBE", Description::Redirect) => {
                format!("RTSP/1.0 302 Found\r\nCSeq: {cseq}\r\nLocation: rtsp://127.0.0.1:{port}/\r\n\r\n")
            }
            ("DESCRIBE", description) => {
                let sdp = if let Description::Sdp(sdp) = description { sdp } else { SDP };
                format!("{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
            }
            ("SETUP", _) => {
                format!("{head}Session: 12345678;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
            }
            ("PLAY", _) => format!("{head}Session: 12345678\r\nRange: npt=0-\r\n\r\n"),
            _ => format!("{head}Session: 12345678\r\n\r\n"),
        };
        to.write_all(answer.as_bytes()).await?;
        if method == "PLAY" {
            perform(&mut to, &acts).await?;
        }
    }
    Ok(())
}

async fn perform(to: &mut tokio::net::tcp::OwnedWriteHalf, acts: &[Act]) -> std::io::Result<()> {
    let mut sequence = 1_u16;
    for act in acts {
        match act {
            Act::Picture(timestamp, units) => {
                for (index, unit) in units.iter().enumerate() {
                    let is_last = index + 1 == units.len();
                    to.write_all(&packet(sequence, *timestamp, is_last, unit)).await?;
                    sequence = sequence.wrapping_add(1);
                }
            }
            Act::Bytes(bytes) => to.write_all(bytes).await?,
            Act::Freeze => std::future::pending().await,
        }
    }
    Ok(())
}

/// One NAL unit in one packet on channel 0; pictures of the tests are small enough.
fn packet(sequence: u16, timestamp: u32, marker: bool, unit: &[u8]) -> Vec<u8> {
    let mut rtp = vec![0x80, 96 | (u8::from(marker) << 7)];
    rtp.extend(sequence.to_be_bytes());
    rtp.extend(timestamp.to_be_bytes());
    rtp.extend(0xCAFE_u32.to_be_bytes());
    rtp.extend(unit);
    interleaved(0, &rtp)
}

/// RFC 2326, 10.12.
pub fn interleaved(channel: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a packet of the tests fits");
    [&[b'$', channel], &length.to_be_bytes()[..], data].concat()
}

/// Pictures of a real encoder: the first is a key frame. Each has its NAL units, and a key frame its parameter sets, too.
pub async fn real_pictures(path: &str, count: usize) -> (Arc<Parameters>, Vec<Vec<Vec<u8>>>) {
    let server = start(&[]).await;
    let mut session = bugbrother_video::RtspSession::open(&of(&server, path)).await.expect("the camera plays");
    let (mut parameters, mut pictures) = (None, Vec::new());
    while pictures.len() < count {
        match next(&mut session).await.expect("pictures come") {
            Item::Parameters(new) => parameters = Some(new),
            Item::Unit(unit) if pictures.is_empty() && !unit.is_key => {}
            Item::Unit(unit) => pictures.push(with_sets(&unit, parameters.as_ref().expect("they come first"))),
            Item::Sound(_) => panic!("nobody asked for sound"),
        }
    }
    (parameters.expect("they come first"), pictures)
}

fn with_sets(unit: &AccessUnit, parameters: &Parameters) -> Vec<Vec<u8>> {
    let sets = if unit.is_key { parameter_sets(parameters) } else { Vec::new() };
    let in_band = units_of(&unit.data).into_iter().filter(|unit| !matches!(unit[0] & 0x1F, 7 | 8));
    sets.into_iter().chain(in_band).collect()
}

pub fn units_of(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let (unit, left) = rest.split_at(u32::from_be_bytes(*length) as usize);
        units.push(unit.to_vec());
        data = left;
    }
    units
}

/// SPS and PPS of the `avcC` box (ISO/IEC 14496-15, 5.3.3.1.2).
fn parameter_sets(parameters: &Parameters) -> Vec<Vec<u8>> {
    let entry = parameters.sample_entry.as_ref().expect("H.264 has one");
    let at = entry.windows(4).position(|kind| kind == b"avcC").expect("it has a configuration") + 4;
    let mut rest = &entry[at + 5..];
    let mut sets = Vec::new();
    for mask in [0x1F, 0xFF] {
        let count = rest[0] & mask;
        rest = &rest[1..];
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            sets.push(rest[2..2 + length].to_vec());
            rest = &rest[2 + length..];
        }
    }
    sets
}

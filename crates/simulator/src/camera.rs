//! A dash camera behind a TCP port: its stream by RTSP (RFC 2326, through the connection), and its photo by HTTP.
//!
//! All who watch it see the same second of the same [`Film`], as with a camera.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::film::{Film, PHOTO, RATE};

/// Clients at a time; more are hung up on.
const CLIENTS: usize = 16;
/// Largest head of a request.
const MAX_HEAD: usize = 8 * 1024;
/// A client that does not read for so long is hung up on.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// And one that asks for nothing before it plays.
const IDLE: Duration = Duration::from_secs(60);
/// After a failed accept, such as with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Most bytes of a NAL unit in a packet.
const PACKET: usize = 1_200;
/// RTP counts video in 90,000ths of a second.
const TICKS: u32 = 90_000 / RATE;
const PAYLOAD_TYPE: u8 = 96;
/// Of a fragment of a NAL unit (RFC 6184, 5.8).
const FU_A: u8 = 28;

/// A running camera.
#[derive(Debug)]
pub struct Dashcam {
    tasks: TaskTracker,
}

impl Dashcam {
    /// Starts it in the running tokio runtime: `rtsp://ADDRESS/road` and `http://ADDRESS/road.jpg`.
    pub fn start(listener: TcpListener, shutdown: CancellationToken) -> Self {
        let tasks = TaskTracker::new();
        let clients = tasks.clone();
        tasks.spawn(async move {
            let seats = Arc::new(Semaphore::new(CLIENTS));
            let start = Instant::now();
            let accept = async {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
                            let stop = shutdown.clone();
                            clients.spawn(async move {
                                let _seat = seat;
                                if let Some(Err(error)) = stop.run_until_cancelled(serve(stream, start)).await {
                                    debug!(%error, "a viewer of a simulated camera is gone");
                                }
                            });
                        }
                        Err(error) => {
                            warn!(%error, "simulated camera cannot accept a viewer");
                            sleep(ACCEPT_PAUSE).await;
                        }
                    }
                }
            };
            shutdown.run_until_cancelled(accept).await;
        });
        tasks.close();
        Dashcam { tasks }
    }

    /// Waits until everything has ended after the token was cancelled.
    pub async fn wait(self) {
        self.tasks.wait().await;
    }
}

async fn serve(mut stream: TcpStream, start: Instant) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut waiting = Vec::new();
    let mut playing = None::<Playback>;
    loop {
        while let Some(request) = take_request(&mut waiting) {
            let (answer, then) = answer(&request);
            write(&mut stream, &answer).await?;
            match then {
                Then::Play => playing = Some(Playback::begin(start)),
                Then::GoOn => {}
                Then::HangUp => return Ok(()),
            }
        }
        if waiting.len() > MAX_HEAD {
            return Ok(());
        }
        let mut buffer = [0; 1024];
        let next = async {
            match &playing {
                Some(playing) => sleep_until(playing.due()).await,
                None => sleep(IDLE).await,
            }
        };
        tokio::select! {
            count = stream.read(&mut buffer) => match count? {
                0 => return Ok(()),
                count => waiting.extend(&buffer[..count]),
            },
            () = next => match &mut playing {
                Some(playing) => write(&mut stream, &playing.next()).await?,
                None => return Ok(()),
            },
        }
    }
}

/// Where a viewer is.
struct Playback {
    start: Instant,
    number: u64,
    sequence: u16,
}

impl Playback {
    /// With the last key frame.
    fn begin(start: Instant) -> Self {
        let now = u64::try_from(start.elapsed().as_millis()).unwrap_or_default() * u64::from(RATE) / 1000;
        Playback { start, number: Film::road().key_before(now), sequence: 0 }
    }

    fn due(&self) -> Instant {
        self.start + Duration::from_millis(self.number * 1000 / u64::from(RATE))
    }

    /// The packets of the next picture.
    fn next(&mut self) -> Vec<u8> {
        let film = Film::road();
        let picture = film.picture(self.number);
        // The lower 32 bits: RTP's time begins anew after half a day.
        let time = (self.number * u64::from(TICKS)) as u32;
        self.number += 1;
        let sets = if picture.is_key { &[film.sps, film.pps][..] } else { &[] };
        let mut packets = Vec::new();
        for unit in sets {
            self.add(&mut packets, unit, time, false);
        }
        for (index, unit) in picture.units.iter().enumerate() {
            self.add(&mut packets, unit, time, index + 1 == picture.units.len());
        }
        packets
    }

    /// A NAL unit in one packet, or in fragments; the picture's last one is marked.
    fn add(&mut self, packets: &mut Vec<u8>, unit: &[u8], time: u32, is_last: bool) {
        if unit.len() <= PACKET {
            return self.packet(packets, &[], unit, time, is_last);
        }
        let (header, body) = (unit[0], &unit[1..]);
        let count = body.len().div_ceil(PACKET);
        for (index, part) in body.chunks(PACKET).enumerate() {
            let (begins, ends) = (index == 0, index + 1 == count);
            let fragment = u8::from(begins) << 7 | u8::from(ends) << 6 | header & 0x1F;
            self.packet(packets, &[header & 0xE0 | FU_A, fragment], part, time, is_last && ends);
        }
    }

    /// RTP (RFC 3550, 5.1), on channel 0 of the connection (RFC 2326, 10.12).
    fn packet(&mut self, packets: &mut Vec<u8>, head: &[u8], body: &[u8], time: u32, marker: bool) {
        let length = u16::try_from(12 + head.len() + body.len()).expect("a packet is small");
        packets.extend([b'$', 0]);
        packets.extend(length.to_be_bytes());
        packets.extend([0x80, PAYLOAD_TYPE | u8::from(marker) << 7]);
        packets.extend(self.sequence.to_be_bytes());
        packets.extend(time.to_be_bytes());
        packets.extend(0x0B06_B407_u32.to_be_bytes());
        packets.extend(head);
        packets.extend(body);
        self.sequence = self.sequence.wrapping_add(1);
    }
}

enum Then {
    GoOn,
    Play,
    HangUp,
}

/// The head of the next request, if it is whole; what a viewer says of its reception is skipped.
fn take_request(waiting: &mut Vec<u8>) -> Option<String> {
    while waiting.first() == Some(&b'$') {
        let length = waiting.get(2..4).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])))?;
        if waiting.len() < 4 + length {
            return None;
        }
        waiting.drain(..4 + length);
    }
    let end = waiting.windows(4).position(|end| end == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&waiting[..end]).into_owned();
    waiting.drain(..end + 4);
    Some(head)
}

fn answer(request: &str) -> (Vec<u8>, Then) {
    let mut lines = request.lines();
    let first = lines.next().unwrap_or_default();
    let method = first.split(' ').next().unwrap_or_default();
    if first.contains(" HTTP/") {
        return (photo(method), Then::HangUp);
    }
    let header = |name: &str| {
        lines
            .clone()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let number: u32 = header("cseq").and_then(|number| number.parse().ok()).unwrap_or_default();
    let head = format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\n");
    let session = "Session: 6B406;timeout=60\r\n";
    let text = match method {
        "OPTIONS" => format!("{head}Public: DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n\r\n"),
        "DESCRIBE" => {
            let sdp = description();
            format!("{head}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
        }
        "SETUP" if header("transport").is_some_and(|way| way.contains("RTP/AVP/TCP")) => {
            format!("{head}{session}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
        }
        "SETUP" => format!("RTSP/1.0 461 Unsupported Transport\r\nCSeq: {number}\r\n\r\n"),
        "PLAY" => return (format!("{head}{session}Range: npt=0-\r\n\r\n").into_bytes(), Then::Play),
        "TEARDOWN" => return (format!("{head}\r\n").into_bytes(), Then::HangUp),
        "GET_PARAMETER" | "SET_PARAMETER" => format!("{head}{session}\r\n"),
        _ => format!("RTSP/1.0 501 Not Implemented\r\nCSeq: {number}\r\n\r\n"),
    };
    (text.into_bytes(), Then::GoOn)
}

fn photo(method: &str) -> Vec<u8> {
    if method != "GET" {
        return b"HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec();
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        PHOTO.len()
    );
    [head.as_bytes(), PHOTO].concat()
}

/// SDP (RFC 8866), with the film's parameter sets (RFC 6184, 8.1).
fn description() -> String {
    let film = Film::road();
    let profile: String = film.sps[1..4].iter().map(|byte| format!("{byte:02X}")).collect();
    format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=Simulated camera\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP {PAYLOAD_TYPE}\r\n\
         a=rtpmap:{PAYLOAD_TYPE} H264/90000\r\n\
         a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={},{}\r\n\
         a=control:video\r\n",
        base64(film.sps),
        base64(film.pps)
    )
}

/// Base64 of a few bytes (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let group = three.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = if place <= three.len() { LETTERS[(group >> (18 - 6 * place) & 63) as usize] } else { b'=' };
            text.push(char::from(letter));
        }
    }
    text
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    timeout(WRITE_DEADLINE, stream.write_all(bytes)).await.map_err(|_| std::io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_cut_into_packets_and_none_of_it_is_lost() {
        let mut playback = Playback { start: Instant::now(), number: 0, sequence: u16::MAX };
        let packets = playback.next();
        let (mut rest, mut units, mut marked, mut sequences) = (&packets[..], Vec::<Vec<u8>>::new(), 0, Vec::new());
        while let Some((head, after)) = rest.split_first_chunk::<16>() {
            let length = usize::from(u16::from_be_bytes([head[2], head[3]])) - 12;
            let (body, next) = after.split_at(length);
            rest = next;
            marked += usize::from(head[5] >> 7);
            sequences.push(u16::from_be_bytes([head[6], head[7]]));
            if body[0] & 0x1F != FU_A {
                units.push(body.to_vec());
            } else if body[1] & 0x80 != 0 {
                units.push([&[body[0] & 0xE0 | body[1] & 0x1F], &body[2..]].concat());
            } else {
                units.last_mut().unwrap().extend(&body[2..]);
            }
        }
        let film = Film::road();
        let first = film.picture(0).units.iter().copied();
        assert_eq!(units, [film.sps, film.pps].into_iter().chain(first).collect::<Vec<_>>());
        assert_eq!((marked, sequences[0], sequences[1]), (1, u16::MAX, 0));
    }

    #[test]
    fn letters_are_those_of_base64() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xFB\xEF\xBE", "++++")]
        {
            assert_eq!(base64(bytes), text);
        }
    }

    #[test]
    fn requests_come_in_any_pieces_and_reports_between_them_are_skipped() {
        let mut waiting = b"$\x01\0\x02xyOPTIONS * RTSP/1.0\r\nCSeq: 7\r\n".to_vec();
        assert_eq!(take_request(&mut waiting), None);
        waiting.extend(b"\r\n$\x01");
        let request = take_request(&mut waiting).unwrap();
        assert_eq!(waiting, b"$\x01");
        let (text, _) = answer(&request);
        assert!(String::from_utf8(text).unwrap().contains("CSeq: 7\r\n"));
        assert_eq!(take_request(&mut waiting), None);
        let (refused, _) = answer("SETUP rtsp://x RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=1-2");
        assert!(refused.starts_with(b"RTSP/1.0 461"));
    }
}

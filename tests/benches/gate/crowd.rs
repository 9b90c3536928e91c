use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use bugbrother_kit::{port, tls};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{interval, sleep, timeout},
};

/// The benchmark's own program with this argument is the crowd.
pub const ARGUMENT: &str = "--crowd";

const SILENT: usize = 5_000;
const SLOW: usize = 200;
const HANDSHAKES_PER_MINUTE: u32 = 1_000;
/// Whoever is shown the door comes back after this.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Count {
    /// Sockets that are open.
    open: AtomicUsize,
    closed: AtomicUsize,
    handshakes: AtomicUsize,
    handshakes_tried: AtomicUsize,
}

/// Arguments: the authority's certificate, then the ports for passwords, for certificates and without TLS. Says each second
/// how many it is, beginning when all have knocked.
pub async fn run(arguments: &[String]) -> Result<()> {
    let [ca, doors @ ..] = arguments else { anyhow::bail!("the crowd needs an authority and ports") };
    let config = tls::client(&fs::read_to_string(ca)?, None)?;
    let doors = doors.iter().map(|port| Ok(port::local(port.parse()?))).collect::<Result<Vec<_>>>()?;
    let with_tls = *doors.first().context("no door")?;
    let count = Arc::new(Count::default());
    for n in 0..SILENT + SLOW {
        tokio::spawn(linger(n, doors[n % doors.len()], n >= SILENT, Arc::clone(&count)));
        if n % 100 == 99 {
            sleep(Duration::from_millis(50)).await;
        }
    }
    let knock = Arc::clone(&count);
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_secs(60) / HANDSHAKES_PER_MINUTE);
        for n in 0.. {
            ticks.tick().await;
            tokio::spawn(shake_hands(n, with_tls, Arc::clone(&config), Arc::clone(&knock)));
        }
    });
    let mut ticks = interval(Duration::from_secs(1));
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let all = [&count.open, &count.closed, &count.handshakes, &count.handshakes_tried];
        let [open, closed, done, tried] = all.map(|n| n.load(Relaxed));
        println!(
            "strangers: {open} sockets open, {closed} closed by the broker, {done} of {tried} TLS handshakes done"
        );
    }
}

async fn open(from: Ipv4Addr, door: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(door).await?)
}

/// One of 65,536 addresses in this part of the loopback network.
fn address(part: u8, n: usize) -> Ipv4Addr {
    let [high, low] = (n as u16).to_be_bytes();
    Ipv4Addr::new(127, part, high, low)
}

/// Says nothing, or one byte a second of what a client would say.
async fn linger(n: usize, door: SocketAddr, talks: bool, count: Arc<Count>) {
    // Half of them are one address, half are many.
    let from = if n.is_multiple_of(2) { address(1, n) } else { address(1, 1) };
    loop {
        if let Ok(mut stream) = open(from, door).await {
            count.open.fetch_add(1, Relaxed);
            let mut buffer = [0; 64];
            // A TLS record of which the rest is long in coming.
            let mut words = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3].into_iter().chain(std::iter::repeat(0));
            let patience = if talks { PAUSE } else { Duration::MAX };
            loop {
                match timeout(patience, stream.read(&mut buffer)).await {
                    Ok(Ok(0) | Err(_)) => break,
                    Ok(Ok(_)) => {}
                    Err(_) => {
                        let word = words.next().unwrap_or_default();
                        if stream.write_all(&[word]).await.is_err() {
                            break;
                        }
                    }
                }
            }
            count.open.fetch_sub(1, Relaxed);
            count.closed.fetch_add(1, Relaxed);
        }
        sleep(PAUSE).await;
    }
}

async fn shake_hands(n: usize, door: SocketAddr, config: Arc<ClientConfig>, count: Arc<Count>) {
    count.handshakes_tried.fetch_add(1, Relaxed);
    let shaking = async { tls::over(open(address(2, n), door).await?, config).await };
    if let Ok(Ok(mut stream)) = timeout(Duration::from_secs(10), shaking).await {
        count.handshakes.fetch_add(1, Relaxed);
        // It has nothing to say after all.
        drop(stream.shutdown().await);
    }
}

//! A network between two programs that can be made as slow as one wants, while it is used.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::sleep,
};

use crate::port;

/// What a slow network holds: a large buffer would hide that it is slow.
const BUFFER: u32 = 16 * 1024;
/// Pieces of this size are let through one after the other.
const PIECE: usize = 1024;

/// A port of this machine behind which another one is; connections end with this value.
pub struct Trickle {
    port: u16,
    bytes_s: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Trickle {
    /// Before that server, as fast as this machine is until told otherwise.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_send_buffer_size(BUFFER)?;
        socket.bind(port::local(0))?;
        let listener = socket.listen(64)?;
        let port = listener.local_addr()?.port();
        let bytes_s = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(accept(listener, server, Arc::clone(&bytes_s)));
        Ok(Trickle { port, bytes_s, task })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// So many bytes a second come from the server on each connection from now on; as many as there are for 0.
    pub fn allow(&self, bytes_s: u64) {
        self.bytes_s.store(bytes_s, Ordering::Relaxed);
    }
}

impl Drop for Trickle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, bytes_s: Arc<AtomicU64>) {
    while let Ok((client, _)) = listener.accept().await {
        let bytes_s = Arc::clone(&bytes_s);
        // Either side may hang up.
        tokio::spawn(async move { drop(carry(client, server, bytes_s).await) });
    }
}

async fn carry(client: TcpStream, server: SocketAddr, bytes_s: Arc<AtomicU64>) -> Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    let server = socket.connect(server).await?;
    let ((mut from_client, to_client), (from_server, mut to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        up = tokio::io::copy(&mut from_client, &mut to_server) => drop(up?),
        down = trickle(from_server, to_client, bytes_s) => down?,
    }
    Ok(())
}

async fn trickle(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes_s: Arc<AtomicU64>) -> Result<()> {
    let mut buffer = [0; PIECE];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
        // The network is what takes its time, and not what waits for it.
        match bytes_s.load(Ordering::Relaxed) {
            0 => {}
            bytes_s => sleep(Duration::from_secs_f64(count as f64 / bytes_s as f64)).await,
        }
    }
}

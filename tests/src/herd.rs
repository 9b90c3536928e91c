//! Thousands of vehicles that drive in a live feed alone: for what is measured in a browser on a machine that could not
//! carry their messages besides.
//!
//! A [`Herd`] stands before a dashboard. It answers `/live` by itself, in the words of `bugbrother_wire`, and passes
//! everything else on.

mod roads;
mod viewer;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use roads::Roads;

/// The beginning of a request for the live feed.
const LIVE: &[u8] = b"GET /live";

/// Stands before a dashboard until it is dropped.
pub struct Herd {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Herd {
    /// Before the dashboard at `server`, with vehicles on these roads.
    pub async fn start(server: SocketAddr, roads: Roads) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on 127.0.0.1")?;
        let (address, stop, roads) = (listener.local_addr()?, CancellationToken::new(), Arc::new(roads));
        let herd = Herd { address, _stop: stop.clone().drop_guard() };
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            // Ended with this task.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let roads = Arc::clone(&roads);
                // A browser that goes is no fault of ours.
                connections.spawn(async move { drop(answer(stream, server, &roads).await) });
            }
        }));
        Ok(herd)
    }

    /// Where a browser is to go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn answer(mut stream: TcpStream, server: SocketAddr, roads: &Roads) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut beginning = [0; LIVE.len()];
    // A browser opens a connection of its own for a WebSocket. Looked at alone, the bytes are still there to be read.
    let mut known = 0;
    while known < LIVE.len() {
        stream.readable().await?;
        match stream.peek(&mut beginning).await? {
            0 => return Ok(()),
            more if more == known => tokio::task::yield_now().await,
            more => known = more,
        }
    }
    if beginning == LIVE {
        return viewer::show(tokio_tungstenite::accept_async(stream).await?, roads).await;
    }
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

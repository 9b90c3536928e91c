//! The listener: connections, their bounds and their end.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;
use tracing::{debug, info, warn};

use super::{App, router};
use crate::seats::Seats;

/// Longest that the head of a request may take, the first one's or the next one's on a kept connection.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Largest head of a request.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// What the operating system may hold for one client: also how much a slow viewer can be behind.
const SEND_BUFFER: usize = 256 * 1024;
/// A client that takes nothing for so long is cut off.
const UNREAD_TIME: Duration = Duration::from_secs(30);
/// Longest that requests may go on once the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Before the next attempt when no connection can be accepted, for want of file descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Serves until the stop, then lets the requests under way end.
pub(crate) async fn serve(listener: TcpListener, app: App) {
    let stop = app.stop.clone();
    let room = Arc::new(Semaphore::new(app.config.limits.connections));
    let seats = Seats::new(app.config.limits.connections_per_address, app.config.limits.connections);
    let is_direct = !app.config.behind_proxy;
    let router = router(app);
    let connections = TaskTracker::new();
    match listener.local_addr() {
        Ok(address) => info!(%address, "dashboard listens"),
        Err(error) => warn!(%error, "dashboard listens at an unknown address"),
    }
    let accept = async {
        loop {
            let permit = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
            let (stream, peer) = next(&listener).await;
            let seat = seats.take(&peer.ip());
            if seat.is_none() && is_direct {
                metrics::counter!("bugbrother_dashboard_connections_refused_total").increment(1);
                continue;
            }
            let (router, stop) = (router.clone(), stop.clone());
            connections.spawn(async move {
                if let Err(error) = connection(stream, peer, router, stop).await {
                    debug!(%peer, %error, "connection ended");
                }
                drop((permit, seat));
            });
        }
    };
    stop.run_until_cancelled(accept).await;
    connections.close();
    connections.wait().await;
}

async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                warn!(%error, "no connection can be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_send_buffer_size(SEND_BUFFER)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNREAD_TIME))?;

    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    Ok(timeout(DRAIN_TIME, connection).await??)
}

//! A name that moves: a port of this machine behind which now this server is and now that one, or none.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use crate::port;

/// The port, until this is dropped.
pub struct Switch {
    port: u16,
    to: watch::Sender<Option<SocketAddr>>,
    _ways: JoinSet<()>,
}

impl Switch {
    /// On a free port.
    pub async fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(port::local(0)).await?;
        let port = listener.local_addr()?.port();
        let (to, target) = watch::channel(Some(to));
        let mut ways = JoinSet::new();
        ways.spawn(async move {
            let mut through = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                through.spawn(carry(from, target.clone()));
                while through.try_join_next().is_some() {}
            }
        });
        Ok(Switch { port, to, _ways: ways })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leads there from now on, or nowhere: who comes is sent away. Connections that stand are cut.
    pub fn lead(&self, to: Option<SocketAddr>) {
        self.to.send_replace(to);
    }
}

async fn carry(mut from: TcpStream, mut target: watch::Receiver<Option<SocketAddr>>) {
    let Some(to) = *target.borrow_and_update() else { return };
    let carried = async {
        if let Ok(mut server) = TcpStream::connect(to).await {
            // Either may end it as it likes.
            copy_bidirectional(&mut from, &mut server).await.ok();
        }
    };
    tokio::select! {
        () = carried => {}
        _ = target.changed() => {}
    }
}

//! A way to a server on this machine that counts who goes through.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::port;

/// The way, until this is dropped.
pub struct Turnstile {
    port: u16,
    counts: Arc<Counts>,
    _ways: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    all: AtomicUsize,
    inside: AtomicUsize,
}

impl Turnstile {
    /// On a free port, to the server on `to`, which need not be there always.
    pub async fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind(port::local(0)).await?;
        let port = listener.local_addr()?.port();
        let counts = Arc::<Counts>::default();
        let counted = Arc::clone(&counts);
        let mut ways = JoinSet::new();
        ways.spawn(async move {
            let mut through = JoinSet::new();
            while let Ok((mut from, _)) = listener.accept().await {
                let counts = Arc::clone(&counted);
                counts.all.fetch_add(1, SeqCst);
                counts.inside.fetch_add(1, SeqCst);
                through.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(port::local(to)).await {
                        // Either may end it as it likes.
                        copy_bidirectional(&mut from, &mut server).await.ok();
                    }
                    counts.inside.fetch_sub(1, SeqCst);
                });
                while through.try_join_next().is_some() {}
            }
        });
        Ok(Turnstile { port, counts, _ways: ways })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who has come.
    pub fn all(&self) -> usize {
        self.counts.all.load(SeqCst)
    }

    /// Who is there now.
    pub fn inside(&self) -> usize {
        self.counts.inside.load(SeqCst)
    }
}

//! Free ports on the loopback interface.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use anyhow::{Result, bail};
use rand::Rng;

/// Below those that a system gives to whoever connects or listens on any port (from 32,768 on in Linux, from 49,152 in
/// others): such a one would be gone before the server that it is meant for has started.
const PORTS: Range<u16> = 15_000..32_000;
const ATTEMPTS: usize = 1_000;

/// A mark on each port that this process was given: the UDP port of the same number, which the system frees at its end.
static GIVEN: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port on which nobody listens, for a server that can only be told a number; nobody else is given it while this
/// process runs.
pub fn free() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let port = rand::rng().random_range(PORTS);
        let Ok(mark) = UdpSocket::bind(local(port)) else { continue };
        if TcpListener::bind(local(port)).is_ok() {
            GIVEN.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
            return Ok(port);
        }
    }
    bail!("no free port on 127.0.0.1 among {PORTS:?}")
}

/// Several, no two the same.
pub fn free_ones<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    for port in &mut ports {
        *port = free()?;
    }
    Ok(ports)
}

/// The loopback address with that port.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

//! The header that a proxy puts before a connection: PROXY protocol, version 2.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use ppp::v2::{Addresses, Command, Header, ParseError};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// Signature, version, command, family and length.
const FIXED_BYTES: usize = 16;
/// Addresses, and what a proxy adds about the connection: its certificate at most.
const MAX_BYTES: usize = 4 * 1024;

/// Why a connection has no header that can be used.
#[derive(Debug)]
pub(crate) enum NoHeader {
    Closed,
    Malformed,
}

impl From<io::Error> for NoHeader {
    fn from(_: io::Error) -> Self {
        NoHeader::Closed
    }
}

impl From<ParseError> for NoHeader {
    fn from(_: ParseError) -> Self {
        NoHeader::Malformed
    }
}

/// Reads the header and not a byte more; the address of the client, `None` when the proxy speaks for itself (it looks
/// whether we are there).
pub(crate) async fn read_header(stream: &mut TcpStream) -> Result<Option<SocketAddr>, NoHeader> {
    let mut bytes = vec![0; FIXED_BYTES];
    let mut there = 0;
    while there < FIXED_BYTES {
        there += match stream.read(&mut bytes[there..]).await? {
            0 => return Err(NoHeader::Closed),
            more => more,
        };
        // Who sends something else, and shorter, is told no and not waited for.
        match Header::try_from(&bytes[..there]) {
            Ok(_) | Err(ParseError::Incomplete(_) | ParseError::Partial(..)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if length > MAX_BYTES {
        return Err(NoHeader::Malformed);
    }
    bytes.resize(FIXED_BYTES + length, 0);
    stream.read_exact(&mut bytes[FIXED_BYTES..]).await?;
    source(&Header::try_from(&bytes[..])?)
}

fn source(header: &Header<'_>) -> Result<Option<SocketAddr>, NoHeader> {
    match (header.command, &header.addresses) {
        (Command::Local, _) => Ok(None),
        (Command::Proxy, Addresses::IPv4(ip)) => Ok(Some((IpAddr::V4(ip.source_address), ip.source_port).into())),
        (Command::Proxy, Addresses::IPv6(ip)) => Ok(Some((IpAddr::V6(ip.source_address), ip.source_port).into())),
        // Somebody whose address we cannot know would be nobody's to count.
        (Command::Proxy, Addresses::Unspecified | Addresses::Unix(_)) => Err(NoHeader::Malformed),
    }
}

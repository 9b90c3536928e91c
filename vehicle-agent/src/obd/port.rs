use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use crate::link::Link;

/// A byte stream to an adapter whose reads end after [`LOOK`].
pub(super) trait Port: Read + Write + Send {}
impl<T: Read + Write + Send> Port for T {}

/// How long a read waits at most, so that the end of the agent is seen.
pub(super) const LOOK: Duration = Duration::from_millis(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn open(link: &Link) -> io::Result<Box<dyn Port>> {
    match link {
        Link::Serial { path, baud } => {
            let builder = serialport::new(path.to_string_lossy(), *baud).timeout(LOOK);
            Ok(Box::new(builder.open_native()?))
        }
        Link::Tcp(address) => {
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in (address.host.as_str(), address.port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        stream.set_read_timeout(Some(LOOK))?;
                        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

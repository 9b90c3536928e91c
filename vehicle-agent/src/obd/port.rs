use std::{
    io,
    net::ToSocketAddrs,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    time::{timeout, timeout_at},
};
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};
use tokio_util::sync::CancellationToken;

use super::answer::Fault;
use crate::link::{Address, Link};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// A byte stream to an adapter, used from a thread that may wait. Every wait ends with the agent, and none is made of
/// short ones: the thread sleeps until something comes.
pub(super) struct Port {
    stream: Stream,
    runtime: Handle,
    stop: CancellationToken,
}

enum Stream {
    Serial(SerialStream),
    Tcp(TcpStream),
}

impl Port {
    /// Opens a link from a thread of the runtime that may wait.
    pub fn open(link: &Link, stop: &CancellationToken) -> Result<Self, Fault> {
        match link {
            Link::Serial { path, baud } => Port::open_serial(path, *baud, stop),
            Link::Tcp(address) => Port::open_tcp(address, stop),
        }
    }

    /// Opens a serial port; of one by Bluetooth the speed does not matter.
    pub fn open_serial(path: &Path, baud: u32, stop: &CancellationToken) -> Result<Self, Fault> {
        let runtime = Handle::current();
        let _inside = runtime.enter();
        let stream = tokio_serial::new(path.to_string_lossy(), baud).open_native_async();
        let stream = Stream::Serial(stream.map_err(|error| gone(error.into()))?);
        Ok(Port { stream, runtime: runtime.clone(), stop: stop.clone() })
    }

    fn open_tcp(address: &Address, stop: &CancellationToken) -> Result<Self, Fault> {
        let runtime = Handle::current();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (address.host.as_str(), address.port).to_socket_addrs().map_err(gone)? {
            let connect = stop.run_until_cancelled(timeout(CONNECT_TIMEOUT, TcpStream::connect(address)));
            match runtime.block_on(connect).ok_or_else(ended)? {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(gone)?;
                    return Ok(Port { stream: Stream::Tcp(stream), runtime, stop: stop.clone() });
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(gone(last))
    }

    /// Changes the speed of a serial port.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), Fault> {
        match &mut self.stream {
            Stream::Serial(serial) => serial.set_baud_rate(baud).map_err(|error| gone(error.into())),
            Stream::Tcp(_) => Ok(()),
        }
    }

    /// Waits for bytes, at the longest `until` then: 0 when nothing has come.
    pub fn read(&mut self, bytes: &mut [u8], until: Instant) -> Result<usize, Fault> {
        let Port { stream, runtime, stop } = self;
        let read = async {
            match stream {
                Stream::Serial(serial) => serial.read(bytes).await,
                Stream::Tcp(tcp) => tcp.read(bytes).await,
            }
        };
        let read = stop.run_until_cancelled(timeout_at(until.into(), read));
        match runtime.block_on(read).ok_or_else(ended)? {
            Ok(Ok(0)) => Err(gone(io::ErrorKind::UnexpectedEof.into())),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Ok(count) => count.map_err(gone),
            Err(_) => Ok(0),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Port { stream, runtime, stop } = self;
        let write = async {
            match stream {
                Stream::Serial(serial) => serial.write_all(bytes).await,
                Stream::Tcp(tcp) => tcp.write_all(bytes).await,
            }
        };
        let write = stop.run_until_cancelled(timeout(WRITE_TIMEOUT, write));
        match runtime.block_on(write).ok_or_else(ended)? {
            Ok(written) => written.map_err(gone),
            Err(_) => Err(gone(io::ErrorKind::TimedOut.into())),
        }
    }
}

pub(super) fn ended() -> Fault {
    Fault::Gone("the agent ends".to_owned())
}

fn gone(error: io::Error) -> Fault {
    Fault::Gone(error.to_string())
}

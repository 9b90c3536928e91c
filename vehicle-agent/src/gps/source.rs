use std::{io, path::Path, time::Duration};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use super::gpsd::WATCH;
use crate::link::Address;

pub(super) type Source = Box<dyn AsyncRead + Send + Unpin>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn open_serial(path: &Path, baud: u32) -> io::Result<SerialStream> {
    Ok(tokio_serial::new(path.to_string_lossy(), baud).open_native_async()?)
}

pub(super) async fn open_tcp(address: &Address) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((address.host.as_str(), address.port))).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) async fn open_gpsd(address: &Address) -> io::Result<TcpStream> {
    let mut stream = open_tcp(address).await?;
    timeout(CONNECT_TIMEOUT, stream.write_all(WATCH)).await??;
    Ok(stream)
}

pub(super) async fn open_recording(path: &Path) -> io::Result<Source> {
    let file = BufReader::new(File::open(path).await?);
    if path.extension().is_some_and(|ext| ext == "gz") {
        let mut decoder = GzipDecoder::new(file);
        decoder.multiple_members(true);
        Ok(Box::new(decoder))
    } else {
        Ok(Box::new(file))
    }
}

use std::{io, path::Path, time::Duration};

use async_compression::tokio::bufread::GzipDecoder;
use tokio::{
    fs::File,
    io::{AsyncRead, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_serial::SerialPortBuilderExt;

use crate::link::Link;

pub(super) type Source = Box<dyn AsyncRead + Send + Unpin>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn open_receiver(link: &Link) -> io::Result<Source> {
    match link {
        Link::Serial { path, baud } => {
            let port = tokio_serial::new(path.to_string_lossy(), *baud).open_native_async()?;
            Ok(Box::new(port))
        }
        Link::Tcp(address) => {
            let connect = TcpStream::connect((address.host.as_str(), address.port));
            let stream = timeout(CONNECT_TIMEOUT, connect).await??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
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

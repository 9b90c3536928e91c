use std::{fmt, path::PathBuf, str::FromStr};

use crate::link::{Link, LinkError};

/// Where the adapter is.
///
/// One by Bluetooth (serial port profile) is a serial port once it is paired and bound: `rfcomm bind 0 00:1D:A5:68:98:8B 1`
/// makes `/dev/rfcomm0`, at each start of the computer anew. One by WiFi listens on a TCP port, mostly 192.168.0.10:35000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adapter {
    /// `auto`: on whichever serial port answers like one.
    Auto,
    /// `serial:/dev/ttyUSB0`: on that port, at whichever speed it answers.
    Serial(PathBuf),
    /// `serial:/dev/ttyUSB0@38400` or `tcp:host:port`: exactly there.
    At(Link),
}

const UNUSED_BAUD: u32 = 38_400;

impl FromStr for Adapter {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        if text == "auto" {
            return Ok(Adapter::Auto);
        }
        Ok(match Link::parse(text, UNUSED_BAUD)? {
            Link::Serial { path, .. } if !text.contains('@') => Adapter::Serial(path),
            link => Adapter::At(link),
        })
    }
}

impl From<Link> for Adapter {
    fn from(link: Link) -> Self {
        Adapter::At(link)
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Adapter::Auto => f.write_str("auto"),
            Adapter::Serial(path) => write!(f, "serial:{}", path.display()),
            Adapter::At(link) => link.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_is_looked_for_or_is_where_it_is_said_to_be() {
        for text in ["auto", "serial:/dev/rfcomm0", "serial:/dev/ttyUSB0@9600", "tcp:192.168.0.10:35000"] {
            assert_eq!(text.parse::<Adapter>().unwrap().to_string(), text);
        }
        assert_eq!("serial:/dev/rfcomm0".parse(), Ok(Adapter::Serial("/dev/rfcomm0".into())));
        assert!("usb".parse::<Adapter>().is_err());
    }
}

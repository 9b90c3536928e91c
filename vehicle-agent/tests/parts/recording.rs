//! Recordings of receivers.

use std::{io::Read, path::PathBuf};

/// A file beside the project, `shared/data/nmea/NAME`, or in the folder that BUGBROTHER_RECORDINGS names; says so and
/// answers `None` if it is not there.
pub fn shared(name: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nmea");
    let path = std::env::var_os("BUGBROTHER_RECORDINGS").map_or_else(beside, PathBuf::from).join(name);
    if !path.exists() {
        eprintln!("{} is absent: a generated drive stands in for it", path.display());
        return None;
    }
    Some(path)
}

/// The content of a recording, gzipped or plain.
pub fn content(path: &PathBuf) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut content = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut content).unwrap();
    content
}

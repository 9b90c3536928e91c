//! Recordings of a receiver and what is in them, counted without the agent's decoder.

use std::path::{Path, PathBuf};

/// The recorded drive, for those who have it beside the project.
pub fn recorded() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nmea/switzerland-drive.nmea.gz");
    path.exists().then_some(path)
}

/// Time of day (`hhmmss.sss`) and date of every RMC sentence that is whole and says that its position is valid.
pub fn valid_fixes(log: &[u8]) -> Vec<(String, String)> {
    log.split(|byte| *byte == b'\n').filter_map(valid_fix).collect()
}

fn valid_fix(line: &[u8]) -> Option<(String, String)> {
    // A torn sentence may stand before a whole one.
    let start = line.iter().rposition(|byte| *byte == b'$')?;
    let sentence = std::str::from_utf8(&line[start + 1..]).ok()?.trim_end();
    let (body, sum) = sentence.split_once('*')?;
    let wanted = u8::from_str_radix(sum, 16).ok()?;
    if body.bytes().fold(0, |sum, byte| sum ^ byte) != wanted {
        return None;
    }
    let fields: Vec<_> = body.split(',').collect();
    (fields[0].ends_with("RMC") && fields.get(2) == Some(&"A")).then(|| (fields[1].to_owned(), fields[9].to_owned()))
}

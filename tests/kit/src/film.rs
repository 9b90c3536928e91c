//! What FFmpeg says of a film, which nobody here wrote.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};

fn run(program: &str, arguments: &[&str], film: &Path) -> Result<String> {
    let mut command = Command::new(program);
    command.args(["-hide_banner", "-v", "error"]).args(arguments).arg(film);
    if program == "ffmpeg" {
        // In the film's own time: FFmpeg would round it to a steady rate of pictures and complain of the result.
        command.args(["-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-"]);
    }
    let output = command.output().with_context(|| format!("{program} is missing: scripts/setup test installs it"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.is_empty(), "{program} of {}: {said}", film.display());
    Ok(String::from_utf8(output.stdout)?)
}

/// Decodes all of it; anything that FFmpeg complains of is an error.
pub fn decode(film: &Path) -> Result<()> {
    run("ffmpeg", &["-xerror", "-i"], film).map(drop)
}

/// Times of its pictures in seconds, as they are decoded.
pub fn picture_times(film: &Path) -> Result<Vec<f64>> {
    let arguments = ["-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0"];
    let said = run("ffprobe", &arguments, film)?;
    let times = said.lines().filter_map(|line| line.trim_end_matches(',').trim().split(',').next());
    times.filter(|text| !text.is_empty()).map(|text| text.parse().with_context(|| format!("no time: {text}"))).collect()
}

/// The codecs of its tracks, in order.
pub fn codecs(film: &Path) -> Result<Vec<String>> {
    let said = run("ffprobe", &["-show_entries", "stream=codec_name", "-of", "csv=p=0"], film)?;
    Ok(said.lines().map(str::to_owned).collect())
}

/// Width and height of its pictures.
pub fn size(film: &Path) -> Result<(u32, u32)> {
    let arguments = ["-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0"];
    let said = run("ffprobe", &arguments, film)?;
    let (width, height) = said.trim().split_once(',').with_context(|| format!("no size: {said}"))?;
    Ok((width.parse()?, height.parse()?))
}

/// Whether its table of contents comes before its pictures.
pub fn is_fast_to_start(film: &[u8]) -> bool {
    let mut rest = film;
    let mut kinds = Vec::new();
    while let Some((head, _)) = rest.split_first_chunk::<16>() {
        let [short, kind] = [0, 4].map(|at| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        let long = u64::from_be_bytes([head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15]]);
        let length = if short == 1 { long } else { short.into() };
        kinds.push(kind.to_be_bytes());
        match usize::try_from(length).ok().and_then(|length| rest.get(length..)) {
            Some(left) if length >= 8 => rest = left,
            _ => break,
        }
    }
    let place = |kind: &[u8; 4]| kinds.iter().position(|known| known == kind);
    matches!((place(b"moov"), place(b"mdat")), (Some(moov), Some(mdat)) if moov < mdat)
}

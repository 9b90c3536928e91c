//! Packs the site's files with brotli and writes the table of them that `src/assets.rs` includes.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::Result;

/// A name for content: FNV-1a in 64 bits.
pub fn hash(bytes: &[u8]) -> String {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

/// Every file of a folder and the folders in it, in order.
pub fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes `assets_table.rs` for the files of `site`, each under its path from the site's root.
pub fn write(site: &Path, out: &Path) -> Result<()> {
    let packed = out.join("packed");
    fs::create_dir_all(&packed)?;
    let mut table = String::from("&[\n");
    let mut files = files(site)?;
    // The table is searched by path.
    files.sort_by_key(|path| url(site, path));
    for path in files {
        let raw = fs::read(&path)?;
        let hash = hash(&raw);
        // Fonts are compressed by themselves.
        let brotli = path.extension().is_none_or(|extension| extension != "woff2");
        let content = if brotli { pack(&raw, &packed.join(&hash))? } else { path.clone() };
        writeln!(
            table,
            "Asset {{ path: {:?}, mime: {:?}, hash: {hash:?}, size: {}, brotli: {brotli}, bytes: include_bytes!({content:?}) }},",
            url(site, &path),
            mime(&path),
            raw.len(),
        )?;
    }
    table.push_str("]\n");
    Ok(fs::write(out.join("assets_table.rs"), table)?)
}

/// Compressed copies are kept by content: what has not changed costs nothing.
fn pack(raw: &[u8], to: &Path) -> Result<PathBuf> {
    if !to.exists() {
        let mut writer = brotli::CompressorWriter::new(Vec::new(), 1 << 16, 11, 22);
        writer.write_all(raw)?;
        fs::write(to, writer.into_inner())?;
    }
    Ok(to.to_owned())
}

fn url(site: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(site).unwrap_or(path);
    format!("/{}", relative.to_string_lossy().replace('\\', "/"))
}

fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

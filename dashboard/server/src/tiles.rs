//! Map tiles under the vehicles, where somebody wants more than the built-in map: from a tile server, or from a file of our own.

use std::path::Path;

use pmtiles::{AsyncPmTilesReader, MmapBackend, TileCoord, TileType};

/// Where tiles come from, and whom to thank for them.
#[derive(Debug)]
pub struct Tiles {
    pub(crate) source: Source,
    /// Whom to thank, as plain text; it stands on the map.
    pub attribution: String,
}

/// Where tiles come from.
pub(crate) enum Source {
    /// A server, as an address with `{z}`, `{x}` and `{y}`, and its origin.
    Server { url: String, origin: String },
    /// A PMTiles archive of pictures.
    Archive { reader: AsyncPmTilesReader<MmapBackend>, mime: &'static str, zooms: (u8, u8) },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Server { url, .. } => f.debug_struct("Server").field("url", url).finish(),
            Source::Archive { mime, zooms, .. } => {
                f.debug_struct("Archive").field("mime", mime).field("zooms", zooms).finish()
            }
        }
    }
}

/// Why tiles cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TilesError {
    /// The address is none.
    #[error(
        "tiles `{0}`: a tile server is https://… (http:// on this machine) with {{z}}, {{x}} and {{y}}, and without {{s}}"
    )]
    Url(String),
    /// The archive cannot be read.
    #[error("tiles `{path}`: the file is no PMTiles archive that can be read")]
    Archive {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The archive holds something else.
    #[error("tiles `{0}`: the archive holds vector tiles; the map draws pictures (PNG, JPEG, WebP or AVIF)")]
    Vector(String),
}

impl Tiles {
    /// Tiles of a server's address, or else of the archive in that file.
    pub async fn open(from: &str, attribution: &str) -> Result<Self, TilesError> {
        let is_address = from.starts_with("https://") || from.starts_with("http://");
        let source = if is_address { server(from)? } else { archive(from).await? };
        Ok(Tiles { source, attribution: attribution.to_owned() })
    }

    /// The origin that the app's pages may load pictures from.
    pub(crate) fn origin(&self) -> Option<&str> {
        match &self.source {
            Source::Server { origin, .. } => Some(origin),
            Source::Archive { .. } => None,
        }
    }
}

fn server(url: &str) -> Result<Source, TilesError> {
    let refused = || TilesError::Url(url.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(refused)?;
    let host = rest.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    let fits = (scheme == "https" || is_local)
        && !host.is_empty()
        && host.chars().all(plain)
        && ["{z}", "{x}", "{y}"].iter().all(|part| rest.contains(part))
        && !rest.contains("{s}")
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>;,".contains(&byte));
    if !fits {
        return Err(refused());
    }
    Ok(Source::Server { url: url.to_owned(), origin: format!("{scheme}://{host}") })
}

async fn archive(path: &str) -> Result<Source, TilesError> {
    let reader = AsyncPmTilesReader::new_with_path(Path::new(path))
        .await
        .map_err(|error| TilesError::Archive { path: path.to_owned(), source: error.into() })?;
    let header = reader.get_header();
    let mime = match header.tile_type {
        TileType::Png => "image/png",
        TileType::Jpeg => "image/jpeg",
        TileType::Webp => "image/webp",
        TileType::Avif => "image/avif",
        _ => return Err(TilesError::Vector(path.to_owned())),
    };
    let zooms = (header.min_zoom, header.max_zoom);
    Ok(Source::Archive { reader, mime, zooms })
}

/// A tile of an archive; nothing where the archive has none.
pub(crate) async fn tile(
    reader: &AsyncPmTilesReader<MmapBackend>,
    (z, x, y): (u8, u32, u32),
) -> Result<Option<bytes::Bytes>, pmtiles::PmtError> {
    match TileCoord::new(z, x, y) {
        Ok(coord) => reader.get_tile_decompressed(coord).await,
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_server_has_the_three_places_and_a_name_that_can_stand_in_a_policy() {
        let Ok(Source::Server { origin, .. }) = server("https://tiles.example:8443/osm/{z}/{x}/{y}.png?key=a-b") else {
            panic!("it is one")
        };
        assert_eq!(origin, "https://tiles.example:8443");
        assert!(server("http://127.0.0.1:9000/{z}/{x}/{y}.png").is_ok());
        for bad in [
            "http://tiles.example/{z}/{x}/{y}.png",
            "https://tiles.example/{z}/{x}.png",
            "https://{s}.tiles.example/{z}/{x}/{y}.png",
            "https:///{z}/{x}/{y}.png",
            "https://a.example;script-src/{z}/{x}/{y}",
            "https://a.example/{z}/{x}/{y}.png'",
        ] {
            assert!(server(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_archive_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rubbish.pmtiles");
        std::fs::write(&path, "rubbish").unwrap();
        let path = path.to_str().unwrap();
        for from in [path, "/nowhere/at/all.pmtiles"] {
            let error = Tiles::open(from, "").await.unwrap_err();
            assert!(error.to_string().contains(from), "{error}");
        }
    }
}

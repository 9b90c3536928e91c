//! Where photos and clips are kept: a folder of the data folder, or a bucket of an S3 server, with contracts' documents beside them.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use bugbrother_dashboard::{
    documents::Documents,
    library::{Bucket, Library},
};
use clap::Args;
use tracing::{info, warn};

use crate::data::DataDir;

/// Less is not even room for the largest file.
const LEAST_BYTES: u64 = 1 << 30;

/// Where photos and clips are kept.
#[derive(Args, Clone, Default)]
pub struct MediaPlace {
    /// Where photos, clips and contracts' documents are kept, such as s3://bucket/prefix [default: media and documents in the data
    /// folder]
    #[arg(long, env = "BUGBROTHER_MEDIA_URL", value_name = "URL")]
    pub media_url: Option<String>,
    /// The S3 server, such as http://127.0.0.1:9000 for a MinIO [default: Amazon's of the region]
    #[arg(long, env = "BUGBROTHER_MEDIA_ENDPOINT", value_name = "URL")]
    pub media_endpoint: Option<String>,
    /// The region of the bucket
    #[arg(long, env = "BUGBROTHER_MEDIA_REGION", value_name = "NAME")]
    pub media_region: Option<String>,
    /// File with the access key in its first line and the secret key in its second [default: AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY in the environment]
    #[arg(long, env = "BUGBROTHER_MEDIA_KEYS", value_name = "FILE")]
    pub media_keys: Option<PathBuf>,
    /// Where browsers find the S3 server: they are sent there for downloads; without it all goes through the dashboard
    #[arg(long, env = "BUGBROTHER_MEDIA_LINKS", value_name = "URL")]
    pub media_links: Option<String>,
    /// Most bytes of all photos and clips together; the oldest that nobody is owed go for new ones [default: 107374182400]
    #[arg(long, env = "BUGBROTHER_MEDIA_BYTES", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(LEAST_BYTES..))]
    pub media_bytes: Option<u64>,
}

impl MediaPlace {
    /// Opens it. What comes in waits in the data folder until it is whole.
    pub async fn open(&self, data: &DataDir) -> Result<Library> {
        let Some(bucket) = self.bucket()? else {
            return Library::open(&data.media()).context("cannot make the folder of photos and clips");
        };
        let library =
            Library::in_bucket(&bucket, &data.media()).context("cannot use the bucket of photos and clips")?;
        match library.check().await {
            Ok(()) => info!(?bucket, "photos and clips are kept in a bucket"),
            // It may come back, and everything else works without it.
            Err(error) => {
                warn!(
                    ?bucket,
                    error = &error as &dyn std::error::Error,
                    "the bucket of photos and clips does not answer"
                );
            }
        }
        Ok(library)
    }

    /// The contracts' documents: in the bucket beside photos and clips, where there is one.
    pub fn documents(&self, data: &DataDir, library: &Library) -> Result<Documents> {
        let documents =
            Documents::open(&data.documents()).context("cannot make the folder of the contracts' documents")?;
        Ok(if self.media_url.is_some() { documents.in_bucket(library.clone()) } else { documents })
    }

    /// The bucket, where there is to be one.
    pub fn bucket(&self) -> Result<Option<Bucket>> {
        let Some(url) = &self.media_url else {
            if self.media_endpoint.is_some() || self.media_links.is_some() || self.media_keys.is_some() {
                bail!(
                    "--media-endpoint, --media-keys and --media-links are of a bucket: give --media-url s3://bucket, too"
                );
            }
            return Ok(None);
        };
        let (access, secret) = self.keys()?;
        let mut bucket = Bucket::parse(url, access, secret).context("--media-url")?;
        if let Some(endpoint) = &self.media_endpoint {
            bucket = bucket.at(endpoint).context("--media-endpoint")?;
        }
        if let Some(links) = &self.media_links {
            bucket = bucket.linked_at(links).context("--media-links")?;
        }
        if let Some(region) = &self.media_region {
            bucket.region.clone_from(region);
        }
        Ok(Some(bucket))
    }

    fn keys(&self) -> Result<(String, String)> {
        if let Some(path) = &self.media_keys {
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let (Some(access), Some(secret), None) = (lines.next(), lines.next(), lines.next()) else {
                bail!("{} has not two lines: the access key, and the secret key", path.display());
            };
            return Ok((access.to_owned(), secret.to_owned()));
        }
        let variable = |name: &str| {
            let value = env::var(name).ok().filter(|value| !value.is_empty());
            value.with_context(|| format!("{name} is not set, and no --media-keys is given"))
        };
        Ok((variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn keys_come_from_a_file_of_two_lines() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "the-access-key\n  the-secret-key\n\n").unwrap();
        let place = MediaPlace {
            media_url: Some("s3://films/fleet".to_owned()),
            media_endpoint: Some("http://127.0.0.1:9000".to_owned()),
            media_keys: Some(file.path().to_owned()),
            ..MediaPlace::default()
        };
        let bucket = place.bucket().unwrap().unwrap();
        assert_eq!((&*bucket.access_key, &*bucket.secret_key), ("the-access-key", "the-secret-key"));
        assert_eq!((&*bucket.name, &*bucket.prefix, &*bucket.region), ("films", "fleet", "us-east-1"));
        writeln!(file, "more").unwrap();
        assert!(place.bucket().unwrap_err().to_string().contains("has not two lines"));
        let without_url = MediaPlace { media_url: None, ..place };
        assert!(without_url.bucket().unwrap_err().to_string().contains("--media-url"));
        assert!(MediaPlace::default().bucket().unwrap().is_none());
    }
}

//! A bucket of an S3 server, such as MinIO, in the place of a folder.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::StreamExt;
use object_store::{
    ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as Key,
    signer::Signer,
};

use super::LibraryError;

/// A server that does not answer is given up so soon; the vehicle tries again later.
const RETRY_FOR: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Of one request: a part of a file has 5 MiB.
const REQUEST_WITHIN: Duration = Duration::from_secs(60);

/// A bucket, and who we are there.
#[derive(Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What the names of all objects begin with; nothing where it is empty.
    pub prefix: String,
    /// The server, such as `http://127.0.0.1:9000`; Amazon's of the region without it.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// Who we are.
    pub access_key: String,
    /// And how we show that.
    pub secret_key: String,
    /// Where browsers find the same server: they are sent there for downloads. Without it all goes through this server.
    pub links: Option<String>,
}

/// A bucket that is used.
pub(super) struct Opened {
    pub store: Arc<dyn ObjectStore>,
    /// Who signs links to it.
    pub signer: Option<Arc<dyn Signer>>,
}

/// What is wrong with the address of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// It is of another form.
    #[error("`{0}` is not of the form s3://bucket or s3://bucket/prefix")]
    Url(String),
    /// The server's address is of another form.
    #[error("`{0}` is no address of an S3 server; one looks like https://s3.example.org or http://127.0.0.1:9000")]
    Endpoint(String),
}

impl Bucket {
    /// By `s3://bucket/prefix`, at Amazon, until told otherwise.
    pub fn parse(url: &str, access_key: String, secret_key: String) -> Result<Self, BucketError> {
        let wrong = || BucketError::Url(url.to_owned());
        let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        let prefix = prefix.trim_matches('/');
        let is_path = prefix.is_empty() || Key::parse(prefix).is_ok();
        if !(3..=63).contains(&name.len()) || !name.bytes().all(fits) || !is_path {
            return Err(wrong());
        }
        Ok(Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            access_key,
            secret_key,
            links: None,
        })
    }

    /// On that server, by the path and not by a host of its own.
    pub fn at(mut self, endpoint: &str) -> Result<Self, BucketError> {
        self.endpoint = Some(address(endpoint)?);
        Ok(self)
    }

    /// Which browsers find at that address.
    pub fn linked_at(mut self, address_of_links: &str) -> Result<Self, BucketError> {
        self.links = Some(address(address_of_links)?);
        Ok(self)
    }

    /// Makes it ready; nothing is asked of the server yet.
    pub(super) fn open(&self) -> object_store::Result<Opened> {
        // Whoever was first has chosen: it is the same one everywhere.
        drop(rustls::crypto::ring::default_provider().install_default());
        let retry = RetryConfig { retry_timeout: RETRY_FOR, ..RetryConfig::default() };
        let store = Arc::new(self.client(self.endpoint.as_deref(), retry.clone())?);
        let signer = match &self.links {
            Some(links) => Some(Arc::new(self.client(Some(links), retry)?) as Arc<dyn Signer>),
            None => None,
        };
        Ok(Opened { store, signer })
    }

    /// Whether the server answers and lets us in, for those who look for what is wrong: nothing is written, there or here.
    pub async fn check(&self) -> Result<(), LibraryError> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let store = self.client(self.endpoint.as_deref(), RetryConfig { max_retries: 0, ..RetryConfig::default() })?;
        let folder = (!self.prefix.is_empty()).then(|| Key::from(&*self.prefix));
        store.list(folder.as_ref()).next().await.transpose()?;
        Ok(())
    }

    fn client(&self, endpoint: Option<&str>, retry: RetryConfig) -> object_store::Result<AmazonS3> {
        let patience = ClientOptions::new()
            .with_connect_timeout(CONNECT_WITHIN)
            .with_timeout(REQUEST_WITHIN)
            .with_allow_http(endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")));
        let builder = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_region(&self.region)
            .with_access_key_id(&self.access_key)
            .with_secret_access_key(&self.secret_key)
            .with_client_options(patience)
            .with_retry(retry);
        match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint).build(),
            None => builder.build(),
        }
    }
}

fn address(text: &str) -> Result<String, BucketError> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
    if host.is_some_and(is_host) { Ok(text.to_owned()) } else { Err(BucketError::Endpoint(text.to_owned())) }
}

/// Without the keys.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bucket { name, prefix, endpoint, region, links, .. } = self;
        f.debug_struct("Bucket")
            .field("name", name)
            .field("prefix", prefix)
            .field("endpoint", endpoint)
            .field("region", region)
            .field("links", links)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_name_and_perhaps_a_prefix_and_nothing_else_is_one() {
        let parse = |url: &str| Bucket::parse(url, "key".to_owned(), "secret".to_owned());
        for (url, name, prefix) in [
            ("s3://films", "films", ""),
            ("s3://films/", "films", ""),
            ("s3://my-fleet.films/a/b/", "my-fleet.films", "a/b"),
        ] {
            let bucket = parse(url).unwrap();
            assert_eq!((&*bucket.name, &*bucket.prefix), (name, prefix), "{url}");
            assert!(!format!("{bucket:?}").contains("secret"));
        }
        for wrong in
            ["", "films", "s3://", "s3://AB", "s3://a/b", "https://films", "s3://films/../x", "s3://user@films"]
        {
            assert_eq!(parse(wrong).unwrap_err(), BucketError::Url(wrong.to_owned()), "{wrong}");
        }
        let at = |endpoint: &str| parse("s3://films").unwrap().at(endpoint);
        assert_eq!(at("http://127.0.0.1:9000/").unwrap().endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        for wrong in ["", "127.0.0.1:9000", "https://", "https://user:password@host", "https://host/path"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}

//! Photos: a JPEG by HTTP from a camera's own address for them, a picture of an MJPEG stream, or a key frame.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http_auth::{PasswordClient, PasswordParams};
use ureq::{
    Agent, Body,
    http::{Response, StatusCode, header},
};
use url::Url;

use crate::{
    access_unit::{AccessUnit, Codec, Parameters},
    source::Credentials,
};

/// Largest photo.
pub const MAX_BYTES: usize = 8 << 20;
/// Longest wait for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no photo.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// The URL cannot be one for photos.
    #[error("photo URL: {0}")]
    Url(&'static str),
    /// The camera wants a name and password, or others, or asks for them in a way that is not known.
    #[error("camera refused the credentials (401)")]
    Unauthorized,
    /// The camera answered with an error, or with a redirection, which is not followed.
    #[error("camera answered with status {0}")]
    Status(u16),
    /// The camera did not answer.
    #[error("camera gave no photo")]
    Unreachable(#[source] ureq::Error),
    /// It is no JPEG, or only the beginning of one.
    #[error("what the camera gave is no whole JPEG")]
    NoJpeg,
    /// The picture cannot be made into a photo.
    #[error("{0} cannot be made into a photo here: give the camera's address for photos as `photo_url`")]
    Codec(Codec),
    /// The key frame is damaged, or coded in a way that is not known.
    #[error("the key frame cannot be decoded: {0}")]
    Decode(String),
}

/// Where a camera gives photos by HTTP.
#[derive(Clone)]
pub struct Snapshot {
    url: Url,
    credentials: Option<Credentials>,
    agent: Agent,
}

impl Snapshot {
    /// Photos at an `http://` URL, which holds no credentials.
    pub fn new(url: &str, credentials: Option<Credentials>) -> Result<Self, PhotoError> {
        let wrong = PhotoError::Url;
        let url =
            Url::parse(url).map_err(|_| wrong("it is no URL; one looks like http://192.168.1.20/snapshot.jpg"))?;
        if url.scheme() != "http" {
            return Err(wrong("it must start with http://"));
        }
        if !url.has_host() {
            return Err(wrong("it names no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("give user name and password apart from it"));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            // The camera is in the vehicle, whatever a variable says.
            .proxy(None)
            .user_agent(concat!("bugbrother/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Snapshot { url, credentials, agent: config.new_agent() })
    }

    /// Takes one. It blocks the thread, for ten seconds at most.
    pub fn take(&self) -> Result<Bytes, PhotoError> {
        let mut answer = self.ask(None)?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            let authorization = self.authorize(&answer)?;
            answer = self.ask(Some(&authorization))?;
        }
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(PhotoError::Unauthorized),
            status => return Err(PhotoError::Status(status.as_u16())),
        }
        let read = answer.body_mut().with_config().limit(MAX_BYTES as u64).read_to_vec();
        whole(read.map_err(PhotoError::Unreachable)?.into())
    }

    fn ask(&self, authorization: Option<&str>) -> Result<Response<Body>, PhotoError> {
        let request = self.agent.get(self.url.as_str());
        let request = match authorization {
            Some(authorization) => request.header(header::AUTHORIZATION, authorization),
            None => request,
        };
        request.call().map_err(PhotoError::Unreachable)
    }

    /// The answer to a challenge, basic or digest.
    fn authorize(&self, answer: &Response<Body>) -> Result<String, PhotoError> {
        let credentials = self.credentials.as_ref().ok_or(PhotoError::Unauthorized)?;
        let challenges = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let texts = challenges.filter_map(|challenge| challenge.to_str().ok()).collect::<Vec<_>>().join(", ");
        let mut client = PasswordClient::try_from(&*texts).map_err(|_| PhotoError::Unauthorized)?;
        let uri = self.url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let parameters = PasswordParams {
            username: &credentials.username,
            password: &credentials.password,
            uri: &uri,
            method: "GET",
            body: Some(&[]),
        };
        client.respond(&parameters).map_err(|_| PhotoError::Unauthorized)
    }
}

/// Without its password.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// The photo that a picture of a stream is or, with the feature `decode`, that a key frame of H.264 shows.
pub fn from_picture(parameters: &Parameters, unit: &AccessUnit) -> Result<Bytes, PhotoError> {
    match parameters.codec {
        Codec::Jpeg => whole(unit.data.clone()),
        #[cfg(feature = "decode")]
        Codec::H264 => crate::decode::jpeg_of(parameters, unit),
        codec => Err(PhotoError::Codec(codec)),
    }
}

/// Whether pictures of that codec can be made into photos by this program.
pub fn can_be_made_of(codec: Codec) -> bool {
    codec == Codec::Jpeg || (cfg!(feature = "decode") && codec == Codec::H264)
}

/// A JPEG from its first marker to its last. Cameras pad them.
fn whole(data: Bytes) -> Result<Bytes, PhotoError> {
    let end = data.iter().rposition(|byte| !matches!(byte, 0 | b'\r' | b'\n')).map_or(0, |last| last + 1);
    let is_whole = end <= MAX_BYTES && data.starts_with(&[0xFF, 0xD8, 0xFF]) && data[..end].ends_with(&[0xFF, 0xD9]);
    if is_whole { Ok(data.slice(..end)) } else { Err(PhotoError::NoJpeg) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_jpeg_is_a_photo() {
        let jpeg = |end: &[u8]| Bytes::from([&[0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3], end].concat());
        assert_eq!(whole(jpeg(&[0xFF, 0xD9, 0, 0, b'\n'])).unwrap(), jpeg(&[0xFF, 0xD9]));
        for broken in [jpeg(&[]), jpeg(&[0xFF]), Bytes::new(), Bytes::from_static(b"<html>\xFF\xD9")] {
            assert!(matches!(whole(broken), Err(PhotoError::NoJpeg)));
        }
    }

    #[test]
    fn a_url_that_gives_no_photos_is_refused_and_no_password_is_shown() {
        for wrong in ["", "https://camera/x", "rtsp://camera/x", "file:///etc/passwd", "http://u:p@camera/"] {
            assert!(matches!(Snapshot::new(wrong, None), Err(PhotoError::Url(_))), "{wrong}");
        }
        let credentials = Credentials { username: "viewer".to_owned(), password: "secret".to_owned() };
        let snapshot = Snapshot::new("http://camera/snapshot.jpg", Some(credentials)).unwrap();
        assert!(!format!("{snapshot:?}").contains("secret"));
    }
}

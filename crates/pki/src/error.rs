use std::{io, path::PathBuf};

/// Why something was not signed, made or believed.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("`{path}` cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read or change a key.
    #[error("others can get at key `{path}`: chmod 600 {path}")]
    Exposed {
        /// Which.
        path: PathBuf,
    },
    /// A file holds something else.
    #[error("`{path}` is damaged: {problem}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is the authority's certificate and no key.
    #[error("`{path}` is missing: restore it, or remove ca.crt beside it and enrol every vehicle again")]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The authority's own certificate has ended, or has not begun.
    #[error("the authority's certificate is not valid now")]
    Ended,
    /// The clock shows a year that no certificate can name.
    #[error("the clock is wrong")]
    Clock,
    /// No certificate signing request that can be taken.
    #[error("certificate request: {0}")]
    Request(&'static str),
    /// No certificate of a vehicle.
    #[error("certificate: {0}")]
    Certificate(&'static str),
    /// The certificate is another authority's, or was changed.
    #[error("the certificate is not of this fleet")]
    Foreign,
    /// The certificate's time is over.
    #[error("the certificate has expired: enrol again")]
    Expired,
    /// The certificate's time has not come.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The signature was not made with the certificate's key over this request.
    #[error("the signature is not the certificate's over this request")]
    Signature,
    /// A server cannot have that name.
    #[error("`{0}` is no host name and no address")]
    Name(String),
    /// A server needs a name.
    #[error("a server's certificate needs 1 to 64 names")]
    Names,
    /// No serial number in hexadecimal digits.
    #[error("`{0}` is no serial number")]
    Serial(String),
    /// No private key.
    #[error("the private key cannot be used")]
    Key(#[source] rcgen::Error),
    /// Making or signing failed.
    #[error("the certificate cannot be made")]
    Make(#[source] rcgen::Error),
}

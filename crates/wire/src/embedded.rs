//! Bodies of the HTTP API for vehicles (`/api/embedded/…`), as JSON. Refusals are [`crate::api::Problem`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CameraId, UnixMs, Vin, message::MediaKind};

/// Largest piece of a file that a vehicle uploads.
pub const MAX_PIECE_BYTES: usize = 1 << 20;
/// What a vehicle signs to sign in begins with this, so that a signature made for anything else is none of these.
pub const SIGN_IN_DOMAIN: &[u8] = b"bugbrother session v1\n";

/// `POST /api/embedded/enroll`: a vehicle's first certificate, for the code that a person gave it.
///
/// Asked again with the same code and the same key, within the code's time, it is the same certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enroll {
    /// The enrolment code, in capitals or not, with or without dashes.
    pub code: String,
    /// Certificate signing request, PEM. Only its public key counts.
    pub csr: String,
}

/// `POST /api/embedded/renew`: the next certificate, with the key of the one that the vehicle has.
///
/// Asked again with the same key within a day, it is the same certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Renew {
    /// The certificate that the vehicle has, PEM. It stays good until its end.
    pub certificate: String,
    /// Certificate signing request with the new key, PEM.
    pub csr: String,
    /// Base64 of the signature with the old key (ECDSA in ASN.1, Ed25519, or RSA) over `bugbrother renew v1`, a line
    /// feed, and the request in DER.
    pub signature: String,
}

/// Answer to both: what a vehicle needs to connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Enrolled {
    /// The vehicle, which is its user name on the broker, too.
    pub vin: Vin,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The certificate of the fleet's authority, PEM: whom to trust as a broker.
    pub ca: String,
    /// From when on the certificate is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMs>,
    /// When the certificate ends. After two thirds of its life it should be renewed.
    pub not_after: UnixMs,
    /// The broker, such as `mqtts://fleet.example.org:8883`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
}

/// `GET /api/embedded/challenge`: what a vehicle signs to show that it has the key of its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Challenge {
    /// Good once, and for a minute.
    pub challenge: String,
}

/// `POST /api/embedded/session`: a vehicle signs in, for its uploads and live streams.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignIn {
    /// The vehicle's certificate, PEM.
    pub certificate: String,
    /// As `GET /api/embedded/challenge` gave it.
    pub challenge: String,
    /// Base64 of the signature with the certificate's key (ECDSA in ASN.1, Ed25519, or RSA) over `bugbrother session v1`, a
    /// line feed, and the challenge.
    pub signature: String,
}

/// Answer to [`SignIn`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VehicleSession {
    /// To be shown as `Authorization: Bearer …`.
    pub token: String,
    /// For so many seconds from now; less where the certificate is revoked.
    pub lasts_s: u32,
}

/// `POST /api/embedded/media/{id}`: a photo or clip that a vehicle wants to upload. Said again it is the same upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MediaOffer {
    /// The camera.
    pub camera: CameraId,
    /// Photo or clip.
    pub kind: MediaKind,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file in lower-case hexadecimal.
    pub sha256: String,
    /// First moment that is seen, where the vehicle knows what time it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<UnixMs>,
    /// Last moment that is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UnixMs>,
    /// The event or command that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// How far an upload has come: answer to `POST`, `PATCH …?offset=N` and `GET` of `/api/embedded/media/{id}`. A `PATCH` with another
/// offset is refused (409), and `offset` among the problem's `fields` is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MediaProgress {
    /// Bytes that the server has on its disk: where the next piece begins.
    pub offset: u64,
    /// Whether it has all of them, their hash is right, and the file can be looked at.
    pub stored: bool,
}

/// Without the signature.
impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").finish_non_exhaustive()
    }
}

/// Without the token.
impl fmt::Debug for VehicleSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VehicleSession").field("lasts_s", &self.lasts_s).finish_non_exhaustive()
    }
}

/// Without the code.
impl fmt::Debug for Enroll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enroll").finish_non_exhaustive()
    }
}

/// Without the signature.
impl fmt::Debug for Renew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renew").finish_non_exhaustive()
    }
}

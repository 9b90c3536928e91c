//! Identities as types of their own, so that none is taken for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::UnixMs;

/// One life of a vehicle's outbox file. A new file is a new epoch, whose sequence numbers start at 1 again.
///
/// 41 bits of milliseconds since 1970 and 22 random ones: newer epochs are greater, and two outboxes made in the same
/// millisecond (or on a Raspberry Pi without a clock) still differ. Fits a signed 64-bit column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// An epoch for an outbox that is made now.
    pub fn new(now_ms: UnixMs, random: u32) -> Self {
        Epoch(((now_ms.max(0) as u64 & ((1 << 41) - 1)) << 22) | u64::from(random & ((1 << 22) - 1)))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a record inside its [`Epoch`]; the first is 1, and there are no holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    pub fn next(self) -> Self {
        Seq(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "text")] pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map($name)
            }
        }
    };
}

uuid_id!(
    /// An alert, from its opening to its resolution (UUIDv7).
    AlertId
);
uuid_id!(
    /// Something that happened in a vehicle (UUIDv7).
    EventId
);
uuid_id!(
    /// A command to a vehicle (UUIDv7).
    CommandId
);
uuid_id!(
    /// A photo or clip (UUIDv7).
    MediaId
);
uuid_id!(
    /// A client of the fleet (UUIDv7).
    ClientId
);
uuid_id!(
    /// A session of a person or program, from signing in to its end (UUIDv7).
    SessionId
);
uuid_id!(
    /// A token that a person made for a third party's program (UUIDv7).
    ApiTokenId
);
uuid_id!(
    /// A contract with a client (UUIDv7).
    ContractId
);
uuid_id!(
    /// A document of a contract (UUIDv7).
    DocumentId
);
uuid_id!(
    /// Something that is to be done to a vehicle again and again (UUIDv7).
    MaintenanceId
);
uuid_id!(
    /// Something that was done to a vehicle (UUIDv7).
    WorkId
);
uuid_id!(
    /// A list with its filters as somebody wants to see it again (UUIDv7).
    ViewId
);
uuid_id!(
    /// A way to reach somebody (UUIDv7).
    ChannelId
);
uuid_id!(
    /// A step of an alert on its way into a channel (UUIDv7).
    DeliveryId
);

/// UUIDs as text in every format: a third party reads them without knowing MessagePack's binary type.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use uuid::Uuid;

    pub fn serialize<S: Serializer>(id: &Uuid, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&id.as_hyphenated())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Uuid, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        Uuid::parse_str(&text).map_err(de::Error::custom)
    }
}

/// Name of a camera in its vehicle: 1 to 32 of `a-z`, `0-9` and `-`, such as `dash-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraId(String);

/// The text is no name for a camera.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a camera's name is 1 to 32 of a-z, 0-9 and `-`")]
pub struct CameraIdError;

impl CameraId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CameraId {
    type Error = CameraIdError;
    fn try_from(text: String) -> Result<Self, CameraIdError> {
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(CameraId(text)) } else { Err(CameraIdError) }
    }
}

impl From<CameraId> for String {
    fn from(id: CameraId) -> String {
        id.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_epoch_is_greater_and_fits_a_signed_column() {
        let (early, late) = (Epoch::new(1_790_000_000_000, u32::MAX), Epoch::new(1_790_000_000_001, 0));
        assert!(early < late);
        assert!(i64::try_from(Epoch::new(i64::MAX, u32::MAX).0).is_ok());
    }

    #[test]
    fn a_camera_name_is_safe_in_a_path() {
        assert!(CameraId::try_from("dash-1".to_owned()).is_ok());
        for bad in ["", "Dash", "../x", "a/b", "dash 1"] {
            assert!(CameraId::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}

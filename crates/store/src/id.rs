//! Identities of what only the database knows, as types of their own.

use std::{fmt, str::FromStr};

pub use bugbrother_wire::{ClientId, ContractId, DocumentId, MaintenanceId, ViewId, WorkId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::StoreError;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

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
    /// An area that is watched (UUIDv7).
    GeofenceId
);
uuid_id!(
    /// An entry of the audit log (UUIDv7).
    AuditId
);
uuid_id!(
    /// A receipt for something that was erased (UUIDv7).
    ReceiptId
);

/// A box in a vehicle: its hardware's serial number or a UUID, 1 to 64 of letters, digits, `-`, `_`, `.` and `:`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(String);

/// The text is no device's identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a device's identity is 1 to 64 of letters, digits, `-`, `_`, `.` and `:`")]
pub struct DeviceIdError;

impl DeviceId {
    /// The identity.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DeviceId {
    type Error = DeviceIdError;
    fn try_from(text: String) -> Result<Self, DeviceIdError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
        if fits { Ok(DeviceId(text)) } else { Err(DeviceIdError) }
    }
}

impl FromStr for DeviceId {
    type Err = DeviceIdError;
    fn from_str(text: &str) -> Result<Self, DeviceIdError> {
        text.to_owned().try_into()
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> String {
        id.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An identity out of a column.
pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(table: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| StoreError::corrupt(table, error))
}

/// The same, where there may be none.
pub(crate) fn parse_some<T: FromStr<Err: fmt::Display>>(
    table: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| parse(table, text)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_told_by_a_serial_number_or_a_uuid_and_by_nothing_that_could_be_a_path() {
        for good in ["AA:BB:CC:00:11:22", "RPi4-10000000a1b2c3d4", "01926b2e-7f00-7000-8000-000000000001"] {
            assert_eq!(good.parse::<DeviceId>().unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "a b", "é", &"x".repeat(65)] {
            assert_eq!(bad.parse::<DeviceId>(), Err(DeviceIdError), "{bad}");
        }
    }

    #[test]
    fn an_identity_that_cannot_be_read_names_its_table() {
        let error = parse::<ClientId>("contract", "ada").unwrap_err();
        assert!(error.to_string().starts_with("table `contract` holds a row that cannot be read"), "{error}");
    }
}

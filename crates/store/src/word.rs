//! Enumerations as the words that they are on the wire.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::StoreError;

/// The word of a unit variant.
pub(crate) fn of<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        other => unreachable!("only enumerations without fields are stored as words, this is {other:?}"),
    }
}

/// The variant of a word.
pub(crate) fn read<T: DeserializeOwned>(table: &'static str, word: String) -> Result<T, StoreError> {
    serde_json::from_value(Value::String(word)).map_err(|error| StoreError::corrupt(table, error))
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("messages hold nothing that JSON has no form for: keys are text, numbers finite")
}

/// A value out of JSON text.
pub(crate) fn from_json<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(table, error))
}

/// A value as JSON text, if it can be read back: a number that is not finite has no form there.
pub(crate) fn checked_json<T: Serialize + DeserializeOwned>(
    table: &'static str,
    value: &T,
) -> Result<String, StoreError> {
    let text = serde_json::to_string(value).map_err(|error| StoreError::refused(table, error))?;
    match serde_json::from_str::<T>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(StoreError::refused(table, error)),
    }
}

//! What is said when something is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Every answer that is not a success, as `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// What the status means, such as `Not Found`.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what to do, for a person.
    pub detail: String,
    /// One word that a program can tell it by, such as `token_expired`.
    pub error: String,
    /// Of a form: field → what is wrong with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

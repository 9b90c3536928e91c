//! Whether all is well.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /healthz`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// Whether all is well.
    pub ok: bool,
    /// Part → what is wrong with it, or `ok`.
    pub parts: BTreeMap<String, String>,
}

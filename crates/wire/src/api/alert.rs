//! Alerts in lists.

use serde::{Deserialize, Serialize};

use crate::message::Alert;

/// `GET /api/frontend/alerts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AlertList {
    /// Newest first.
    pub alerts: Vec<Alert>,
}

//! Lists with their filters as people want to see them again.

use serde::{Deserialize, Serialize};

use crate::ViewId;

/// `POST /api/frontend/views/{page}` and `PUT /api/frontend/views/{page}/{id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ViewForm {
    /// What it is called: 1 to 40 characters.
    pub name: String,
    /// Query of its address, without the `?`: up to 1,000 characters.
    pub query: String,
}

/// A list with its filters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct View {
    /// Its identity.
    pub id: ViewId,
    /// Its name and filters.
    #[serde(flatten)]
    pub form: ViewForm,
}

/// `GET /api/frontend/views/{page}`: the caller's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ViewList {
    /// The oldest first.
    pub views: Vec<View>,
}

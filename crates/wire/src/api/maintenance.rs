//! The maintenance book of a vehicle.

use serde::{Deserialize, Serialize};

use crate::{MaintenanceId, UnixMs, Vin, WorkId};

/// `POST /api/frontend/vehicles/{vin}/maintenance` and `PUT …/maintenance/{id}`: something that is to be done, whichever of the
/// intervals ends first. One of them, or a day, must be said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MaintenanceForm {
    /// What: 1 to 120 characters.
    pub title: String,
    /// Every so many kilometres.
    #[serde(default)]
    pub every_km: Option<u32>,
    /// Every so many hours with the engine running.
    #[serde(default)]
    pub every_hours: Option<u32>,
    /// Every so many months.
    #[serde(default)]
    pub every_months: Option<u32>,
    /// Once, at this moment.
    #[serde(default)]
    pub due: Option<UnixMs>,
    /// When it was done last, or from when on it counts; now without it.
    #[serde(default)]
    pub since: Option<UnixMs>,
    /// What the odometer showed then; what it shows now without both.
    #[serde(default)]
    pub since_km: Option<f64>,
    /// What else is worth knowing.
    #[serde(default)]
    pub note: Option<String>,
}

/// How pressing something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pressing {
    /// It should have been done.
    Overdue,
    /// Within 30 days, or with the last tenth of the interval running.
    Soon,
    /// Later.
    Later,
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DueLine {
    /// Its identity.
    pub id: MaintenanceId,
    /// The vehicle.
    pub vin: Vin,
    /// What people call it; empty in the book of one vehicle.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vehicle: String,
    /// What is to be done, and how often.
    #[serde(flatten)]
    pub form: MaintenanceForm,
    /// How pressing it is.
    pub state: Pressing,
    /// When by the calendar.
    #[serde(default)]
    pub at: Option<UnixMs>,
    /// Kilometres until then; less than nothing when it is overdue.
    #[serde(default)]
    pub left_km: Option<f64>,
    /// Hours with the engine running until then.
    #[serde(default)]
    pub left_hours: Option<f64>,
    /// When it is to be expected, if the vehicle is driven as since the last time.
    #[serde(default)]
    pub expected: Option<UnixMs>,
}

/// `POST /api/frontend/vehicles/{vin}/works`: something was done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkForm {
    /// What was to be done, if it was to be.
    #[serde(default)]
    pub item: Option<MaintenanceId>,
    /// What was done; of what was to be done the title without it.
    #[serde(default)]
    pub title: Option<String>,
    /// When; now without it.
    #[serde(default)]
    pub done: Option<UnixMs>,
    /// What the odometer showed.
    #[serde(default)]
    pub odometer_km: Option<f64>,
    /// What it cost.
    #[serde(default)]
    pub cost: Option<f64>,
    /// Who did it.
    #[serde(default)]
    pub workshop: Option<String>,
    /// What else is worth knowing.
    #[serde(default)]
    pub note: Option<String>,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkLine {
    /// Its identity.
    pub id: WorkId,
    /// What was to be done, if it was to be.
    #[serde(default)]
    pub item: Option<MaintenanceId>,
    /// What was done.
    pub title: String,
    /// When.
    pub done: UnixMs,
    /// What the odometer showed.
    #[serde(default)]
    pub odometer_km: Option<f64>,
    /// What it cost.
    #[serde(default)]
    pub cost: Option<f64>,
    /// Who did it.
    #[serde(default)]
    pub workshop: Option<String>,
    /// What else is worth knowing.
    #[serde(default)]
    pub note: Option<String>,
    /// Who wrote it down.
    pub by: String,
}

/// `GET /api/frontend/vehicles/{vin}/maintenance`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MaintenanceBook {
    /// What is to be done, the most pressing first.
    pub items: Vec<DueLine>,
    /// What was done, the latest first.
    pub works: Vec<WorkLine>,
    /// Give it as `before` to get the next page of what was done; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What the odometer shows, where the vehicle tells.
    #[serde(default)]
    pub odometer_km: Option<f64>,
    /// Currency of costs.
    pub currency: String,
}

/// `GET /api/frontend/maintenance`: what is to be done to the fleet now or soon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DueList {
    /// The most pressing first; at most 500.
    pub due: Vec<DueLine>,
    /// How much there is.
    pub count: u32,
}

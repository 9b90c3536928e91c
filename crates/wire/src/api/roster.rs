//! Vehicles as the office sees them: what people know of them, how they come in, and many added at once.

use serde::{Deserialize, Serialize};

use super::NamedClient;
use crate::{ClientId, FuelKind, UnixMs, Vin};

/// A vehicle by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NamedVehicle {
    /// The vehicle.
    pub vin: Vin,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    #[serde(default)]
    pub plate: Option<String>,
}

/// `PUT /api/frontend/vehicles/{vin}/facts`: what people know of a vehicle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VehicleForm {
    /// What people call it: 1 to 80 characters.
    pub name: String,
    /// Registration plate: up to 20 characters.
    #[serde(default)]
    pub plate: Option<String>,
    /// What kind of vehicle it is, such as `van`: up to 40 characters.
    #[serde(default)]
    pub class: Option<String>,
    /// What it burns.
    #[serde(default)]
    pub fuel: FuelKind,
    /// Size of its tank in litres (CNG: in kilograms).
    #[serde(default)]
    pub tank_l: Option<f64>,
    /// Usable size of its traction battery in kilowatt-hours.
    #[serde(default)]
    pub battery_kwh: Option<f64>,
    /// What else is worth knowing.
    #[serde(default)]
    pub note: Option<String>,
}

/// `POST /api/frontend/vehicles`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewVehicle {
    /// The VIN as a person types it: blanks around it and lower case do no harm.
    pub vin: String,
    /// What people know of it.
    #[serde(flatten)]
    pub form: VehicleForm,
}

/// `GET /api/frontend/vehicles/{vin}/facts`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VehicleFacts {
    /// The vehicle.
    pub vin: Vin,
    /// What people know of it.
    #[serde(flatten)]
    pub form: VehicleForm,
    /// Maker, where the VIN tells.
    #[serde(default)]
    pub maker: Option<String>,
    /// Since when it is in the fleet no more.
    #[serde(default)]
    pub archived: Option<UnixMs>,
    /// In whose contract it is.
    #[serde(default)]
    pub client: Option<NamedClient>,
}

/// `GET /api/frontend/roster`: what a list of vehicles shows that they do not tell themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Roster {
    /// In the order of their VINs.
    pub vehicles: Vec<RosterLine>,
    /// The clients that are named.
    pub clients: Vec<NamedClient>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Vin>,
}

/// A vehicle in the roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RosterLine {
    /// The vehicle.
    pub vin: Vin,
    /// What kind of vehicle it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// In whose contract it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Whether it is in the fleet no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

/// `POST /api/frontend/vehicles/{vin}/enrolment`: shown this once, for the server keeps a hash of the code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrolmentCode {
    /// The code.
    pub code: String,
    /// Until when it is good.
    pub expires: UnixMs,
    /// What is to be typed in the vehicle; the picture says the same.
    pub command: String,
    /// The command as a QR code.
    pub qr: QrCode,
}

/// A QR code as a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QrCode {
    /// Modules on each side, the quiet ones around it included.
    pub size: u32,
    /// The dark modules as an SVG path in units of one module.
    pub path: String,
}

/// `GET /api/frontend/vehicles/{vin}/credential`: how a vehicle may come in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialState {
    /// Serial number of its newest certificate.
    #[serde(default)]
    pub serial: Option<String>,
    /// Until when that is valid.
    #[serde(default)]
    pub not_after: Option<UnixMs>,
    /// Since when it is revoked.
    #[serde(default)]
    pub revoked: Option<UnixMs>,
    /// When the code that it has and has not used ends.
    #[serde(default)]
    pub code_expires: Option<UnixMs>,
    /// Whether this server enrols vehicles and takes back what they were given.
    pub can_change: bool,
}

/// `POST /api/frontend/vehicles/{vin}/revoke`: what the vehicle has lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RevokedKeys {
    /// So many certificates.
    pub certificates: u64,
    /// Whether it had a password.
    pub password: bool,
}

/// `POST /api/frontend/vehicles/import`: what becomes of each line, or with `dry_run` what would become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportReport {
    /// Whether it was only tried.
    pub dry_run: bool,
    /// Every line but the header and empty ones.
    pub lines: Vec<ImportLine>,
    /// Headers that mean nothing here; their columns are left out.
    pub unknown_columns: Vec<String>,
    /// How many are added.
    pub added: u32,
    /// How many are changed.
    pub changed: u32,
    /// How many are as they were.
    pub same: u32,
    /// How many are wrong; they are left out.
    pub wrong: u32,
}

/// A line of an import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportLine {
    /// Its number in the file; the header is the first.
    pub line: u32,
    /// What stands as its VIN.
    pub vin: String,
    /// What it will be called.
    pub name: String,
    /// What becomes of it.
    pub step: ImportStep,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<ImportFault>,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ImportStep {
    /// The vehicle is new.
    Add,
    /// The vehicle is known, and something about it changes.
    Change,
    /// The vehicle is known just so.
    Same,
    /// It is left out.
    Wrong,
}

/// What is wrong with a field of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportFault {
    /// The column, such as `vin`.
    pub column: String,
    /// What.
    pub fault: FaultKind,
    /// What stands there.
    pub value: String,
}

/// Kinds of what can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Nothing stands there.
    Missing,
    /// It has not 17 characters.
    VinLength,
    /// It has a character that no VIN has.
    VinCharacter,
    /// The check digit is wrong, where it is obligatory.
    CheckDigit,
    /// The same VIN stands in an earlier line.
    Twice,
    /// It is longer than may be, or has a control character.
    Text,
    /// It is no fuel.
    Fuel,
    /// It is no number above nothing.
    Number,
    /// The line has more fields than the header.
    Fields,
}

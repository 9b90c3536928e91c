//! How long what is kept.

use serde::{Deserialize, Serialize};

use crate::setting::Setting;

/// For so many days each kind of data is kept; `None` is for ever. A vehicle's running contracts may ask for samples to be kept
/// longer; for how long pictures are kept, a contract says in the place of this, see
/// [`Store::contract_retention`](crate::Store::contract_retention).
///
/// The defaults: three years and a few days for what people are asked about later, so that the same day of three years can
/// be compared; a year and a month for samples, of which there is most; three months for pictures, which show people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Samples; 400.
    pub telemetry_days: Option<u32>,
    /// Events of vehicles and what they reply to commands; 1100.
    pub events_days: Option<u32>,
    /// Trips and stops; 1100.
    pub trips_days: Option<u32>,
    /// Alerts since they are resolved, with their history; 1100.
    pub alerts_days: Option<u32>,
    /// What was told to whom of alerts; 90.
    pub deliveries_days: Option<u32>,
    /// Commands; 1100.
    pub commands_days: Option<u32>,
    /// Files of photos and clips; 90. That there were some is known for as long as events.
    pub media_days: Option<u32>,
    /// The audit log; 1100.
    pub audit_days: Option<u32>,
    /// What could not be decoded; 90. There is room for a fixed number at most.
    pub dead_letters_days: Option<u32>,
    /// Records of an impossible time; 400, as samples. There is room for a fixed number at most.
    pub quarantine_days: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            telemetry_days: Some(400),
            events_days: Some(1100),
            trips_days: Some(1100),
            alerts_days: Some(1100),
            deliveries_days: Some(90),
            commands_days: Some(1100),
            media_days: Some(90),
            audit_days: Some(1100),
            dead_letters_days: Some(90),
            quarantine_days: Some(400),
        }
    }
}

impl Setting for Retention {
    const KEY: &'static str = "retention";
}

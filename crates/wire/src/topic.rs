//! The topics below `fleet/v1/{vin}/`.

use std::{fmt, str::FromStr};

use crate::{AlertId, Vin, vin::VinError};

/// Everything of the fleet, for a service that may read it.
pub const ALL_UP: &str = "fleet/v1/+/up/#";
/// Every vehicle's alerts.
pub const ALL_ALERTS: &str = "fleet/v1/+/alert/+";

const ROOT: &str = "fleet/v1/";

/// A topic of the contract: whose it is and what is said there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Topic {
    /// The vehicle.
    pub vin: Vin,
    /// What is said there.
    pub kind: Kind,
}

/// The part of a topic after `fleet/v1/{vin}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `up/birth`
    Birth,
    /// `up/status`
    Status,
    /// `up/telemetry`
    Telemetry,
    /// `up/backfill`
    Backfill,
    /// `up/diagnostics`
    Diagnostics,
    /// `up/event`
    Event,
    /// `up/media`
    Media,
    /// `up/reply`
    Reply,
    /// `down/ack`
    Ack,
    /// `down/command`
    Command,
    /// `down/config`
    Config,
    /// `alert/{id}`
    Alert(AlertId),
    /// `state`
    State,
}

/// Why a text is no topic of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Does not start with `fleet/v1/`.
    #[error("topic does not start with `fleet/v1/`")]
    Root,
    /// The level of the VIN holds none.
    #[error("topic names no vehicle")]
    Vin(#[source] VinError),
    /// The rest after the VIN is unknown.
    #[error("`{0}` is no topic of a vehicle")]
    Kind(String),
}

impl Kind {
    /// Quality of service that the publisher uses: 1 for all but the low-rate JSON state.
    pub fn qos(self) -> u8 {
        u8::from(self != Kind::State)
    }

    /// Whether the publisher sets the retain flag.
    pub fn retained(self) -> bool {
        matches!(
            self,
            Kind::Birth | Kind::Status | Kind::Diagnostics | Kind::Ack | Kind::Config | Kind::Alert(_) | Kind::State
        )
    }
}

impl Topic {
    /// The topic of `kind` for `vin`.
    pub fn new(vin: Vin, kind: Kind) -> Self {
        Topic { vin, kind }
    }

    /// Filter for all that is said to a vehicle: `fleet/v1/{vin}/down/#`.
    pub fn down_filter(vin: Vin) -> String {
        format!("{ROOT}{vin}/down/#")
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ROOT}{}/", self.vin)?;
        f.write_str(match self.kind {
            Kind::Birth => "up/birth",
            Kind::Status => "up/status",
            Kind::Telemetry => "up/telemetry",
            Kind::Backfill => "up/backfill",
            Kind::Diagnostics => "up/diagnostics",
            Kind::Event => "up/event",
            Kind::Media => "up/media",
            Kind::Reply => "up/reply",
            Kind::Ack => "down/ack",
            Kind::Command => "down/command",
            Kind::Config => "down/config",
            Kind::Alert(id) => return write!(f, "alert/{id}"),
            Kind::State => "state",
        })
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let rest = text.strip_prefix(ROOT).ok_or(TopicError::Root)?;
        let (vin, rest) = rest.split_once('/').ok_or(TopicError::Root)?;
        let vin = vin.parse().map_err(TopicError::Vin)?;
        let kind = match rest {
            "up/birth" => Kind::Birth,
            "up/status" => Kind::Status,
            "up/telemetry" => Kind::Telemetry,
            "up/backfill" => Kind::Backfill,
            "up/diagnostics" => Kind::Diagnostics,
            "up/event" => Kind::Event,
            "up/media" => Kind::Media,
            "up/reply" => Kind::Reply,
            "down/ack" => Kind::Ack,
            "down/command" => Kind::Command,
            "down/config" => Kind::Config,
            "state" => Kind::State,
            other => {
                let id = other.strip_prefix("alert/").and_then(|id| id.parse().ok());
                Kind::Alert(id.ok_or_else(|| TopicError::Kind(other.chars().take(64).collect()))?)
            }
        };
        Ok(Topic { vin, kind })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_topic_reads_back_as_itself() {
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        for kind in [
            Kind::Birth,
            Kind::Status,
            Kind::Telemetry,
            Kind::Backfill,
            Kind::Diagnostics,
            Kind::Event,
            Kind::Media,
            Kind::Reply,
            Kind::Ack,
            Kind::Command,
            Kind::Config,
            Kind::Alert(AlertId(Uuid::from_u128(7))),
            Kind::State,
        ] {
            let topic = Topic::new(vin, kind);
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
    }

    #[test]
    fn a_foreign_topic_is_refused_with_its_reason() {
        assert_eq!("fleet/v2/WVWZZZ1JZ3W386752/up/birth".parse::<Topic>(), Err(TopicError::Root));
        assert_eq!("fleet/v1/WVWZZZ1JZ3W386752".parse::<Topic>(), Err(TopicError::Root));
        assert!(matches!("fleet/v1/x/up/birth".parse::<Topic>(), Err(TopicError::Vin(_))));
        assert!(matches!("fleet/v1/WVWZZZ1JZ3W386752/up/birth/x".parse::<Topic>(), Err(TopicError::Kind(_))));
        assert!(matches!("fleet/v1/WVWZZZ1JZ3W386752/alert/x".parse::<Topic>(), Err(TopicError::Kind(_))));
    }
}

use serde::{Deserialize, Serialize};

use super::ConditionFault;
use crate::{ClientId, Vin};

/// Most vehicles that a rule names.
pub const MAX_SCOPE_VEHICLES: usize = 200;
const MAX_CLASS_CHARS: usize = 40;

/// Which vehicles a rule is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All.
    #[default]
    All,
    /// These.
    Vehicles(Vec<Vin>),
    /// A group: those of which people say that they are of this class, such as `Van`.
    Class(String),
    /// Those in a contract with this client, as long as it runs.
    Client(ClientId),
}

impl Scope {
    /// Whether it is the usual one.
    pub fn is_all(&self) -> bool {
        *self == Scope::All
    }

    /// Whether it can be evaluated.
    pub fn check(&self) -> Result<(), ConditionFault> {
        let fits = match self {
            Scope::All | Scope::Client(_) => true,
            Scope::Vehicles(vins) => (1..=MAX_SCOPE_VEHICLES).contains(&vins.len()),
            Scope::Class(class) => {
                let length = class.trim().chars().count();
                (1..=MAX_CLASS_CHARS).contains(&length) && !class.chars().any(char::is_control)
            }
        };
        if fits { Ok(()) } else { Err(ConditionFault::Scope) }
    }

    /// Whether a vehicle is in it, of which class and in whose contract it is being known.
    pub fn holds(&self, vin: Vin, class: Option<&str>, client: Option<ClientId>) -> bool {
        match self {
            Scope::All => true,
            Scope::Vehicles(vins) => vins.contains(&vin),
            Scope::Class(wanted) => {
                class.is_some_and(|class| class.trim().to_lowercase() == wanted.trim().to_lowercase())
            }
            Scope::Client(wanted) => client == Some(*wanted),
        }
    }
}

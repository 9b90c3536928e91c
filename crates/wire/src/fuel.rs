//! What vehicles burn.

use serde::{Deserialize, Serialize};

/// What a vehicle burns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FuelKind {
    /// Petrol.
    Petrol,
    /// Diesel.
    Diesel,
    /// Liquefied petroleum gas.
    Lpg,
    /// Compressed natural gas, which is sold by the kilogram.
    Cng,
    /// Nothing: it has a traction battery alone.
    Electric,
    /// Petrol, and it has a traction battery.
    Hybrid,
    /// Nobody has said.
    #[default]
    Unknown,
}

impl FuelKind {
    /// All of them, the unknown last.
    pub const ALL: [FuelKind; 7] = [
        FuelKind::Petrol,
        FuelKind::Diesel,
        FuelKind::Lpg,
        FuelKind::Cng,
        FuelKind::Electric,
        FuelKind::Hybrid,
        FuelKind::Unknown,
    ];

    /// Its word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            FuelKind::Petrol => "petrol",
            FuelKind::Diesel => "diesel",
            FuelKind::Lpg => "lpg",
            FuelKind::Cng => "cng",
            FuelKind::Electric => "electric",
            FuelKind::Hybrid => "hybrid",
            FuelKind::Unknown => "unknown",
        }
    }

    /// The kind of a word; nothing for another word.
    pub fn from_word(word: &str) -> Option<Self> {
        FuelKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_fuel_is_the_one_on_the_wire() {
        for kind in FuelKind::ALL {
            let word = serde_json::to_value(kind).unwrap();
            assert_eq!(word, kind.word());
            assert_eq!(FuelKind::from_word(kind.word()), Some(kind));
        }
    }
}

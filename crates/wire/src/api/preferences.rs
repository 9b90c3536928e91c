//! How a person wants the app to be.

use serde::{Deserialize, Serialize};

/// `GET` and `PUT /api/frontend/preferences`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Preferences {
    /// Language; as the browser's, if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Tongue>,
    /// Unit of distances and speeds.
    pub distance: DistanceUnit,
    /// Unit of consumption.
    pub consumption: ConsumptionUnit,
    /// Unit of temperatures.
    pub temperature: TemperatureUnit,
    /// Time zone by its IANA name, such as `Europe/Zurich`; as the browser's, if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Colours.
    pub theme: Colours,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$of])* $variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$variant),*];
        }
    };
}
pub(super) use choice;

choice!(
    /// A language that the app speaks.
    Tongue {
        /// English.
        #[default]
        En,
        /// French.
        Fr,
    }
);
choice!(
    /// Unit of distances and speeds.
    DistanceUnit {
        /// Kilometres, km/h.
        #[default]
        Km,
        /// Miles, mph.
        Mi,
    }
);
choice!(
    /// Unit of consumption.
    ConsumptionUnit {
        /// Litres on 100 km.
        #[default]
        LitresPer100Km,
        /// Miles to the US gallon.
        MpgUs,
        /// Miles to the imperial gallon.
        MpgImperial,
    }
);
choice!(
    /// Unit of temperatures.
    TemperatureUnit {
        /// °C.
        #[default]
        Celsius,
        /// °F.
        Fahrenheit,
    }
);
choice!(
    /// Colours of the app.
    Colours {
        /// As the system's.
        #[default]
        System,
        /// Dark.
        Dark,
        /// Light.
        Light,
    }
);

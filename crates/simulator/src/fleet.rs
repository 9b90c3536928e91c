//! Who drives what: the profiles of the demo's vehicles.

use bugbrother_wire::Vin;

use crate::{
    engine::{self, Drivetrain},
    roads,
    route::Plan,
};

/// How somebody drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Below the limits, gently.
    Calm,
    /// At the limits.
    Brisk,
    /// Above the limits; on a motorway faster than 130 km/h.
    Hasty,
}

/// Trouble codes in the engine's memory, each as its two bytes (SAE J2012).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// Confirmed codes, which light the lamp (mode 03).
    pub stored: &'static [u16],
    /// Codes of this or the last driving cycle (mode 07).
    pub pending: &'static [u16],
    /// Codes that no tool can clear (mode 0A).
    pub permanent: &'static [u16],
}

impl Trouble {
    /// Nothing is wrong.
    pub const NONE: Trouble = Trouble { stored: &[], pending: &[], permanent: &[] };
}

/// One vehicle of the demo.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Its VIN.
    pub vin: Vin,
    /// What its owner calls it.
    pub name: &'static str,
    /// Number plate.
    pub plate: &'static str,
    /// Maker and model.
    pub model: &'static str,
    /// Year of make: newer cars tell more.
    pub year: u16,
    /// Who drives.
    pub style: Style,
    /// Where.
    pub route: &'static Plan,
    /// Where on the route it begins, as a share of the lap.
    pub start: f64,
    /// Whether it begins parked, with the ignition off.
    pub parked: bool,
    /// Engine, gears and body.
    pub drivetrain: &'static Drivetrain,
    /// Fuel in the tank at the beginning, as a share.
    pub fuel: f64,
    /// Kilometres on the odometer at the beginning.
    pub odometer_km: f64,
    /// What is wrong with it.
    pub trouble: Trouble,
    /// Fixes per second of its GNSS receiver.
    pub gnss_hz: u8,
    /// Seed of all that is random about it.
    pub seed: u64,
}

/// The vehicles of `bugbrother demo`.
pub fn demo_fleet() -> Vec<Profile> {
    let base = Profile {
        vin: vin("VF1MA000X64123458"),
        name: "Van 12",
        plate: "VD 412 087",
        model: "Renault Master 2.3 dCi",
        year: 2019,
        style: Style::Calm,
        route: &roads::GENEVE_LAUSANNE,
        start: 0.02,
        parked: false,
        drivetrain: &engine::DIESEL_VAN,
        fuel: 0.64,
        odometer_km: 118_204.3,
        trouble: Trouble::NONE,
        gnss_hz: 1,
        seed: 12,
    };
    vec![
        base,
        Profile {
            vin: vin("TMBJJ7NE8H0203847"),
            name: "Courier 3",
            plate: "VS 284 116",
            model: "Škoda Octavia 2.0 TSI",
            year: 2017,
            style: Style::Hasty,
            route: &roads::LAUSANNE_SION,
            start: 0.08,
            drivetrain: &engine::PETROL_ESTATE,
            fuel: 0.81,
            odometer_km: 96_540.8,
            seed: 3,
            ..base
        },
        Profile {
            vin: vin("W1K2130041A583021"),
            name: "Shuttle 1",
            plate: "BE 739 204",
            model: "Mercedes-Benz E 220 d",
            year: 2020,
            style: Style::Brisk,
            route: &roads::LAUSANNE_BERN,
            start: 0.30,
            drivetrain: &engine::DIESEL_SALOON,
            fuel: 0.47,
            odometer_km: 64_911.0,
            gnss_hz: 5,
            seed: 1,
            ..base
        },
        Profile {
            vin: vin("VF3LBBHZHGS218805"),
            name: "Sales 7",
            plate: "GK-512-TB",
            model: "Peugeot 308 1.2 PureTech",
            year: 2016,
            style: Style::Brisk,
            route: &roads::GENEVE_ANNECY,
            start: 0.12,
            drivetrain: &engine::PETROL_COMPACT,
            fuel: 0.35,
            odometer_km: 131_077.6,
            seed: 7,
            ..base
        },
        Profile {
            vin: vin("WVWZZZAUZGW138562"),
            name: "Pool 5",
            plate: "NE 58 321",
            model: "Volkswagen Golf 1.4 TSI",
            year: 2016,
            style: Style::Calm,
            route: &roads::YVERDON_NEUCHATEL,
            start: 0.15,
            drivetrain: &engine::PETROL_COMPACT,
            fuel: 0.58,
            odometer_km: 158_330.2,
            trouble: Trouble { stored: &[0x0301, 0x0420], pending: &[0x0171], permanent: &[0x0420] },
            seed: 5,
            ..base
        },
        Profile {
            vin: vin("VNKKJ3D3X0A402716"),
            name: "Nurse 2",
            plate: "VD 90 655",
            model: "Toyota Yaris 1.3",
            year: 2013,
            route: &roads::LAUSANNE_TOWN,
            start: 0.40,
            drivetrain: &engine::PETROL_SMALL,
            fuel: 0.29,
            odometer_km: 88_412.5,
            seed: 2,
            ..base
        },
        Profile {
            vin: vin("ZFA3120000J518294"),
            name: "Pizza 4",
            plate: "GE 27 418",
            model: "Fiat Panda 1.2",
            year: 2015,
            style: Style::Brisk,
            route: &roads::GENEVE_TOWN,
            start: 0.0,
            parked: true,
            drivetrain: &engine::PETROL_SMALL,
            fuel: 0.72,
            odometer_km: 71_265.9,
            seed: 4,
            ..base
        },
        Profile {
            vin: vin("WF0XXXTTGXKR41587"),
            name: "Van 15",
            plate: "FT-306-KV",
            model: "Ford Transit 2.0 EcoBlue",
            year: 2019,
            style: Style::Brisk,
            route: &roads::GENEVE_EVIAN,
            start: 0.22,
            drivetrain: &engine::DIESEL_VAN,
            fuel: 0.53,
            odometer_km: 143_890.4,
            seed: 15,
            ..base
        },
    ]
}

fn vin(text: &str) -> Vin {
    text.parse().expect("the demo's VINs are well formed, as a test shows")
}

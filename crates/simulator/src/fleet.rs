//! Who drives what: the profiles of the demo's vehicles.

use bugbrother_wire::Vin;

use crate::{
    engine::{self, Drivetrain},
    geo::Point,
    roads,
    route::{Plan, Route},
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
    /// Whether it begins in a workshop, for a day: with the ignition on, the engine off, and a charger at its battery.
    pub in_workshop: bool,
    /// Engine, gears and body.
    pub drivetrain: &'static Drivetrain,
    /// Fuel in the tank at the beginning, as a share.
    pub fuel: f64,
    /// Kilometres on the odometer at the beginning.
    pub odometer_km: f64,
    /// What is wrong with it.
    pub trouble: Trouble,
    /// What people call its cameras.
    pub cameras: &'static [&'static str],
    /// Fixes per second of its GNSS receiver.
    pub gnss_hz: u8,
    /// Seed of all that is random about it.
    pub seed: u64,
}

impl Profile {
    /// The same car where it was left: there, with so much in the tank and so far on the odometer. Somewhere else than on its
    /// route it begins where it would have.
    pub fn left(self, place: Point, fuel: f64, odometer_km: f64) -> Self {
        let start = Route::new(self.route).share_at(place).unwrap_or(self.start);
        Profile { start, fuel: fuel.clamp(0.0, 1.0), odometer_km, ..self }
    }
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
        in_workshop: false,
        drivetrain: &engine::DIESEL_VAN,
        fuel: 0.64,
        odometer_km: 118_204.3,
        trouble: Trouble::NONE,
        cameras: &["Windscreen"],
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
            seed: 13,
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
            cameras: &[],
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
            cameras: &[],
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
            cameras: &[],
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
            cameras: &[],
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
            cameras: &[],
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
            cameras: &[],
            seed: 15,
            ..base
        },
    ]
}

fn vin(text: &str) -> Vin {
    text.parse().expect("the demo's VINs are well formed, as a test shows")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bugbrother_wire::{vin::CheckDigit, wmi};

    use super::*;
    use crate::route::{Route, Shape};

    #[test]
    fn every_vin_is_a_right_one_of_a_known_maker_and_nothing_is_there_twice() {
        let fleet = demo_fleet();
        for profile in &fleet {
            let wrong = matches!(profile.vin.check_digit(), CheckDigit::Wrong { obligatory: true, .. });
            assert!(!wrong, "{}", profile.vin);
            let maker = wmi::maker(profile.vin).expect("the maker is known");
            assert!(profile.model.starts_with(maker), "{} is no {maker}", profile.model);
        }
        let different = |key: fn(&Profile) -> String| fleet.iter().map(key).collect::<HashSet<_>>().len();
        assert_eq!(different(|p| p.vin.to_string()), fleet.len());
        assert_eq!(different(|p| p.name.to_owned()), fleet.len());
        assert_eq!(different(|p| p.plate.to_owned()), fleet.len());
        assert_eq!(different(|p| p.route.name.to_owned()), fleet.len());
    }

    #[test]
    fn routes_stay_near_the_lake_and_end_elsewhere_than_they_start() {
        for profile in demo_fleet() {
            let (name, way) = (profile.route.name, profile.route.waypoints);
            let route = Route::new(profile.route);
            for point in route.points() {
                assert!((45.88..47.0).contains(&point.lat), "{name}: {point:?}");
                assert!((6.07..7.46).contains(&point.lon), "{name}: {point:?}");
            }
            let apart_m = way[0].point.distance_m(way[way.len() - 1].point);
            match profile.route.shape {
                Shape::ThereAndBack => assert!(apart_m > 10_000.0, "{name}"),
                Shape::Ring => assert!((50.0..1000.0).contains(&apart_m), "{name}"),
            }
        }
    }

    #[test]
    fn roads_are_dense_smooth_and_not_too_steep() {
        for profile in demo_fleet() {
            let name = profile.route.name;
            for pair in profile.route.waypoints.windows(2) {
                let gap_m = pair[0].point.distance_m(pair[1].point);
                assert!((100.0..5000.0).contains(&gap_m), "{name}: {gap_m} m after {:?}", pair[0].point);
            }
            let route = Route::new(profile.route);
            let mut at_m = 0.0;
            while at_m < route.length_m() {
                let (here, next) = (route.spot(at_m), route.spot(at_m + 20.0));
                assert!(here.slope.abs() < 0.16, "{name}: {} at {:?}", here.slope, here.point);
                let turn = (next.heading_deg - here.heading_deg + 540.0).rem_euclid(360.0) - 180.0;
                assert!(turn.abs() < 50.0 || turn.abs() > 170.0, "{name}: {turn} degrees at {:?}", here.point);
                at_m += 20.0;
            }
        }
    }

    #[test]
    fn no_road_but_a_bridge_crosses_the_lake() {
        // Corners of Lake Geneva a few hundred metres off its shore.
        let lake = [
            (46.225, 6.160),
            (46.290, 6.185),
            (46.360, 6.225),
            (46.400, 6.270),
            (46.455, 6.360),
            (46.475, 6.440),
            (46.500, 6.520),
            (46.505, 6.600),
            (46.500, 6.660),
            (46.480, 6.740),
            (46.455, 6.820),
            (46.420, 6.890),
            (46.400, 6.880),
            (46.400, 6.800),
            (46.410, 6.700),
            (46.407, 6.600),
            (46.412, 6.520),
            (46.385, 6.470),
            (46.360, 6.420),
            (46.375, 6.360),
            (46.350, 6.290),
            (46.290, 6.230),
            (46.230, 6.175),
        ];
        let afloat = |lat: f64, lon: f64| {
            let crossings = (0..lake.len())
                .filter(|&i| {
                    let ((a_lat, a_lon), (b_lat, b_lon)) = (lake[i], lake[(i + 1) % lake.len()]);
                    (a_lat > lat) != (b_lat > lat) && lon < (b_lon - a_lon) * (lat - a_lat) / (b_lat - a_lat) + a_lon
                })
                .count();
            crossings % 2 == 1
        };
        assert!(afloat(46.45, 6.60) && !afloat(46.52, 6.63));
        for profile in demo_fleet() {
            for point in Route::new(profile.route).points() {
                assert!(!afloat(point.lat, point.lon), "{}: {point:?}", profile.route.name);
            }
        }
    }
}

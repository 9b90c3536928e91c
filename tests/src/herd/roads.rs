use bugbrother_wire::{
    UnixMs, Vin,
    live::{Change, LiveVehicle},
    message::Presence,
};

/// Circles on which vehicles drive, with 50 km/h.
#[derive(Debug, Clone, Copy)]
pub struct Roads {
    vehicles: usize,
    middle: (f64, f64),
    /// Side of the square with the circles' middles, in degrees of latitude.
    side: f64,
}

/// Turns of a vehicle: how many take a second of driving each.
const TURNS: usize = 10;
const KMH: f64 = 50.0;
/// Radius of a circle, in metres.
const RADIUS_M: f64 = 400.0;
const METRES_PER_DEGREE: f64 = 111_320.0;

impl Roads {
    /// So many vehicles all over a country.
    pub fn in_a_country(vehicles: usize) -> Self {
        Roads { vehicles, middle: (47.0, 3.0), side: 7.0 }
    }

    /// So many vehicles in one town.
    pub fn in_a_town(vehicles: usize) -> Self {
        Roads { vehicles, middle: (48.8566, 2.3522), side: 0.16 }
    }

    /// Latitude and longitude in the middle of them.
    pub fn middle(&self) -> (f64, f64) {
        self.middle
    }

    /// All vehicles.
    pub(super) fn all(&self, now: UnixMs) -> impl Iterator<Item = LiveVehicle> {
        (0..self.vehicles).map(move |number| LiveVehicle {
            n: number as u32,
            vin: vin(number),
            name: format!("Vehicle {number}"),
            plate: None,
            client: None,
            presence: Presence::Online,
            source_ts: now,
            received_ts: now,
            values: self.values(number, now).into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        })
    }

    /// The vehicles whose turn it is: each once a second.
    pub(super) fn turn(&self, turn: usize, now: UnixMs) -> impl Iterator<Item = (Vin, Change)> {
        (turn % TURNS..self.vehicles).step_by(TURNS).map(move |number| {
            let values = self.values(number, now).map(|(key, value)| (key.to_owned(), value));
            (vin(number), Change(number as u32, Presence::Online, now, now, values.into()))
        })
    }

    /// Where a vehicle is and how fast.
    pub fn values(&self, number: usize, now: UnixMs) -> [(&'static str, f64); 5] {
        // Spread evenly, and the same at each run: multiples of the golden ratio and of the root of two.
        let place = |step: f64| (number as f64 * step).fract() - 0.5;
        let middle =
            (self.middle.0 + place(0.618_033_988_75) * self.side, place(std::f64::consts::SQRT_2) * self.side * 1.4);
        let narrowing = middle.0.to_radians().cos();
        let angle = number as f64 + now as f64 / 1000.0 * (KMH / 3.6) / RADIUS_M;
        let degrees = RADIUS_M / METRES_PER_DEGREE;
        let lat = middle.0 + angle.cos() * degrees;
        let lon = self.middle.1 + middle.1 + angle.sin() * degrees / narrowing;
        let heading = (angle.to_degrees() + 90.0).rem_euclid(360.0);
        let micro = |value: f64| (value * 1e6).round() / 1e6;
        [("lat", micro(lat)), ("lon", micro(lon)), ("hdg", heading.round()), ("spd", KMH), ("rpm", 1_800.0)]
    }
}

/// The identification of a vehicle of a herd, by its number below a million.
pub fn vin(number: usize) -> Vin {
    format!("WVWZZZ1JZ3W{number:06}").parse().expect("the form of a VIN")
}

//! The car: one model of everything that its sensors tell.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    driver::{Driver, Phase, View},
    engine::{Demand, Engine, Fuel, Surroundings},
    fleet::{Profile, Trouble},
    geo::Point,
    noise::{Drift, normal},
    route::{Halt, Route},
};

/// Longest step of the integration.
const STEP_S: f64 = 0.1;
const GRAVITY: f64 = 9.81;
/// Air temperature at 400 m.
const AMBIENT_C: f64 = 14.0;
/// How long the starter pulls the battery down.
const CRANKING_S: f64 = 0.8;
/// How long a car is in the workshop.
const WORKSHOP_S: f64 = 24.0 * 3600.0;
/// What a pump gives, in litres per second.
const PUMP_LPS: f64 = 0.6;

/// What the car's sensors would tell at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// True position, without a receiver's error.
    pub point: Point,
    /// Metres above the sea.
    pub alt_m: f64,
    /// Degrees clockwise from north.
    pub heading_deg: f64,
    /// Road speed.
    pub speed_kmh: f64,
    /// Whether the ECUs are awake.
    pub ignition: bool,
    /// Whether the engine turns.
    pub running: bool,
    /// Engine speed.
    pub rpm: f64,
    /// Gear, the first being 1.
    pub gear: u8,
    /// Calculated load.
    pub load_percent: f64,
    /// Throttle position.
    pub throttle_percent: f64,
    /// Manifold pressure.
    pub map_kpa: f64,
    /// Air flow.
    pub maf_gps: f64,
    /// Coolant.
    pub coolant_c: f64,
    /// Oil.
    pub oil_c: f64,
    /// Air in the intake.
    pub intake_c: f64,
    /// Air outside.
    pub ambient_c: f64,
    /// Air pressure outside.
    pub baro_kpa: f64,
    /// Short-term fuel trim.
    pub short_trim_percent: f64,
    /// Long-term fuel trim.
    pub long_trim_percent: f64,
    /// Ignition timing before top dead centre.
    pub timing_deg: f64,
    /// Fuel burnt per hour.
    pub fuel_lph: f64,
    /// Fuel in the tank.
    pub fuel_percent: f64,
    /// At the battery's poles.
    pub voltage: f64,
    /// Since the engine was started.
    pub run_s: f64,
    /// Whole life.
    pub odometer_km: f64,
    /// Since the lamp is on.
    pub mil_km: f64,
}

/// A car on its way. Deterministic: the same profile and the same steps give the same drive.
#[derive(Debug, Clone)]
pub struct Car {
    profile: Profile,
    route: Route,
    rng: StdRng,
    driver: Driver,
    engine: Engine,
    ignition: bool,
    in_workshop: bool,
    /// Along the route, counting on over the laps.
    path_m: f64,
    speed_mps: f64,
    coolant_c: f64,
    oil_c: f64,
    intake_c: f64,
    fuel_l: f64,
    driven_m: f64,
    mil_m: f64,
    since_off_s: f64,
    jitter_rpm: f64,
    trim: Drift,
    stored: Vec<u16>,
    pending: Vec<u16>,
    frozen: Option<Reading>,
}

impl Car {
    /// The car of that profile, cold, at its start.
    pub fn new(profile: &Profile) -> Self {
        let route = Route::new(profile.route);
        let mut rng = StdRng::seed_from_u64(profile.seed);
        let path_m = route.length_m() * profile.start;
        let stands = profile.parked || profile.in_workshop;
        let mut driver = Driver::new(profile.style, &route, path_m, stands, &mut rng);
        if profile.in_workshop {
            driver.phase = Phase::Halted { halt: Halt::Parking, left_s: WORKSHOP_S };
        }
        let Trouble { stored, pending, .. } = profile.trouble;
        let mut car = Car {
            profile: *profile,
            driver,
            engine: Engine::stopped(baro_kpa(route.spot(path_m).alt_m)),
            ignition: !profile.parked,
            in_workshop: profile.in_workshop,
            path_m,
            speed_mps: 0.0,
            coolant_c: AMBIENT_C,
            oil_c: AMBIENT_C,
            intake_c: AMBIENT_C,
            fuel_l: profile.drivetrain.tank_l * profile.fuel,
            driven_m: 0.0,
            mil_m: if stored.is_empty() { 0.0 } else { 212_000.0 },
            since_off_s: 0.0,
            jitter_rpm: 0.0,
            trim: Drift::new(2.0, 3.0, &mut rng),
            stored: stored.to_vec(),
            pending: pending.to_vec(),
            frozen: None,
            route,
            rng,
        };
        if !stored.is_empty() {
            car.frozen = Some(misfire(car.reading()));
        }
        car
    }

    /// Whose car it is.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Moves on by `dt`.
    pub fn step(&mut self, dt: Duration) {
        let total_s = dt.as_secs_f64();
        let steps = (total_s / STEP_S).ceil();
        for _ in 0..steps as u64 {
            self.advance(total_s / steps);
        }
    }

    /// What the sensors tell now.
    pub fn reading(&self) -> Reading {
        let spot = self.route.spot(self.path_m);
        let engine = &self.engine;
        let petrol = self.profile.drivetrain.fuel == Fuel::Petrol;
        let lean = if self.pending.contains(&0x0171) { 11.0 } else { 1.5 };
        Reading {
            point: spot.point,
            alt_m: spot.alt_m,
            heading_deg: spot.heading_deg,
            speed_kmh: self.speed_mps * 3.6,
            ignition: self.ignition,
            running: engine.running,
            rpm: if engine.running { (engine.rpm + self.jitter_rpm).max(0.0) } else { 0.0 },
            gear: engine.gear as u8 + 1,
            load_percent: engine.load_percent,
            throttle_percent: engine.throttle_percent,
            map_kpa: engine.map_kpa,
            maf_gps: engine.maf_gps,
            coolant_c: self.coolant_c,
            oil_c: self.oil_c,
            intake_c: self.intake_c,
            ambient_c: ambient_c(spot.alt_m),
            baro_kpa: baro_kpa(spot.alt_m),
            short_trim_percent: if petrol { self.trim.value } else { 0.0 },
            long_trim_percent: if petrol { lean } else { 0.0 },
            timing_deg: if engine.running { 32.0 - 0.24 * engine.load_percent } else { 0.0 },
            fuel_lph: engine.fuel_lph,
            fuel_percent: self.fuel_l / self.profile.drivetrain.tank_l * 100.0,
            voltage: self.voltage(),
            run_s: engine.since_start_s,
            odometer_km: self.profile.odometer_km + self.driven_m / 1000.0,
            mil_km: self.mil_m / 1000.0,
        }
    }

    /// Stored trouble codes, which light the lamp.
    pub fn stored_codes(&self) -> &[u16] {
        &self.stored
    }

    /// Pending trouble codes.
    pub fn pending_codes(&self) -> &[u16] {
        &self.pending
    }

    /// Trouble codes that only the car itself takes away.
    pub fn permanent_codes(&self) -> &[u16] {
        self.profile.trouble.permanent
    }

    /// What the sensors told when the first stored code was set.
    pub fn freeze_frame(&self) -> Option<&Reading> {
        self.frozen.as_ref()
    }

    /// What mode 04 does: codes and freeze frame go, and the lamp with them.
    pub fn clear_codes(&mut self) {
        self.stored.clear();
        self.pending.clear();
        self.frozen = None;
        self.mil_m = 0.0;
    }

    /// Whether the car is being filled at a station.
    pub fn is_refuelling(&self) -> bool {
        matches!(self.driver.phase, Phase::Halted { halt: Halt::Station, .. })
    }

    fn advance(&mut self, dt: f64) {
        let train = self.profile.drivetrain;
        let view = View {
            route: &self.route,
            path_m: self.path_m,
            speed_mps: self.speed_mps,
            tank: self.fuel_l / train.tank_l,
        };
        let wanted = self.driver.decide(&view, dt, &mut self.rng);
        let spot = self.route.spot(self.path_m);
        self.turn_key(baro_kpa(spot.alt_m));

        let resistance = GRAVITY * train.mass_kg * (train.rolling + spot.slope)
            + 0.5 * 1.2 * train.drag_area_m2 * self.speed_mps.powi(2);
        let moving = self.driver.phase == Phase::Driving;
        let mut force_n = 0.0;
        if self.engine.running {
            let demand = Demand {
                speed_mps: self.speed_mps,
                force_n: if moving { train.mass_kg * wanted + resistance } else { 0.0 },
            };
            let around =
                Surroundings { baro_kpa: baro_kpa(spot.alt_m), intake_c: self.intake_c, coolant_c: self.coolant_c };
            force_n = self.engine.drive(train, self.profile.style, around, demand, dt);
        }
        // The brakes do what engine and road do not: the driver gets the slowing that is wanted, no more.
        let rolls_at = (force_n - resistance) / train.mass_kg;
        let acceleration = rolls_at.min(wanted);
        self.speed_mps = if moving { (self.speed_mps + acceleration * dt).max(0.0) } else { 0.0 };
        self.path_m += self.speed_mps * dt;
        self.driven_m += self.speed_mps * dt;
        if !self.stored.is_empty() {
            self.mil_m += self.speed_mps * dt;
        }
        self.fuel_l = (self.fuel_l - self.engine.fuel_lph / 3600.0 * dt).max(0.0);
        if self.is_refuelling() {
            self.fuel_l = (self.fuel_l + PUMP_LPS * dt).min(train.tank_l);
        }
        self.trim.step(dt, &mut self.rng);
        self.jitter_rpm += (normal(&mut self.rng) * 14.0 - self.jitter_rpm) * (dt / 0.5);
        self.warm(ambient_c(spot.alt_m), dt);
        self.since_off_s = if self.engine.running { 0.0 } else { self.since_off_s + dt };
    }

    /// Ignition and engine follow what the driver is about.
    fn turn_key(&mut self, baro_kpa: f64) {
        match self.driver.phase {
            Phase::Driving | Phase::Leaving { .. } => {
                (self.ignition, self.in_workshop) = (true, false);
                if !self.engine.running {
                    self.engine.start();
                }
            }
            Phase::Halted { halt: Halt::Light, .. } => {
                if self.engine.running && self.profile.drivetrain.stop_start && self.coolant_c > 60.0 {
                    self.engine.pause(baro_kpa);
                }
            }
            Phase::Halted { .. } if self.ignition && !self.in_workshop => {
                self.ignition = false;
                self.engine.stop(baro_kpa);
            }
            Phase::Halted { .. } => {}
        }
    }

    /// Heat from the engine to coolant, oil, air: a thermostat that opens from 86 °C keeps it near 90 °C.
    fn warm(&mut self, ambient_c: f64, dt: f64) {
        const HEAT_CAPACITY_J: f64 = 62_000.0;
        const BLOCK_W_PER_K: f64 = 16.0;
        let over = self.coolant_c - ambient_c;
        let opened = ((self.coolant_c - 86.0) / 10.0).clamp(0.0, 1.0);
        let radiator = if self.engine.running { opened * (500.0 + 40.0 * self.speed_mps) } else { 0.0 };
        let heat = self.engine.heat_w(self.profile.drivetrain);
        self.coolant_c += (heat - (BLOCK_W_PER_K + radiator) * over) / HEAT_CAPACITY_J * dt;
        let load = if self.engine.running { self.engine.load_percent } else { 0.0 };
        self.oil_c += (self.coolant_c + 0.22 * load - 4.0 - self.oil_c) / 260.0 * dt;
        // A slow car breathes the air that its own engine has warmed.
        let soaked = 3.0 + 0.25 * over.max(0.0) / (1.0 + self.speed_mps / 4.0);
        self.intake_c += (ambient_c + soaked - self.intake_c) / 70.0 * dt;
    }

    fn voltage(&self) -> f64 {
        let ripple = self.jitter_rpm / 14.0 * 0.03;
        if self.in_workshop {
            13.6 + ripple
        } else if !self.engine.running {
            // The surface charge goes in the first minutes.
            12.45 + 0.35 * (-self.since_off_s / 200.0).exp() + ripple
        } else if self.engine.since_start_s < CRANKING_S {
            10.6 + ripple
        } else {
            14.2 - 0.1 * (self.engine.load_percent / 100.0) + ripple
        }
    }

    /// A generator for what hangs on the car's randomness, such as its receiver.
    pub(crate) fn fork_rng(&self) -> StdRng {
        StdRng::seed_from_u64(self.rng.clone().random())
    }
}

/// Freeze frame of a misfire under load.
fn misfire(at: Reading) -> Reading {
    Reading {
        speed_kmh: 87.0,
        ignition: true,
        running: true,
        rpm: 2480.0,
        gear: 4,
        load_percent: 71.0,
        throttle_percent: 46.0,
        map_kpa: 84.0,
        maf_gps: 31.4,
        coolant_c: 91.0,
        intake_c: 24.0,
        run_s: 1312.0,
        ..at
    }
}

/// The standard atmosphere.
fn baro_kpa(alt_m: f64) -> f64 {
    101.325 * (1.0 - 2.255_77e-5 * alt_m).powf(5.255_88)
}

fn ambient_c(alt_m: f64) -> f64 {
    AMBIENT_C - 0.0065 * (alt_m - 400.0)
}

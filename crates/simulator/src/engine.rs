//! Engine and gears: which force the wheels get, what it costs, and what the engine's sensors tell meanwhile.

use crate::fleet::Style;

/// What the engine burns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fuel {
    /// Burnt with as much air as it needs: fuel follows the air.
    Petrol,
    /// Burnt in plenty of air: fuel follows the work.
    Diesel,
}

/// Engine, gears and body of a car.
#[derive(Debug, Clone, Copy)]
pub struct Drivetrain {
    /// What it burns.
    pub fuel: Fuel,
    /// Volume of the cylinders.
    pub displacement_l: f64,
    /// Greatest torque.
    pub torque_nm: f64,
    /// Engine speed from which that torque is there.
    pub torque_rpm: f64,
    /// Greatest power.
    pub power_kw: f64,
    /// Engine speed at rest, warm.
    pub idle_rpm: f64,
    /// Highest engine speed.
    pub redline_rpm: f64,
    /// Engine speed per m/s of road speed in each gear, first gear first.
    pub gears: &'static [f64],
    /// Mass with its load.
    pub mass_kg: f64,
    /// Drag coefficient times frontal area.
    pub drag_area_m2: f64,
    /// Coefficient of rolling resistance.
    pub rolling: f64,
    /// What the tank holds.
    pub tank_l: f64,
    /// Whether the engine stops by itself at red lights.
    pub stop_start: bool,
    /// Whether an automatic gearbox with an ECU of its own answers on the bus.
    pub automatic: bool,
}

/// A loaded delivery van.
pub static DIESEL_VAN: Drivetrain = Drivetrain {
    fuel: Fuel::Diesel,
    displacement_l: 2.3,
    torque_nm: 360.0,
    torque_rpm: 1500.0,
    power_kw: 107.0,
    idle_rpm: 800.0,
    redline_rpm: 4500.0,
    gears: &[460.0, 245.0, 155.0, 108.0, 82.0, 67.0],
    mass_kg: 2600.0,
    drag_area_m2: 1.75,
    rolling: 0.011,
    tank_l: 80.0,
    stop_start: false,
    automatic: false,
};

/// A saloon with a nine-speed automatic.
pub static DIESEL_SALOON: Drivetrain = Drivetrain {
    fuel: Fuel::Diesel,
    displacement_l: 1.95,
    torque_nm: 400.0,
    torque_rpm: 1600.0,
    power_kw: 143.0,
    idle_rpm: 700.0,
    redline_rpm: 4600.0,
    gears: &[400.0, 250.0, 170.0, 125.0, 98.0, 78.0, 65.0, 57.0, 50.0],
    mass_kg: 1850.0,
    drag_area_m2: 0.60,
    rolling: 0.010,
    tank_l: 66.0,
    stop_start: true,
    automatic: true,
};

/// A fast estate.
pub static PETROL_ESTATE: Drivetrain = Drivetrain {
    fuel: Fuel::Petrol,
    displacement_l: 1.98,
    torque_nm: 320.0,
    torque_rpm: 1600.0,
    power_kw: 140.0,
    idle_rpm: 760.0,
    redline_rpm: 6500.0,
    gears: &[420.0, 250.0, 165.0, 120.0, 92.0, 75.0],
    mass_kg: 1550.0,
    drag_area_m2: 0.68,
    rolling: 0.010,
    tank_l: 50.0,
    stop_start: true,
    automatic: false,
};

/// A compact car with a small turbocharged engine.
pub static PETROL_COMPACT: Drivetrain = Drivetrain {
    fuel: Fuel::Petrol,
    displacement_l: 1.3,
    torque_nm: 215.0,
    torque_rpm: 1700.0,
    power_kw: 93.0,
    idle_rpm: 780.0,
    redline_rpm: 6200.0,
    gears: &[430.0, 240.0, 160.0, 118.0, 94.0, 79.0],
    mass_kg: 1380.0,
    drag_area_m2: 0.65,
    rolling: 0.010,
    tank_l: 52.0,
    stop_start: false,
    automatic: false,
};

/// A small car for the town.
pub static PETROL_SMALL: Drivetrain = Drivetrain {
    fuel: Fuel::Petrol,
    displacement_l: 1.25,
    torque_nm: 115.0,
    torque_rpm: 3000.0,
    power_kw: 60.0,
    idle_rpm: 820.0,
    redline_rpm: 6000.0,
    gears: &[460.0, 255.0, 175.0, 130.0, 103.0],
    mass_kg: 1120.0,
    drag_area_m2: 0.66,
    rolling: 0.011,
    tank_l: 40.0,
    stop_start: false,
    automatic: false,
};

/// Share of the engine's work that reaches the road.
const GEARING_EFFICIENCY: f64 = 0.92;
/// Shortest time between two shifts.
const SHIFT_PAUSE_S: f64 = 1.2;
const SECONDS_PER_HOUR: f64 = 3600.0;

impl Drivetrain {
    /// Torque that the engine can give at an engine speed.
    fn full_torque_nm(&self, rpm: f64) -> f64 {
        let rise = (rpm - self.idle_rpm) / (self.torque_rpm - self.idle_rpm);
        let turbo = self.torque_nm * (0.5 + 0.5 * rise.clamp(0.0, 1.0));
        turbo.min(self.power_kw * 1000.0 / angular(rpm))
    }

    /// Torque that the engine spends on itself.
    fn friction_nm(&self, rpm: f64) -> f64 {
        self.displacement_l * (8.0 + 5.0 * rpm / self.redline_rpm)
    }

    /// Joules in a litre, and grams in a litre.
    fn energy_and_density(&self) -> (f64, f64) {
        match self.fuel {
            Fuel::Petrol => (32.0e6, 745.0),
            Fuel::Diesel => (35.9e6, 835.0),
        }
    }
}

fn angular(rpm: f64) -> f64 {
    rpm * std::f64::consts::TAU / 60.0
}

/// What surrounds the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings {
    pub baro_kpa: f64,
    pub intake_c: f64,
    pub coolant_c: f64,
}

/// What the driver asks of the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub speed_mps: f64,
    /// At the wheels.
    pub force_n: f64,
}

impl Demand {
    /// Share of the engine's power that the force takes.
    fn effort(self, train: &Drivetrain) -> f64 {
        (self.force_n * self.speed_mps.max(2.0) / (train.power_kw * 1000.0)).clamp(0.0, 1.0)
    }
}

/// The engine and its gears at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Engine {
    pub running: bool,
    pub rpm: f64,
    /// Index into the gears.
    pub gear: usize,
    pub load_percent: f64,
    pub throttle_percent: f64,
    pub map_kpa: f64,
    pub maf_gps: f64,
    pub fuel_lph: f64,
    pub since_start_s: f64,
    since_shift_s: f64,
}

impl Engine {
    pub fn stopped(baro_kpa: f64) -> Self {
        Engine {
            running: false,
            rpm: 0.0,
            gear: 0,
            load_percent: 0.0,
            throttle_percent: 0.0,
            map_kpa: baro_kpa,
            maf_gps: 0.0,
            fuel_lph: 0.0,
            since_start_s: 0.0,
            since_shift_s: 0.0,
        }
    }

    pub fn start(&mut self) {
        self.running = true;
        self.gear = 0;
    }

    pub fn stop(&mut self, baro_kpa: f64) {
        *self = Engine::stopped(baro_kpa);
    }

    /// Stop-start: the engine stands, its run time stays.
    pub fn pause(&mut self, baro_kpa: f64) {
        *self = Engine { since_start_s: self.since_start_s, ..Engine::stopped(baro_kpa) };
    }

    /// Power that becomes heat in the engine's block, in watts.
    pub fn heat_w(&self, train: &Drivetrain) -> f64 {
        self.fuel_lph / SECONDS_PER_HOUR * train.energy_and_density().0 * 0.28
    }

    /// Lets the engine work for `dt` seconds towards the wanted force at the wheels, and returns the force that comes;
    /// a negative one is the engine's own drag.
    pub fn drive(&mut self, train: &Drivetrain, style: Style, around: Surroundings, demand: Demand, dt: f64) -> f64 {
        let Demand { speed_mps, force_n } = demand;
        self.since_start_s += dt;
        self.since_shift_s += dt;
        let effort = demand.effort(train);
        self.shift(train, style, speed_mps, effort);

        let ratio = train.gears[self.gear];
        // Cold engines idle faster; below idle speed the clutch slips.
        let idle = train.idle_rpm * (1.0 + 0.25 * ((60.0 - around.coolant_c) / 80.0).clamp(0.0, 1.0));
        let slipping = if force_n > 0.0 { idle * (1.0 + 0.6 * effort) } else { idle };
        let target = (speed_mps * ratio).max(slipping).min(train.redline_rpm);
        self.rpm += (target - self.rpm) * (dt / 0.25).min(1.0);
        self.rpm = self.rpm.clamp(0.0, train.redline_rpm);

        let per_nm = GEARING_EFFICIENCY * ratio * std::f64::consts::TAU / 60.0;
        let (full, friction) = (train.full_torque_nm(self.rpm.max(idle)), train.friction_nm(self.rpm));
        let torque = (force_n / per_nm).min(full);
        let pulls = torque > 0.0;
        let coasting = !pulls && speed_mps * ratio > idle * 1.3;
        // What the cylinders do beside pulling: their own friction and the alternator, or nothing when coasting.
        let own = if coasting { 0.0 } else { friction + 6.0 };
        self.breathe(train, around, (torque.max(0.0) + own) / (full + friction + 6.0));
        self.burn(train, torque.max(0.0) + own, coasting);
        if pulls {
            torque * per_nm
        } else if coasting {
            -friction * per_nm
        } else {
            0.0
        }
    }

    fn shift(&mut self, train: &Drivetrain, style: Style, speed_mps: f64, effort: f64) {
        if speed_mps < 1.0 {
            self.gear = 0;
            return;
        }
        if self.since_shift_s < SHIFT_PAUSE_S {
            return;
        }
        let zeal = match style {
            Style::Calm => 0.55,
            Style::Brisk => 0.75,
            Style::Hasty => 1.0,
        };
        let (idle, redline) = (train.idle_rpm, train.redline_rpm);
        let up = idle * 2.3 + (redline * 0.9 - idle * 2.3) * effort * zeal;
        let down = idle * 1.45 + (redline * 0.45 - idle * 1.45) * effort * zeal;
        let rpm_in = |gear: usize| speed_mps * train.gears[gear];
        let gear = self.gear;
        if gear + 1 < train.gears.len() && rpm_in(gear) > up && rpm_in(gear + 1) > idle * 1.3 {
            self.gear += 1;
        } else if gear > 0 && rpm_in(gear) < down.min(up * 0.6) && rpm_in(gear - 1) < redline * 0.85 {
            self.gear -= 1;
        } else {
            return;
        }
        self.since_shift_s = 0.0;
    }

    /// Air, by speed and density (the ideal gas law over the swept volume).
    fn breathe(&mut self, train: &Drivetrain, around: Surroundings, filling: f64) {
        const MOLAR_MASS_AIR: f64 = 28.97;
        const GAS_CONSTANT: f64 = 8.314;
        let filling = filling.clamp(0.0, 1.0);
        self.load_percent = filling * 100.0;
        let boost_kpa = 75.0;
        (self.map_kpa, self.throttle_percent) = match train.fuel {
            Fuel::Petrol => (
                (22.0 + filling * (around.baro_kpa - 22.0 + 0.4 * boost_kpa)).min(220.0),
                13.0 + 75.0 * filling.powf(1.3),
            ),
            Fuel::Diesel => (around.baro_kpa + boost_kpa * 1.4 * filling.powf(1.5), 8.0 + 82.0 * filling),
        };
        let kelvin = around.intake_c + 273.15;
        let volumetric_efficiency = 0.82;
        self.maf_gps = self.rpm * self.map_kpa * train.displacement_l * volumetric_efficiency * MOLAR_MASS_AIR
            / (120.0 * GAS_CONSTANT * kelvin);
    }

    fn burn(&mut self, train: &Drivetrain, torque_nm: f64, coasting: bool) {
        let (joules_per_l, grams_per_l) = train.energy_and_density();
        self.fuel_lph = match train.fuel {
            _ if coasting => 0.0,
            // Stoichiometric: 14.7 parts of air to one of petrol.
            Fuel::Petrol => self.maf_gps / 14.7 / grams_per_l * SECONDS_PER_HOUR,
            Fuel::Diesel => {
                let thermal_efficiency = 0.43;
                torque_nm * angular(self.rpm) / thermal_efficiency / joules_per_l * SECONDS_PER_HOUR
            }
        };
    }
}

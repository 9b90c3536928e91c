//! The catalogue of signals.
//!
//! A signal's short key is its column name in telemetry. Its path is the one of COVESA VSS 6 where VSS has the signal.
//! Sensors of a vehicle's own (an Arduino's) use keys outside the catalogue, by custom with a prefix `x.`.

use std::{collections::HashMap, sync::LazyLock};

/// What is known of a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Short key.
    pub key: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// COVESA VSS path, where VSS has the signal.
    pub vss: Option<&'static str>,
    /// Unit, as VSS names it; empty for a bare number.
    pub unit: &'static str,
    /// Lowest value that a working sensor tells.
    pub min: f64,
    /// Highest value that a working sensor tells.
    pub max: f64,
    /// OBD-II mode 01 parameter (SAE J1979), where there is one. A parameter may tell several signals.
    pub pid: Option<u8>,
}

impl Signal {
    /// Whether a working sensor could have told `value`.
    pub fn is_plausible(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// The signal with that key.
pub fn find(key: &str) -> Option<&'static Signal> {
    static BY_KEY: LazyLock<HashMap<&str, &Signal>> =
        LazyLock::new(|| CATALOGUE.iter().map(|signal| (signal.key, signal)).collect());
    BY_KEY.get(key).copied()
}

/// The signals that OBD-II mode 01 tells with that PID.
pub fn by_pid(pid: u8) -> impl Iterator<Item = &'static Signal> {
    CATALOGUE.iter().filter(move |signal| signal.pid == Some(pid))
}

macro_rules! catalogue {
    ($($key:literal $label:literal $vss:expr, $unit:literal $min:literal .. $max:literal $pid:expr;)*) => {
        /// Every signal with a fixed meaning. Units never change.
        pub const CATALOGUE: &[Signal] = &[
            $(Signal { key: $key, label: $label, vss: $vss, unit: $unit, min: $min, max: $max, pid: $pid },)*
        ];
    };
}

catalogue! {
    // Position, from the GNSS receiver
    "lat"   "Latitude"                Some("Vehicle.CurrentLocation.Latitude"), "degrees" -90.0 .. 90.0 None;
    "lon"   "Longitude"               Some("Vehicle.CurrentLocation.Longitude"), "degrees" -180.0 .. 180.0 None;
    "alt"   "Altitude"                Some("Vehicle.CurrentLocation.Altitude"), "m" -500.0 .. 9000.0 None;
    "hdg"   "Heading"                 Some("Vehicle.CurrentLocation.Heading"), "degrees" 0.0 .. 360.0 None;
    "gspd"  "Speed over ground"       None, "km/h" 0.0 .. 400.0 None;
    "hdop"  "Dilution of precision"   None, "" 0.0 .. 100.0 None;
    "sats"  "Satellites used"         None, "" 0.0 .. 99.0 None;
    // Driving
    "spd"   "Speed"                   Some("Vehicle.Speed"), "km/h" 0.0 .. 400.0 Some(0x0D);
    "odo"   "Odometer"                Some("Vehicle.TraveledDistance"), "km" 0.0 .. 4_294_967_295.0 Some(0xA6);
    "ign"   "Ignition"                None, "" 0.0 .. 1.0 None;
    "ax"    "Acceleration, forward"   Some("Vehicle.Acceleration.Longitudinal"), "m/s^2" -200.0 .. 200.0 None;
    "ay"    "Acceleration, sideways"  Some("Vehicle.Acceleration.Lateral"), "m/s^2" -200.0 .. 200.0 None;
    "az"    "Acceleration, upward"    Some("Vehicle.Acceleration.Vertical"), "m/s^2" -200.0 .. 200.0 None;
    // Engine
    "rpm"   "Engine speed"            Some("Vehicle.Powertrain.CombustionEngine.Speed"), "rpm" 0.0 .. 16_384.0 Some(0x0C);
    "load"  "Engine load"             Some("Vehicle.OBD.EngineLoad"), "percent" 0.0 .. 100.0 Some(0x04);
    "ect"   "Coolant temperature"     Some("Vehicle.OBD.CoolantTemperature"), "celsius" -40.0 .. 215.0 Some(0x05);
    "oil"   "Oil temperature"         Some("Vehicle.OBD.OilTemperature"), "celsius" -40.0 .. 210.0 Some(0x5C);
    "iat"   "Intake air temperature"  Some("Vehicle.OBD.IntakeTemp"), "celsius" -40.0 .. 215.0 Some(0x0F);
    "map"   "Intake manifold pressure" Some("Vehicle.OBD.MAP"), "kPa" 0.0 .. 1000.0 Some(0x0B);
    "maf"   "Air flow"                Some("Vehicle.OBD.MAF"), "g/s" 0.0 .. 2550.0 Some(0x10);
    "thr"   "Throttle position"       Some("Vehicle.OBD.ThrottlePosition"), "percent" 0.0 .. 100.0 Some(0x11);
    "timing" "Timing advance"         Some("Vehicle.OBD.TimingAdvance"), "degrees" -64.0 .. 64.0 Some(0x0E);
    "stft"  "Short-term fuel trim"    Some("Vehicle.OBD.ShortTermFuelTrim1"), "percent" -100.0 .. 100.0 Some(0x06);
    "ltft"  "Long-term fuel trim"     Some("Vehicle.OBD.LongTermFuelTrim1"), "percent" -100.0 .. 100.0 Some(0x07);
    "run"   "Time since engine start" Some("Vehicle.OBD.RunTime"), "s" 0.0 .. 65_535.0 Some(0x1F);
    "baro"  "Barometric pressure"     Some("Vehicle.OBD.BarometricPressure"), "kPa" 0.0 .. 255.0 Some(0x33);
    "oat"   "Outside temperature"     Some("Vehicle.OBD.AmbientAirTemperature"), "celsius" -40.0 .. 215.0 Some(0x46);
    // Energy
    "fuel"  "Fuel level"              Some("Vehicle.OBD.FuelLevel"), "percent" 0.0 .. 100.0 Some(0x2F);
    "frate" "Fuel rate"               Some("Vehicle.OBD.FuelRate"), "l/h" 0.0 .. 3277.0 Some(0x5E);
    "vbat"  "Battery voltage"         Some("Vehicle.LowVoltageBattery.CurrentVoltage"), "V" 0.0 .. 65.6 Some(0x42);
    "soc"   "Traction battery charge" Some("Vehicle.Powertrain.TractionBattery.StateOfCharge.Current"), "percent" 0.0 .. 100.0 Some(0x5B);
    // Trouble
    "mild"  "Distance with lamp on"   Some("Vehicle.OBD.DistanceWithMIL"), "km" 0.0 .. 65_535.0 Some(0x21);
    "dtcs"  "Stored trouble codes"    None, "" 0.0 .. 127.0 None;

    // What else SAE J1979 has, in the order of its PIDs: docs/signals.md has the formulas and what codes mean.
    // PIDs 01 to 20
    "fuelsys1" "Fuel system 1 status" None, "" 0.0 .. 128.0 Some(0x03);
    "fuelsys2" "Fuel system 2 status" None, "" 0.0 .. 128.0 Some(0x03);
    "stft3" "Short-term fuel trim, bank 3" None, "percent" -100.0 .. 100.0 Some(0x06);
    "ltft3" "Long-term fuel trim, bank 3" None, "percent" -100.0 .. 100.0 Some(0x07);
    "stft2" "Short-term fuel trim, bank 2" Some("Vehicle.OBD.ShortTermFuelTrim2"), "percent" -100.0 .. 100.0 Some(0x08);
    "stft4" "Short-term fuel trim, bank 4" None, "percent" -100.0 .. 100.0 Some(0x08);
    "ltft2" "Long-term fuel trim, bank 2" Some("Vehicle.OBD.LongTermFuelTrim2"), "percent" -100.0 .. 100.0 Some(0x09);
    "ltft4" "Long-term fuel trim, bank 4" None, "percent" -100.0 .. 100.0 Some(0x09);
    "fp" "Fuel pressure" Some("Vehicle.OBD.FuelPressure"), "kPa" 0.0 .. 765.0 Some(0x0A);
    "air" "Secondary air status" None, "" 0.0 .. 8.0 Some(0x12);
    "o2.1.v" "Oxygen sensor 1, voltage" Some("Vehicle.OBD.O2.Sensor1.Voltage"), "V" 0.0 .. 1.275 Some(0x14);
    "o2.1.trim" "Oxygen sensor 1, short-term trim" Some("Vehicle.OBD.O2.Sensor1.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x14);
    "o2.2.v" "Oxygen sensor 2, voltage" Some("Vehicle.OBD.O2.Sensor2.Voltage"), "V" 0.0 .. 1.275 Some(0x15);
    "o2.2.trim" "Oxygen sensor 2, short-term trim" Some("Vehicle.OBD.O2.Sensor2.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x15);
    "o2.3.v" "Oxygen sensor 3, voltage" Some("Vehicle.OBD.O2.Sensor3.Voltage"), "V" 0.0 .. 1.275 Some(0x16);
    "o2.3.trim" "Oxygen sensor 3, short-term trim" Some("Vehicle.OBD.O2.Sensor3.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x16);
    "o2.4.v" "Oxygen sensor 4, voltage" Some("Vehicle.OBD.O2.Sensor4.Voltage"), "V" 0.0 .. 1.275 Some(0x17);
    "o2.4.trim" "Oxygen sensor 4, short-term trim" Some("Vehicle.OBD.O2.Sensor4.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x17);
    "o2.5.v" "Oxygen sensor 5, voltage" Some("Vehicle.OBD.O2.Sensor5.Voltage"), "V" 0.0 .. 1.275 Some(0x18);
    "o2.5.trim" "Oxygen sensor 5, short-term trim" Some("Vehicle.OBD.O2.Sensor5.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x18);
    "o2.6.v" "Oxygen sensor 6, voltage" Some("Vehicle.OBD.O2.Sensor6.Voltage"), "V" 0.0 .. 1.275 Some(0x19);
    "o2.6.trim" "Oxygen sensor 6, short-term trim" Some("Vehicle.OBD.O2.Sensor6.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x19);
    "o2.7.v" "Oxygen sensor 7, voltage" Some("Vehicle.OBD.O2.Sensor7.Voltage"), "V" 0.0 .. 1.275 Some(0x1A);
    "o2.7.trim" "Oxygen sensor 7, short-term trim" Some("Vehicle.OBD.O2.Sensor7.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x1A);
    "o2.8.v" "Oxygen sensor 8, voltage" Some("Vehicle.OBD.O2.Sensor8.Voltage"), "V" 0.0 .. 1.275 Some(0x1B);
    "o2.8.trim" "Oxygen sensor 8, short-term trim" Some("Vehicle.OBD.O2.Sensor8.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x1B);
    "obd" "OBD standard" Some("Vehicle.OBD.OBDStandards"), "" 1.0 .. 250.0 Some(0x1C);
    "pto" "Power take-off" Some("Vehicle.OBD.IsPTOActive"), "" 0.0 .. 1.0 Some(0x1E);
    // 21 to 40
    "frp.vac" "Fuel rail pressure over manifold" Some("Vehicle.OBD.FuelRailPressureVac"), "kPa" 0.0 .. 5178.0 Some(0x22);
    "frp" "Fuel rail pressure" Some("Vehicle.OBD.FuelRailPressureDirect"), "kPa" 0.0 .. 400_000.0 Some(0x23);
    "wr.1.lam" "Wide-range sensor 1, lambda" Some("Vehicle.OBD.O2WR.Sensor1.Lambda"), "" 0.0 .. 32.0 Some(0x24);
    "wr.1.v" "Wide-range sensor 1, voltage" Some("Vehicle.OBD.O2WR.Sensor1.Voltage"), "V" 0.0 .. 32.0 Some(0x24);
    "wr.2.lam" "Wide-range sensor 2, lambda" Some("Vehicle.OBD.O2WR.Sensor2.Lambda"), "" 0.0 .. 32.0 Some(0x25);
    "wr.2.v" "Wide-range sensor 2, voltage" Some("Vehicle.OBD.O2WR.Sensor2.Voltage"), "V" 0.0 .. 32.0 Some(0x25);
    "wr.3.lam" "Wide-range sensor 3, lambda" Some("Vehicle.OBD.O2WR.Sensor3.Lambda"), "" 0.0 .. 32.0 Some(0x26);
    "wr.3.v" "Wide-range sensor 3, voltage" Some("Vehicle.OBD.O2WR.Sensor3.Voltage"), "V" 0.0 .. 32.0 Some(0x26);
    "wr.4.lam" "Wide-range sensor 4, lambda" Some("Vehicle.OBD.O2WR.Sensor4.Lambda"), "" 0.0 .. 32.0 Some(0x27);
    "wr.4.v" "Wide-range sensor 4, voltage" Some("Vehicle.OBD.O2WR.Sensor4.Voltage"), "V" 0.0 .. 32.0 Some(0x27);
    "wr.5.lam" "Wide-range sensor 5, lambda" Some("Vehicle.OBD.O2WR.Sensor5.Lambda"), "" 0.0 .. 32.0 Some(0x28);
    "wr.5.v" "Wide-range sensor 5, voltage" Some("Vehicle.OBD.O2WR.Sensor5.Voltage"), "V" 0.0 .. 32.0 Some(0x28);
    "wr.6.lam" "Wide-range sensor 6, lambda" Some("Vehicle.OBD.O2WR.Sensor6.Lambda"), "" 0.0 .. 32.0 Some(0x29);
    "wr.6.v" "Wide-range sensor 6, voltage" Some("Vehicle.OBD.O2WR.Sensor6.Voltage"), "V" 0.0 .. 32.0 Some(0x29);
    "wr.7.lam" "Wide-range sensor 7, lambda" Some("Vehicle.OBD.O2WR.Sensor7.Lambda"), "" 0.0 .. 32.0 Some(0x2A);
    "wr.7.v" "Wide-range sensor 7, voltage" Some("Vehicle.OBD.O2WR.Sensor7.Voltage"), "V" 0.0 .. 32.0 Some(0x2A);
    "wr.8.lam" "Wide-range sensor 8, lambda" Some("Vehicle.OBD.O2WR.Sensor8.Lambda"), "" 0.0 .. 32.0 Some(0x2B);
    "wr.8.v" "Wide-range sensor 8, voltage" Some("Vehicle.OBD.O2WR.Sensor8.Voltage"), "V" 0.0 .. 32.0 Some(0x2B);
    "egr.cmd" "Commanded EGR" Some("Vehicle.OBD.CommandedEGR"), "percent" 0.0 .. 100.0 Some(0x2C);
    "egr.err" "EGR error" Some("Vehicle.OBD.EGRError"), "percent" -100.0 .. 100.0 Some(0x2D);
    "evap.cmd" "Commanded evaporative purge" Some("Vehicle.OBD.CommandedEVAP"), "percent" 0.0 .. 100.0 Some(0x2E);
    "warmups" "Warm-ups since codes were cleared" Some("Vehicle.OBD.WarmupsSinceDTCClear"), "" 0.0 .. 255.0 Some(0x30);
    "clrd" "Distance since codes were cleared" Some("Vehicle.OBD.DistanceSinceDTCClear"), "km" 0.0 .. 65_535.0 Some(0x31);
    "evap.p" "Evaporative system pressure" Some("Vehicle.OBD.EVAPVaporPressure"), "Pa" -8192.0 .. 8192.0 Some(0x32);
    "wr.1.lamc" "Wide-range sensor 1, lambda by current" None, "" 0.0 .. 32.0 Some(0x34);
    "wr.1.ma" "Wide-range sensor 1, current" None, "mA" -255.0 .. 255.0 Some(0x34);
    "wr.2.lamc" "Wide-range sensor 2, lambda by current" None, "" 0.0 .. 32.0 Some(0x35);
    "wr.2.ma" "Wide-range sensor 2, current" None, "mA" -255.0 .. 255.0 Some(0x35);
    "wr.3.lamc" "Wide-range sensor 3, lambda by current" None, "" 0.0 .. 32.0 Some(0x36);
    "wr.3.ma" "Wide-range sensor 3, current" None, "mA" -255.0 .. 255.0 Some(0x36);
    "wr.4.lamc" "Wide-range sensor 4, lambda by current" None, "" 0.0 .. 32.0 Some(0x37);
    "wr.4.ma" "Wide-range sensor 4, current" None, "mA" -255.0 .. 255.0 Some(0x37);
    "wr.5.lamc" "Wide-range sensor 5, lambda by current" None, "" 0.0 .. 32.0 Some(0x38);
    "wr.5.ma" "Wide-range sensor 5, current" None, "mA" -255.0 .. 255.0 Some(0x38);
    "wr.6.lamc" "Wide-range sensor 6, lambda by current" None, "" 0.0 .. 32.0 Some(0x39);
    "wr.6.ma" "Wide-range sensor 6, current" None, "mA" -255.0 .. 255.0 Some(0x39);
    "wr.7.lamc" "Wide-range sensor 7, lambda by current" None, "" 0.0 .. 32.0 Some(0x3A);
    "wr.7.ma" "Wide-range sensor 7, current" None, "mA" -255.0 .. 255.0 Some(0x3A);
    "wr.8.lamc" "Wide-range sensor 8, lambda by current" None, "" 0.0 .. 32.0 Some(0x3B);
    "wr.8.ma" "Wide-range sensor 8, current" None, "mA" -255.0 .. 255.0 Some(0x3B);
    "cat.11" "Catalyst temperature, bank 1 sensor 1" Some("Vehicle.OBD.Catalyst.Bank1.Temperature1"), "celsius" -40.0 .. 1300.0 Some(0x3C);
    "cat.21" "Catalyst temperature, bank 2 sensor 1" Some("Vehicle.OBD.Catalyst.Bank2.Temperature1"), "celsius" -40.0 .. 1300.0 Some(0x3D);
    "cat.12" "Catalyst temperature, bank 1 sensor 2" Some("Vehicle.OBD.Catalyst.Bank1.Temperature2"), "celsius" -40.0 .. 1300.0 Some(0x3E);
    "cat.22" "Catalyst temperature, bank 2 sensor 2" Some("Vehicle.OBD.Catalyst.Bank2.Temperature2"), "celsius" -40.0 .. 1300.0 Some(0x3F);
    // 41 to 60
    "load.abs" "Absolute load" Some("Vehicle.OBD.AbsoluteLoad"), "percent" 0.0 .. 1000.0 Some(0x43);
    "lam.cmd" "Commanded lambda" Some("Vehicle.OBD.CommandedEquivalenceRatio"), "" 0.0 .. 32.0 Some(0x44);
    "thr.rel" "Relative throttle position" Some("Vehicle.OBD.RelativeThrottlePosition"), "percent" 0.0 .. 100.0 Some(0x45);
    "thr.b" "Throttle position B" Some("Vehicle.OBD.ThrottlePositionB"), "percent" 0.0 .. 100.0 Some(0x47);
    "thr.c" "Throttle position C" Some("Vehicle.OBD.ThrottlePositionC"), "percent" 0.0 .. 100.0 Some(0x48);
    "pedal" "Accelerator pedal" Some("Vehicle.OBD.AcceleratorPositionD"), "percent" 0.0 .. 100.0 Some(0x49);
    "pedal.e" "Accelerator pedal E" Some("Vehicle.OBD.AcceleratorPositionE"), "percent" 0.0 .. 100.0 Some(0x4A);
    "pedal.f" "Accelerator pedal F" Some("Vehicle.OBD.AcceleratorPositionF"), "percent" 0.0 .. 100.0 Some(0x4B);
    "thr.cmd" "Commanded throttle" Some("Vehicle.OBD.ThrottleActuator"), "percent" 0.0 .. 100.0 Some(0x4C);
    "milt" "Run time with lamp on" Some("Vehicle.OBD.RunTimeMIL"), "min" 0.0 .. 65_535.0 Some(0x4D);
    "clrt" "Time since codes were cleared" Some("Vehicle.OBD.TimeSinceDTCCleared"), "min" 0.0 .. 65_535.0 Some(0x4E);
    "fueltype" "Fuel type" Some("Vehicle.OBD.FuelType"), "" 1.0 .. 250.0 Some(0x51);
    "ethanol" "Ethanol in the fuel" Some("Vehicle.OBD.EthanolPercent"), "percent" 0.0 .. 100.0 Some(0x52);
    "evap.abs" "Evaporative system pressure, absolute" Some("Vehicle.OBD.EVAPVaporPressureAbsolute"), "kPa" 0.0 .. 327.675 Some(0x53);
    "evap.wide" "Evaporative system pressure, wide range" Some("Vehicle.OBD.EVAPVaporPressureAlternate"), "Pa" -32_768.0 .. 32_767.0 Some(0x54);
    "sto2.1" "Short-term secondary trim, bank 1" Some("Vehicle.OBD.ShortTermO2Trim1"), "percent" -100.0 .. 100.0 Some(0x55);
    "sto2.3" "Short-term secondary trim, bank 3" Some("Vehicle.OBD.ShortTermO2Trim3"), "percent" -100.0 .. 100.0 Some(0x55);
    "lto2.1" "Long-term secondary trim, bank 1" Some("Vehicle.OBD.LongTermO2Trim1"), "percent" -100.0 .. 100.0 Some(0x56);
    "lto2.3" "Long-term secondary trim, bank 3" Some("Vehicle.OBD.LongTermO2Trim3"), "percent" -100.0 .. 100.0 Some(0x56);
    "sto2.2" "Short-term secondary trim, bank 2" Some("Vehicle.OBD.ShortTermO2Trim2"), "percent" -100.0 .. 100.0 Some(0x57);
    "sto2.4" "Short-term secondary trim, bank 4" Some("Vehicle.OBD.ShortTermO2Trim4"), "percent" -100.0 .. 100.0 Some(0x57);
    "lto2.2" "Long-term secondary trim, bank 2" Some("Vehicle.OBD.LongTermO2Trim2"), "percent" -100.0 .. 100.0 Some(0x58);
    "lto2.4" "Long-term secondary trim, bank 4" Some("Vehicle.OBD.LongTermO2Trim4"), "percent" -100.0 .. 100.0 Some(0x58);
    "frp.abs" "Fuel rail pressure, absolute" Some("Vehicle.OBD.FuelRailPressureAbsolute"), "kPa" 0.0 .. 400_000.0 Some(0x59);
    "pedal.rel" "Relative accelerator pedal" Some("Vehicle.OBD.RelativeAcceleratorPosition"), "percent" 0.0 .. 100.0 Some(0x5A);
    "injt" "Fuel injection timing" Some("Vehicle.OBD.FuelInjectionTiming"), "degrees" -210.0 .. 302.0 Some(0x5D);
    "emission" "Emission standard" None, "" 1.0 .. 250.0 Some(0x5F);
    // 61 to 80: a byte in front says what is there
    "tq.cmd" "Demanded torque" None, "percent" -125.0 .. 130.0 Some(0x61);
    "tq" "Engine torque" None, "percent" -125.0 .. 130.0 Some(0x62);
    "tq.ref" "Reference torque" None, "Nm" 0.0 .. 20_000.0 Some(0x63);
    "tq.1" "Torque at idle, point 1" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq.2" "Torque at point 2" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq.3" "Torque at point 3" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq.4" "Torque at point 4" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq.5" "Torque at point 5" None, "percent" -125.0 .. 130.0 Some(0x64);
    "pto.out" "Power take-off, output" None, "" 0.0 .. 1.0 Some(0x65);
    "gear.auto" "Automatic in gear" None, "" 0.0 .. 1.0 Some(0x65);
    "gear.manual" "Manual in gear" None, "" 0.0 .. 1.0 Some(0x65);
    "glow" "Glow plug lamp" None, "" 0.0 .. 1.0 Some(0x65);
    "gear.rec" "Recommended gear" None, "" 1.0 .. 14.0 Some(0x65);
    "maf.a" "Air flow A" None, "g/s" 0.0 .. 2048.0 Some(0x66);
    "maf.b" "Air flow B" None, "g/s" 0.0 .. 2048.0 Some(0x66);
    "ect.1" "Coolant temperature 1" None, "celsius" -40.0 .. 215.0 Some(0x67);
    "ect.2" "Coolant temperature 2" None, "celsius" -40.0 .. 215.0 Some(0x67);
    "iat.11" "Intake air temperature, bank 1 sensor 1" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat.12" "Intake air temperature, bank 1 sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat.13" "Intake air temperature, bank 1 sensor 3" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat.21" "Intake air temperature, bank 2 sensor 1" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat.22" "Intake air temperature, bank 2 sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat.23" "Intake air temperature, bank 2 sensor 3" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "egr.a.cmd" "Commanded EGR A" None, "percent" 0.0 .. 100.0 Some(0x69);
    "egr.a" "EGR A" None, "percent" 0.0 .. 100.0 Some(0x69);
    "egr.a.err" "EGR A error" None, "percent" -100.0 .. 100.0 Some(0x69);
    "egr.b.cmd" "Commanded EGR B" None, "percent" 0.0 .. 100.0 Some(0x69);
    "egr.b" "EGR B" None, "percent" 0.0 .. 100.0 Some(0x69);
    "egr.b.err" "EGR B error" None, "percent" -100.0 .. 100.0 Some(0x69);
    "iaf.a.cmd" "Commanded intake air flow A" None, "percent" 0.0 .. 100.0 Some(0x6A);
    "iaf.a" "Relative intake air flow A" None, "percent" 0.0 .. 100.0 Some(0x6A);
    "iaf.b.cmd" "Commanded intake air flow B" None, "percent" 0.0 .. 100.0 Some(0x6A);
    "iaf.b" "Relative intake air flow B" None, "percent" 0.0 .. 100.0 Some(0x6A);
    "egrt.11" "EGR temperature, bank 1 sensor 1" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "egrt.12" "EGR temperature, bank 1 sensor 2" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "egrt.21" "EGR temperature, bank 2 sensor 1" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "egrt.22" "EGR temperature, bank 2 sensor 2" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "thr.a.cmd" "Commanded throttle A" None, "percent" 0.0 .. 100.0 Some(0x6C);
    "thr.a.rel" "Relative throttle A" None, "percent" 0.0 .. 100.0 Some(0x6C);
    "thr.b.cmd" "Commanded throttle B" None, "percent" 0.0 .. 100.0 Some(0x6C);
    "thr.b.rel" "Relative throttle B" None, "percent" 0.0 .. 100.0 Some(0x6C);
    "frp.a.cmd" "Commanded fuel rail pressure A" None, "kPa" 0.0 .. 400_000.0 Some(0x6D);
    "frp.a" "Fuel rail pressure A" None, "kPa" 0.0 .. 400_000.0 Some(0x6D);
    "frt.a" "Fuel rail temperature A" None, "celsius" -40.0 .. 215.0 Some(0x6D);
    "frp.b.cmd" "Commanded fuel rail pressure B" None, "kPa" 0.0 .. 400_000.0 Some(0x6D);
    "frp.b" "Fuel rail pressure B" None, "kPa" 0.0 .. 400_000.0 Some(0x6D);
    "frt.b" "Fuel rail temperature B" None, "celsius" -40.0 .. 215.0 Some(0x6D);
    "icp.a.cmd" "Commanded injection pressure A" None, "kPa" 0.0 .. 400_000.0 Some(0x6E);
    "icp.a" "Injection pressure A" None, "kPa" 0.0 .. 400_000.0 Some(0x6E);
    "icp.b.cmd" "Commanded injection pressure B" None, "kPa" 0.0 .. 400_000.0 Some(0x6E);
    "icp.b" "Injection pressure B" None, "kPa" 0.0 .. 400_000.0 Some(0x6E);
    "tc.a.inp" "Turbocharger A, inlet pressure" None, "kPa" 0.0 .. 2040.0 Some(0x6F);
    "tc.b.inp" "Turbocharger B, inlet pressure" None, "kPa" 0.0 .. 2040.0 Some(0x6F);
    "boost.a.cmd" "Commanded boost pressure A" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "boost.a" "Boost pressure A" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "boost.b.cmd" "Commanded boost pressure B" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "boost.b" "Boost pressure B" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "boost.a.st" "Boost A control" None, "" 1.0 .. 3.0 Some(0x70);
    "boost.b.st" "Boost B control" None, "" 1.0 .. 3.0 Some(0x70);
    "vgt.a.cmd" "Commanded turbo geometry A" None, "percent" 0.0 .. 100.0 Some(0x71);
    "vgt.a" "Turbo geometry A" None, "percent" 0.0 .. 100.0 Some(0x71);
    "vgt.b.cmd" "Commanded turbo geometry B" None, "percent" 0.0 .. 100.0 Some(0x71);
    "vgt.b" "Turbo geometry B" None, "percent" 0.0 .. 100.0 Some(0x71);
    "vgt.a.st" "Turbo geometry A control" None, "" 1.0 .. 3.0 Some(0x71);
    "vgt.b.st" "Turbo geometry B control" None, "" 1.0 .. 3.0 Some(0x71);
    "wg.a.cmd" "Commanded wastegate A" None, "percent" 0.0 .. 100.0 Some(0x72);
    "wg.a" "Wastegate A" None, "percent" 0.0 .. 100.0 Some(0x72);
    "wg.b.cmd" "Commanded wastegate B" None, "percent" 0.0 .. 100.0 Some(0x72);
    "wg.b" "Wastegate B" None, "percent" 0.0 .. 100.0 Some(0x72);
    "exhp.1" "Exhaust pressure, bank 1" None, "kPa" 0.0 .. 655.35 Some(0x73);
    "exhp.2" "Exhaust pressure, bank 2" None, "kPa" 0.0 .. 655.35 Some(0x73);
    "tc.a.rpm" "Turbocharger A, speed" None, "rpm" 0.0 .. 400_000.0 Some(0x74);
    "tc.b.rpm" "Turbocharger B, speed" None, "rpm" 0.0 .. 400_000.0 Some(0x74);
    "tc.a.cin" "Turbocharger A, compressor inlet" None, "celsius" -40.0 .. 215.0 Some(0x75);
    "tc.a.cout" "Turbocharger A, compressor outlet" None, "celsius" -40.0 .. 215.0 Some(0x75);
    "tc.a.tin" "Turbocharger A, turbine inlet" None, "celsius" -40.0 .. 1300.0 Some(0x75);
    "tc.a.tout" "Turbocharger A, turbine outlet" None, "celsius" -40.0 .. 1300.0 Some(0x75);
    "tc.b.cin" "Turbocharger B, compressor inlet" None, "celsius" -40.0 .. 215.0 Some(0x76);
    "tc.b.cout" "Turbocharger B, compressor outlet" None, "celsius" -40.0 .. 215.0 Some(0x76);
    "tc.b.tin" "Turbocharger B, turbine inlet" None, "celsius" -40.0 .. 1300.0 Some(0x76);
    "tc.b.tout" "Turbocharger B, turbine outlet" None, "celsius" -40.0 .. 1300.0 Some(0x76);
    "cac.11" "Charge air temperature, bank 1 sensor 1" None, "celsius" -40.0 .. 215.0 Some(0x77);
    "cac.12" "Charge air temperature, bank 1 sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x77);
    "cac.21" "Charge air temperature, bank 2 sensor 1" None, "celsius" -40.0 .. 215.0 Some(0x77);
    "cac.22" "Charge air temperature, bank 2 sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x77);
    "egt.11" "Exhaust gas temperature, bank 1 sensor 1" None, "celsius" -40.0 .. 1300.0 Some(0x78);
    "egt.12" "Exhaust gas temperature, bank 1 sensor 2" None, "celsius" -40.0 .. 1300.0 Some(0x78);
    "egt.13" "Exhaust gas temperature, bank 1 sensor 3" None, "celsius" -40.0 .. 1300.0 Some(0x78);
    "egt.14" "Exhaust gas temperature, bank 1 sensor 4" None, "celsius" -40.0 .. 1300.0 Some(0x78);
    "egt.21" "Exhaust gas temperature, bank 2 sensor 1" None, "celsius" -40.0 .. 1300.0 Some(0x79);
    "egt.22" "Exhaust gas temperature, bank 2 sensor 2" None, "celsius" -40.0 .. 1300.0 Some(0x79);
    "egt.23" "Exhaust gas temperature, bank 2 sensor 3" None, "celsius" -40.0 .. 1300.0 Some(0x79);
    "egt.24" "Exhaust gas temperature, bank 2 sensor 4" None, "celsius" -40.0 .. 1300.0 Some(0x79);
    "dpf.1.dp" "Particulate filter 1, pressure drop" None, "kPa" -327.68 .. 327.67 Some(0x7A);
    "dpf.1.in" "Particulate filter 1, inlet pressure" None, "kPa" 0.0 .. 655.35 Some(0x7A);
    "dpf.1.out" "Particulate filter 1, outlet pressure" None, "kPa" 0.0 .. 655.35 Some(0x7A);
    "dpf.2.dp" "Particulate filter 2, pressure drop" None, "kPa" -327.68 .. 327.67 Some(0x7B);
    "dpf.2.in" "Particulate filter 2, inlet pressure" None, "kPa" 0.0 .. 655.35 Some(0x7B);
    "dpf.2.out" "Particulate filter 2, outlet pressure" None, "kPa" 0.0 .. 655.35 Some(0x7B);
    "dpf.1.tin" "Particulate filter 1, inlet temperature" None, "celsius" -40.0 .. 1300.0 Some(0x7C);
    "dpf.1.tout" "Particulate filter 1, outlet temperature" None, "celsius" -40.0 .. 1300.0 Some(0x7C);
    "dpf.2.tin" "Particulate filter 2, inlet temperature" None, "celsius" -40.0 .. 1300.0 Some(0x7C);
    "dpf.2.tout" "Particulate filter 2, outlet temperature" None, "celsius" -40.0 .. 1300.0 Some(0x7C);
    "run.total" "Run time in all" None, "s" 0.0 .. 2_000_000_000.0 Some(0x7F);
    "run.idle" "Run time at idle in all" None, "s" 0.0 .. 2_000_000_000.0 Some(0x7F);
    "run.pto" "Run time with power take-off in all" None, "s" 0.0 .. 2_000_000_000.0 Some(0x7F);
    // 81 to A0
    "nox.11" "NOx, bank 1 sensor 1" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "nox.12" "NOx, bank 1 sensor 2" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "nox.21" "NOx, bank 2 sensor 1" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "nox.22" "NOx, bank 2 sensor 2" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "mst" "Manifold surface temperature" None, "celsius" -40.0 .. 215.0 Some(0x84);
    "reag.rate" "Reagent consumption" None, "l/h" 0.0 .. 327.675 Some(0x85);
    "reag.dem" "Reagent demand" None, "l/h" 0.0 .. 327.675 Some(0x85);
    "reag.lvl" "Reagent level" None, "percent" 0.0 .. 100.0 Some(0x85);
    "nox.warnt" "Run time with NOx warning" None, "s" 0.0 .. 2_000_000_000.0 Some(0x85);
    "pm.1" "Particulate matter, bank 1" None, "mg/m^3" 0.0 .. 819.187_5 Some(0x86);
    "pm.2" "Particulate matter, bank 2" None, "mg/m^3" 0.0 .. 819.187_5 Some(0x86);
    "map.a" "Intake manifold pressure A" None, "kPa" 0.0 .. 1000.0 Some(0x87);
    "map.b" "Intake manifold pressure B" None, "kPa" 0.0 .. 1000.0 Some(0x87);
    "scr.ind" "SCR inducement" None, "" 0.0 .. 1.0 Some(0x88);
    "dpf.regen" "Particulate filter regenerates" None, "" 0.0 .. 1.0 Some(0x8B);
    "dpf.active" "Regeneration is an active one" None, "" 0.0 .. 1.0 Some(0x8B);
    "nads.regen" "NOx adsorber regenerates" None, "" 0.0 .. 1.0 Some(0x8B);
    "nads.desulf" "NOx adsorber is desulfurized" None, "" 0.0 .. 1.0 Some(0x8B);
    "dpf.load" "Particulate filter, way to regeneration" None, "percent" 0.0 .. 100.0 Some(0x8B);
    "dpf.avgt" "Time between regenerations" None, "min" 0.0 .. 65_535.0 Some(0x8B);
    "dpf.avgd" "Distance between regenerations" None, "km" 0.0 .. 65_535.0 Some(0x8B);
    "o2c.11" "Oxygen, bank 1 sensor 1" None, "percent" 0.0 .. 100.0 Some(0x8C);
    "o2c.12" "Oxygen, bank 1 sensor 2" None, "percent" 0.0 .. 100.0 Some(0x8C);
    "o2c.21" "Oxygen, bank 2 sensor 1" None, "percent" 0.0 .. 100.0 Some(0x8C);
    "o2c.22" "Oxygen, bank 2 sensor 2" None, "percent" 0.0 .. 100.0 Some(0x8C);
    "lam.11" "Lambda, bank 1 sensor 1" None, "" 0.0 .. 8.0 Some(0x8C);
    "lam.12" "Lambda, bank 1 sensor 2" None, "" 0.0 .. 8.0 Some(0x8C);
    "lam.21" "Lambda, bank 2 sensor 1" None, "" 0.0 .. 8.0 Some(0x8C);
    "lam.22" "Lambda, bank 2 sensor 2" None, "" 0.0 .. 8.0 Some(0x8C);
    "thr.g" "Throttle position G" None, "percent" 0.0 .. 100.0 Some(0x8D);
    "tq.fric" "Friction torque" None, "percent" -125.0 .. 130.0 Some(0x8E);
    "pmn.1" "Particulate sensor, bank 1" None, "percent" -327.68 .. 327.67 Some(0x8F);
    "pmn.2" "Particulate sensor, bank 2" None, "percent" -327.68 .. 327.67 Some(0x8F);
    "mi.veh" "Hours with lamp on, vehicle" None, "h" 0.0 .. 64_255.0 Some(0x90);
    "mi.ecu" "Hours with lamp on, ECU" None, "h" 0.0 .. 64_255.0 Some(0x91);
    "mi.b1" "Hours with a fault of class B1" None, "h" 0.0 .. 64_255.0 Some(0x91);
    "mi.total" "Hours with lamp on in all" None, "h" 0.0 .. 64_255.0 Some(0x93);
    "nox.warn" "NOx warning" None, "" 0.0 .. 1.0 Some(0x94);
    "ind.1" "Inducement, level 1" None, "" 0.0 .. 2.0 Some(0x94);
    "ind.2" "Inducement, level 2" None, "" 0.0 .. 2.0 Some(0x94);
    "ind.3" "Inducement, level 3" None, "" 0.0 .. 2.0 Some(0x94);
    "reag.qh" "Hours with bad reagent" None, "h" 0.0 .. 64_255.0 Some(0x94);
    "reag.ch" "Hours with wrong reagent consumption" None, "h" 0.0 .. 64_255.0 Some(0x94);
    "reag.dh" "Hours with interrupted dosing" None, "h" 0.0 .. 64_255.0 Some(0x94);
    "egr.h" "Hours with a faulty EGR valve" None, "h" 0.0 .. 64_255.0 Some(0x94);
    "nox.mh" "Hours with a faulty NOx monitor" None, "h" 0.0 .. 64_255.0 Some(0x94);
    "egt.15" "Exhaust gas temperature, bank 1 sensor 5" None, "celsius" -40.0 .. 1300.0 Some(0x98);
    "egt.16" "Exhaust gas temperature, bank 1 sensor 6" None, "celsius" -40.0 .. 1300.0 Some(0x98);
    "egt.17" "Exhaust gas temperature, bank 1 sensor 7" None, "celsius" -40.0 .. 1300.0 Some(0x98);
    "egt.18" "Exhaust gas temperature, bank 1 sensor 8" None, "celsius" -40.0 .. 1300.0 Some(0x98);
    "egt.25" "Exhaust gas temperature, bank 2 sensor 5" None, "celsius" -40.0 .. 1300.0 Some(0x99);
    "egt.26" "Exhaust gas temperature, bank 2 sensor 6" None, "celsius" -40.0 .. 1300.0 Some(0x99);
    "egt.27" "Exhaust gas temperature, bank 2 sensor 7" None, "celsius" -40.0 .. 1300.0 Some(0x99);
    "egt.28" "Exhaust gas temperature, bank 2 sensor 8" None, "celsius" -40.0 .. 1300.0 Some(0x99);
    "hv.v" "Traction battery voltage" Some("Vehicle.Powertrain.TractionBattery.CurrentVoltage"), "V" 0.0 .. 1_023.984_375 Some(0x9A);
    "hv.a" "Traction battery current" None, "A" -3276.8 .. 3276.7 Some(0x9A);
    "def.conc" "Exhaust fluid concentration" None, "percent" 0.0 .. 63.75 Some(0x9B);
    "def.t" "Exhaust fluid temperature" None, "celsius" -40.0 .. 215.0 Some(0x9B);
    "def.lvl" "Exhaust fluid level" None, "percent" 0.0 .. 100.0 Some(0x9B);
    "o2c.13" "Oxygen, bank 1 sensor 3" None, "percent" 0.0 .. 100.0 Some(0x9C);
    "o2c.14" "Oxygen, bank 1 sensor 4" None, "percent" 0.0 .. 100.0 Some(0x9C);
    "o2c.23" "Oxygen, bank 2 sensor 3" None, "percent" 0.0 .. 100.0 Some(0x9C);
    "o2c.24" "Oxygen, bank 2 sensor 4" None, "percent" 0.0 .. 100.0 Some(0x9C);
    "lam.13" "Lambda, bank 1 sensor 3" None, "" 0.0 .. 8.0 Some(0x9C);
    "lam.14" "Lambda, bank 1 sensor 4" None, "" 0.0 .. 8.0 Some(0x9C);
    "lam.23" "Lambda, bank 2 sensor 3" None, "" 0.0 .. 8.0 Some(0x9C);
    "lam.24" "Lambda, bank 2 sensor 4" None, "" 0.0 .. 8.0 Some(0x9C);
    "frate.eng" "Fuel rate of the engine" None, "g/s" 0.0 .. 1310.7 Some(0x9D);
    "frate.veh" "Fuel rate of the vehicle" None, "g/s" 0.0 .. 1310.7 Some(0x9D);
    "exh" "Exhaust flow" None, "kg/h" 0.0 .. 13_107.0 Some(0x9E);
    "fsu.a1" "Use of fuel system A, bank 1" None, "percent" 0.0 .. 100.0 Some(0x9F);
    "fsu.b1" "Use of fuel system B, bank 1" None, "percent" 0.0 .. 100.0 Some(0x9F);
    "fsu.a2" "Use of fuel system A, bank 2" None, "percent" 0.0 .. 100.0 Some(0x9F);
    "fsu.b2" "Use of fuel system B, bank 2" None, "percent" 0.0 .. 100.0 Some(0x9F);
    "fsu.a3" "Use of fuel system A, bank 3" None, "percent" 0.0 .. 100.0 Some(0x9F);
    "fsu.b3" "Use of fuel system B, bank 3" None, "percent" 0.0 .. 100.0 Some(0x9F);
    "fsu.a4" "Use of fuel system A, bank 4" None, "percent" 0.0 .. 100.0 Some(0x9F);
    "fsu.b4" "Use of fuel system B, bank 4" None, "percent" 0.0 .. 100.0 Some(0x9F);
    // From A1
    "cylfuel" "Fuel per cylinder stroke" None, "mg/stroke" 0.0 .. 2_047.968_75 Some(0xA2);
    "gear" "Gear" None, "" 1.0 .. 14.0 Some(0xA4);
    "gear.ratio" "Gear ratio" None, "" 0.0 .. 65.535 Some(0xA4);
    "def.dose" "Commanded exhaust fluid dosing" None, "percent" 0.0 .. 127.5 Some(0xA5);
    "vlim" "Speed limiter" None, "km/h" 0.0 .. 254.0 Some(0xAA);
    "soh" "Traction battery health" Some("Vehicle.Powertrain.TractionBattery.StateOfHealth"), "percent" 0.0 .. 100.0 Some(0xB2);
    "soce" "Certified energy left" None, "percent" 0.0 .. 100.0 Some(0xD2);
    "socr" "Certified range left" None, "percent" 0.0 .. 100.0 Some(0xD2);
    "odo.eng" "Distance with the engine" None, "km" 0.0 .. 429_496_729.5 Some(0xD3);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_and_paths_are_unique_and_ranges_hold_something() {
        let keys: HashSet<_> = CATALOGUE.iter().map(|s| s.key).collect();
        assert_eq!(keys.len(), CATALOGUE.len());
        let paths: Vec<_> = CATALOGUE.iter().filter_map(|s| s.vss).collect();
        assert_eq!(paths.iter().collect::<HashSet<_>>().len(), paths.len());
        assert!(CATALOGUE.iter().all(|s| s.min < s.max));
    }

    #[test]
    fn a_signal_is_found_by_key_and_by_pid() {
        assert_eq!(find("rpm"), by_pid(0x0C).next());
        assert_eq!(find("no such"), None);
        assert!(!find("ect").unwrap().is_plausible(400.0));
    }
}

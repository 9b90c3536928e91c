//! The catalogue of signals.
//!
//! A signal's short key is its column name in telemetry. Its path is the one of COVESA VSS 6 where VSS has the signal.
//! Sensors of a vehicle's own (an Arduino's) use keys outside the catalogue, by custom with a prefix `x.`.

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
    CATALOGUE.iter().find(|signal| signal.key == key)
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
    "map"   "Intake manifold pressure" Some("Vehicle.OBD.MAP"), "kPa" 0.0 .. 255.0 Some(0x0B);
    "maf"   "Air flow"                Some("Vehicle.OBD.MAF"), "g/s" 0.0 .. 656.0 Some(0x10);
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

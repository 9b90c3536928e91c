//! The catalogue of signals.
//!
//! A signal's short key is its column name in telemetry. Its path is the one of COVESA VSS 6 where VSS has the signal.
//! Sensors of a vehicle's own (an Arduino's) use keys outside the catalogue, by custom with a prefix `x.`.

mod french;

pub use french::french;

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
    /// OBD-II mode 01 parameter (SAE J1979) that tells it, where there is one; it may tell others, too. Where several do,
    /// such as 05 and 67, it is the one that most cars have.
    pub pid: Option<u8>,
}

impl Signal {
    /// Whether a working sensor could have told `value`.
    pub fn is_plausible(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// Longest key of a signal.
pub const MAX_KEY: usize = 24;

/// Whether a text could be a signal's key: 1 to 24 of `a-z`, `0-9`, `_` and `.`.
pub fn is_key(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.');
    (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(fits)
}

/// The signal with that key.
pub fn find(key: &str) -> Option<&'static Signal> {
    CATALOGUE.iter().find(|signal| signal.key == key)
}

/// The signals whose parameter of OBD-II mode 01 has that PID.
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
    // As in NMEA 0183 GGA: 1 satellites, 2 with corrections, 3 GPS's precise service, 4 RTK, 5 float RTK, 6 dead reckoning
    "fixq"  "Fix quality"             Some("Vehicle.CurrentLocation.GNSSReceiver.FixType"), "" 1.0 .. 6.0 None;
    "acc"   "Horizontal accuracy"     Some("Vehicle.CurrentLocation.HorizontalAccuracy"), "m" 0.0 .. 100_000.0 None;
    // Driving
    "spd"   "Speed"                   Some("Vehicle.Speed"), "km/h" 0.0 .. 400.0 Some(0x0D);
    "odo"   "Odometer"                Some("Vehicle.TraveledDistance"), "km" 0.0 .. 9_999_999.0 Some(0xA6);
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
    "maf"   "Air flow"                Some("Vehicle.OBD.MAF"), "g/s" 0.0 .. 2000.0 Some(0x10);
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
    // Engine: load and torque
    "aload"   "Absolute load" Some("Vehicle.OBD.AbsoluteLoad"), "percent" 0.0 .. 1000.0 Some(0x43);
    "tq_dem"  "Torque wanted by the driver" None, "percent" -125.0 .. 130.0 Some(0x61);
    "tq"      "Torque" None, "percent" -125.0 .. 130.0 Some(0x62);
    "tq_fric" "Torque lost to friction" None, "percent" -125.0 .. 130.0 Some(0x8E);
    "tq_ref"  "Torque that is 100 percent" None, "Nm" 0.0 .. 10_000.0 Some(0x63);
    "tq_max1" "Most torque at idle" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq_max2" "Most torque at point 2" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq_max3" "Most torque at point 3" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq_max4" "Most torque at point 4" None, "percent" -125.0 .. 130.0 Some(0x64);
    "tq_max5" "Most torque at point 5" None, "percent" -125.0 .. 130.0 Some(0x64);
    "obdstd"  "OBD standard" Some("Vehicle.OBD.OBDStandards"), "" 1.0 .. 250.0 Some(0x1C);
    "ehours"  "Engine hours" Some("Vehicle.Powertrain.CombustionEngine.EngineHours"), "h" 0.0 .. 200_000.0 Some(0x7F);
    "idle_h"  "Idle hours" Some("Vehicle.Powertrain.CombustionEngine.IdleHours"), "h" 0.0 .. 200_000.0 Some(0x7F);
    "pto_h"   "Hours with power take-off" None, "h" 0.0 .. 200_000.0 Some(0x7F);
    "pto"     "Power take-off" Some("Vehicle.OBD.IsPTOActive"), "" 0.0 .. 1.0 Some(0x1E);
    "glow"    "Glow plug lamp" None, "" 0.0 .. 1.0 Some(0x65);
    // Driver and gears
    "pedal"   "Accelerator pedal" Some("Vehicle.OBD.AcceleratorPositionD"), "percent" 0.0 .. 100.0 Some(0x49);
    "pedal_e" "Accelerator pedal, second sensor" Some("Vehicle.OBD.AcceleratorPositionE"), "percent" 0.0 .. 100.0 Some(0x4A);
    "pedal_f" "Accelerator pedal, third sensor" Some("Vehicle.OBD.AcceleratorPositionF"), "percent" 0.0 .. 100.0 Some(0x4B);
    "pedal_rel" "Accelerator pedal, relative" Some("Vehicle.OBD.RelativeAcceleratorPosition"), "percent" 0.0 .. 100.0 Some(0x5A);
    "gear"    "Gear" Some("Vehicle.Powertrain.Transmission.CurrentGear"), "" 0.0 .. 15.0 Some(0xA4);
    "gear_ratio" "Ratio of the gear" None, "ratio" 0.0 .. 30.0 Some(0xA4);
    "gear_rec" "Gear recommended" None, "" 0.0 .. 15.0 Some(0x65);
    "drive_in" "Automatic transmission in drive" None, "" 0.0 .. 1.0 Some(0x65);
    "gear_in" "Manual transmission in gear" None, "" 0.0 .. 1.0 Some(0x65);
    // Throttle and air
    "thr_rel" "Throttle position, relative" Some("Vehicle.OBD.RelativeThrottlePosition"), "percent" 0.0 .. 100.0 Some(0x45);
    "thr_b"   "Throttle position B" Some("Vehicle.OBD.ThrottlePositionB"), "percent" 0.0 .. 100.0 Some(0x47);
    "thr_c"   "Throttle position C" Some("Vehicle.OBD.ThrottlePositionC"), "percent" 0.0 .. 100.0 Some(0x48);
    "thr_g"   "Throttle position G" None, "percent" 0.0 .. 100.0 Some(0x8D);
    "tac"     "Throttle wanted" Some("Vehicle.OBD.ThrottleActuator"), "percent" 0.0 .. 100.0 Some(0x4C);
    "mafb"    "Air flow B" None, "g/s" 0.0 .. 2000.0 Some(0x66);
    "mapb"    "Intake manifold pressure B" None, "kPa" 0.0 .. 1000.0 Some(0x87);
    "ect2"    "Coolant temperature 2" None, "celsius" -40.0 .. 215.0 Some(0x67);
    "iat12"   "Intake air temperature, bank 1, sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat13"   "Intake air temperature, bank 1, sensor 3" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat21"   "Intake air temperature, bank 2, sensor 1" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat22"   "Intake air temperature, bank 2, sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iat23"   "Intake air temperature, bank 2, sensor 3" None, "celsius" -40.0 .. 215.0 Some(0x68);
    "iaf_cmd" "Diesel intake air flow wanted" None, "percent" 0.0 .. 100.0 Some(0x6A);
    "iaf"     "Diesel intake air flow position" None, "percent" 0.0 .. 100.0 Some(0x6A);
    "air2"    "Secondary air status" None, "" 0.0 .. 8.0 Some(0x12);
    "mst"     "Manifold surface temperature" None, "celsius" -40.0 .. 215.0 Some(0x84);
    // Turbocharger
    "boost_cmd" "Boost pressure wanted" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "boost"   "Boost pressure" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "boostb_cmd" "Boost pressure B wanted" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "boostb"  "Boost pressure B" None, "kPa" 0.0 .. 1000.0 Some(0x70);
    "vgt_cmd" "Turbo geometry wanted" None, "percent" 0.0 .. 100.0 Some(0x71);
    "vgt"     "Turbo geometry" None, "percent" 0.0 .. 100.0 Some(0x71);
    "wg_cmd"  "Wastegate wanted" None, "percent" 0.0 .. 100.0 Some(0x72);
    "wg"      "Wastegate" None, "percent" 0.0 .. 100.0 Some(0x72);
    "tc_rpm"  "Turbo speed" None, "rpm" 0.0 .. 400_000.0 Some(0x74);
    "tcb_rpm" "Turbo speed B" None, "rpm" 0.0 .. 400_000.0 Some(0x74);
    "tc_inp"  "Compressor inlet pressure" None, "kPa" 0.0 .. 1000.0 Some(0x6F);
    "tcb_inp" "Compressor inlet pressure B" None, "kPa" 0.0 .. 1000.0 Some(0x6F);
    "tc_cin"  "Compressor inlet temperature" None, "celsius" -40.0 .. 215.0 Some(0x75);
    "tc_cout" "Compressor outlet temperature" None, "celsius" -40.0 .. 215.0 Some(0x75);
    "tc_tin"  "Turbine inlet temperature" None, "celsius" -40.0 .. 1500.0 Some(0x75);
    "tc_tout" "Turbine outlet temperature" None, "celsius" -40.0 .. 1500.0 Some(0x75);
    "cact11"  "Charge air temperature, bank 1, sensor 1" None, "celsius" -40.0 .. 215.0 Some(0x77);
    "cact12"  "Charge air temperature, bank 1, sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x77);
    "cact21"  "Charge air temperature, bank 2, sensor 1" None, "celsius" -40.0 .. 215.0 Some(0x77);
    "cact22"  "Charge air temperature, bank 2, sensor 2" None, "celsius" -40.0 .. 215.0 Some(0x77);
    // Fuel
    "fsys1"   "Fuel system 1 status" None, "" 0.0 .. 128.0 Some(0x03);
    "fsys2"   "Fuel system 2 status" None, "" 0.0 .. 128.0 Some(0x03);
    "stft2"   "Short-term fuel trim, bank 2" Some("Vehicle.OBD.ShortTermFuelTrim2"), "percent" -100.0 .. 100.0 Some(0x08);
    "ltft2"   "Long-term fuel trim, bank 2" Some("Vehicle.OBD.LongTermFuelTrim2"), "percent" -100.0 .. 100.0 Some(0x09);
    "fp"      "Fuel pressure" Some("Vehicle.OBD.FuelPressure"), "kPa" 0.0 .. 765.0 Some(0x0A);
    "rail_vac" "Rail pressure over the manifold" Some("Vehicle.OBD.FuelRailPressureVac"), "kPa" 0.0 .. 5000.0 Some(0x22);
    "rail"    "Rail pressure" Some("Vehicle.OBD.FuelRailPressureDirect"), "kPa" 0.0 .. 400_000.0 Some(0x23);
    "rail_cmd" "Rail pressure wanted" None, "kPa" 0.0 .. 400_000.0 Some(0x6D);
    "rail_t"  "Rail temperature" None, "celsius" -40.0 .. 215.0 Some(0x6D);
    "railb"   "Rail pressure B" None, "kPa" 0.0 .. 400_000.0 Some(0x6D);
    "railb_cmd" "Rail pressure B wanted" None, "kPa" 0.0 .. 400_000.0 Some(0x6D);
    "railb_t" "Rail temperature B" None, "celsius" -40.0 .. 215.0 Some(0x6D);
    "rail_abs" "Rail pressure, absolute" Some("Vehicle.OBD.FuelRailPressureAbsolute"), "kPa" 0.0 .. 400_000.0 Some(0x59);
    "icp_cmd" "Injection control pressure wanted" None, "kPa" 0.0 .. 400_000.0 Some(0x6E);
    "icp"     "Injection control pressure" None, "kPa" 0.0 .. 400_000.0 Some(0x6E);
    "inj"     "Injection timing" Some("Vehicle.OBD.FuelInjectionTiming"), "degrees" -210.0 .. 302.0 Some(0x5D);
    "fuel_gs" "Fuel rate of the engine" None, "g/s" 0.0 .. 500.0 Some(0x9D);
    "fuel_gs_v" "Fuel rate of the vehicle" None, "g/s" 0.0 .. 500.0 Some(0x9D);
    "fuel_cyl" "Fuel per stroke" None, "mg/stroke" 0.0 .. 2000.0 Some(0xA2);
    "fueltype" "Fuel type" Some("Vehicle.OBD.FuelType"), "" 0.0 .. 64.0 Some(0x51);
    "alcohol" "Alcohol in the fuel" Some("Vehicle.OBD.EthanolPercent"), "percent" 0.0 .. 100.0 Some(0x52);
    "purge"   "Tank purge wanted" Some("Vehicle.OBD.CommandedEVAP"), "percent" 0.0 .. 100.0 Some(0x2E);
    "evap"    "Tank vapour pressure" Some("Vehicle.OBD.EVAPVaporPressure"), "Pa" -8192.0 .. 8192.0 Some(0x32);
    "evap_abs" "Tank vapour pressure, absolute" Some("Vehicle.OBD.EVAPVaporPressureAbsolute"), "kPa" 0.0 .. 328.0 Some(0x53);
    "evap_alt" "Tank vapour pressure, wide" Some("Vehicle.OBD.EVAPVaporPressureAlternate"), "Pa" -32_768.0 .. 32_767.0 Some(0x54);
    // Oxygen sensors
    "o2in2"   "Oxygen sensors of two banks" Some("Vehicle.OBD.OxygenSensorsIn2Banks"), "" 0.0 .. 255.0 Some(0x13);
    "o2in4"   "Oxygen sensors of four banks" Some("Vehicle.OBD.OxygenSensorsIn4Banks"), "" 0.0 .. 255.0 Some(0x1D);
    "o2v1"    "Oxygen sensor 1, voltage" Some("Vehicle.OBD.O2.Sensor1.Voltage"), "V" 0.0 .. 32.0 Some(0x14);
    "o2v2"    "Oxygen sensor 2, voltage" Some("Vehicle.OBD.O2.Sensor2.Voltage"), "V" 0.0 .. 32.0 Some(0x15);
    "o2v3"    "Oxygen sensor 3, voltage" Some("Vehicle.OBD.O2.Sensor3.Voltage"), "V" 0.0 .. 32.0 Some(0x16);
    "o2v4"    "Oxygen sensor 4, voltage" Some("Vehicle.OBD.O2.Sensor4.Voltage"), "V" 0.0 .. 32.0 Some(0x17);
    "o2v5"    "Oxygen sensor 5, voltage" Some("Vehicle.OBD.O2.Sensor5.Voltage"), "V" 0.0 .. 32.0 Some(0x18);
    "o2v6"    "Oxygen sensor 6, voltage" Some("Vehicle.OBD.O2.Sensor6.Voltage"), "V" 0.0 .. 32.0 Some(0x19);
    "o2v7"    "Oxygen sensor 7, voltage" Some("Vehicle.OBD.O2.Sensor7.Voltage"), "V" 0.0 .. 32.0 Some(0x1A);
    "o2v8"    "Oxygen sensor 8, voltage" Some("Vehicle.OBD.O2.Sensor8.Voltage"), "V" 0.0 .. 32.0 Some(0x1B);
    "o2t1"    "Oxygen sensor 1, fuel trim" Some("Vehicle.OBD.O2.Sensor1.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x14);
    "o2t2"    "Oxygen sensor 2, fuel trim" Some("Vehicle.OBD.O2.Sensor2.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x15);
    "o2t3"    "Oxygen sensor 3, fuel trim" Some("Vehicle.OBD.O2.Sensor3.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x16);
    "o2t4"    "Oxygen sensor 4, fuel trim" Some("Vehicle.OBD.O2.Sensor4.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x17);
    "o2t5"    "Oxygen sensor 5, fuel trim" Some("Vehicle.OBD.O2.Sensor5.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x18);
    "o2t6"    "Oxygen sensor 6, fuel trim" Some("Vehicle.OBD.O2.Sensor6.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x19);
    "o2t7"    "Oxygen sensor 7, fuel trim" Some("Vehicle.OBD.O2.Sensor7.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x1A);
    "o2t8"    "Oxygen sensor 8, fuel trim" Some("Vehicle.OBD.O2.Sensor8.ShortTermFuelTrim"), "percent" -100.0 .. 100.0 Some(0x1B);
    "lam1"    "Oxygen sensor 1, lambda" Some("Vehicle.OBD.O2WR.Sensor1.Lambda"), "ratio" 0.0 .. 32.0 Some(0x24);
    "lam2"    "Oxygen sensor 2, lambda" Some("Vehicle.OBD.O2WR.Sensor2.Lambda"), "ratio" 0.0 .. 32.0 Some(0x25);
    "lam3"    "Oxygen sensor 3, lambda" Some("Vehicle.OBD.O2WR.Sensor3.Lambda"), "ratio" 0.0 .. 32.0 Some(0x26);
    "lam4"    "Oxygen sensor 4, lambda" Some("Vehicle.OBD.O2WR.Sensor4.Lambda"), "ratio" 0.0 .. 32.0 Some(0x27);
    "lam5"    "Oxygen sensor 5, lambda" Some("Vehicle.OBD.O2WR.Sensor5.Lambda"), "ratio" 0.0 .. 32.0 Some(0x28);
    "lam6"    "Oxygen sensor 6, lambda" Some("Vehicle.OBD.O2WR.Sensor6.Lambda"), "ratio" 0.0 .. 32.0 Some(0x29);
    "lam7"    "Oxygen sensor 7, lambda" Some("Vehicle.OBD.O2WR.Sensor7.Lambda"), "ratio" 0.0 .. 32.0 Some(0x2A);
    "lam8"    "Oxygen sensor 8, lambda" Some("Vehicle.OBD.O2WR.Sensor8.Lambda"), "ratio" 0.0 .. 32.0 Some(0x2B);
    "o2c1"    "Oxygen sensor 1, current" Some("Vehicle.OBD.O2WR.Sensor1.Current"), "A" -0.255 .. 0.255 Some(0x34);
    "o2c2"    "Oxygen sensor 2, current" Some("Vehicle.OBD.O2WR.Sensor2.Current"), "A" -0.255 .. 0.255 Some(0x35);
    "o2c3"    "Oxygen sensor 3, current" Some("Vehicle.OBD.O2WR.Sensor3.Current"), "A" -0.255 .. 0.255 Some(0x36);
    "o2c4"    "Oxygen sensor 4, current" Some("Vehicle.OBD.O2WR.Sensor4.Current"), "A" -0.255 .. 0.255 Some(0x37);
    "o2c5"    "Oxygen sensor 5, current" Some("Vehicle.OBD.O2WR.Sensor5.Current"), "A" -0.255 .. 0.255 Some(0x38);
    "o2c6"    "Oxygen sensor 6, current" Some("Vehicle.OBD.O2WR.Sensor6.Current"), "A" -0.255 .. 0.255 Some(0x39);
    "o2c7"    "Oxygen sensor 7, current" Some("Vehicle.OBD.O2WR.Sensor7.Current"), "A" -0.255 .. 0.255 Some(0x3A);
    "o2c8"    "Oxygen sensor 8, current" Some("Vehicle.OBD.O2WR.Sensor8.Current"), "A" -0.255 .. 0.255 Some(0x3B);
    "o2p11"   "Oxygen in the exhaust, bank 1, sensor 1" None, "percent" 0.0 .. 100.01 Some(0x8C);
    "o2p12"   "Oxygen in the exhaust, bank 1, sensor 2" None, "percent" 0.0 .. 100.01 Some(0x8C);
    "o2p21"   "Oxygen in the exhaust, bank 2, sensor 1" None, "percent" 0.0 .. 100.01 Some(0x8C);
    "o2p22"   "Oxygen in the exhaust, bank 2, sensor 2" None, "percent" 0.0 .. 100.01 Some(0x8C);
    "so2st1"  "Short-term trim of the second sensor, bank 1" Some("Vehicle.OBD.ShortTermO2Trim1"), "percent" -100.0 .. 100.0 Some(0x55);
    "so2lt1"  "Long-term trim of the second sensor, bank 1" Some("Vehicle.OBD.LongTermO2Trim1"), "percent" -100.0 .. 100.0 Some(0x56);
    "so2st2"  "Short-term trim of the second sensor, bank 2" Some("Vehicle.OBD.ShortTermO2Trim2"), "percent" -100.0 .. 100.0 Some(0x57);
    "so2lt2"  "Long-term trim of the second sensor, bank 2" Some("Vehicle.OBD.LongTermO2Trim2"), "percent" -100.0 .. 100.0 Some(0x58);
    "lam_cmd" "Lambda wanted" Some("Vehicle.OBD.CommandedEquivalenceRatio"), "ratio" 0.0 .. 32.0 Some(0x44);
    // Maxima that a car sets for others
    "lam_max" "Greatest lambda" None, "ratio" 0.0 .. 255.0 Some(0x4F);
    "o2v_max" "Greatest voltage of an oxygen sensor" None, "V" 0.0 .. 255.0 Some(0x4F);
    "o2c_max" "Greatest current of an oxygen sensor" None, "A" 0.0 .. 0.255 Some(0x4F);
    "map_max" "Greatest manifold pressure" None, "kPa" 0.0 .. 2550.0 Some(0x4F);
    "maf_max" "Greatest air flow" Some("Vehicle.OBD.MaxMAF"), "g/s" 0.0 .. 2550.0 Some(0x50);
    // Exhaust
    "egr"     "Exhaust gas recirculation wanted" Some("Vehicle.OBD.CommandedEGR"), "percent" 0.0 .. 100.0 Some(0x2C);
    "egr_act" "Exhaust gas recirculation" None, "percent" 0.0 .. 100.0 Some(0x69);
    "egr_err" "Error of exhaust gas recirculation" Some("Vehicle.OBD.EGRError"), "percent" -100.0 .. 100.0 Some(0x2D);
    "egrb"    "Exhaust gas recirculation B wanted" None, "percent" 0.0 .. 100.0 Some(0x69);
    "egrb_act" "Exhaust gas recirculation B" None, "percent" 0.0 .. 100.0 Some(0x69);
    "egrb_err" "Error of exhaust gas recirculation B" None, "percent" -100.0 .. 100.0 Some(0x69);
    "egrt11"  "Recirculated gas temperature, bank 1, sensor 1" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "egrt12"  "Recirculated gas temperature, bank 1, sensor 2" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "egrt21"  "Recirculated gas temperature, bank 2, sensor 1" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "egrt22"  "Recirculated gas temperature, bank 2, sensor 2" None, "celsius" -40.0 .. 980.0 Some(0x6B);
    "cat11"   "Catalyst temperature, bank 1, sensor 1" Some("Vehicle.OBD.Catalyst.Bank1.Temperature1"), "celsius" -40.0 .. 1500.0 Some(0x3C);
    "cat12"   "Catalyst temperature, bank 1, sensor 2" Some("Vehicle.OBD.Catalyst.Bank1.Temperature2"), "celsius" -40.0 .. 1500.0 Some(0x3E);
    "cat21"   "Catalyst temperature, bank 2, sensor 1" Some("Vehicle.OBD.Catalyst.Bank2.Temperature1"), "celsius" -40.0 .. 1500.0 Some(0x3D);
    "cat22"   "Catalyst temperature, bank 2, sensor 2" Some("Vehicle.OBD.Catalyst.Bank2.Temperature2"), "celsius" -40.0 .. 1500.0 Some(0x3F);
    "egt11"   "Exhaust temperature, bank 1, sensor 1" None, "celsius" -40.0 .. 1500.0 Some(0x78);
    "egt12"   "Exhaust temperature, bank 1, sensor 2" None, "celsius" -40.0 .. 1500.0 Some(0x78);
    "egt13"   "Exhaust temperature, bank 1, sensor 3" None, "celsius" -40.0 .. 1500.0 Some(0x78);
    "egt14"   "Exhaust temperature, bank 1, sensor 4" None, "celsius" -40.0 .. 1500.0 Some(0x78);
    "egt15"   "Exhaust temperature, bank 1, sensor 5" None, "celsius" -40.0 .. 1500.0 Some(0x98);
    "egt16"   "Exhaust temperature, bank 1, sensor 6" None, "celsius" -40.0 .. 1500.0 Some(0x98);
    "egt17"   "Exhaust temperature, bank 1, sensor 7" None, "celsius" -40.0 .. 1500.0 Some(0x98);
    "egt18"   "Exhaust temperature, bank 1, sensor 8" None, "celsius" -40.0 .. 1500.0 Some(0x98);
    "egt21"   "Exhaust temperature, bank 2, sensor 1" None, "celsius" -40.0 .. 1500.0 Some(0x79);
    "egt22"   "Exhaust temperature, bank 2, sensor 2" None, "celsius" -40.0 .. 1500.0 Some(0x79);
    "egt23"   "Exhaust temperature, bank 2, sensor 3" None, "celsius" -40.0 .. 1500.0 Some(0x79);
    "egt24"   "Exhaust temperature, bank 2, sensor 4" None, "celsius" -40.0 .. 1500.0 Some(0x79);
    "ep1"     "Exhaust pressure, bank 1" None, "kPa" 0.0 .. 650.0 Some(0x73);
    "ep2"     "Exhaust pressure, bank 2" None, "kPa" 0.0 .. 650.0 Some(0x73);
    "exhaust" "Exhaust flow" None, "kg/h" 0.0 .. 10_000.0 Some(0x9E);
    "dpf1_dp" "Pressure over particulate filter 1" None, "kPa" -328.0 .. 328.0 Some(0x7A);
    "dpf1_inp" "Pressure before particulate filter 1" None, "kPa" 0.0 .. 650.0 Some(0x7A);
    "dpf1_outp" "Pressure after particulate filter 1" None, "kPa" 0.0 .. 650.0 Some(0x7A);
    "dpf1_int" "Temperature before particulate filter 1" Some("Vehicle.Powertrain.CombustionEngine.DieselParticulateFilter.InletTemperature"), "celsius" -40.0 .. 1500.0 Some(0x7C);
    "dpf1_outt" "Temperature after particulate filter 1" Some("Vehicle.Powertrain.CombustionEngine.DieselParticulateFilter.OutletTemperature"), "celsius" -40.0 .. 1500.0 Some(0x7C);
    "dpf2_dp" "Pressure over particulate filter 2" None, "kPa" -328.0 .. 328.0 Some(0x7B);
    "dpf2_inp" "Pressure before particulate filter 2" None, "kPa" 0.0 .. 650.0 Some(0x7B);
    "dpf2_outp" "Pressure after particulate filter 2" None, "kPa" 0.0 .. 650.0 Some(0x7B);
    "dpf2_int" "Temperature before particulate filter 2" None, "celsius" -40.0 .. 1500.0 Some(0x7C);
    "dpf2_outt" "Temperature after particulate filter 2" None, "celsius" -40.0 .. 1500.0 Some(0x7C);
    "dpf_regen" "Particulate filter regenerates" None, "" 0.0 .. 1.0 Some(0x8B);
    "dpf_active" "Regeneration is active" None, "" 0.0 .. 1.0 Some(0x8B);
    "dpf_trig" "Regeneration due" None, "percent" 0.0 .. 100.0 Some(0x8B);
    "dpf_avgt" "Time between regenerations" None, "min" 0.0 .. 65_535.0 Some(0x8B);
    "dpf_avgd" "Distance between regenerations" None, "km" 0.0 .. 65_535.0 Some(0x8B);
    "nox_regen" "NOx adsorber regenerates" None, "" 0.0 .. 1.0 Some(0x8B);
    "nox_desulf" "NOx adsorber is desulphurized" None, "" 0.0 .. 1.0 Some(0x8B);
    "nox11"   "NOx, bank 1, sensor 1" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "nox12"   "NOx, bank 1, sensor 2" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "nox21"   "NOx, bank 2, sensor 1" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "nox22"   "NOx, bank 2, sensor 2" None, "ppm" 0.0 .. 5000.0 Some(0x83);
    "noxc11"  "NOx corrected, bank 1, sensor 1" None, "ppm" 0.0 .. 5000.0 Some(0xA1);
    "noxc12"  "NOx corrected, bank 1, sensor 2" None, "ppm" 0.0 .. 5000.0 Some(0xA1);
    "noxc21"  "NOx corrected, bank 2, sensor 1" None, "ppm" 0.0 .. 5000.0 Some(0xA1);
    "noxc22"  "NOx corrected, bank 2, sensor 2" None, "ppm" 0.0 .. 5000.0 Some(0xA1);
    "pm11"    "Particulate matter, bank 1" None, "mg/m^3" 0.0 .. 800.0 Some(0x86);
    "pm21"    "Particulate matter, bank 2" None, "mg/m^3" 0.0 .. 800.0 Some(0x86);
    "def"     "Exhaust fluid level" Some("Vehicle.Powertrain.CombustionEngine.DieselExhaustFluid.Level"), "percent" 0.0 .. 100.0 Some(0x85);
    "def_con" "Exhaust fluid concentration" None, "percent" 0.0 .. 63.75 Some(0x9B);
    "def_t"   "Exhaust fluid temperature" None, "celsius" -40.0 .. 215.0 Some(0x9B);
    "def_rate" "Exhaust fluid rate" None, "l/h" 0.0 .. 300.0 Some(0x85);
    "def_dem" "Exhaust fluid rate wanted" None, "l/h" 0.0 .. 300.0 Some(0x85);
    "def_dose" "Exhaust fluid dosing wanted" None, "percent" 0.0 .. 127.5 Some(0xA5);
    "nox_warn_h" "Hours with NOx warning" None, "h" 0.0 .. 200_000.0 Some(0x85);
    // Traction battery
    "hv_v"    "Traction battery voltage" Some("Vehicle.Powertrain.TractionBattery.CurrentVoltage"), "V" 0.0 .. 1000.0 Some(0x9A);
    "hv_a"    "Traction battery current" Some("Vehicle.Powertrain.TractionBattery.CurrentCurrent"), "A" -2000.0 .. 2000.0 Some(0x9A);
    "soh"     "Traction battery health" Some("Vehicle.Powertrain.TractionBattery.StateOfHealth"), "percent" 0.0 .. 100.0 Some(0xB2);
    // Since the codes were cleared, and with the lamp on
    "milt"    "Engine time with lamp on" Some("Vehicle.OBD.RunTimeMIL"), "min" 0.0 .. 65_535.0 Some(0x4D);
    "clrt"    "Engine time since codes were cleared" Some("Vehicle.OBD.TimeSinceDTCCleared"), "min" 0.0 .. 65_535.0 Some(0x4E);
    "clrd"    "Distance since codes were cleared" Some("Vehicle.OBD.DistanceSinceDTCClear"), "km" 0.0 .. 65_535.0 Some(0x31);
    "warmups" "Warm-ups since codes were cleared" Some("Vehicle.OBD.WarmupsSinceDTCClear"), "" 0.0 .. 255.0 Some(0x30);
    // Extra sensors, of a microcontroller
    "gx"    "Rate of roll"            Some("Vehicle.AngularVelocity.Roll"), "degrees/s" -2000.0 .. 2000.0 None;
    "gy"    "Rate of pitch"           Some("Vehicle.AngularVelocity.Pitch"), "degrees/s" -2000.0 .. 2000.0 None;
    "gz"    "Rate of yaw"             Some("Vehicle.AngularVelocity.Yaw"), "degrees/s" -2000.0 .. 2000.0 None;
    "itemp" "Inside temperature"      Some("Vehicle.Cabin.HVAC.AmbientAirTemperature"), "celsius" -40.0 .. 125.0 None;
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
        assert!(CATALOGUE.iter().all(|s| is_key(s.key) && !s.label.is_empty()));
    }

    #[test]
    fn a_batch_has_room_for_all_signals() {
        const { assert!(CATALOGUE.len() <= crate::codec::MAX_KEYS) }
    }

    #[test]
    fn a_signal_is_found_by_key_and_by_pid() {
        assert_eq!(by_pid(0x0C).collect::<Vec<_>>(), [find("rpm").unwrap()]);
        assert!(by_pid(0x15).map(|signal| signal.key).eq(["o2v2", "o2t2"]));
        assert_eq!(find("no such"), None);
        assert!(!find("ect").unwrap().is_plausible(400.0));
    }
}

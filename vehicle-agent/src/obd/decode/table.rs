use super::parameter::{Parameter, Value};

const FAST: u32 = 500;
const MEDIUM: u32 = 2_000;
const SLOW: u32 = 10_000;

macro_rules! parameters {
    ($($pid:literal $length:literal $period:ident { $($key:literal $formula:literal $eval:expr;)+ })*) => {
        /// The PIDs of mode 01 that are asked for, with the formulas of SAE J1979.
        pub static PARAMETERS: &[Parameter] = &[$(Parameter {
            pid: $pid,
            length: $length,
            period_ms: $period,
            values: &[$(Value { key: $key, formula: $formula, eval: $eval },)+],
        },)*];
    };
}

parameters! {
    0x0C 2 FAST { "rpm" "(256A+B)/4" |d| Some(word(d, 0) / 4.0); }
    0x0D 1 FAST { "spd" "A" |d| Some(byte(d, 0)); }
    0x04 1 MEDIUM { "load" "100A/255" |d| Some(percent(d, 0)); }
    0x11 1 MEDIUM { "thr" "100A/255" |d| Some(percent(d, 0)); }
    0x0B 1 MEDIUM { "map" "A" |d| Some(byte(d, 0)); }
    0x10 2 MEDIUM { "maf" "(256A+B)/100" |d| Some(word(d, 0) / 100.0); }
    0x0E 1 MEDIUM { "timing" "A/2-64" |d| Some(byte(d, 0) / 2.0 - 64.0); }
    0x5E 2 MEDIUM { "frate" "(256A+B)/20" |d| Some(word(d, 0) / 20.0); }
    0x06 1 SLOW { "stft" "100A/128-100" |d| Some(trim(d, 0)); }
    0x07 1 SLOW { "ltft" "100A/128-100" |d| Some(trim(d, 0)); }
    0x05 1 SLOW { "ect" "A-40" |d| Some(celsius(d, 0)); }
    0x0F 1 SLOW { "iat" "A-40" |d| Some(celsius(d, 0)); }
    0x5C 1 SLOW { "oil" "A-40" |d| Some(celsius(d, 0)); }
    0x46 1 SLOW { "oat" "A-40" |d| Some(celsius(d, 0)); }
    0x33 1 SLOW { "baro" "A" |d| Some(byte(d, 0)); }
    0x1F 2 SLOW { "run" "256A+B" |d| Some(word(d, 0)); }
    0x21 2 SLOW { "mild" "256A+B" |d| Some(word(d, 0)); }
    0x2F 1 SLOW { "fuel" "100A/255" |d| Some(percent(d, 0)); }
    0x5B 1 SLOW { "soc" "100A/255" |d| Some(percent(d, 0)); }
    0x42 2 SLOW { "vbat" "(256A+B)/1000" |d| Some(word(d, 0) / 1000.0); }
    0xA6 4 SLOW { "odo" "(16777216A+65536B+256C+D)/10" |d| Some((word(d, 0) * 65_536.0 + word(d, 2)) / 10.0); }
}

// The table gives each formula as many bytes as it takes.
fn byte(data: &[u8], at: usize) -> f64 {
    f64::from(data[at])
}
fn word(data: &[u8], at: usize) -> f64 {
    byte(data, at) * 256.0 + byte(data, at + 1)
}
fn percent(data: &[u8], at: usize) -> f64 {
    byte(data, at) * 100.0 / 255.0
}
fn celsius(data: &[u8], at: usize) -> f64 {
    byte(data, at) - 40.0
}
fn trim(data: &[u8], at: usize) -> f64 {
    byte(data, at) / 1.28 - 100.0
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn the_formulas_are_those_of_sae_j1979() {
        for (pid, data, expected) in [
            (0x0C, &[0x14, 0x5F][..], 1303.75),
            (0x0D, &[0x0A], 10.0),
            (0x04, &[0xFF], 100.0),
            (0x05, &[0x00], -40.0),
            (0x06, &[0x80], 0.0),
            (0x0B, &[0x65], 101.0),
            (0x0E, &[0x80], 0.0),
            (0x10, &[0x01, 0x00], 2.56),
            (0x11, &[0x33], 20.0),
            (0x1F, &[0x01, 0x02], 258.0),
            (0x2F, &[0x80], 50.196_078_431_372_55),
            (0x42, &[0x36, 0xB0], 14.0),
            (0x5E, &[0x00, 0x14], 1.0),
            (0xA6, &[0x00, 0x01, 0x86, 0xA0], 10_000.0),
        ] {
            let values: Vec<f64> = Parameter::find(pid).unwrap().read(data).map(|(_, value)| value).collect();
            assert_eq!(values, [expected], "PID {pid:02X}");
        }
        assert_eq!(Parameter::find(0x0C).unwrap().read(&[0x14]).count(), 0, "truncated");
    }

    #[test]
    fn every_value_is_in_the_catalogue_and_told_once() {
        let keys: Vec<_> = PARAMETERS.iter().flat_map(|parameter| parameter.signals()).map(|s| s.key).collect();
        let unique: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(keys.len(), unique.len());
        for parameter in PARAMETERS {
            let own: Vec<_> = parameter.signals().map(|signal| signal.key).collect();
            let known: Vec<_> = bugbrother_wire::signal::by_pid(parameter.pid).map(|signal| signal.key).collect();
            assert_eq!(own, known, "PID {:02X}", parameter.pid);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_told_is_within_the_range_of_its_signal(data in vec(any::<u8>(), 0..40)) {
            for parameter in PARAMETERS {
                for (signal, value) in parameter.read(&data) {
                    prop_assert!(value.is_finite() && signal.is_plausible(value), "{} {value}", signal.key);
                }
            }
        }
    }
}

//! What scales other values: PIDs 4F and 50.

/// The maxima that a control unit has set. Where its values go beyond what their bytes hold, PIDs 0B, 10, 24 to 2B, 34 to
/// 3B and 44 are coded up to that maximum instead of the usual one. Whoever did not ask would take 2 bar of boost for 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Maxima([Option<f64>; 5]);

/// A value whose maximum a control unit may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maximum {
    /// Equivalence ratio, lambda.
    Ratio,
    /// Voltage of an oxygen sensor of a wide range.
    Voltage,
    /// Current of an oxygen sensor of a wide range.
    Current,
    /// Pressure in the intake manifold.
    Pressure,
    /// Air flow.
    Flow,
}

/// The usual maxima: 2, 8 V, 128 mA, 255 kPa, 655.35 g/s.
const USUAL: [f64; 5] = [2.0, 8.0, 128.0, 255.0, 655.35];

impl Maxima {
    /// The PIDs that tell them.
    pub const PIDS: [u8; 2] = [0x4F, 0x50];

    /// Notes an answer to one of [`Self::PIDS`]. A zero stands for the usual maximum.
    pub fn note(&mut self, pid: u8, data: &[u8]) {
        let told = |byte: u8, unit: f64| (byte > 0).then(|| f64::from(byte) * unit);
        match (pid, data) {
            (0x4F, [ratio, voltage, current, pressure, ..]) => {
                let [.., flow] = self.0;
                self.0 = [told(*ratio, 1.0), told(*voltage, 1.0), told(*current, 1.0), told(*pressure, 10.0), flow];
            }
            (0x50, [flow, ..]) => self.0[Maximum::Flow as usize] = told(*flow, 10.0),
            _ => {}
        }
    }

    /// How many times its formula a value is.
    pub fn factor(&self, of: Maximum) -> f64 {
        self.0[of as usize].map_or(1.0, |maximum| maximum / USUAL[of as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obd::decode::Parameter;

    #[test]
    fn a_car_with_more_boost_than_a_byte_holds_is_read_right() {
        let mut maxima = Maxima::default();
        let read = |pid, data: &[u8], maxima: &Maxima| -> Vec<f64> {
            Parameter::find(pid).unwrap().read_scaled(data, maxima).map(|(_, value)| value).collect()
        };
        assert_eq!(read(0x0B, &[100], &maxima), [100.0]);
        maxima.note(0x4F, &[4, 0, 0, 51]);
        maxima.note(0x50, &[131, 0, 0, 0]);
        assert_eq!(read(0x0B, &[100], &maxima), [200.0], "51 times 10 kPa is twice 255 kPa");
        assert_eq!(read(0x44, &[0x80, 0], &maxima), [2.0]);
        assert_eq!(read(0x24, &[0x40, 0, 0x80, 0], &maxima), [1.0, 4.0], "the voltage has its usual maximum");
        assert_eq!(read(0x34, &[0x40, 0, 0xC0, 0], &maxima), [1.0, 0.064]);
        let flow = read(0x10, &[0xFF, 0xFF], &maxima);
        assert!((flow[0] - 1310.0).abs() < 1e-9, "{flow:?}");
        assert_eq!(read(0x14, &[0x5A, 0x80], &maxima), [0.45, 0.0], "a sensor of a narrow range is as ever");
        assert_eq!(read(0x87, &[1, 0x0C, 0x80, 0, 0], &maxima), [100.0], "and so is what has two bytes");
        maxima.note(0x4F, &[0, 0, 0, 0]);
        maxima.note(0x50, &[]);
        assert_eq!(read(0x0B, &[100], &maxima), [100.0]);
    }
}

//! The parameters of SAE J1979 mode 01 that tell numbers, as SAE J1979-DA defines them.
//!
//! Read a row as: PID, bytes of data, how often it is asked for, and for each value its key, its formula and the formula
//! as a function. In formulas A, B, C… are the bytes of data, A0…A7 the bits of A from the lowest, `int16` is a number with
//! a sign and `int` drops what is behind the point. `if 3` means that the value is there if bit 3 of A says so, and
//! `of Pressure` that a control unit may have scaled it (see [`super::maxima`]).
//!
//! Of a value that several PIDs tell (coolant temperature: 05, and 67 where there are two sensors) a car has one; they
//! share a key.

use super::{
    maxima::Maximum,
    parameter::{Parameter, Value},
};

/// What changes from one moment to the next, and what all else is judged by.
const FAST: u32 = 500;
/// What tells how the vehicle is driven.
const MEDIUM: u32 = 2_000;
/// Temperatures, pressures, levels.
const SLOW: u32 = 10_000;
/// Constants, counters, and what is of use only to who looks for a fault.
const RARE: u32 = 60_000;

macro_rules! parameters {
    ($($pid:literal $length:literal $period_ms:ident
        [$($key:literal $formula:literal $(if $bit:literal)? $(of $maximum:ident)? |$d:ident| $eval:expr;)*])*) => {
        /// Every parameter that is asked for, by PID.
        pub static PARAMETERS: &[Parameter] = &[$(Parameter {
            pid: $pid,
            period_ms: $period_ms,
            length: $length,
            values: &[$(Value {
                key: $key,
                formula: concat!($formula $(, " if A", $bit)?),
                eval: |$d| { $(has($d, $bit)?;)? $eval },
                maximum: only(&[$(Maximum::$maximum)?]),
            },)*],
        },)*];
    };
}

const fn only(maxima: &[Maximum]) -> Option<Maximum> {
    match maxima {
        [maximum] => Some(*maximum),
        _ => None,
    }
}

parameters! {
    0x03 2 RARE ["fsys1" "A" |d| byte(d, 0); "fsys2" "B" |d| byte(d, 1);]
    0x04 1 MEDIUM ["load" "A*100/255" |d| percent(d, 0);]
    0x05 1 SLOW ["ect" "A-40" |d| celsius(d, 0);]
    0x06 1 SLOW ["stft" "A/1.28-100" |d| trim(d, 0);]
    0x07 1 SLOW ["ltft" "A/1.28-100" |d| trim(d, 0);]
    0x08 1 SLOW ["stft2" "A/1.28-100" |d| trim(d, 0);]
    0x09 1 SLOW ["ltft2" "A/1.28-100" |d| trim(d, 0);]
    0x0A 1 SLOW ["fp" "3A" |d| Some(byte(d, 0)? * 3.0);]
    0x0B 1 MEDIUM ["map" "A" of Pressure |d| byte(d, 0);]
    0x0C 2 FAST ["rpm" "(256A+B)/4" |d| Some(word(d, 0)? / 4.0);]
    0x0D 1 FAST ["spd" "A" |d| byte(d, 0);]
    0x0E 1 MEDIUM ["timing" "A/2-64" |d| Some(byte(d, 0)? / 2.0 - 64.0);]
    0x0F 1 SLOW ["iat" "A-40" |d| celsius(d, 0);]
    0x10 2 MEDIUM ["maf" "(256A+B)/100" of Flow |d| Some(word(d, 0)? / 100.0);]
    0x11 1 MEDIUM ["thr" "A*100/255" |d| percent(d, 0);]
    0x12 1 RARE ["air2" "A" |d| byte(d, 0);]
    0x13 1 RARE ["o2in2" "A" |d| byte(d, 0);]
    0x14 2 RARE ["o2v1" "A/200" |d| sensor(d); "o2t1" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x15 2 RARE ["o2v2" "A/200" |d| sensor(d); "o2t2" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x16 2 RARE ["o2v3" "A/200" |d| sensor(d); "o2t3" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x17 2 RARE ["o2v4" "A/200" |d| sensor(d); "o2t4" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x18 2 RARE ["o2v5" "A/200" |d| sensor(d); "o2t5" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x19 2 RARE ["o2v6" "A/200" |d| sensor(d); "o2t6" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x1A 2 RARE ["o2v7" "A/200" |d| sensor(d); "o2t7" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x1B 2 RARE ["o2v8" "A/200" |d| sensor(d); "o2t8" "B/1.28-100 if B<255" |d| sensor_trim(d);]
    0x1C 1 RARE ["obdstd" "A" |d| byte(d, 0);]
    0x1D 1 RARE ["o2in4" "A" |d| byte(d, 0);]
    0x1E 1 SLOW ["pto" "A0" |d| bit(d, 0, 0);]
    0x1F 2 SLOW ["run" "256A+B" |d| word(d, 0);]
    0x21 2 SLOW ["mild" "256A+B" |d| word(d, 0);]
    0x22 2 RARE ["rail_vac" "(256A+B)*0.079" |d| Some(word(d, 0)? * 0.079);]
    0x23 2 SLOW ["rail" "(256A+B)*10" |d| rail(d, 0);]
    0x24 4 RARE ["lam1" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v1" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x25 4 RARE ["lam2" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v2" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x26 4 RARE ["lam3" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v3" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x27 4 RARE ["lam4" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v4" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x28 4 RARE ["lam5" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v5" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x29 4 RARE ["lam6" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v6" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x2A 4 RARE ["lam7" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v7" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x2B 4 RARE ["lam8" "(256A+B)/32768" of Ratio |d| lambda(d); "o2v8" "(256C+D)/8192" of Voltage |d| wide_voltage(d);]
    0x2C 1 SLOW ["egr" "A*100/255" |d| percent(d, 0);]
    0x2D 1 RARE ["egr_err" "A/1.28-100" |d| trim(d, 0);]
    0x2E 1 RARE ["purge" "A*100/255" |d| percent(d, 0);]
    0x2F 1 SLOW ["fuel" "A*100/255" |d| percent(d, 0);]
    0x30 1 RARE ["warmups" "A" |d| byte(d, 0);]
    0x31 2 RARE ["clrd" "256A+B" |d| word(d, 0);]
    0x32 2 RARE ["evap" "int16(A,B)/4" |d| Some(int16(d, 0)? / 4.0);]
    0x33 1 SLOW ["baro" "A" |d| byte(d, 0);]
    0x34 4 RARE ["lam1" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c1" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x35 4 RARE ["lam2" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c2" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x36 4 RARE ["lam3" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c3" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x37 4 RARE ["lam4" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c4" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x38 4 RARE ["lam5" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c5" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x39 4 RARE ["lam6" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c6" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x3A 4 RARE ["lam7" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c7" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x3B 4 RARE ["lam8" "(256A+B)/32768" of Ratio |d| lambda(d); "o2c8" "((256C+D)/256-128)/1000" of Current |d| pump_current(d);]
    0x3C 2 SLOW ["cat11" "(256A+B)/10-40" |d| exhaust_celsius(d, 0);]
    0x3D 2 RARE ["cat21" "(256A+B)/10-40" |d| exhaust_celsius(d, 0);]
    0x3E 2 RARE ["cat12" "(256A+B)/10-40" |d| exhaust_celsius(d, 0);]
    0x3F 2 RARE ["cat22" "(256A+B)/10-40" |d| exhaust_celsius(d, 0);]
    0x42 2 SLOW ["vbat" "(256A+B)/1000" |d| Some(word(d, 0)? / 1000.0);]
    0x43 2 SLOW ["aload" "(256A+B)*100/255" |d| Some(word(d, 0)? * 100.0 / 255.0);]
    0x44 2 RARE ["lam_cmd" "(256A+B)/32768" of Ratio |d| lambda(d);]
    0x45 1 RARE ["thr_rel" "A*100/255" |d| percent(d, 0);]
    0x46 1 SLOW ["oat" "A-40" |d| celsius(d, 0);]
    0x47 1 RARE ["thr_b" "A*100/255" |d| percent(d, 0);]
    0x48 1 RARE ["thr_c" "A*100/255" |d| percent(d, 0);]
    0x49 1 MEDIUM ["pedal" "A*100/255" |d| percent(d, 0);]
    0x4A 1 RARE ["pedal_e" "A*100/255" |d| percent(d, 0);]
    0x4B 1 RARE ["pedal_f" "A*100/255" |d| percent(d, 0);]
    0x4C 1 RARE ["tac" "A*100/255" |d| percent(d, 0);]
    0x4D 2 RARE ["milt" "256A+B" |d| word(d, 0);]
    0x4E 2 RARE ["clrt" "256A+B" |d| word(d, 0);]
    0x4F 4 RARE [
        "lam_max" "A" |d| byte(d, 0);
        "o2v_max" "B" |d| byte(d, 1);
        "o2c_max" "C/1000" |d| Some(byte(d, 2)? / 1000.0);
        "map_max" "10D" |d| Some(byte(d, 3)? * 10.0);
    ]
    0x50 4 RARE ["maf_max" "10A" |d| Some(byte(d, 0)? * 10.0);]
    0x51 1 RARE ["fueltype" "A" |d| byte(d, 0);]
    0x52 1 SLOW ["alcohol" "A*100/255" |d| percent(d, 0);]
    0x53 2 RARE ["evap_abs" "(256A+B)/200" |d| Some(word(d, 0)? / 200.0);]
    0x54 2 RARE ["evap_alt" "int16(A,B)" |d| int16(d, 0);]
    0x55 2 RARE ["so2st1" "A/1.28-100" |d| trim(d, 0);]
    0x56 2 RARE ["so2lt1" "A/1.28-100" |d| trim(d, 0);]
    0x57 2 RARE ["so2st2" "A/1.28-100" |d| trim(d, 0);]
    0x58 2 RARE ["so2lt2" "A/1.28-100" |d| trim(d, 0);]
    0x59 2 SLOW ["rail_abs" "(256A+B)*10" |d| rail(d, 0);]
    0x5A 1 MEDIUM ["pedal_rel" "A*100/255" |d| percent(d, 0);]
    0x5B 1 SLOW ["soc" "A*100/255" |d| percent(d, 0);]
    0x5C 1 SLOW ["oil" "A-40" |d| celsius(d, 0);]
    0x5D 2 RARE ["inj" "(256A+B)/128-210" |d| Some(word(d, 0)? / 128.0 - 210.0);]
    0x5E 2 MEDIUM ["frate" "(256A+B)/20" |d| Some(word(d, 0)? / 20.0);]
    0x61 1 SLOW ["tq_dem" "A-125" |d| torque(d, 0);]
    0x62 1 MEDIUM ["tq" "A-125" |d| torque(d, 0);]
    0x63 2 RARE ["tq_ref" "256A+B" |d| word(d, 0);]
    0x64 5 RARE [
        "tq_max1" "A-125" |d| torque(d, 0);
        "tq_max2" "B-125" |d| torque(d, 1);
        "tq_max3" "C-125" |d| torque(d, 2);
        "tq_max4" "D-125" |d| torque(d, 3);
        "tq_max5" "E-125" |d| torque(d, 4);
    ]
    0x65 2 SLOW [
        "pto" "B0" if 0 |d| bit(d, 1, 0);
        "drive_in" "B1" if 1 |d| bit(d, 1, 1);
        "gear_in" "B2" if 2 |d| bit(d, 1, 2);
        "glow" "B3" if 3 |d| bit(d, 1, 3);
        "gear_rec" "int(B/16)" if 4 |d| upper_half(d, 1);
    ]
    0x66 5 MEDIUM ["maf" "(256B+C)/32" if 0 |d| by_32(d, 1); "mafb" "(256D+E)/32" if 1 |d| by_32(d, 3);]
    0x67 3 SLOW ["ect" "B-40" if 0 |d| celsius(d, 1); "ect2" "C-40" if 1 |d| celsius(d, 2);]
    0x68 7 SLOW [
        "iat" "B-40" if 0 |d| celsius(d, 1);
        "iat12" "C-40" if 1 |d| celsius(d, 2);
        "iat13" "D-40" if 2 |d| celsius(d, 3);
        "iat21" "E-40" if 3 |d| celsius(d, 4);
        "iat22" "F-40" if 4 |d| celsius(d, 5);
        "iat23" "G-40" if 5 |d| celsius(d, 6);
    ]
    0x69 7 SLOW [
        "egr" "B*100/255" if 0 |d| percent(d, 1);
        "egr_act" "C*100/255" if 1 |d| percent(d, 2);
        "egr_err" "D/1.28-100" if 2 |d| trim(d, 3);
        "egrb" "E*100/255" if 3 |d| percent(d, 4);
        "egrb_act" "F*100/255" if 4 |d| percent(d, 5);
        "egrb_err" "G/1.28-100" if 5 |d| trim(d, 6);
    ]
    0x6A 5 RARE ["iaf_cmd" "B*100/255" if 0 |d| percent(d, 1); "iaf" "C*100/255" if 1 |d| percent(d, 2);]
    0x6B 5 SLOW [
        "egrt11" "4B-40 if A4, B-40 if A0" |d| egr_celsius(d, 1);
        "egrt12" "4C-40 if A5, C-40 if A1" |d| egr_celsius(d, 2);
        "egrt21" "4D-40 if A6, D-40 if A2" |d| egr_celsius(d, 3);
        "egrt22" "4E-40 if A7, E-40 if A3" |d| egr_celsius(d, 4);
    ]
    0x6C 5 RARE ["tac" "B*100/255" if 0 |d| percent(d, 1); "thr_rel" "C*100/255" if 1 |d| percent(d, 2);]
    0x6D 11 SLOW [
        "rail_cmd" "(256B+C)*10" if 0 |d| rail(d, 1);
        "rail" "(256D+E)*10" if 1 |d| rail(d, 3);
        "rail_t" "F-40" if 2 |d| celsius(d, 5);
        "railb_cmd" "(256G+H)*10" if 3 |d| rail(d, 6);
        "railb" "(256I+J)*10" if 4 |d| rail(d, 8);
        "railb_t" "K-40" if 5 |d| celsius(d, 10);
    ]
    0x6E 9 RARE ["icp_cmd" "(256B+C)*10" if 0 |d| rail(d, 1); "icp" "(256D+E)*10" if 1 |d| rail(d, 3);]
    0x6F 3 RARE [
        "tc_inp" "8B if A2, B if A0" |d| inlet_pressure(d, 1);
        "tcb_inp" "8C if A3, C if A1" |d| inlet_pressure(d, 2);
    ]
    0x70 10 SLOW [
        "boost_cmd" "(256B+C)/32" if 0 |d| by_32(d, 1);
        "boost" "(256D+E)/32" if 1 |d| by_32(d, 3);
        "boostb_cmd" "(256F+G)/32" if 3 |d| by_32(d, 5);
        "boostb" "(256H+I)/32" if 4 |d| by_32(d, 7);
    ]
    0x71 6 RARE ["vgt_cmd" "B*100/255" if 0 |d| percent(d, 1); "vgt" "C*100/255" if 1 |d| percent(d, 2);]
    0x72 5 RARE ["wg_cmd" "B*100/255" if 0 |d| percent(d, 1); "wg" "C*100/255" if 1 |d| percent(d, 2);]
    0x73 5 SLOW ["ep1" "(256B+C)/100" if 0 |d| by_100(d, 1); "ep2" "(256D+E)/100" if 1 |d| by_100(d, 3);]
    0x74 5 SLOW [
        "tc_rpm" "(256B+C)*10" if 0 |d| Some(word(d, 1)? * 10.0);
        "tcb_rpm" "(256D+E)*10" if 1 |d| Some(word(d, 3)? * 10.0);
    ]
    0x75 7 RARE [
        "tc_cin" "B-40" if 0 |d| celsius(d, 1);
        "tc_cout" "C-40" if 1 |d| celsius(d, 2);
        "tc_tin" "(256D+E)/10-40" if 2 |d| exhaust_celsius(d, 3);
        "tc_tout" "(256F+G)/10-40" if 3 |d| exhaust_celsius(d, 5);
    ]
    0x77 5 SLOW [
        "cact11" "B-40" if 0 |d| celsius(d, 1);
        "cact12" "C-40" if 1 |d| celsius(d, 2);
        "cact21" "D-40" if 2 |d| celsius(d, 3);
        "cact22" "E-40" if 3 |d| celsius(d, 4);
    ]
    0x78 9 SLOW [
        "egt11" "(256B+C)/10-40" if 0 |d| exhaust_celsius(d, 1);
        "egt12" "(256D+E)/10-40" if 1 |d| exhaust_celsius(d, 3);
        "egt13" "(256F+G)/10-40" if 2 |d| exhaust_celsius(d, 5);
        "egt14" "(256H+I)/10-40" if 3 |d| exhaust_celsius(d, 7);
    ]
    0x79 9 SLOW [
        "egt21" "(256B+C)/10-40" if 0 |d| exhaust_celsius(d, 1);
        "egt22" "(256D+E)/10-40" if 1 |d| exhaust_celsius(d, 3);
        "egt23" "(256F+G)/10-40" if 2 |d| exhaust_celsius(d, 5);
        "egt24" "(256H+I)/10-40" if 3 |d| exhaust_celsius(d, 7);
    ]
    0x7A 7 SLOW [
        "dpf1_dp" "int16(B,C)/100" if 0 |d| Some(int16(d, 1)? / 100.0);
        "dpf1_inp" "(256D+E)/100" if 1 |d| by_100(d, 3);
        "dpf1_outp" "(256F+G)/100" if 2 |d| by_100(d, 5);
    ]
    0x7B 7 SLOW [
        "dpf2_dp" "int16(B,C)/100" if 0 |d| Some(int16(d, 1)? / 100.0);
        "dpf2_inp" "(256D+E)/100" if 1 |d| by_100(d, 3);
        "dpf2_outp" "(256F+G)/100" if 2 |d| by_100(d, 5);
    ]
    0x7C 9 SLOW [
        "dpf1_int" "(256B+C)/10-40" if 0 |d| exhaust_celsius(d, 1);
        "dpf1_outt" "(256D+E)/10-40" if 1 |d| exhaust_celsius(d, 3);
        "dpf2_int" "(256F+G)/10-40" if 2 |d| exhaust_celsius(d, 5);
        "dpf2_outt" "(256H+I)/10-40" if 3 |d| exhaust_celsius(d, 7);
    ]
    0x7F 13 RARE [
        "ehours" "(16777216B+65536C+256D+E)/3600" if 0 |d| hours(d, 1);
        "idle_h" "(16777216F+65536G+256H+I)/3600" if 1 |d| hours(d, 5);
        "pto_h" "(16777216J+65536K+256L+M)/3600" if 2 |d| hours(d, 9);
    ]
    0x83 9 SLOW [
        "nox11" "256B+C" if 0 |d| word(d, 1);
        // In older editions of the standard the answer ends after two sensors, of which the second is that of bank 2.
        "nox12" "256D+E+0I" if 1 |d| word(d, 7).and(word(d, 3));
        "nox21" "256F+G" if 2 |d| word(d, 5);
        "nox22" "256H+I" if 3 |d| word(d, 7);
    ]
    0x84 1 RARE ["mst" "A-40" |d| celsius(d, 0);]
    0x85 10 SLOW [
        "def_rate" "(256B+C)/200" if 0 |d| Some(word(d, 1)? / 200.0);
        "def_dem" "(256D+E)/200" if 1 |d| Some(word(d, 3)? / 200.0);
        "def" "F*100/255" if 2 |d| percent(d, 5);
        "nox_warn_h" "(16777216G+65536H+256I+J)/3600" if 3 |d| hours(d, 6);
    ]
    0x86 5 SLOW [
        "pm11" "(256B+C)/80" if 0 |d| Some(word(d, 1)? / 80.0);
        "pm21" "(256D+E)/80" if 1 |d| Some(word(d, 3)? / 80.0);
    ]
    0x87 5 MEDIUM ["map" "(256B+C)/32" if 0 |d| by_32(d, 1); "mapb" "(256D+E)/32" if 1 |d| by_32(d, 3);]
    0x8B 7 SLOW [
        "dpf_regen" "B0" if 0 |d| bit(d, 1, 0);
        "dpf_active" "B1" if 1 |d| bit(d, 1, 1);
        "nox_regen" "B2" if 2 |d| bit(d, 1, 2);
        "nox_desulf" "B3" if 3 |d| bit(d, 1, 3);
        "dpf_trig" "C*100/255" if 4 |d| percent(d, 2);
        "dpf_avgt" "256D+E" if 5 |d| word(d, 3);
        "dpf_avgd" "256F+G" if 6 |d| word(d, 5);
    ]
    0x8C 17 RARE [
        "o2p11" "(256B+C)*0.001526" if 0 |d| concentration(d, 1);
        "o2p12" "(256D+E)*0.001526" if 1 |d| concentration(d, 3);
        "o2p21" "(256F+G)*0.001526" if 2 |d| concentration(d, 5);
        "o2p22" "(256H+I)*0.001526" if 3 |d| concentration(d, 7);
    ]
    0x8D 1 RARE ["thr_g" "A*100/255" |d| percent(d, 0);]
    0x8E 1 RARE ["tq_fric" "A-125" |d| torque(d, 0);]
    0x98 9 SLOW [
        "egt15" "(256B+C)/10-40" if 0 |d| exhaust_celsius(d, 1);
        "egt16" "(256D+E)/10-40" if 1 |d| exhaust_celsius(d, 3);
        "egt17" "(256F+G)/10-40" if 2 |d| exhaust_celsius(d, 5);
        "egt18" "(256H+I)/10-40" if 3 |d| exhaust_celsius(d, 7);
    ]
    0x9A 6 MEDIUM [
        "hv_v" "(256C+D)/64" if 1 |d| Some(word(d, 2)? / 64.0);
        "hv_a" "int16(E,F)/10" if 2 |d| Some(int16(d, 4)? / 10.0);
    ]
    0x9B 4 SLOW [
        "def_con" "B/4" if 1 |d| Some(byte(d, 1)? / 4.0);
        "def_t" "C-40" if 2 |d| celsius(d, 2);
        "def" "D*100/255" if 3 |d| percent(d, 3);
    ]
    0x9D 4 MEDIUM [
        "fuel_gs" "(256A+B)/50" |d| Some(word(d, 0)? / 50.0);
        "fuel_gs_v" "(256C+D)/50" |d| Some(word(d, 2)? / 50.0);
    ]
    0x9E 2 SLOW ["exhaust" "(256A+B)/5" |d| Some(word(d, 0)? / 5.0);]
    0xA1 9 SLOW [
        "noxc11" "256B+C" if 0 |d| word(d, 1);
        "noxc12" "256D+E" if 1 |d| word(d, 3);
        "noxc21" "256F+G" if 2 |d| word(d, 5);
        "noxc22" "256H+I" if 3 |d| word(d, 7);
    ]
    0xA2 2 SLOW ["fuel_cyl" "(256A+B)/32" |d| by_32(d, 0);]
    0xA4 4 MEDIUM [
        "gear" "int(B/16)" if 0 |d| upper_half(d, 1);
        "gear_ratio" "(256C+D)/1000" if 1 |d| Some(word(d, 2)? / 1000.0);
    ]
    0xA5 4 SLOW ["def_dose" "B/2" if 0 |d| Some(byte(d, 1)? / 2.0);]
    0xA6 4 SLOW ["odo" "(16777216A+65536B+256C+D)/10" |d| Some(long(d, 0)? / 10.0);]
    0xB2 1 RARE ["soh" "A*100/255" |d| percent(d, 0);]
}

/// Whether a support bit of A is set.
fn has(data: &[u8], at: u8) -> Option<()> {
    (data.first()? & (1 << at) != 0).then_some(())
}

fn byte(data: &[u8], at: usize) -> Option<f64> {
    data.get(at).copied().map(f64::from)
}

fn word(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? * 256.0 + byte(data, at + 1)?)
}

fn int16(data: &[u8], at: usize) -> Option<f64> {
    Some(f64::from(i16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?])))
}

fn long(data: &[u8], at: usize) -> Option<f64> {
    Some(word(data, at)? * 65_536.0 + word(data, at + 2)?)
}

fn bit(data: &[u8], at: usize, bit: u8) -> Option<f64> {
    Some(f64::from(data.get(at)? >> bit & 1))
}

fn upper_half(data: &[u8], at: usize) -> Option<f64> {
    Some(f64::from(data.get(at)? >> 4))
}

fn percent(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? * 100.0 / 255.0)
}

fn trim(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? / 1.28 - 100.0)
}

fn celsius(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? - 40.0)
}

fn exhaust_celsius(data: &[u8], at: usize) -> Option<f64> {
    Some(word(data, at)? / 10.0 - 40.0)
}

fn torque(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? - 125.0)
}

fn rail(data: &[u8], at: usize) -> Option<f64> {
    Some(word(data, at)? * 10.0)
}

fn by_32(data: &[u8], at: usize) -> Option<f64> {
    Some(word(data, at)? / 32.0)
}

fn by_100(data: &[u8], at: usize) -> Option<f64> {
    Some(word(data, at)? / 100.0)
}

fn hours(data: &[u8], at: usize) -> Option<f64> {
    Some(long(data, at)? / 3600.0)
}

fn sensor(data: &[u8]) -> Option<f64> {
    Some(byte(data, 0)? / 200.0)
}

/// FF says that the sensor has no part in the trim.
fn sensor_trim(data: &[u8]) -> Option<f64> {
    if *data.get(1)? == 0xFF { None } else { trim(data, 1) }
}

fn lambda(data: &[u8]) -> Option<f64> {
    Some(word(data, 0)? / 32_768.0)
}

fn wide_voltage(data: &[u8]) -> Option<f64> {
    Some(word(data, 2)? / 8192.0)
}

fn pump_current(data: &[u8]) -> Option<f64> {
    Some((word(data, 2)? / 256.0 - 128.0) / 1000.0)
}

fn concentration(data: &[u8], at: usize) -> Option<f64> {
    Some(word(data, at)? * 0.001526)
}

/// Sensors of a wide range have their own support bits, four above the others'.
fn egr_celsius(data: &[u8], at: u8) -> Option<f64> {
    let value = byte(data, at.into())?;
    if has(data, at + 3).is_some() {
        return Some(value * 4.0 - 40.0);
    }
    has(data, at - 1)?;
    Some(value - 40.0)
}

/// Sensors of a wide range have their own support bits, two above the others'.
fn inlet_pressure(data: &[u8], at: u8) -> Option<f64> {
    let value = byte(data, at.into())?;
    if has(data, at + 1).is_some() {
        return Some(value * 8.0);
    }
    has(data, at - 1)?;
    Some(value)
}

//! All parameters. A formula is text, which is what is evaluated (see [`super::formula`]) and what `docs/signals.md` shows.

use super::{
    maxima::Maximum,
    parameter::{Parameter, Value},
};

// On a slow bus all intervals are stretched alike. So that twenty values of use stay frequent there, the rest is rare.
const FAST: u32 = 500;
const MEDIUM: u32 = 2_000;
const SLOW: u32 = 10_000;
const RARE: u32 = 60_000;
/// What does not change within a drive.
const CONSTANT: u32 = 3_600_000;

macro_rules! parameters {
    ($($pid:literal $shortest:literal $(..= $longest:literal)? $period:ident {
        $($key:literal $formula:literal $(by $maximum:ident)?;)+
    })*) => {
        /// The PIDs of mode 01 that are asked for, with the formulas of SAE J1979-DA.
        pub static PARAMETERS: &[Parameter] = &[$(Parameter {
            pid: $pid,
            shortest: $shortest,
            length: last(&[$shortest $(, $longest)?]),
            period_ms: $period,
            values: &[$(Value { key: $key, formula: $formula, maximum: only(&[$(Maximum::$maximum)?]) },)+],
        },)*];
    };
}

const fn last(lengths: &[usize]) -> usize {
    lengths[lengths.len() - 1]
}

const fn only(maxima: &[Maximum]) -> Option<Maximum> {
    match maxima {
        [maximum] => Some(*maximum),
        _ => None,
    }
}

// PID, bytes of an answer, how often; then signal, formula and the maximum by which it is scaled.
parameters! {
    // 01 to 20
    0x03 2 RARE { "fuelsys1" "A"; "fuelsys2" "B"; }
    0x04 1 MEDIUM { "load" "100A/255"; }
    0x05 1 SLOW { "ect" "A-40"; }
    0x06 1..=2 SLOW { "stft" "100A/128-100"; "stft3" "100B/128-100"; }
    0x07 1..=2 SLOW { "ltft" "100A/128-100"; "ltft3" "100B/128-100"; }
    0x08 1..=2 RARE { "stft2" "100A/128-100"; "stft4" "100B/128-100"; }
    0x09 1..=2 RARE { "ltft2" "100A/128-100"; "ltft4" "100B/128-100"; }
    0x0A 1 RARE { "fp" "3A"; }
    0x0B 1 MEDIUM { "map" "A" by Pressure; }
    0x0C 2 FAST { "rpm" "(256A+B)/4"; }
    0x0D 1 FAST { "spd" "A"; }
    0x0E 1 MEDIUM { "timing" "A/2-64"; }
    0x0F 1 SLOW { "iat" "A-40"; }
    0x10 2 MEDIUM { "maf" "(256A+B)/100" by Flow; }
    0x11 1 MEDIUM { "thr" "100A/255"; }
    0x12 1 RARE { "air" "A"; }
    0x14 2 RARE { "o2.1.v" "A/200"; "o2.1.trim" "100B/128-100 if B<255"; }
    0x15 2 RARE { "o2.2.v" "A/200"; "o2.2.trim" "100B/128-100 if B<255"; }
    0x16 2 RARE { "o2.3.v" "A/200"; "o2.3.trim" "100B/128-100 if B<255"; }
    0x17 2 RARE { "o2.4.v" "A/200"; "o2.4.trim" "100B/128-100 if B<255"; }
    0x18 2 RARE { "o2.5.v" "A/200"; "o2.5.trim" "100B/128-100 if B<255"; }
    0x19 2 RARE { "o2.6.v" "A/200"; "o2.6.trim" "100B/128-100 if B<255"; }
    0x1A 2 RARE { "o2.7.v" "A/200"; "o2.7.trim" "100B/128-100 if B<255"; }
    0x1B 2 RARE { "o2.8.v" "A/200"; "o2.8.trim" "100B/128-100 if B<255"; }
    0x1C 1 CONSTANT { "obd" "A"; }
    0x1E 1 RARE { "pto" "A.0"; }
    0x1F 2 SLOW { "run" "256A+B"; }
    // 21 to 40
    0x21 2 SLOW { "mild" "256A+B"; }
    0x22 2 RARE { "frp.vac" "0.079(256A+B)"; }
    0x23 2 SLOW { "frp" "10(256A+B)"; }
    0x24 4 RARE { "wr.1.lam" "2(256A+B)/65536" by Ratio; "wr.1.v" "8(256C+D)/65536" by Voltage; }
    0x25 4 RARE { "wr.2.lam" "2(256A+B)/65536" by Ratio; "wr.2.v" "8(256C+D)/65536" by Voltage; }
    0x26 4 RARE { "wr.3.lam" "2(256A+B)/65536" by Ratio; "wr.3.v" "8(256C+D)/65536" by Voltage; }
    0x27 4 RARE { "wr.4.lam" "2(256A+B)/65536" by Ratio; "wr.4.v" "8(256C+D)/65536" by Voltage; }
    0x28 4 RARE { "wr.5.lam" "2(256A+B)/65536" by Ratio; "wr.5.v" "8(256C+D)/65536" by Voltage; }
    0x29 4 RARE { "wr.6.lam" "2(256A+B)/65536" by Ratio; "wr.6.v" "8(256C+D)/65536" by Voltage; }
    0x2A 4 RARE { "wr.7.lam" "2(256A+B)/65536" by Ratio; "wr.7.v" "8(256C+D)/65536" by Voltage; }
    0x2B 4 RARE { "wr.8.lam" "2(256A+B)/65536" by Ratio; "wr.8.v" "8(256C+D)/65536" by Voltage; }
    0x2C 1 RARE { "egr.cmd" "100A/255"; }
    0x2D 1 RARE { "egr.err" "100A/128-100"; }
    0x2E 1 RARE { "evap.cmd" "100A/255"; }
    0x2F 1 SLOW { "fuel" "100A/255"; }
    0x30 1 RARE { "warmups" "A"; }
    0x31 2 RARE { "clrd" "256A+B"; }
    0x32 2 RARE { "evap.p" "signed(256A+B)/4"; }
    0x33 1 SLOW { "baro" "A"; }
    0x34 4 RARE { "wr.1.lamc" "2(256A+B)/65536" by Ratio; "wr.1.ma" "(256C+D)/256-128" by Current; }
    0x35 4 RARE { "wr.2.lamc" "2(256A+B)/65536" by Ratio; "wr.2.ma" "(256C+D)/256-128" by Current; }
    0x36 4 RARE { "wr.3.lamc" "2(256A+B)/65536" by Ratio; "wr.3.ma" "(256C+D)/256-128" by Current; }
    0x37 4 RARE { "wr.4.lamc" "2(256A+B)/65536" by Ratio; "wr.4.ma" "(256C+D)/256-128" by Current; }
    0x38 4 RARE { "wr.5.lamc" "2(256A+B)/65536" by Ratio; "wr.5.ma" "(256C+D)/256-128" by Current; }
    0x39 4 RARE { "wr.6.lamc" "2(256A+B)/65536" by Ratio; "wr.6.ma" "(256C+D)/256-128" by Current; }
    0x3A 4 RARE { "wr.7.lamc" "2(256A+B)/65536" by Ratio; "wr.7.ma" "(256C+D)/256-128" by Current; }
    0x3B 4 RARE { "wr.8.lamc" "2(256A+B)/65536" by Ratio; "wr.8.ma" "(256C+D)/256-128" by Current; }
    0x3C 2 RARE { "cat.11" "(256A+B)/10-40"; }
    0x3D 2 RARE { "cat.21" "(256A+B)/10-40"; }
    0x3E 2 RARE { "cat.12" "(256A+B)/10-40"; }
    0x3F 2 RARE { "cat.22" "(256A+B)/10-40"; }
    // 41 to 60
    0x42 2 SLOW { "vbat" "(256A+B)/1000"; }
    0x43 2 RARE { "load.abs" "100(256A+B)/255"; }
    0x44 2 RARE { "lam.cmd" "2(256A+B)/65536" by Ratio; }
    0x45 1 RARE { "thr.rel" "100A/255"; }
    0x46 1 SLOW { "oat" "A-40"; }
    0x47 1 RARE { "thr.b" "100A/255"; }
    0x48 1 RARE { "thr.c" "100A/255"; }
    0x49 1 MEDIUM { "pedal" "100A/255"; }
    0x4A 1 RARE { "pedal.e" "100A/255"; }
    0x4B 1 RARE { "pedal.f" "100A/255"; }
    0x4C 1 RARE { "thr.cmd" "100A/255"; }
    0x4D 2 RARE { "milt" "256A+B"; }
    0x4E 2 RARE { "clrt" "256A+B"; }
    0x51 1 RARE { "fueltype" "A"; }
    0x52 1 RARE { "ethanol" "100A/255"; }
    0x53 2 RARE { "evap.abs" "(256A+B)/200"; }
    0x54 2 RARE { "evap.wide" "signed(256A+B)"; }
    0x55 1..=2 RARE { "sto2.1" "100A/128-100"; "sto2.3" "100B/128-100"; }
    0x56 1..=2 RARE { "lto2.1" "100A/128-100"; "lto2.3" "100B/128-100"; }
    0x57 1..=2 RARE { "sto2.2" "100A/128-100"; "sto2.4" "100B/128-100"; }
    0x58 1..=2 RARE { "lto2.2" "100A/128-100"; "lto2.4" "100B/128-100"; }
    0x59 2 SLOW { "frp.abs" "10(256A+B)"; }
    0x5A 1 RARE { "pedal.rel" "100A/255"; }
    0x5B 1 SLOW { "soc" "100A/255"; }
    0x5C 1 SLOW { "oil" "A-40"; }
    0x5D 2 RARE { "injt" "(256A+B)/128-210"; }
    0x5E 2 MEDIUM { "frate" "(256A+B)/20"; }
    0x5F 1 CONSTANT { "emission" "A"; }
    // 61 to 80: a byte in front says what is there
    0x61 1 RARE { "tq.cmd" "A-125"; }
    0x62 1 MEDIUM { "tq" "A-125"; }
    0x63 2 CONSTANT { "tq.ref" "256A+B"; }
    0x64 5 CONSTANT { "tq.1" "A-125"; "tq.2" "B-125"; "tq.3" "C-125"; "tq.4" "D-125"; "tq.5" "E-125"; }
    0x65 2 RARE {
        "pto.out" "B.0 if A.0";
        "gear.auto" "B.1 if A.1";
        "gear.manual" "B.2 if A.2";
        "glow" "B.3 if A.3";
        "gear.rec" "B.4-7 if A.4";
    }
    0x66 5 MEDIUM { "maf.a" "(256B+C)/32 if A.0"; "maf.b" "(256D+E)/32 if A.1"; }
    0x67 3 SLOW { "ect.1" "B-40 if A.0"; "ect.2" "C-40 if A.1"; }
    0x68 3..=7 SLOW {
        "iat.11" "B-40 if A.0";
        "iat.12" "C-40 if A.1";
        "iat.13" "D-40 if A.2";
        "iat.21" "E-40 if A.3";
        "iat.22" "F-40 if A.4";
        "iat.23" "G-40 if A.5";
    }
    0x69 7 RARE {
        "egr.a.cmd" "100B/255 if A.0";
        "egr.a" "100C/255 if A.1";
        "egr.a.err" "100D/128-100 if A.2";
        "egr.b.cmd" "100E/255 if A.3";
        "egr.b" "100F/255 if A.4";
        "egr.b.err" "100G/128-100 if A.5";
    }
    0x6A 5 RARE {
        "iaf.a.cmd" "100B/255 if A.0";
        "iaf.a" "100C/255 if A.1";
        "iaf.b.cmd" "100D/255 if A.2";
        "iaf.b" "100E/255 if A.3";
    }
    0x6B 5 RARE {
        "egrt.11" "B-40 if A.0, 4B-40 if A.4";
        "egrt.12" "C-40 if A.1, 4C-40 if A.5";
        "egrt.21" "D-40 if A.2, 4D-40 if A.6";
        "egrt.22" "E-40 if A.3, 4E-40 if A.7";
    }
    0x6C 5 RARE {
        "thr.a.cmd" "100B/255 if A.0";
        "thr.a.rel" "100C/255 if A.1";
        "thr.b.cmd" "100D/255 if A.2";
        "thr.b.rel" "100E/255 if A.3";
    }
    0x6D 6..=11 SLOW {
        "frp.a.cmd" "10(256B+C) if A.0";
        "frp.a" "10(256D+E) if A.1";
        "frt.a" "F-40 if A.2";
        "frp.b.cmd" "10(256G+H) if A.3";
        "frp.b" "10(256I+J) if A.4";
        "frt.b" "K-40 if A.5";
    }
    0x6E 5..=9 RARE {
        "icp.a.cmd" "10(256B+C) if A.0";
        "icp.a" "10(256D+E) if A.1";
        "icp.b.cmd" "10(256F+G) if A.2";
        "icp.b" "10(256H+I) if A.3";
    }
    0x6F 3 RARE { "tc.a.inp" "B if A.0, 8B if A.2"; "tc.b.inp" "C if A.1, 8C if A.3"; }
    0x70 9..=10 MEDIUM {
        "boost.a.cmd" "(256B+C)/32 if A.0";
        "boost.a" "(256D+E)/32 if A.1";
        "boost.b.cmd" "(256F+G)/32 if A.3";
        "boost.b" "(256H+I)/32 if A.4";
        "boost.a.st" "J.0-1 if A.2";
        "boost.b.st" "J.2-3 if A.5";
    }
    0x71 5..=6 RARE {
        "vgt.a.cmd" "100B/255 if A.0";
        "vgt.a" "100C/255 if A.1";
        "vgt.b.cmd" "100D/255 if A.3";
        "vgt.b" "100E/255 if A.4";
        "vgt.a.st" "F.0-1 if A.2";
        "vgt.b.st" "F.2-3 if A.5";
    }
    0x72 5 RARE {
        "wg.a.cmd" "100B/255 if A.0";
        "wg.a" "100C/255 if A.1";
        "wg.b.cmd" "100D/255 if A.2";
        "wg.b" "100E/255 if A.3";
    }
    0x73 5 RARE { "exhp.1" "(256B+C)/100 if A.0"; "exhp.2" "(256D+E)/100 if A.1"; }
    0x74 5 RARE { "tc.a.rpm" "10(256B+C) if A.0"; "tc.b.rpm" "10(256D+E) if A.1"; }
    0x75 7 RARE {
        "tc.a.cin" "B-40 if A.0";
        "tc.a.cout" "C-40 if A.1";
        "tc.a.tin" "(256D+E)/10-40 if A.2";
        "tc.a.tout" "(256F+G)/10-40 if A.3";
    }
    0x76 7 RARE {
        "tc.b.cin" "B-40 if A.0";
        "tc.b.cout" "C-40 if A.1";
        "tc.b.tin" "(256D+E)/10-40 if A.2";
        "tc.b.tout" "(256F+G)/10-40 if A.3";
    }
    0x77 5 RARE { "cac.11" "B-40 if A.0"; "cac.12" "C-40 if A.1"; "cac.21" "D-40 if A.2"; "cac.22" "E-40 if A.3"; }
    0x78 9 RARE {
        "egt.11" "(256B+C)/10-40 if A.0";
        "egt.12" "(256D+E)/10-40 if A.1";
        "egt.13" "(256F+G)/10-40 if A.2";
        "egt.14" "(256H+I)/10-40 if A.3";
    }
    0x79 9 RARE {
        "egt.21" "(256B+C)/10-40 if A.0";
        "egt.22" "(256D+E)/10-40 if A.1";
        "egt.23" "(256F+G)/10-40 if A.2";
        "egt.24" "(256H+I)/10-40 if A.3";
    }
    0x7A 7 RARE {
        "dpf.1.dp" "signed(256B+C)/100 if A.0";
        "dpf.1.in" "(256D+E)/100 if A.1";
        "dpf.1.out" "(256F+G)/100 if A.2";
    }
    0x7B 7 RARE {
        "dpf.2.dp" "signed(256B+C)/100 if A.0";
        "dpf.2.in" "(256D+E)/100 if A.1";
        "dpf.2.out" "(256F+G)/100 if A.2";
    }
    0x7C 9 RARE {
        "dpf.1.tin" "(256B+C)/10-40 if A.0";
        "dpf.1.tout" "(256D+E)/10-40 if A.1";
        "dpf.2.tin" "(256F+G)/10-40 if A.2";
        "dpf.2.tout" "(256H+I)/10-40 if A.3";
    }
    0x7F 13 RARE {
        "run.total" "16777216B+65536C+256D+E if A.0";
        "run.idle" "16777216F+65536G+256H+I if A.1";
        "run.pto" "16777216J+65536K+256L+M if A.2";
    }
    // 81 to A0
    0x83 5..=9 RARE {
        "nox.11" "256B+C if A.0";
        "nox.12" "256D+E if A.1 of 9";
        "nox.21" "256F+G if A.2 of 9";
        "nox.22" "256H+I if A.3 of 9";
    }
    0x84 1 RARE { "mst" "A-40"; }
    0x85 10 RARE {
        "reag.rate" "(256B+C)/200 if A.0";
        "reag.dem" "(256D+E)/200 if A.1";
        "reag.lvl" "100F/255 if A.2";
        "nox.warnt" "16777216G+65536H+256I+J if A.3";
    }
    0x86 5 RARE { "pm.1" "(256B+C)/80 if A.0"; "pm.2" "(256D+E)/80 if A.1"; }
    0x87 5 MEDIUM { "map.a" "(256B+C)/32 if A.0"; "map.b" "(256D+E)/32 if A.1"; }
    0x88 13 RARE { "scr.ind" "A.7"; }
    0x8B 7 SLOW {
        "dpf.regen" "B.0 if A.0";
        "dpf.active" "B.1 if A.1";
        "nads.regen" "B.2 if A.2";
        "nads.desulf" "B.3 if A.3";
        "dpf.load" "100C/255 if A.4";
        "dpf.avgt" "256D+E if A.5";
        "dpf.avgd" "256F+G if A.6";
    }
    0x8C 17 RARE {
        "o2c.11" "100(256B+C)/65535 if A.0";
        "o2c.12" "100(256D+E)/65535 if A.1";
        "o2c.21" "100(256F+G)/65535 if A.2";
        "o2c.22" "100(256H+I)/65535 if A.3";
        "lam.11" "8(256J+K)/65536 if A.4";
        "lam.12" "8(256L+M)/65536 if A.5";
        "lam.21" "8(256N+O)/65536 if A.6";
        "lam.22" "8(256P+Q)/65536 if A.7";
    }
    0x8D 1 RARE { "thr.g" "100A/255"; }
    0x8E 1 RARE { "tq.fric" "A-125"; }
    0x8F 7 RARE { "pmn.1" "signed(256C+D)/100 if A.1"; "pmn.2" "signed(256F+G)/100 if A.3"; }
    0x90 3 RARE { "mi.veh" "256B+C"; }
    0x91 5 RARE { "mi.ecu" "256B+C"; "mi.b1" "256D+E"; }
    0x93 3 RARE { "mi.total" "256B+C if A.0"; }
    0x94 12 RARE {
        "nox.warn" "B.0 if A.0";
        "ind.1" "B.1-2 if A.0";
        "ind.2" "B.3-4 if A.0";
        "ind.3" "B.5-6 if A.0";
        "reag.qh" "256C+D if A.1";
        "reag.ch" "256E+F if A.2";
        "reag.dh" "256G+H if A.3";
        "egr.h" "256I+J if A.4";
        "nox.mh" "256K+L if A.5";
    }
    0x98 9 RARE {
        "egt.15" "(256B+C)/10-40 if A.0";
        "egt.16" "(256D+E)/10-40 if A.1";
        "egt.17" "(256F+G)/10-40 if A.2";
        "egt.18" "(256H+I)/10-40 if A.3";
    }
    0x99 9 RARE {
        "egt.25" "(256B+C)/10-40 if A.0";
        "egt.26" "(256D+E)/10-40 if A.1";
        "egt.27" "(256F+G)/10-40 if A.2";
        "egt.28" "(256H+I)/10-40 if A.3";
    }
    0x9A 6 MEDIUM { "hv.v" "(256C+D)/64 if A.1"; "hv.a" "signed(256E+F)/10 if A.2"; }
    0x9B 4 RARE { "def.conc" "B/4 if A.1"; "def.t" "C-40 if A.2"; "def.lvl" "100D/255 if A.3"; }
    0x9C 17 RARE {
        "o2c.13" "100(256B+C)/65535 if A.0";
        "o2c.14" "100(256D+E)/65535 if A.1";
        "o2c.23" "100(256F+G)/65535 if A.2";
        "o2c.24" "100(256H+I)/65535 if A.3";
        "lam.13" "8(256J+K)/65536 if A.4";
        "lam.14" "8(256L+M)/65536 if A.5";
        "lam.23" "8(256N+O)/65536 if A.6";
        "lam.24" "8(256P+Q)/65536 if A.7";
    }
    0x9D 4 MEDIUM { "frate.eng" "(256A+B)/50"; "frate.veh" "(256C+D)/50"; }
    0x9E 2 RARE { "exh" "(256A+B)/5"; }
    0x9F 9 RARE {
        "fsu.a1" "100B/255 if A.0";
        "fsu.b1" "100C/255 if A.1";
        "fsu.a2" "100D/255 if A.2";
        "fsu.b2" "100E/255 if A.3";
        "fsu.a3" "100F/255 if A.4";
        "fsu.b3" "100G/255 if A.5";
        "fsu.a4" "100H/255 if A.6";
        "fsu.b4" "100I/255 if A.7";
    }
    // From A1
    0xA2 2 RARE { "cylfuel" "(256A+B)/32"; }
    0xA4 4 MEDIUM { "gear" "B.4-7 if A.0"; "gear.ratio" "(256C+D)/1000 if A.1"; }
    0xA5 4 RARE { "def.dose" "B/2 if A.0"; }
    0xA6 4 SLOW { "odo" "(16777216A+65536B+256C+D)/10"; }
    0xAA 1 RARE { "vlim" "A"; }
    0xB2 1 CONSTANT { "soh" "100A/255"; }
    0xD2 3 CONSTANT { "soce" "100B/255 if A.0"; "socr" "100C/255 if A.1"; }
    0xD3 4 SLOW { "odo.eng" "(16777216A+65536B+256C+D)/10"; }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bugbrother_wire::signal;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::obd::decode::formula::evaluate;

    #[test]
    fn table_and_catalogue_have_the_same_signals_of_each_pid() {
        let pids: BTreeSet<u8> = PARAMETERS.iter().map(|parameter| parameter.pid).collect();
        assert_eq!(pids.len(), PARAMETERS.len());
        assert_eq!(pids, signal::CATALOGUE.iter().filter_map(|signal| signal.pid).collect());
        for parameter in PARAMETERS {
            let own: BTreeSet<_> = parameter.values.iter().map(|value| value.key).collect();
            let known = signal::by_pid(parameter.pid).map(|signal| signal.key).collect();
            assert_eq!(own, known, "PID {:02X}", parameter.pid);
            assert_eq!(own.len(), parameter.values.len(), "PID {:02X}", parameter.pid);
        }
    }

    #[test]
    fn every_formula_can_be_read_and_needs_no_more_than_an_answer_has() {
        for parameter in PARAMETERS {
            assert!((1..=parameter.length).contains(&parameter.shortest), "PID {:02X}", parameter.pid);
            for value in parameter.values {
                // Each case of a formula by itself, with all bits set; a byte of 255 means that a sensor is not used.
                for case in value.formula.split(", ") {
                    let mut data = vec![0xFF; parameter.length];
                    if case.contains('<') {
                        data[1] = 0xFE;
                    }
                    assert!(evaluate(case, &data).is_some(), "PID {:02X} {}: {case}", parameter.pid, value.key);
                }
            }
            let told = |data: &[u8]| parameter.values.iter().any(|value| evaluate(value.formula, data).is_some());
            assert!(told(&vec![0xFF; parameter.shortest]) && !told(&[]), "PID {:02X}", parameter.pid);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_told_is_within_the_range_of_its_signal(data in vec(any::<u8>(), 0..40), scale in any::<[u8; 4]>()) {
            let mut maxima = crate::obd::decode::Maxima::default();
            maxima.note(0x4F, &scale);
            maxima.note(0x50, &scale);
            for parameter in PARAMETERS {
                for (signal, value) in parameter.read(&data).chain(parameter.read_scaled(&data, &maxima)) {
                    prop_assert!(value.is_finite() && signal.is_plausible(value), "{} {value}", signal.key);
                }
            }
        }
    }
}

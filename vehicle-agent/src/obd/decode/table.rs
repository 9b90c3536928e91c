//! The parameters of SAE J1979 mode 01 that tell numbers, by PID. A, B, C… are the bytes of data.

use super::parameter::{Parameter, Value};

const FAST: u32 = 500;
const MEDIUM: u32 = 2_000;
const SLOW: u32 = 10_000;

macro_rules! parameters {
    ($($pid:literal $length:literal $period_ms:ident [$($key:literal = $formula:literal $eval:expr;)*])*) => {
        /// Every parameter that is asked for, by PID.
        pub static PARAMETERS: &[Parameter] = &[$(Parameter {
            pid: $pid,
            period_ms: $period_ms,
            length: $length,
            values: &[$(Value { key: $key, formula: $formula, eval: $eval },)*],
        },)*];
    };
}

parameters! {
    0x04 1 MEDIUM ["load" = "A*100/255" |d| percent(d, 0);]
    0x05 1 SLOW ["ect" = "A-40" |d| celsius(d, 0);]
    0x06 1 SLOW ["stft" = "A/1.28-100" |d| trim(d, 0);]
    0x07 1 SLOW ["ltft" = "A/1.28-100" |d| trim(d, 0);]
    0x0B 1 MEDIUM ["map" = "A" |d| byte(d, 0);]
    0x0C 2 FAST ["rpm" = "(256A+B)/4" |d| Some(word(d, 0)? / 4.0);]
    0x0D 1 FAST ["spd" = "A" |d| byte(d, 0);]
    0x0E 1 MEDIUM ["timing" = "A/2-64" |d| Some(byte(d, 0)? / 2.0 - 64.0);]
    0x0F 1 SLOW ["iat" = "A-40" |d| celsius(d, 0);]
    0x10 2 MEDIUM ["maf" = "(256A+B)/100" |d| Some(word(d, 0)? / 100.0);]
    0x11 1 MEDIUM ["thr" = "A*100/255" |d| percent(d, 0);]
    0x1F 2 SLOW ["run" = "256A+B" |d| word(d, 0);]
    0x21 2 SLOW ["mild" = "256A+B" |d| word(d, 0);]
    0x2F 1 SLOW ["fuel" = "A*100/255" |d| percent(d, 0);]
    0x33 1 SLOW ["baro" = "A" |d| byte(d, 0);]
    0x42 2 SLOW ["vbat" = "(256A+B)/1000" |d| Some(word(d, 0)? / 1000.0);]
    0x46 1 SLOW ["oat" = "A-40" |d| celsius(d, 0);]
    0x5B 1 SLOW ["soc" = "A*100/255" |d| percent(d, 0);]
    0x5C 1 SLOW ["oil" = "A-40" |d| celsius(d, 0);]
    0x5E 2 MEDIUM ["frate" = "(256A+B)/20" |d| Some(word(d, 0)? / 20.0);]
    0xA6 4 SLOW ["odo" = "(16777216A+65536B+256C+D)/10" |d| Some(long(d, 0)? / 10.0);]
}

fn byte(data: &[u8], at: usize) -> Option<f64> {
    data.get(at).copied().map(f64::from)
}

fn word(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? * 256.0 + byte(data, at + 1)?)
}

fn long(data: &[u8], at: usize) -> Option<f64> {
    Some(word(data, at)? * 65_536.0 + word(data, at + 2)?)
}

fn percent(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? * 100.0 / 255.0)
}

fn celsius(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? - 40.0)
}

fn trim(data: &[u8], at: usize) -> Option<f64> {
    Some(byte(data, at)? / 1.28 - 100.0)
}

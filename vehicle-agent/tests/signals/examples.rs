//! One answer for each PID, with its values worked out by hand.

use std::collections::BTreeSet;

use bugbrother_agent::obd::decode::{PARAMETERS, Parameter};

/// Data of an answer in hexadecimal, and what it tells in the order of the table.
type Example = (u8, &'static str, &'static [(&'static str, f64)]);

const EXAMPLES: &[Example] = &[
    (0x03, "02 00", &[("fuelsys1", 2.0), ("fuelsys2", 0.0)]),
    (0x04, "FF", &[("load", 100.0)]),
    (0x05, "7B", &[("ect", 83.0)]),
    (0x06, "80 C0", &[("stft", 0.0), ("stft3", 50.0)]),
    (0x06, "78", &[("stft", -6.25)]),
    (0x07, "84 7C", &[("ltft", 3.125), ("ltft3", -3.125)]),
    (0x08, "7C 00", &[("stft2", -3.125), ("stft4", -100.0)]),
    (0x09, "88 82", &[("ltft2", 6.25), ("ltft4", 1.5625)]),
    (0x0A, "64", &[("fp", 300.0)]),
    (0x0B, "65", &[("map", 101.0)]),
    (0x0C, "14 5F", &[("rpm", 1303.75)]),
    (0x0D, "0A", &[("spd", 10.0)]),
    (0x0E, "94", &[("timing", 10.0)]),
    (0x0F, "41", &[("iat", 25.0)]),
    (0x10, "01 00", &[("maf", 2.56)]),
    (0x11, "33", &[("thr", 20.0)]),
    (0x12, "04", &[("air", 4.0)]),
    (0x14, "5A 80", &[("o2.1.v", 0.45), ("o2.1.trim", 0.0)]),
    (0x15, "5A FF", &[("o2.2.v", 0.45)]),
    (0x15, "5A 70", &[("o2.2.v", 0.45), ("o2.2.trim", -12.5)]),
    (0x16, "00 C0", &[("o2.3.v", 0.0), ("o2.3.trim", 50.0)]),
    (0x17, "FF 00", &[("o2.4.v", 1.275), ("o2.4.trim", -100.0)]),
    (0x18, "64 80", &[("o2.5.v", 0.5), ("o2.5.trim", 0.0)]),
    (0x19, "96 A0", &[("o2.6.v", 0.75), ("o2.6.trim", 25.0)]),
    (0x1A, "14 60", &[("o2.7.v", 0.1), ("o2.7.trim", -25.0)]),
    (0x1B, "A0 40", &[("o2.8.v", 0.8), ("o2.8.trim", -50.0)]),
    (0x1C, "06", &[("obd", 6.0)]),
    (0x1E, "01", &[("pto", 1.0)]),
    (0x1F, "01 02", &[("run", 258.0)]),
    (0x21, "00 FF", &[("mild", 255.0)]),
    (0x22, "03 E8", &[("frp.vac", 79.0)]),
    (0x23, "0B B8", &[("frp", 30_000.0)]),
    (0x24, "80 00 40 00", &[("wr.1.lam", 1.0), ("wr.1.v", 2.0)]),
    (0x25, "78 00 20 00", &[("wr.2.lam", 0.9375), ("wr.2.v", 1.0)]),
    (0x26, "40 00 80 00", &[("wr.3.lam", 0.5), ("wr.3.v", 4.0)]),
    (0x27, "C0 00 60 00", &[("wr.4.lam", 1.5), ("wr.4.v", 3.0)]),
    (0x28, "80 00 00 00", &[("wr.5.lam", 1.0), ("wr.5.v", 0.0)]),
    (0x29, "80 00 10 00", &[("wr.6.lam", 1.0), ("wr.6.v", 0.5)]),
    (0x2A, "88 00 40 00", &[("wr.7.lam", 1.0625), ("wr.7.v", 2.0)]),
    (0x2B, "00 00 E0 00", &[("wr.8.lam", 0.0), ("wr.8.v", 7.0)]),
    (0x2C, "33", &[("egr.cmd", 20.0)]),
    (0x2D, "C0", &[("egr.err", 50.0)]),
    (0x2E, "66", &[("evap.cmd", 40.0)]),
    (0x2F, "99", &[("fuel", 60.0)]),
    (0x30, "2A", &[("warmups", 42.0)]),
    (0x31, "04 D2", &[("clrd", 1234.0)]),
    (0x32, "FF 9C", &[("evap.p", -25.0)]),
    (0x33, "64", &[("baro", 100.0)]),
    (0x34, "80 00 80 00", &[("wr.1.lamc", 1.0), ("wr.1.ma", 0.0)]),
    (0x35, "80 00 7F 00", &[("wr.2.lamc", 1.0), ("wr.2.ma", -1.0)]),
    (0x36, "70 00 81 80", &[("wr.3.lamc", 0.875), ("wr.3.ma", 1.5)]),
    (0x37, "80 00 00 00", &[("wr.4.lamc", 1.0), ("wr.4.ma", -128.0)]),
    (0x38, "90 00 84 00", &[("wr.5.lamc", 1.125), ("wr.5.ma", 4.0)]),
    (0x39, "80 00 82 00", &[("wr.6.lamc", 1.0), ("wr.6.ma", 2.0)]),
    (0x3A, "80 00 80 40", &[("wr.7.lamc", 1.0), ("wr.7.ma", 0.25)]),
    (0x3B, "A0 00 8A 00", &[("wr.8.lamc", 1.25), ("wr.8.ma", 10.0)]),
    (0x3C, "1B 58", &[("cat.11", 660.0)]),
    (0x3D, "01 90", &[("cat.21", 0.0)]),
    (0x3E, "15 7C", &[("cat.12", 510.0)]),
    (0x3F, "00 00", &[("cat.22", -40.0)]),
    (0x42, "36 B0", &[("vbat", 14.0)]),
    (0x43, "00 FF", &[("load.abs", 100.0)]),
    (0x44, "80 00", &[("lam.cmd", 1.0)]),
    (0x45, "33", &[("thr.rel", 20.0)]),
    (0x46, "32", &[("oat", 10.0)]),
    (0x47, "66", &[("thr.b", 40.0)]),
    (0x48, "00", &[("thr.c", 0.0)]),
    (0x49, "CC", &[("pedal", 80.0)]),
    (0x4A, "66", &[("pedal.e", 40.0)]),
    (0x4B, "33", &[("pedal.f", 20.0)]),
    (0x4C, "FF", &[("thr.cmd", 100.0)]),
    (0x4D, "00 3C", &[("milt", 60.0)]),
    (0x4E, "05 A0", &[("clrt", 1440.0)]),
    (0x51, "04", &[("fueltype", 4.0)]),
    (0x52, "D9", &[("ethanol", 85.098_039_215_686_28)]),
    (0x53, "4E 20", &[("evap.abs", 100.0)]),
    (0x54, "FF 38", &[("evap.wide", -200.0)]),
    (0x55, "80 C0", &[("sto2.1", 0.0), ("sto2.3", 50.0)]),
    (0x56, "78 88", &[("lto2.1", -6.25), ("lto2.3", 6.25)]),
    (0x56, "78", &[("lto2.1", -6.25)]),
    (0x57, "84 80", &[("sto2.2", 3.125), ("sto2.4", 0.0)]),
    (0x58, "80 7C", &[("lto2.2", 0.0), ("lto2.4", -3.125)]),
    (0x59, "0F A0", &[("frp.abs", 40_000.0)]),
    (0x5A, "99", &[("pedal.rel", 60.0)]),
    (0x5B, "CC", &[("soc", 80.0)]),
    (0x5C, "82", &[("oil", 90.0)]),
    (0x5D, "6E 00", &[("injt", 10.0)]),
    (0x5E, "00 C8", &[("frate", 10.0)]),
    (0x5F, "0F", &[("emission", 15.0)]),
    (0x61, "96", &[("tq.cmd", 25.0)]),
    (0x62, "7D", &[("tq", 0.0)]),
    (0x63, "01 90", &[("tq.ref", 400.0)]),
    (0x64, "00 7D 96 AF E1", &[("tq.1", -125.0), ("tq.2", 0.0), ("tq.3", 25.0), ("tq.4", 50.0), ("tq.5", 100.0)]),
    (0x65, "1F 45", &[("pto.out", 1.0), ("gear.auto", 0.0), ("gear.manual", 1.0), ("glow", 0.0), ("gear.rec", 4.0)]),
    (0x65, "04 04", &[("gear.manual", 1.0)]),
    (0x66, "03 02 80 01 40", &[("maf.a", 20.0), ("maf.b", 10.0)]),
    (0x66, "01 02 80 01 40", &[("maf.a", 20.0)]),
    (0x67, "03 7B 5A", &[("ect.1", 83.0), ("ect.2", 50.0)]),
    (
        0x68,
        "3F 3C 41 46 4B 50 55",
        &[("iat.11", 20.0), ("iat.12", 25.0), ("iat.13", 30.0), ("iat.21", 35.0), ("iat.22", 40.0), ("iat.23", 45.0)],
    ),
    (0x68, "03 3C 41", &[("iat.11", 20.0), ("iat.12", 25.0)]),
    (
        0x69,
        "3F 33 66 C0 99 CC 40",
        &[
            ("egr.a.cmd", 20.0),
            ("egr.a", 40.0),
            ("egr.a.err", 50.0),
            ("egr.b.cmd", 60.0),
            ("egr.b", 80.0),
            ("egr.b.err", -50.0),
        ],
    ),
    (0x6A, "0F 33 66 99 CC", &[("iaf.a.cmd", 20.0), ("iaf.a", 40.0), ("iaf.b.cmd", 60.0), ("iaf.b", 80.0)]),
    (0x6B, "0F 64 6E 78 82", &[("egrt.11", 60.0), ("egrt.12", 70.0), ("egrt.21", 80.0), ("egrt.22", 90.0)]),
    (0x6B, "10 64 00 00 00", &[("egrt.11", 360.0)]),
    (0x6C, "0F 33 66 99 CC", &[("thr.a.cmd", 20.0), ("thr.a.rel", 40.0), ("thr.b.cmd", 60.0), ("thr.b.rel", 80.0)]),
    (
        0x6D,
        "3F 0B B8 0B CC 5A 0F A0 0F AA 64",
        &[
            ("frp.a.cmd", 30_000.0),
            ("frp.a", 30_200.0),
            ("frt.a", 50.0),
            ("frp.b.cmd", 40_000.0),
            ("frp.b", 40_100.0),
            ("frt.b", 60.0),
        ],
    ),
    (0x6D, "07 0B B8 0B CC 5A", &[("frp.a.cmd", 30_000.0), ("frp.a", 30_200.0), ("frt.a", 50.0)]),
    (
        0x6E,
        "0F 07 D0 07 C6 03 E8 03 DE",
        &[("icp.a.cmd", 20_000.0), ("icp.a", 19_900.0), ("icp.b.cmd", 10_000.0), ("icp.b", 9_900.0)],
    ),
    (0x6F, "03 64 5F", &[("tc.a.inp", 100.0), ("tc.b.inp", 95.0)]),
    (0x6F, "04 10 00", &[("tc.a.inp", 128.0)]),
    (
        0x70,
        "3F 13 88 13 60 0C 80 0C E0 09",
        &[
            ("boost.a.cmd", 156.25),
            ("boost.a", 155.0),
            ("boost.b.cmd", 100.0),
            ("boost.b", 103.0),
            ("boost.a.st", 1.0),
            ("boost.b.st", 2.0),
        ],
    ),
    (0x70, "07 13 88 13 60 00 00 00 00 02", &[("boost.a.cmd", 156.25), ("boost.a", 155.0), ("boost.a.st", 2.0)]),
    (
        0x71,
        "3F 33 66 99 CC 0D",
        &[
            ("vgt.a.cmd", 20.0),
            ("vgt.a", 40.0),
            ("vgt.b.cmd", 60.0),
            ("vgt.b", 80.0),
            ("vgt.a.st", 1.0),
            ("vgt.b.st", 3.0),
        ],
    ),
    (0x72, "0F 33 66 99 CC", &[("wg.a.cmd", 20.0), ("wg.a", 40.0), ("wg.b.cmd", 60.0), ("wg.b", 80.0)]),
    (0x73, "03 27 10 2A F8", &[("exhp.1", 100.0), ("exhp.2", 110.0)]),
    (0x74, "03 27 10 13 88", &[("tc.a.rpm", 100_000.0), ("tc.b.rpm", 50_000.0)]),
    (
        0x75,
        "0F 46 96 17 70 13 88",
        &[("tc.a.cin", 30.0), ("tc.a.cout", 110.0), ("tc.a.tin", 560.0), ("tc.a.tout", 460.0)],
    ),
    (0x76, "0C 00 00 17 70 13 88", &[("tc.b.tin", 560.0), ("tc.b.tout", 460.0)]),
    (0x76, "03 46 96 00 00 00 00", &[("tc.b.cin", 30.0), ("tc.b.cout", 110.0)]),
    (0x77, "0F 50 5A 64 6E", &[("cac.11", 40.0), ("cac.12", 50.0), ("cac.21", 60.0), ("cac.22", 70.0)]),
    (0x78, "0F 17 70 13 88 0F A0 0B B8", &[("egt.11", 560.0), ("egt.12", 460.0), ("egt.13", 360.0), ("egt.14", 260.0)]),
    (0x79, "05 17 70 FF FF 0F A0 FF FF", &[("egt.21", 560.0), ("egt.23", 360.0)]),
    (0x79, "0A FF FF 13 88 FF FF 0B B8", &[("egt.22", 460.0), ("egt.24", 260.0)]),
    (0x7A, "07 FF 38 2A F8 27 10", &[("dpf.1.dp", -2.0), ("dpf.1.in", 110.0), ("dpf.1.out", 100.0)]),
    (0x7B, "07 01 F4 2A F8 27 10", &[("dpf.2.dp", 5.0), ("dpf.2.in", 110.0), ("dpf.2.out", 100.0)]),
    (
        0x7C,
        "0F 17 70 13 88 0F A0 0B B8",
        &[("dpf.1.tin", 560.0), ("dpf.1.tout", 460.0), ("dpf.2.tin", 360.0), ("dpf.2.tout", 260.0)],
    ),
    (
        0x7F,
        "07 01 00 00 00 00 01 51 80 00 00 0E 10",
        &[("run.total", 16_777_216.0), ("run.idle", 86_400.0), ("run.pto", 3600.0)],
    ),
    (0x83, "0F 01 2C 00 64 00 C8 00 0A", &[("nox.11", 300.0), ("nox.12", 100.0), ("nox.21", 200.0), ("nox.22", 10.0)]),
    // As long as that it is of another order: the second would be that of bank 2.
    (0x83, "03 01 2C 00 64", &[("nox.11", 300.0)]),
    (0x84, "78", &[("mst", 80.0)]),
    (
        0x85,
        "0F 00 C8 01 90 CC 00 00 0E 10",
        &[("reag.rate", 1.0), ("reag.dem", 2.0), ("reag.lvl", 80.0), ("nox.warnt", 3600.0)],
    ),
    (0x86, "03 01 40 00 50", &[("pm.1", 4.0), ("pm.2", 1.0)]),
    (0x87, "03 0C 80 0C E0", &[("map.a", 100.0), ("map.b", 103.0)]),
    (0x88, "81 00 00 00 00 00 00 00 00 00 00 00 00", &[("scr.ind", 1.0)]),
    (
        0x8B,
        "7F 03 99 02 58 01 F4",
        &[
            ("dpf.regen", 1.0),
            ("dpf.active", 1.0),
            ("nads.regen", 0.0),
            ("nads.desulf", 0.0),
            ("dpf.load", 60.0),
            ("dpf.avgt", 600.0),
            ("dpf.avgd", 500.0),
        ],
    ),
    (
        0x8C,
        "FF 33 33 00 00 66 66 FF FF 20 00 40 00 60 00 00 00",
        &[
            ("o2c.11", 20.0),
            ("o2c.12", 0.0),
            ("o2c.21", 40.0),
            ("o2c.22", 100.0),
            ("lam.11", 1.0),
            ("lam.12", 2.0),
            ("lam.21", 3.0),
            ("lam.22", 0.0),
        ],
    ),
    (0x8D, "33", &[("thr.g", 20.0)]),
    (0x8E, "87", &[("tq.fric", 10.0)]),
    (0x8F, "0F 01 03 E8 01 FF 9C", &[("pmn.1", 10.0), ("pmn.2", -1.0)]),
    (0x90, "00 00 0C", &[("mi.veh", 12.0)]),
    (0x91, "00 00 0C 00 C8", &[("mi.ecu", 12.0), ("mi.b1", 200.0)]),
    (0x93, "01 01 00", &[("mi.total", 256.0)]),
    (
        0x94,
        "3F 15 00 0A 00 14 00 1E 00 28 00 32",
        &[
            ("nox.warn", 1.0),
            ("ind.1", 2.0),
            ("ind.2", 2.0),
            ("ind.3", 0.0),
            ("reag.qh", 10.0),
            ("reag.ch", 20.0),
            ("reag.dh", 30.0),
            ("egr.h", 40.0),
            ("nox.mh", 50.0),
        ],
    ),
    // A level that is 3 is not there.
    (0x94, "01 7A 00 00 00 00 00 00 00 00 00 00", &[("nox.warn", 0.0), ("ind.1", 1.0)]),
    (0x98, "0F 17 70 13 88 0F A0 0B B8", &[("egt.15", 560.0), ("egt.16", 460.0), ("egt.17", 360.0), ("egt.18", 260.0)]),
    (0x99, "0F 17 70 13 88 0F A0 0B B8", &[("egt.25", 560.0), ("egt.26", 460.0), ("egt.27", 360.0), ("egt.28", 260.0)]),
    (0x9A, "06 00 64 00 FF 9C", &[("hv.v", 400.0), ("hv.a", -10.0)]),
    (0x9A, "02 00 64 00 FF 9C", &[("hv.v", 400.0)]),
    (0x9B, "0E 82 46 99", &[("def.conc", 32.5), ("def.t", 30.0), ("def.lvl", 60.0)]),
    (
        0x9C,
        "FF 33 33 00 00 66 66 FF FF 20 00 40 00 60 00 00 00",
        &[
            ("o2c.13", 20.0),
            ("o2c.14", 0.0),
            ("o2c.23", 40.0),
            ("o2c.24", 100.0),
            ("lam.13", 1.0),
            ("lam.14", 2.0),
            ("lam.23", 3.0),
            ("lam.24", 0.0),
        ],
    ),
    (0x9D, "00 64 00 32", &[("frate.eng", 2.0), ("frate.veh", 1.0)]),
    (0x9E, "01 F4", &[("exh", 100.0)]),
    (
        0x9F,
        "FF 00 33 66 99 CC FF 00 33",
        &[
            ("fsu.a1", 0.0),
            ("fsu.b1", 20.0),
            ("fsu.a2", 40.0),
            ("fsu.b2", 60.0),
            ("fsu.a3", 80.0),
            ("fsu.b3", 100.0),
            ("fsu.a4", 0.0),
            ("fsu.b4", 20.0),
        ],
    ),
    (0xA2, "01 40", &[("cylfuel", 10.0)]),
    (0xA4, "03 30 05 DC", &[("gear", 3.0), ("gear.ratio", 1.5)]),
    (0xA5, "01 64 00 00", &[("def.dose", 50.0)]),
    (0xA6, "00 01 86 A0", &[("odo", 10_000.0)]),
    (0xAA, "78", &[("vlim", 120.0)]),
    (0xB2, "E6", &[("soh", 90.196_078_431_372_55)]),
    (0xD2, "03 CC 99", &[("soce", 80.0), ("socr", 60.0)]),
    (0xD3, "00 01 86 A0", &[("odo.eng", 10_000.0)]),
];

fn bytes(hex: &str) -> Vec<u8> {
    hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn read(parameter: &Parameter, data: &[u8]) -> Vec<(&'static str, f64)> {
    parameter.read(data).map(|(signal, value)| (signal.key, value)).collect()
}

#[test]
fn each_pid_tells_what_the_standard_says() {
    for (pid, hex, expected) in EXAMPLES {
        let parameter = Parameter::find(*pid).unwrap_or_else(|| panic!("{pid:02X} is not in the table"));
        let told = read(parameter, &bytes(hex));
        let keys = |values: &[(&'static str, f64)]| values.iter().map(|(key, _)| *key).collect::<Vec<_>>();
        assert_eq!(keys(&told), keys(expected), "{pid:02X} {hex}");
        for ((key, told), (_, expected)) in told.iter().zip(*expected) {
            assert!((told - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{pid:02X} {hex}: {key} {told}");
        }
    }
}

#[test]
fn there_is_an_example_of_every_value_and_of_the_length_of_every_answer() {
    let shown: BTreeSet<&str> = EXAMPLES.iter().flat_map(|(.., values)| values.iter().map(|(key, _)| *key)).collect();
    let missing: Vec<_> = PARAMETERS.iter().flat_map(|p| p.values).filter(|v| !shown.contains(v.key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (pid, hex, _) in EXAMPLES {
        let parameter = Parameter::find(*pid).unwrap();
        let length = bytes(hex).len();
        assert!((1..=parameter.length).contains(&length), "{pid:02X} {hex}");
        assert!(length >= parameter.shortest, "{pid:02X} {hex} is shorter than the standard has it");
    }
}

#[test]
fn bytes_at_either_end_give_the_ends_of_the_scales() {
    for (pid, zeros, ones) in [
        (0x04, 0.0, Some(100.0)),
        (0x05, -40.0, Some(215.0)),
        (0x06, -100.0, Some(99.21875)),
        (0x0A, 0.0, Some(765.0)),
        (0x0C, 0.0, Some(16_383.75)),
        (0x0E, -64.0, Some(63.5)),
        (0x10, 0.0, Some(655.35)),
        (0x32, 0.0, Some(-0.25)),
        (0x42, 0.0, Some(65.535)),
        (0x5D, -210.0, Some(301.992_187_5)),
        (0x5E, 0.0, Some(3276.75)),
        (0x61, -125.0, Some(130.0)),
        (0xA2, 0.0, Some(2047.968_75)),
        // Beyond what any sensor tells: nothing is connected.
        (0x23, 0.0, None),
        (0x3C, -40.0, None),
        (0x63, 0.0, None),
        (0xAA, 0.0, None),
    ] {
        let parameter = Parameter::find(pid).unwrap();
        let first = |byte: u8| read(parameter, &vec![byte; parameter.length]).first().map(|(_, value)| *value);
        assert_eq!((first(0x00), first(0xFF)), (Some(zeros), ones), "{pid:02X}");
    }
}

#[test]
fn what_a_vehicle_says_it_has_not_is_not_told() {
    for parameter in PARAMETERS {
        let has = |value: &&bugbrother_agent::obd::decode::Value| value.formula.contains(" if A.");
        let guarded: Vec<_> = parameter.values.iter().filter(has).map(|value| value.key).collect();
        let mut data = vec![0x01; parameter.length];
        data[0] = 0;
        let told = read(parameter, &data);
        assert!(told.iter().all(|(key, _)| !guarded.contains(key)), "{:02X} {told:?}", parameter.pid);
    }
}

#[test]
fn a_torn_answer_tells_what_is_whole_of_it_or_nothing() {
    for (pid, hex, expected) in EXAMPLES {
        let (parameter, data) = (Parameter::find(*pid).unwrap(), bytes(hex));
        for end in 0..data.len() {
            for (key, value) in read(parameter, &data[..end]) {
                let whole = expected.iter().find(|(known, _)| *known == key);
                assert!(
                    whole.is_some_and(|(_, whole)| (whole - value).abs() < 1e-6),
                    "{pid:02X} {hex} to {end}: {key}"
                );
            }
        }
        assert_eq!(read(parameter, &[]), [], "{pid:02X}");
    }
}

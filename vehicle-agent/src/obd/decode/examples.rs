//! Each parameter with bytes and what they mean, and each formula as it is written against the function that computes it.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::{PARAMETERS, Parameter};

/// PID, bytes, values.
type Example = (u8, &'static [u8], &'static [(&'static str, f64)]);

const TYPICAL: &[Example] = &[
    (0x03, &[0x02, 0x00], &[("fsys1", 2.0), ("fsys2", 0.0)]),
    (0x04, &[0x33], &[("load", 20.0)]),
    (0x05, &[0x7B], &[("ect", 83.0)]),
    (0x06, &[0x80], &[("stft", 0.0)]),
    (0x07, &[0x90], &[("ltft", 12.5)]),
    (0x08, &[0x70], &[("stft2", -12.5)]),
    (0x09, &[0x80], &[("ltft2", 0.0)]),
    (0x0A, &[0x64], &[("fp", 300.0)]),
    (0x0B, &[0x65], &[("map", 101.0)]),
    (0x0C, &[0x14, 0x5F], &[("rpm", 1303.75)]),
    (0x0D, &[0x32], &[("spd", 50.0)]),
    (0x0E, &[0x95], &[("timing", 10.5)]),
    (0x0F, &[0x3C], &[("iat", 20.0)]),
    (0x10, &[0x01, 0x00], &[("maf", 2.56)]),
    (0x11, &[0x33], &[("thr", 20.0)]),
    (0x12, &[0x04], &[("air2", 4.0)]),
    (0x13, &[0x33], &[("o2in2", 51.0)]),
    (0x14, &[0x5A, 0x80], &[("o2v1", 0.45), ("o2t1", 0.0)]),
    (0x15, &[0x8C, 0x50], &[("o2v2", 0.7), ("o2t2", -37.5)]),
    (0x15, &[0x8C, 0xFF], &[("o2v2", 0.7)]),
    (0x16, &[0x14, 0x90], &[("o2v3", 0.1), ("o2t3", 12.5)]),
    (0x17, &[0x28, 0xB0], &[("o2v4", 0.2), ("o2t4", 37.5)]),
    (0x18, &[0x3C, 0x70], &[("o2v5", 0.3), ("o2t5", -12.5)]),
    (0x19, &[0x50, 0x60], &[("o2v6", 0.4), ("o2t6", -25.0)]),
    (0x1A, &[0x64, 0xA0], &[("o2v7", 0.5), ("o2t7", 25.0)]),
    (0x1B, &[0x78, 0xC0], &[("o2v8", 0.6), ("o2t8", 50.0)]),
    (0x1C, &[0x06], &[("obdstd", 6.0)]),
    (0x1D, &[0x0F], &[("o2in4", 15.0)]),
    (0x1E, &[0x01], &[("pto", 1.0)]),
    (0x1F, &[0x01, 0x02], &[("run", 258.0)]),
    (0x21, &[0x00, 0x64], &[("mild", 100.0)]),
    (0x22, &[0x10, 0x00], &[("rail_vac", 323.584)]),
    (0x23, &[0x0B, 0xB8], &[("rail", 30_000.0)]),
    (0x24, &[0x80, 0x00, 0x40, 0x00], &[("lam1", 1.0), ("o2v1", 2.0)]),
    (0x25, &[0x7C, 0x00, 0x48, 0x00], &[("lam2", 0.968_75), ("o2v2", 2.25)]),
    (0x26, &[0x84, 0x00, 0x50, 0x00], &[("lam3", 1.031_25), ("o2v3", 2.5)]),
    (0x27, &[0x88, 0x00, 0x58, 0x00], &[("lam4", 1.0625), ("o2v4", 2.75)]),
    (0x28, &[0x90, 0x00, 0x60, 0x00], &[("lam5", 1.125), ("o2v5", 3.0)]),
    (0x29, &[0xA0, 0x00, 0x68, 0x00], &[("lam6", 1.25), ("o2v6", 3.25)]),
    (0x2A, &[0xC0, 0x00, 0x70, 0x00], &[("lam7", 1.5), ("o2v7", 3.5)]),
    (0x2B, &[0x60, 0x00, 0x78, 0x00], &[("lam8", 0.75), ("o2v8", 3.75)]),
    (0x2C, &[0x66], &[("egr", 40.0)]),
    (0x2D, &[0x78], &[("egr_err", -6.25)]),
    (0x2E, &[0x99], &[("purge", 60.0)]),
    (0x2F, &[0xCC], &[("fuel", 80.0)]),
    (0x30, &[0x2A], &[("warmups", 42.0)]),
    (0x31, &[0x04, 0xD2], &[("clrd", 1234.0)]),
    (0x32, &[0xFF, 0x38], &[("evap", -50.0)]),
    (0x33, &[0x62], &[("baro", 98.0)]),
    (0x34, &[0x80, 0x00, 0x80, 0x00], &[("lam1", 1.0), ("o2c1", 0.0)]),
    (0x35, &[0x80, 0x00, 0x81, 0x00], &[("lam2", 1.0), ("o2c2", 0.001)]),
    (0x36, &[0x80, 0x00, 0x7F, 0x00], &[("lam3", 1.0), ("o2c3", -0.001)]),
    (0x37, &[0x80, 0x00, 0x80, 0x80], &[("lam4", 1.0), ("o2c4", 0.0005)]),
    (0x38, &[0x80, 0x00, 0x8A, 0x00], &[("lam5", 1.0), ("o2c5", 0.01)]),
    (0x39, &[0x80, 0x00, 0x76, 0x00], &[("lam6", 1.0), ("o2c6", -0.01)]),
    (0x3A, &[0x40, 0x00, 0x80, 0x00], &[("lam7", 0.5), ("o2c7", 0.0)]),
    (0x3B, &[0x20, 0x00, 0x80, 0x00], &[("lam8", 0.25), ("o2c8", 0.0)]),
    (0x3C, &[0x11, 0x94], &[("cat11", 410.0)]),
    (0x3D, &[0x13, 0x88], &[("cat21", 460.0)]),
    (0x3E, &[0x0F, 0xA0], &[("cat12", 360.0)]),
    (0x3F, &[0x01, 0x91], &[("cat22", 0.1)]),
    (0x42, &[0x36, 0xB0], &[("vbat", 14.0)]),
    (0x43, &[0x00, 0x66], &[("aload", 40.0)]),
    (0x44, &[0x80, 0x00], &[("lam_cmd", 1.0)]),
    (0x45, &[0x33], &[("thr_rel", 20.0)]),
    (0x46, &[0x1E], &[("oat", -10.0)]),
    (0x47, &[0x66], &[("thr_b", 40.0)]),
    (0x48, &[0x99], &[("thr_c", 60.0)]),
    (0x49, &[0x33], &[("pedal", 20.0)]),
    (0x4A, &[0x66], &[("pedal_e", 40.0)]),
    (0x4B, &[0x99], &[("pedal_f", 60.0)]),
    (0x4C, &[0xCC], &[("tac", 80.0)]),
    (0x4D, &[0x00, 0x3C], &[("milt", 60.0)]),
    (0x4E, &[0x05, 0xA0], &[("clrt", 1440.0)]),
    (0x4F, &[0x02, 0x08, 0x80, 0x1A], &[("lam_max", 2.0), ("o2v_max", 8.0), ("o2c_max", 0.128), ("map_max", 260.0)]),
    (0x50, &[0x42, 0x00, 0x00, 0x00], &[("maf_max", 660.0)]),
    (0x51, &[0x04], &[("fueltype", 4.0)]),
    (0x52, &[0x33], &[("alcohol", 20.0)]),
    (0x53, &[0x4E, 0x20], &[("evap_abs", 100.0)]),
    (0x54, &[0xFF, 0x00], &[("evap_alt", -256.0)]),
    (0x55, &[0x90], &[("so2st1", 12.5)]),
    (0x56, &[0x70], &[("so2lt1", -12.5)]),
    (0x57, &[0x80], &[("so2st2", 0.0)]),
    (0x58, &[0xA0], &[("so2lt2", 25.0)]),
    (0x59, &[0x00, 0x1E], &[("rail_abs", 300.0)]),
    (0x5A, &[0x66], &[("pedal_rel", 40.0)]),
    (0x5B, &[0xCC], &[("soc", 80.0)]),
    (0x5C, &[0x82], &[("oil", 90.0)]),
    (0x5D, &[0x6A, 0x00], &[("inj", 2.0)]),
    (0x5E, &[0x00, 0x6E], &[("frate", 5.5)]),
    (0x61, &[0x96], &[("tq_dem", 25.0)]),
    (0x62, &[0x64], &[("tq", -25.0)]),
    (0x63, &[0x01, 0x90], &[("tq_ref", 400.0)]),
    (
        0x64,
        &[0x87, 0xAF, 0xC3, 0xE1, 0xD2],
        &[("tq_max1", 10.0), ("tq_max2", 50.0), ("tq_max3", 70.0), ("tq_max4", 100.0), ("tq_max5", 85.0)],
    ),
    (0x65, &[0x1F, 0x5A], &[("pto", 0.0), ("drive_in", 1.0), ("gear_in", 0.0), ("glow", 1.0), ("gear_rec", 5.0)]),
    (0x66, &[0x03, 0x01, 0x40, 0x00, 0xA0], &[("maf", 10.0), ("mafb", 5.0)]),
    (0x67, &[0x01, 0x7B, 0x00], &[("ect", 83.0)]),
    (0x67, &[0x03, 0x7B, 0x78], &[("ect", 83.0), ("ect2", 80.0)]),
    (
        0x68,
        &[0x3F, 60, 61, 62, 63, 64, 65],
        &[("iat", 20.0), ("iat12", 21.0), ("iat13", 22.0), ("iat21", 23.0), ("iat22", 24.0), ("iat23", 25.0)],
    ),
    (
        0x69,
        &[0x3F, 0x33, 0x66, 0x90, 0x99, 0xCC, 0x70],
        &[("egr", 20.0), ("egr_act", 40.0), ("egr_err", 12.5), ("egrb", 60.0), ("egrb_act", 80.0), ("egrb_err", -12.5)],
    ),
    (0x6A, &[0x03, 0x33, 0x66, 0x00, 0x00], &[("iaf_cmd", 20.0), ("iaf", 40.0)]),
    (0x6B, &[0x21, 0x8C, 0x50, 0x00, 0x00], &[("egrt11", 100.0), ("egrt12", 280.0)]),
    (0x6B, &[0xC0, 0x00, 0x00, 0x3C, 0x46], &[("egrt21", 200.0), ("egrt22", 240.0)]),
    (0x6C, &[0x03, 0x33, 0x66, 0x00, 0x00], &[("tac", 20.0), ("thr_rel", 40.0)]),
    (
        0x6D,
        &[0x3F, 0x0B, 0xB8, 0x0B, 0xA4, 0x50, 0x07, 0xD0, 0x07, 0xC6, 0x4B],
        &[
            ("rail_cmd", 30_000.0),
            ("rail", 29_800.0),
            ("rail_t", 40.0),
            ("railb_cmd", 20_000.0),
            ("railb", 19_900.0),
            ("railb_t", 35.0),
        ],
    ),
    (0x6E, &[0x03, 0x07, 0xD0, 0x07, 0xC6, 0x00, 0x00, 0x00, 0x00], &[("icp_cmd", 20_000.0), ("icp", 19_900.0)]),
    (0x6F, &[0x09, 0x62, 0x0D], &[("tc_inp", 98.0), ("tcb_inp", 104.0)]),
    (
        0x70,
        &[0x1B, 0x12, 0xC0, 0x12, 0xA0, 0x0C, 0x80, 0x0C, 0xA0, 0x00],
        &[("boost_cmd", 150.0), ("boost", 149.0), ("boostb_cmd", 100.0), ("boostb", 101.0)],
    ),
    (0x71, &[0x03, 0x66, 0x33, 0x00, 0x00, 0x00], &[("vgt_cmd", 40.0), ("vgt", 20.0)]),
    (0x72, &[0x03, 0x99, 0xCC, 0x00, 0x00], &[("wg_cmd", 60.0), ("wg", 80.0)]),
    (0x73, &[0x03, 0x2A, 0xF8, 0x27, 0x10], &[("ep1", 110.0), ("ep2", 100.0)]),
    (0x74, &[0x03, 0x27, 0x10, 0x13, 0x88], &[("tc_rpm", 100_000.0), ("tcb_rpm", 50_000.0)]),
    (
        0x75,
        &[0x0F, 0x3C, 0x8C, 0x15, 0x7C, 0x13, 0x88],
        &[("tc_cin", 20.0), ("tc_cout", 100.0), ("tc_tin", 510.0), ("tc_tout", 460.0)],
    ),
    (0x77, &[0x0F, 0x46, 0x47, 0x48, 0x49], &[("cact11", 30.0), ("cact12", 31.0), ("cact21", 32.0), ("cact22", 33.0)]),
    (
        0x78,
        &[0x0F, 0x11, 0x94, 0x13, 0x88, 0x0F, 0xA0, 0x01, 0x90],
        &[("egt11", 410.0), ("egt12", 460.0), ("egt13", 360.0), ("egt14", 0.0)],
    ),
    (
        0x79,
        &[0x0F, 0x13, 0x88, 0x11, 0x94, 0x01, 0x90, 0x0F, 0xA0],
        &[("egt21", 460.0), ("egt22", 410.0), ("egt23", 0.0), ("egt24", 360.0)],
    ),
    (
        0x7A,
        &[0x07, 0xFF, 0x9C, 0x2A, 0xF8, 0x27, 0x10],
        &[("dpf1_dp", -1.0), ("dpf1_inp", 110.0), ("dpf1_outp", 100.0)],
    ),
    (0x7B, &[0x07, 0x01, 0xF4, 0x2A, 0xF8, 0x27, 0x10], &[("dpf2_dp", 5.0), ("dpf2_inp", 110.0), ("dpf2_outp", 100.0)]),
    (
        0x7C,
        &[0x0F, 0x11, 0x94, 0x13, 0x88, 0x0F, 0xA0, 0x01, 0x90],
        &[("dpf1_int", 410.0), ("dpf1_outt", 460.0), ("dpf2_int", 360.0), ("dpf2_outt", 0.0)],
    ),
    (
        0x7F,
        &[0x07, 0x00, 0x36, 0xEE, 0x80, 0x00, 0x03, 0x84, 0x00, 0x00, 0x00, 0x0E, 0x10],
        &[("ehours", 1000.0), ("idle_h", 64.0), ("pto_h", 1.0)],
    ),
    (
        0x83,
        &[0x0F, 0x01, 0x2C, 0x00, 0x32, 0x01, 0x90, 0x00, 0x28],
        &[("nox11", 300.0), ("nox12", 50.0), ("nox21", 400.0), ("nox22", 40.0)],
    ),
    (0x83, &[0x03, 0x01, 0x2C, 0x00, 0x32], &[("nox11", 300.0)]),
    (0x84, &[0x78], &[("mst", 80.0)]),
    (
        0x85,
        &[0x0F, 0x00, 0xC8, 0x01, 0x90, 0xCC, 0x00, 0x00, 0x1C, 0x20],
        &[("def_rate", 1.0), ("def_dem", 2.0), ("def", 80.0), ("nox_warn_h", 2.0)],
    ),
    (0x86, &[0x03, 0x01, 0x90, 0x03, 0x20], &[("pm11", 5.0), ("pm21", 10.0)]),
    (0x87, &[0x03, 0x25, 0x80, 0x0C, 0x80], &[("map", 300.0), ("mapb", 100.0)]),
    (
        0x8B,
        &[0x7F, 0x0B, 0x99, 0x01, 0xF4, 0x01, 0xC2],
        &[
            ("dpf_regen", 1.0),
            ("dpf_active", 1.0),
            ("nox_regen", 0.0),
            ("nox_desulf", 1.0),
            ("dpf_trig", 60.0),
            ("dpf_avgt", 500.0),
            ("dpf_avgd", 450.0),
        ],
    ),
    (
        0x8C,
        &[0x0F, 0x27, 0x10, 0x13, 0x88, 0x07, 0xD0, 0x03, 0xE8, 0, 0, 0, 0, 0, 0, 0, 0],
        &[("o2p11", 15.26), ("o2p12", 7.63), ("o2p21", 3.052), ("o2p22", 1.526)],
    ),
    (0x8D, &[0x33], &[("thr_g", 20.0)]),
    (0x8E, &[0x87], &[("tq_fric", 10.0)]),
    (
        0x98,
        &[0x0F, 0x11, 0x94, 0x13, 0x88, 0x0F, 0xA0, 0x01, 0x90],
        &[("egt15", 410.0), ("egt16", 460.0), ("egt17", 360.0), ("egt18", 0.0)],
    ),
    (0x9A, &[0x06, 0x00, 0x5A, 0x00, 0xFF, 0x9C], &[("hv_v", 360.0), ("hv_a", -10.0)]),
    (0x9B, &[0x0E, 0x82, 0x3C, 0xCC], &[("def_con", 32.5), ("def_t", 20.0), ("def", 80.0)]),
    (0x9D, &[0x00, 0x32, 0x00, 0x64], &[("fuel_gs", 1.0), ("fuel_gs_v", 2.0)]),
    (0x9E, &[0x01, 0xF4], &[("exhaust", 100.0)]),
    (
        0xA1,
        &[0x0F, 0x01, 0x2C, 0x00, 0x32, 0x01, 0x90, 0x00, 0x28],
        &[("noxc11", 300.0), ("noxc12", 50.0), ("noxc21", 400.0), ("noxc22", 40.0)],
    ),
    (0xA2, &[0x02, 0x80], &[("fuel_cyl", 20.0)]),
    (0xA4, &[0x03, 0x30, 0x05, 0xDC], &[("gear", 3.0), ("gear_ratio", 1.5)]),
    (0xA5, &[0x01, 0x64, 0x00, 0x00], &[("def_dose", 50.0)]),
    (0xA6, &[0x00, 0x12, 0xD6, 0x87], &[("odo", 123_456.7)]),
    (0xB2, &[0xCC], &[("soh", 80.0)]),
];

/// The least and the most that bytes can say, and what no sensor tells.
const EXTREME: &[Example] = &[
    (0x04, &[0x00], &[("load", 0.0)]),
    (0x04, &[0xFF], &[("load", 100.0)]),
    (0x05, &[0x00], &[("ect", -40.0)]),
    (0x05, &[0xFF], &[("ect", 215.0)]),
    (0x06, &[0x00], &[("stft", -100.0)]),
    (0x06, &[0xFF], &[("stft", 99.218_75)]),
    (0x0A, &[0xFF], &[("fp", 765.0)]),
    (0x0C, &[0xFF, 0xFF], &[("rpm", 16_383.75)]),
    (0x0C, &[0x00, 0x00], &[("rpm", 0.0)]),
    (0x0D, &[0xFF], &[("spd", 255.0)]),
    (0x0E, &[0x00], &[("timing", -64.0)]),
    (0x0E, &[0xFF], &[("timing", 63.5)]),
    (0x10, &[0xFF, 0xFF], &[("maf", 655.35)]),
    (0x14, &[0xFF, 0x00], &[("o2v1", 1.275), ("o2t1", -100.0)]),
    (0x1C, &[0xFF], &[]),
    (0x22, &[0xFF, 0xFF], &[]),
    (0x23, &[0xFF, 0xFF], &[]),
    (0x24, &[0xFF; 4], &[("lam1", 65_535.0 / 32_768.0), ("o2v1", 65_535.0 / 8192.0)]),
    (0x32, &[0x80, 0x00], &[("evap", -8192.0)]),
    (0x32, &[0x7F, 0xFF], &[("evap", 8191.75)]),
    (0x34, &[0x00; 4], &[("lam1", 0.0), ("o2c1", -0.128)]),
    (0x3C, &[0x00, 0x00], &[("cat11", -40.0)]),
    (0x3C, &[0xFF, 0xFF], &[]),
    (0x42, &[0xFF, 0xFF], &[("vbat", 65.535)]),
    (0x43, &[0xFF, 0xFF], &[]),
    (0x54, &[0x80, 0x00], &[("evap_alt", -32_768.0)]),
    (0x5C, &[0xFF], &[]),
    (0x5D, &[0x00, 0x00], &[("inj", -210.0)]),
    (0x5E, &[0xFF, 0xFF], &[("frate", 3276.75)]),
    (0x61, &[0x00], &[("tq_dem", -125.0)]),
    (0x61, &[0xFF], &[("tq_dem", 130.0)]),
    (0x66, &[0x00, 0x01, 0x40, 0x00, 0xA0], &[]),
    (0x66, &[0xFF; 5], &[]),
    (0x67, &[0x03, 0x00, 0xFF], &[("ect", -40.0), ("ect2", 215.0)]),
    (0x6B, &[0xFF; 5], &[("egrt11", 980.0), ("egrt12", 980.0), ("egrt21", 980.0), ("egrt22", 980.0)]),
    (0x78, &[0xFF; 9], &[]),
    (0x7F, &[0xFF; 13], &[]),
    (0x83, &[0xFF; 9], &[]),
    (0x87, &[0xFF; 5], &[]),
    (0x9A, &[0x02, 0x00, 0x00, 0x00, 0x00, 0x00], &[("hv_v", 0.0)]),
    (0x9A, &[0x06, 0x00, 0xFF, 0xFF, 0x80, 0x00], &[]),
    (0xA4, &[0x01, 0x0F, 0xFF, 0xFF], &[("gear", 0.0)]),
    (0xA4, &[0x00; 4], &[]),
    (0xA6, &[0xFF; 4], &[]),
];

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

#[test]
fn bytes_of_every_parameter_mean_what_the_standard_says() {
    for (pid, data, expected) in TYPICAL.iter().chain(EXTREME) {
        let read: Vec<_> =
            Parameter::find(*pid).unwrap().read(data).map(|(signal, value)| (signal.key, value)).collect();
        let same = |(one, other): (&(&str, f64), &(&str, f64))| one.0 == other.0 && is_near(one.1, other.1);
        assert!(
            read.len() == expected.len() && read.iter().zip(*expected).all(same),
            "{pid:02X} {data:02X?}: {read:?} for {expected:?}"
        );
    }
}

#[test]
fn every_value_of_every_parameter_has_an_example() {
    let shown: BTreeSet<_> =
        TYPICAL.iter().flat_map(|(pid, _, values)| values.iter().map(move |(key, _)| (*pid, *key))).collect();
    for parameter in PARAMETERS {
        for value in parameter.values {
            assert!(shown.contains(&(parameter.pid, value.key)), "{:02X} {}", parameter.pid, value.key);
        }
    }
}

#[test]
fn parameters_are_sorted_and_found_and_tell_each_signal_once() {
    assert!(PARAMETERS.is_sorted_by(|one, other| one.pid < other.pid));
    for parameter in PARAMETERS {
        assert_eq!(Parameter::find(parameter.pid).unwrap().pid, parameter.pid);
        assert!(!parameter.values.is_empty() && (1..=64).contains(&parameter.length));
        let keys: BTreeSet<_> = parameter.values.iter().map(|value| value.signal().key).collect();
        assert_eq!(keys.len(), parameter.values.len(), "{:02X}", parameter.pid);
    }
    assert!(Parameter::find(0x00).is_none() && Parameter::find(0x20).is_none());
}

#[test]
fn a_truncated_answer_tells_only_what_is_whole() {
    let keys = |pid, data: &[u8]| Parameter::find(pid).unwrap().read(data).map(|(s, _)| s.key).collect::<Vec<_>>();
    assert_eq!(keys(0x0C, &[0x14]), [""; 0]);
    assert_eq!(keys(0x14, &[0x5A]), ["o2v1"]);
    assert_eq!(keys(0x78, &[0x0F, 0x11, 0x94, 0x13]), ["egt11"]);
    assert_eq!(keys(0xA6, &[]), [""; 0]);
    assert_eq!(keys(0x83, &[0x03, 0x01, 0x2C, 0x00, 0x64]), ["nox11"], "whose the second is depends on the edition");
    assert_eq!(keys(0x0D, &[0x32, 0xAA, 0xAA]), ["spd"], "padded");
}

/// A car on a K-line answers four questions a second.
#[test]
fn what_is_useful_stays_frequent_on_a_slow_bus() {
    let petrol = 0x03..=0x33u8;
    let asked = PARAMETERS.iter().filter(|parameter| petrol.contains(&parameter.pid));
    // Sensors of a wide range instead of the others.
    let asked = asked.filter(|parameter| !(0x14..=0x1B).contains(&parameter.pid));
    let per_second: f64 = asked.map(|parameter| 1000.0 / f64::from(parameter.period_ms)).sum();
    assert!(per_second < 10.0, "{per_second}");
    let often = |most: u32| PARAMETERS.iter().filter(move |p| p.period_ms <= most).map(|p| p.pid);
    assert!(often(500).eq([0x0C, 0x0D]), "everything is judged by speed and engine speed");
}

#[test]
fn every_formula_is_written_as_it_is_computed_at_the_ends() {
    for parameter in PARAMETERS {
        for byte in [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF] {
            assert_written_as_computed(parameter, &vec![byte; parameter.length]);
        }
    }
}

proptest! {
    #[test]
    fn every_formula_is_written_as_it_is_computed(data in vec(any::<u8>(), 0..20)) {
        for parameter in PARAMETERS {
            assert_written_as_computed(parameter, &data[..data.len().min(parameter.length)]);
        }
    }
}

fn assert_written_as_computed(parameter: &Parameter, data: &[u8]) {
    for value in parameter.values {
        let (computed, written) = ((value.eval)(data), Formula { data, text: value.formula }.value());
        let same = match (computed, written) {
            (Some(computed), Some(written)) => is_near(computed, written),
            (None, None) => true,
            _ => false,
        };
        assert!(same, "{:02X} {} {data:02X?}: {computed:?} for {written:?}", parameter.pid, value.formula);
    }
}

/// Reads formulas as people do: `4B-40 if A4, B-40 if A0`.
struct Formula<'a> {
    data: &'a [u8],
    text: &'a str,
}

impl Formula<'_> {
    fn value(&self) -> Option<f64> {
        let holds = |condition: &str| match condition.split_once('<') {
            Some((byte, limit)) => Some(self.compute(byte)? < limit.parse().unwrap()),
            None => Some(self.compute(condition)? == 1.0),
        };
        for alternative in self.text.split(", ") {
            match alternative.split_once(" if ") {
                None => return self.compute(alternative),
                Some((expression, condition)) => {
                    if holds(condition)? {
                        return self.compute(expression);
                    }
                }
            }
        }
        None
    }

    fn compute(&self, expression: &str) -> Option<f64> {
        let mut rest = expression;
        let value = self.sum(&mut rest);
        assert_eq!(rest, "", "{}", self.text);
        value
    }

    fn sum(&self, rest: &mut &str) -> Option<f64> {
        let mut sum = self.product(rest);
        loop {
            let add = take(rest, "+");
            if !add && !take(rest, "-") {
                return sum;
            }
            let term = self.product(rest);
            sum = sum.zip(term).map(|(sum, term)| if add { sum + term } else { sum - term });
        }
    }

    fn product(&self, rest: &mut &str) -> Option<f64> {
        let mut product = self.factor(rest);
        loop {
            let times = take(rest, "*") || rest.starts_with(|c: char| c.is_ascii_uppercase());
            if !times && !take(rest, "/") {
                return product;
            }
            let factor = self.factor(rest);
            product = product.zip(factor).map(|(one, other)| if times { one * other } else { one / other });
        }
    }

    fn factor(&self, rest: &mut &str) -> Option<f64> {
        if take(rest, "int16(") {
            let high = self.factor(rest);
            assert!(take(rest, ","));
            let word = high.zip(self.factor(rest)).map(|(high, low)| high * 256.0 + low);
            assert!(take(rest, ")"));
            return word.map(|word| if word < 32_768.0 { word } else { word - 65_536.0 });
        }
        let drops_fraction = take(rest, "int");
        if take(rest, "(") {
            let value = self.sum(rest);
            assert!(take(rest, ")"));
            return if drops_fraction { value.map(f64::floor) } else { value };
        }
        let first = rest.chars().next().unwrap();
        if first.is_ascii_uppercase() {
            *rest = &rest[1..];
            let byte = self.data.get(first as usize - 'A' as usize).copied();
            return match rest.chars().next().and_then(|c| c.to_digit(10)) {
                Some(bit) => {
                    *rest = &rest[1..];
                    byte.map(|byte| f64::from(byte >> bit & 1))
                }
                None => byte.map(f64::from),
            };
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        *rest = after;
        Some(number.parse().unwrap())
    }
}

fn take(rest: &mut &str, token: &str) -> bool {
    let after = rest.strip_prefix(token);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

//! `docs/signals.md` is the catalogue with the formulas of the table.

use std::{env, fmt::Write as _, fs, path::Path};

use bugbrother_agent::obd::decode::{Parameter, Value};
use bugbrother_wire::signal::{CATALOGUE, Signal};

const HEAD: &str = "\
# Signals

Every signal with a fixed meaning: what a vehicle may tell, in which unit, and how it is made of the bytes of the car's
answer. Written by `vehicle-agent/tests/signals/document.rs` of `crates/wire/src/signal.rs` and
`vehicle-agent/src/obd/decode/table.rs`. A vehicle's own sensors use other keys, by custom with a prefix `x.`.

The formulas are those of SAE J1979-DA (ISO 15031-5), mode 01; freeze frames (mode 02) have the same. `A`, `B`, `C`… are
the bytes of data, `A.0` the lowest bit of A and `B.4-7` the upper four bits of B as a number, `signed(…)` 16 bits in two's
complement. `if A.0` means: only if the car says by that bit that it has the value. `of 9` means: only in an answer of nine
bytes, because shorter ones had another order. Of several formulas the first that the car has counts. What lies outside the
range is told by no working sensor, and is dropped.

A formula marked * is scaled: a car that has more than its bytes hold says so with PID 4F or 50, which are asked for at the
beginning of a drive. The usual maxima are a ratio of 2, 8 V, 128 mA, 255 kPa and 655.35 g/s; a car with 510 kPa tells
pressures that are twice what the formula says.

Where bank and sensor are told, `cat.12` is bank 1 sensor 2; sensor 1 is the one nearest to the engine. Oxygen sensors 1 to
8 (`o2.…`, `wr.…`) are in the order of the standard: four of each of two banks, or two of each of four.

| key | signal | unit | range | PID | formula | source | COVESA VSS |
|---|---|---|---|---|---|---|---|
";

const TAIL: &str = "
## What codes mean

- `fuelsys1`, `fuelsys2` (PID 03): 0 engine off, 1 open loop (not warm yet), 2 closed loop, 4 open loop by load or overrun,
  8 open loop by a fault, 16 closed loop with a fault of a sensor
- `air` (PID 12): where secondary air goes: 1 before the first catalyst, 2 behind it, 4 outside or off, 8 on for diagnosis
- `obd` (PID 1C): by which rules the car was built: 1 OBD II (California), 2 OBD (EPA), 3 both, 4 OBD I, 5 none, 6 EOBD,
  7 to 9 EOBD with 1, 2 or both, 10 JOBD, 11 to 13 JOBD with others, 14 Euro IV B1, 15 Euro V B2, 16 Euro C (heavy duty),
  17 EMD, 18 EMD+, 19 and 20 HD OBD, 21 WWH OBD, 23 to 26 HD EOBD, 28 and 29 OBDBr, 30 KOBD, 31 and 32 IOBD, 33 Euro VI
- `fueltype` (PID 51), what the car runs on now: 1 petrol, 2 methanol, 3 ethanol, 4 diesel, 5 LPG, 6 CNG, 7 propane,
  8 electricity; 9 to 15 two fuels, now on petrol, methanol, ethanol, LPG, CNG, propane or electricity; 16 battery and
  engine; hybrids: 17 petrol, 18 ethanol, 19 diesel, 20 electricity, 21 both, 22 regenerating; 23 two fuels, on diesel
- `emission` (PID 5F): 14 Euro IV B1, 15 Euro V B2, 16 Euro EEV C, 17 Euro VI
- `boost.a.st`, `boost.b.st`, `vgt.a.st`, `vgt.b.st`: 1 open loop, 2 closed loop, 3 fault, the values cannot be relied on
- `ind.1`, `ind.2`, `ind.3` (PID 94), how the car makes its driver refill reagent: 0 off, 1 enabled, 2 active
- `gear`, `gear.rec`: 1 to 14; other codes are dropped
- Yes and no are 1 and 0: `ign`, `pto`, `pto.out`, `gear.auto`, `gear.manual`, `glow`, `scr.ind`, `dpf.regen`,
  `dpf.active`, `nads.regen`, `nads.desulf`, `nox.warn`

`hv.a` has the sign that the car gives it.

## What is not decoded

A wrong value is worse than none: what public sources do not agree on, or leave open, stays out. AA, B2, D2 and D3 are
too new for more than one source.

- No numbers: 01 (readiness, which diagnostics have), 41 (the same for this drive), 02 (code of the freeze frame), 13 and
  1D (which oxygen sensors there are), 7D, 7E, 92 (bits), A9 (switch of the ABS)
- Scales, not signals: 4F, 50
- Timers and counters of regulators, of no use to a fleet: 81, 82, 89, 8A (run time of emission controls) and the
  kilometres in 88; the status bits in 90 and 91
- Not certain: A1, A7, A8 (corrected NOx, further sensors), A3 (evaporative system, four sensors), the consumption in A5,
  the state of charging in 9A, the kind of exhaust fluid in 9B, and what is newer than AA except B2, D2 and D3
- Cars that speak SAE J1979-2 (OBD on UDS) only, and what makers have beside the standard
";

fn formula(signal: &Signal) -> Option<&'static Value> {
    Parameter::find(signal.pid?)?.values.iter().find(|value| value.key == signal.key)
}

fn source(signal: &Signal) -> &'static str {
    match signal.key {
        "lat" | "lon" | "alt" | "hdg" | "gspd" | "hdop" | "sats" => "receiver (NMEA 0183)",
        "ax" | "ay" | "az" => "sensor of the vehicle",
        "ign" => "agent: the car answers",
        "dtcs" => "SAE J1979-DA, PID 01",
        _ => "SAE J1979-DA",
    }
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for signal in CATALOGUE {
        let (pid, formula) = match (signal.pid, formula(signal)) {
            (Some(pid), Some(value)) => (
                format!("{pid:02X}"),
                format!("`{}`{}", value.formula, if value.maximum.is_some() { " *" } else { "" }),
            ),
            _ => Default::default(),
        };
        let Signal { key, label, unit, min, max, .. } = signal;
        let vss = signal.vss.map(|path| format!("`{path}`")).unwrap_or_default();
        let source = source(signal);
        writeln!(text, "| `{key}` | {label} | {unit} | {min} to {max} | {pid} | {formula} | {source} | {vss} |")
            .unwrap();
    }
    text + TAIL
}

#[test]
fn the_table_of_signals_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/signals.md");
    let document = document();
    if env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(kept == document, "docs/signals.md is stale: run this test with BUGBROTHER_WRITE_GOLDEN=1");
}

#[test]
fn every_signal_of_a_pid_has_a_formula_and_each_code_that_is_explained_is_a_signal() {
    for signal in CATALOGUE.iter().filter(|signal| signal.pid.is_some()) {
        let formula = formula(signal).map(|value| value.formula).unwrap_or_default();
        assert!(formula.contains(|character: char| character.is_ascii_uppercase()), "{}", signal.key);
    }
    for explained in TAIL.split('`').skip(1).step_by(2) {
        assert!(bugbrother_wire::signal::find(explained).is_some(), "{explained}");
    }
}

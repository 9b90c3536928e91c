//! `OPTIONS.md` is the table of options as the parser has it.
//!
//! It is written anew by `BUGBROTHER_WRITE_GOLDEN=1 cargo test -p bugbrother-mosquitto-compat --test options`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, fmt::Write as _, fs, path::Path};

use bugbrother_mosquitto_compat::conf::{Fate, OPTIONS, Opt, Part, Verdict};

const HEAD: &str = "\
# Options of mosquitto.conf

What becomes of every option of Mosquitto 2.0 and 2.1 in BugBrother's broker. Written by `tests/options.rs`.

- **supported**: does what it does in Mosquitto
- **without effect**: accepted, with a warning in the log and by `bugbrother mosquitto check`
- **refused**: the broker does not start with it
";

fn table() -> String {
    let mut text = HEAD.to_owned();
    for (part, title) in [
        (Part::General, "The broker as a whole"),
        (Part::Access, "Access: of all listeners, or with `per_listener_settings true` of the one above"),
        (Part::Listener, "Listeners"),
        (Part::Bridge, "Bridges"),
    ] {
        write!(text, "\n## {title}\n\n| option | | |\n|---|---|---|\n").unwrap();
        for option in OPTIONS.iter().filter(|option| option.part == part) {
            writeln!(text, "| `{}` | {} | {} |", option.name, fate(option), option.note).unwrap();
        }
    }
    text
}

fn fate(option: &Opt) -> String {
    let verdict = |verdict| match verdict {
        Verdict::WithoutEffect => "without effect",
        Verdict::Unsupported | Verdict::Invalid => "refused",
        Verdict::Supported => "supported",
    };
    match option.fate {
        Fate::Read => "supported".to_owned(),
        Fate::Always(always) => verdict(always).to_owned(),
        Fate::Except(values, other) => format!("`{}` supported, else {}", values[0], verdict(other)),
    }
}

#[test]
fn the_table_of_options_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("OPTIONS.md");
    let table = table();
    if env::var_os("BUGBROTHER_WRITE_GOLDEN").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(kept == table, "OPTIONS.md is stale: run this test with BUGBROTHER_WRITE_GOLDEN=1");
}

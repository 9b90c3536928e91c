//! Results, as they go into `docs/performance.md`: each between two marks that say whose they are.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::{settings::Settings, usage};

pub struct Report {
    name: &'static str,
    text: String,
}

impl Report {
    /// What that command has to say.
    pub fn new(name: &'static str) -> Self {
        Report { name, text: String::new() }
    }

    pub fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Puts it in the place of what was there, if that is wanted.
    pub fn finish(self, settings: &Settings) -> Result<()> {
        if !settings.write {
            return Ok(());
        }
        let path = documents().join("performance.md");
        let document = fs::read_to_string(&path).context("docs/performance.md")?;
        let [begin, end] = ["begin", "end"].map(|word| format!("<!-- {} {word} -->\n", self.name));
        let (before, rest) = document.split_once(&begin).with_context(|| format!("no mark {begin}"))?;
        let (_, after) = rest.split_once(&end).with_context(|| format!("no mark {end}"))?;
        let when = Command::new("date").arg("+%F").output()?.stdout;
        let said = format!(
            "Measured on {} with {} s and {} rounds each; {} at the end.\n",
            String::from_utf8(when)?.trim(),
            settings.time.as_secs(),
            settings.rounds,
            usage::load()
        );
        Ok(fs::write(path, format!("{before}{begin}{said}{}{end}{after}", self.text))?)
    }
}

/// Folder of the documents.
pub fn documents() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"))
}

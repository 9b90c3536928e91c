//! What the documents say is there, is there.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};
use bugbrother_kit::process::program;

const DOCUMENTS: [&str; 21] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/third-party.md",
    "docs/agent.md",
    "docs/database.md",
    "docs/schema.md",
    "docs/people.md",
    "docs/notifications.md",
    "docs/trips.md",
    "docs/export.md",
    "docs/performance.md",
    "docs/adapters.md",
    "docs/signals.md",
    "docs/events.md",
    "docs/microcontroller.md",
    "docs/video.md",
    "docs/operating.md",
    "docs/two-sites.md",
    "docs/scaling.md",
    "docs/metrics.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root")
}

/// The texts between backticks outside code blocks.
fn quoted(document: &str) -> Vec<String> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_path_in_the_documents_exists() -> Result<()> {
    for name in DOCUMENTS {
        let text = fs::read_to_string(root().join(name)).with_context(|| format!("{name} is missing"))?;
        for path in quoted(&text) {
            let first = path.split('/').next().unwrap_or_default();
            // A path of this tree begins with a folder of it; topics and addresses do not.
            let ours = path.contains('/')
                && !path.starts_with('/')
                && !path.contains([' ', '{', '*', '#', ':'])
                && root().join(first).is_dir();
            // What the programs make is not in the tree.
            if ours && !matches!(first, "data" | "target") {
                assert!(root().join(&path).exists(), "{name} names `{path}`, which is not there");
            }
        }
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.contains("://") && !target.starts_with('#') {
                // A link counts from the document, as whoever shows it does.
                let folder = root().join(name).with_file_name("");
                assert!(folder.join(target).exists(), "{name} links to `{target}`, which is not there");
            }
        }
    }
    Ok(())
}

#[test]
fn every_command_in_the_documents_is_known() -> Result<()> {
    let makefile = fs::read_to_string(root().join("Makefile"))?;
    for name in DOCUMENTS {
        let text = fs::read_to_string(root().join(name))?;
        let in_blocks = text.split("```").skip(1).step_by(2).flat_map(str::lines).map(|line| line.trim().to_owned());
        for command in quoted(&text).into_iter().chain(in_blocks) {
            let words: Vec<_> = command.split_whitespace().take_while(|word| !word.starts_with(['-', '#'])).collect();
            match words.as_slice() {
                ["make", target, ..] => {
                    assert!(
                        makefile.lines().any(|line| line.starts_with(&format!("{target}:"))),
                        "{name}: `{command}`"
                    );
                }
                ["bugbrother-agent"] => {
                    let flags = command.split_whitespace().filter(|word| word.starts_with("--"));
                    let help =
                        String::from_utf8(Command::new(program("bugbrother-agent")?).arg("--help").output()?.stdout)?;
                    assert!(flags.clone().all(|flag| help.contains(flag)), "{name}: `{command}`");
                }
                ["bugbrother", rest @ ..] => {
                    let verbs: Vec<_> =
                        rest.iter().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
                    let known =
                        Command::new(program("bugbrother")?).args(verbs.iter().take(2)).arg("--help").output()?;
                    assert!(known.status.success(), "{name}: `{command}`");
                }
                _ => {}
            }
        }
    }
    Ok(())
}

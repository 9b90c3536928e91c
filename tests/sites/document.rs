//! What stands in `docs/two-sites.md`.

use anyhow::{Context, Result};

const TEXT: &str = include_str!("../../docs/two-sites.md");

/// The first block of code after the line that holds this text.
pub fn block_after(text: &str) -> Result<String> {
    let (_, rest) = TEXT.split_once(text).with_context(|| format!("docs/two-sites.md does not say `{text}`"))?;
    let is_fence = |line: &&str| line.trim_start().starts_with("```");
    let lines = rest.lines().skip_while(|line| !is_fence(line)).skip(1);
    Ok(lines.take_while(|line| !is_fence(line)).map(|line| format!("{}\n", line.trim_start())).collect())
}

/// The same for the other site.
pub fn swap_names(text: &str) -> String {
    text.replace("a.example.org", "\0").replace("b.example.org", "a.example.org").replace('\0', "b.example.org")
}

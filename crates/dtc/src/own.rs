//! The fleet's own words: a CSV that extends the built-in ones or stands before them.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use bugbrother_wire::{api::Tongue, message::Severity};
use serde::Deserialize;

use crate::Code;

/// Largest file that is read.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// So many lines that cannot be taken are named.
pub const MAX_BAD_LINES: usize = 100;
/// Codes that are taken from the file.
const MAX_CODES: usize = 20_000;
const MAX_TITLE_CHARS: usize = 200;
const MAX_ADVICE_CHARS: usize = 1_000;

/// Why a file of own words is not read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be read.
    #[error("the fleet's own trouble codes cannot be read from `{0}`")]
    Read(String, #[source] std::io::Error),
    /// It is too large.
    #[error("the fleet's own trouble codes in `{0}` are more than 4 MiB")]
    Size(String),
    /// It has no usable heading.
    #[error(
        "the first line of the fleet's own trouble codes must name a column `code`, and only columns that exist: {COLUMNS}"
    )]
    Heading,
}

const COLUMNS: &str = "code, severity, title_en, title_fr, advice_en, advice_fr";

/// A line that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number in the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// Words of the fleet for a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    pub severity: Option<Severity>,
    pub title: Words,
    pub advice: Words,
}

/// The same in two languages; each may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    en: Option<String>,
    fr: Option<String>,
}

impl Words {
    /// In that language. Of something that has no other words, those of the other language are better than none.
    pub fn choose(&self, tongue: Tongue, has_others: bool) -> Option<&str> {
        let (first, second) = match tongue {
            Tongue::En => (&self.en, &self.fr),
            Tongue::Fr => (&self.fr, &self.en),
        };
        first.as_deref().or_else(|| second.as_deref().filter(|_| !has_others))
    }
}

#[derive(Deserialize)]
struct Row {
    code: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    title_en: String,
    #[serde(default)]
    title_fr: String,
    #[serde(default)]
    advice_en: String,
    #[serde(default)]
    advice_fr: String,
}

/// The text of a file, if it is not too large. What is no UTF-8 becomes a bad line.
pub(crate) fn load(path: &Path) -> Result<String, OpenError> {
    let name = || path.display().to_string();
    let failed = |error| OpenError::Read(name(), error);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(OpenError::Size(name()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The codes of a file, and the lines that were skipped.
pub(crate) fn parse(text: &str) -> Result<(BTreeMap<Code, Own>, Vec<BadLine>), OpenError> {
    // Spreadsheets begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let heading = reader.headers().map_err(|_| OpenError::Heading)?.clone();
    let is_known = |column: &str| COLUMNS.split(", ").any(|known| known == column);
    if !heading.iter().any(|column| column == "code") || !heading.iter().all(is_known) {
        return Err(OpenError::Heading);
    }
    let (mut own, mut bad) = (BTreeMap::new(), Vec::new());
    let mut record = csv::StringRecord::new();
    while let Ok(true) = reader.read_record(&mut record) {
        let line = record.position().map_or(0, csv::Position::line);
        let mut skip = |problem: String| {
            if bad.len() < MAX_BAD_LINES {
                bad.push(BadLine { line, problem });
            }
        };
        if record.len() > heading.len() {
            skip(format!("it has {} cells, the first line has {}", record.len(), heading.len()));
            continue;
        }
        // What is missing at its end is empty.
        record.extend(std::iter::repeat_n("", heading.len() - record.len()));
        let taken = record.deserialize::<Row>(Some(&heading)).map_err(|error| error.to_string()).and_then(check);
        match taken {
            Ok((code, _)) if own.contains_key(&code) => skip(format!("`{}` is there already", code.as_str())),
            Ok(_) if own.len() == MAX_CODES => skip(format!("there are more than {MAX_CODES} codes")),
            Ok((code, words)) => drop(own.insert(code, words)),
            Err(problem) => skip(problem),
        }
    }
    Ok((own, bad))
}

fn check(row: Row) -> Result<(Code, Own), String> {
    let code = Code::parse(&row.code).filter(|code| code.as_str().eq_ignore_ascii_case(&row.code));
    let code = code.ok_or_else(|| format!("`{}` is no trouble code", short(&row.code)))?;
    let severity = match row.severity.as_str() {
        "" => None,
        "info" => Some(Severity::Info),
        "warning" => Some(Severity::Warning),
        "critical" => Some(Severity::Critical),
        other => return Err(format!("severity `{}` is none of info, warning and critical", short(other))),
    };
    let title = Words {
        en: text("title_en", row.title_en, MAX_TITLE_CHARS)?,
        fr: text("title_fr", row.title_fr, MAX_TITLE_CHARS)?,
    };
    let advice = Words {
        en: text("advice_en", row.advice_en, MAX_ADVICE_CHARS)?,
        fr: text("advice_fr", row.advice_fr, MAX_ADVICE_CHARS)?,
    };
    Ok((code, Own { severity, title, advice }))
}

fn text(column: &str, text: String, most: usize) -> Result<Option<String>, String> {
    if text.chars().count() > most {
        return Err(format!("{column} has more than {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{column} has characters that cannot be shown"));
    }
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(format!("{column} is not in UTF-8"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// So much of a text as is good to repeat.
fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(20).collect()
}

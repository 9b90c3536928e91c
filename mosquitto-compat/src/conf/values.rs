//! Values: words, numbers, yes and no.

use std::ops::RangeInclusive;

use super::Verdict;

/// Longest value in bytes.
pub(super) const MAX_BYTES: usize = 4_096;

/// Why a line is refused.
#[derive(Debug)]
pub(super) struct Problem {
    pub verdict: Verdict,
    pub reason: String,
}

impl Problem {
    pub fn invalid(reason: impl Into<String>) -> Self {
        Problem { verdict: Verdict::Invalid, reason: reason.into() }
    }

    pub fn unsupported(reason: impl Into<String>) -> Self {
        Problem { verdict: Verdict::Unsupported, reason: reason.into() }
    }
}

/// The words of a value up to a comment, of which only options that take words know.
pub(super) fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(' ').filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#'))
}

/// The one word of a value.
pub(super) fn word(value: &str) -> Result<&str, Problem> {
    let mut words = words(value);
    match (words.next(), words.next()) {
        (Some(word), None) => Ok(word),
        (None, _) => Err(Problem::invalid("has no value")),
        (Some(word), Some(_)) => Err(Problem::invalid(format!("has more than the value `{}`", word.escape_debug()))),
    }
}

/// The rest of the line, spaces, quotes and `#` included.
pub(super) fn text(value: &str) -> Result<String, Problem> {
    if value.is_empty() {
        return Err(Problem::invalid("has no value"));
    }
    Ok(value.to_owned())
}

pub(super) fn boolean(value: &str) -> Result<bool, Problem> {
    match word(value)? {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Problem::invalid("must be `true` or `false`")),
    }
}

pub(super) fn number<T: TryFrom<i64>>(value: &str, range: RangeInclusive<i64>) -> Result<T, Problem> {
    let (least, most) = (*range.start(), *range.end());
    let refused = || Problem::invalid(format!("must be a number from {least} to {most}"));
    let number: i64 = word(value)?.parse().map_err(|_| refused())?;
    if !range.contains(&number) {
        return Err(refused());
    }
    T::try_from(number).map_err(|_| refused())
}

const HOUR_S: u32 = 3_600;
/// The units of a lifetime, the longest first; a month has 30 days and a year 365.
const UNITS: [(char, u32); 5] =
    [('y', 8_760 * HOUR_S), ('m', 720 * HOUR_S), ('w', 168 * HOUR_S), ('d', 24 * HOUR_S), ('h', HOUR_S)];

/// A number of hours, days, weeks, months or years, in seconds; none for 0, and for what is longer than can be said to a
/// client.
pub(super) fn lifetime(value: &str) -> Result<Option<u32>, Problem> {
    let refused = || Problem::invalid("must be a number and one of `h`, `d`, `w`, `m` and `y`, such as `14d`");
    let word = word(value)?;
    let (unit, factor) = UNITS.into_iter().find(|(unit, _)| word.ends_with(*unit)).ok_or_else(refused)?;
    let number: i32 = word[..word.len() - unit.len_utf8()].parse().map_err(|_| refused())?;
    let number = u32::try_from(number).map_err(|_| refused())?;
    Ok(number.checked_mul(factor).filter(|seconds| *seconds > 0))
}

/// A lifetime as [`lifetime`] reads it, up to the next hour.
pub(super) fn written(seconds: u32) -> String {
    let (unit, factor) = UNITS.into_iter().find(|(_, factor)| seconds.is_multiple_of(*factor)).unwrap_or(('h', HOUR_S));
    format!("{}{unit}", seconds.div_ceil(factor))
}

/// A limit of which 0 and anything below it stand for none.
pub(super) fn limit(value: &str) -> Result<Option<u32>, Problem> {
    let number: i32 = number(value, i32::MIN.into()..=i32::MAX.into())?;
    Ok(u32::try_from(number).ok().filter(|&limit| limit > 0))
}

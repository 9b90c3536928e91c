//! Numbers, units and ages for people.

use bugbrother_wire::signal;

/// A span of time in its largest whole unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How many.
    pub count: i64,
    /// Of what.
    pub unit: Unit,
}

/// A unit of time.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Span {
    /// From milliseconds; less than nothing is nothing.
    pub fn of(ms: i64) -> Self {
        let seconds = ms.max(0) / 1000;
        let (count, unit) = match seconds {
            0..60 => (seconds, Unit::Seconds),
            60..3600 => (seconds / 60, Unit::Minutes),
            3600..172_800 => (seconds / 3600, Unit::Hours),
            _ => (seconds / 86_400, Unit::Days),
        };
        Span { count, unit }
    }
}

/// How faint what is so old is shown: fresh, ageing, stale. Nothing ever vanishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Up to 15 s.
    Fresh,
    /// Up to two minutes.
    Ageing,
    /// Older.
    Stale,
}

impl Freshness {
    /// Of an age.
    pub fn of(age_ms: i64) -> Self {
        match age_ms {
            ..=15_000 => Freshness::Fresh,
            15_001..=120_000 => Freshness::Ageing,
            _ => Freshness::Stale,
        }
    }

    /// Style class.
    pub fn class(self) -> &'static str {
        match self {
            Freshness::Fresh => "fresh",
            Freshness::Ageing => "ageing",
            Freshness::Stale => "stale",
        }
    }
}

/// A number with so many digits behind the point, thousands set apart by a narrow space.
pub fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, part) = text.split_once('.').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |rest| ("−", rest));
    let mut grouped = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if let Some(part) = part {
        grouped.push('.');
        grouped.push_str(part);
    }
    grouped
}

/// A unit of the catalogue as people write it.
pub fn unit(unit: &str) -> &str {
    match unit {
        "degrees" => "°",
        "celsius" => "°C",
        "percent" => "%",
        "m/s^2" => "m/s²",
        other => other,
    }
}

/// A signal's value with its unit, as precise as it is of use.
pub fn value(key: &str, value: f64) -> (String, &'static str) {
    let signal = signal::find(key);
    let digits = match key {
        "lat" | "lon" => 5,
        "hdop" | "vbat" | "frate" | "ax" | "ay" | "az" | "maf" | "stft" | "ltft" => 1,
        _ => match signal {
            // Of what is small the whole numbers say nothing: a lambda, the voltage of a sensor.
            Some(_) if key.starts_with("o2c") => 3,
            Some(_) if key.starts_with("o2v") => 2,
            Some(signal) if signal.unit == "ratio" => 2,
            Some(signal) if matches!(signal.unit, "V" | "A") => 1,
            Some(_) => 0,
            None if value.fract() == 0.0 => 0,
            None => 2,
        },
    };
    (number(value, digits), signal.map_or("", |signal| unit(signal.unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_is_told_with_its_decimals() {
        let told = |key, number| value(key, number).0;
        assert_eq!(told("lam1", 0.984), "0.98");
        assert_eq!(told("o2c1", 0.0042), "0.004");
        assert_eq!(told("hv_v", 356.25), "356.2");
        assert_eq!(told("rpm", 803.75), "804");
        assert_eq!(told("x.door", 1.0), "1");
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        let told = |ms| (Span::of(ms).count, Span::of(ms).unit);
        assert_eq!(told(-5), (0, Unit::Seconds));
        assert_eq!(told(59_999), (59, Unit::Seconds));
        assert_eq!(told(60_000), (1, Unit::Minutes));
        assert_eq!(told(47 * 3_600_000), (47, Unit::Hours));
        assert_eq!(told(48 * 3_600_000), (2, Unit::Days));
    }

    #[test]
    fn numbers_are_grouped_and_rounded() {
        assert_eq!(number(1_234_567.0, 0), "1\u{202f}234\u{202f}567");
        assert_eq!(number(-1234.56, 1), "−1\u{202f}234.6");
        assert_eq!(number(999.0, 0), "999");
        assert_eq!(value("ect", 88.4), ("88".to_owned(), "°C"));
        assert_eq!(value("x.door", 0.256), ("0.26".to_owned(), ""));
    }
}

//! The formulas of the table: text that people read and that is evaluated here.
//!
//! - `A`, `B`, `C`… are the bytes of data; `256A` is a product
//! - `A.0` is the lowest bit of A, `B.4-7` its upper four as a number
//! - `signed(256A+B)` is a number of 16 bits in two's complement
//! - `… if A.0`: only if that bit is set, by which an ECU says that it has the value; `… if B<255` likewise
//! - `… of 9`: only in an answer of nine bytes or more
//! - `…, …`: the first that can be told

/// The value; `None` if the vehicle says that it has it not, or if bytes are missing.
pub fn evaluate(formula: &str, data: &[u8]) -> Option<f64> {
    formula.split(", ").find_map(|case| {
        let (expression, condition) = case.split_once(" if ").unwrap_or((case, ""));
        (condition.is_empty() || holds(condition, data)?).then(|| Reader::new(expression, data).whole()).flatten()
    })
}

fn holds(condition: &str, data: &[u8]) -> Option<bool> {
    let (condition, least) = condition.split_once(" of ").unwrap_or((condition, "0"));
    if data.len() < least.parse().ok()? {
        return None;
    }
    match condition.split_once('<') {
        Some((left, right)) => Some(Reader::new(left, data).whole()? < right.parse().ok()?),
        None => Some(Reader::new(condition, data).whole()? != 0.0),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, data: &'a [u8]) -> Self {
        Reader { text: text.as_bytes(), data }
    }

    fn whole(mut self) -> Option<f64> {
        let value = self.sum()?;
        self.text.is_empty().then_some(value)
    }

    fn take(&mut self, wanted: &[u8]) -> bool {
        self.text.strip_prefix(wanted).map(|rest| self.text = rest).is_some()
    }

    fn sum(&mut self) -> Option<f64> {
        let mut sum = self.product()?;
        loop {
            if self.take(b"+") {
                sum += self.product()?;
            } else if self.take(b"-") {
                sum -= self.product()?;
            } else {
                return Some(sum);
            }
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut product = self.factor()?;
        loop {
            match self.text {
                [b'/', ..] => {
                    self.take(b"/");
                    product /= self.factor()?;
                }
                [b'A'..=b'Z' | b'(', ..] => product *= self.factor()?,
                _ => return Some(product),
            }
        }
    }

    fn factor(&mut self) -> Option<f64> {
        if self.take(b"signed(") {
            let value = self.sum()?;
            return self.take(b")").then_some(if value < 32_768.0 { value } else { value - 65_536.0 });
        }
        if self.take(b"(") {
            let value = self.sum()?;
            return self.take(b")").then_some(value);
        }
        match self.text {
            [letter @ b'A'..=b'Z', rest @ ..] => {
                self.text = rest;
                let byte = *self.data.get(usize::from(letter - b'A'))?;
                if !self.take(b".") {
                    return Some(byte.into());
                }
                let low = self.bit()?;
                let high = if self.take(b"-") { self.bit()? } else { low };
                Some(f64::from((byte >> low) & (0xFF >> 7u8.checked_sub(high.checked_sub(low)?)?)))
            }
            _ => {
                let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
                let (number, rest) = self.text.split_at(self.text.iter().take_while(|byte| is_number(byte)).count());
                self.text = rest;
                str::from_utf8(number).ok()?.parse().ok()
            }
        }
    }

    fn bit(&mut self) -> Option<u8> {
        let (digit, rest) = self.text.split_first()?;
        self.text = rest;
        matches!(digit, b'0'..=b'7').then(|| digit - b'0')
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_formula_is_evaluated_as_it_reads() {
        for (formula, data, expected) in [
            ("A", &[7][..], Some(7.0)),
            ("A-40", &[0], Some(-40.0)),
            ("100A/255", &[255], Some(100.0)),
            ("(256A+B)/4", &[0x14, 0x5F], Some(1303.75)),
            ("2(256A+B)/65536", &[0x80, 0x00], Some(1.0)),
            ("0.079(256A+B)", &[0, 100], Some(7.9)),
            ("A/2-64", &[0x80], Some(0.0)),
            ("signed(256A+B)/4", &[0xFF, 0xFC], Some(-1.0)),
            ("signed(256A+B)", &[0x7F, 0xFF], Some(32_767.0)),
            ("B.4-7", &[0, 0xA5], Some(10.0)),
            ("A.0", &[0xFE], Some(0.0)),
            ("A.7", &[0x80], Some(1.0)),
            ("A.0-7", &[0xA5], Some(165.0)),
            ("B if A.1", &[2, 9], Some(9.0)),
            ("B if A.1", &[1, 9], None),
            ("B if B<255", &[0, 254], Some(254.0)),
            ("B if B<255", &[0, 255], None),
            ("B-40 if A.0, 4B-40 if A.4", &[0x01, 100], Some(60.0)),
            ("B-40 if A.0, 4B-40 if A.4", &[0x10, 100], Some(360.0)),
            ("B-40 if A.0, 4B-40 if A.4", &[0x00, 100], None),
            ("B if A.0 of 3", &[1, 9, 0], Some(9.0)),
            ("B if A.0 of 3", &[1, 9], None),
            ("256A+B", &[1], None),
        ] {
            assert_eq!(evaluate(formula, data), expected, "{formula} {data:02X?}");
        }
    }

    #[test]
    fn what_is_no_formula_has_no_value() {
        for text in
            ["", "A+", "(A", "A)", "signed(A", "A.8", "A.5-2", "A.", "1.2.3", "A if", "A if B.9", "a", "A B", "é"]
        {
            assert_eq!(evaluate(text, &[1; 26]), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_bytes_bring_the_evaluation_down(text in "[A-D0-9.+/() <ifosgned-]{0,24}", data in vec(any::<u8>(), 0..6)) {
            let _value = evaluate(&text, &data);
        }
    }
}

//! What people fill in: checked field by field, so that each fault stands beside the field that it is of.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::failure::Failure;

/// A form that is being checked.
#[derive(Default)]
pub(super) struct Form {
    faults: Vec<(String, String)>,
}

impl Form {
    /// A line that must be there.
    pub fn line(&mut self, field: &str, text: &str, max: usize) -> String {
        let text = text.trim();
        self.check(field, !text.is_empty(), "this is needed");
        self.fits(field, text, max, |c| c.is_control());
        text.to_owned()
    }

    /// A line that may be there.
    pub fn some_line(&mut self, field: &str, text: Option<&str>, max: usize) -> Option<String> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        self.fits(field, text, max, |c| c.is_control());
        Some(text.to_owned())
    }

    /// A text of several lines that may be there.
    pub fn some_text(&mut self, field: &str, text: Option<&str>, max: usize) -> Option<String> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        self.fits(field, text, max, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
        Some(text.to_owned())
    }

    /// A number that may be there, above nothing and no more than `max`.
    pub fn some_size(&mut self, field: &str, number: Option<f64>, max: f64) -> Option<f64> {
        if let Some(number) = number {
            self.check(field, number.is_finite() && number > 0.0 && number <= max, &format!("between 0 and {max}"));
        }
        number
    }

    /// A count that may be there, 1 or more and no more than `max`.
    pub fn some_count(&mut self, field: &str, number: Option<u32>, max: u32) -> Option<u32> {
        if let Some(number) = number {
            self.check(field, (1..=max).contains(&number), &format!("between 1 and {max}"));
        }
        number
    }

    /// Whether something about a field is right.
    pub fn check(&mut self, field: &str, is_right: bool, fault: &str) {
        if !is_right && !self.faults.iter().any(|(known, _)| known == field) {
            self.faults.push((field.to_owned(), fault.to_owned()));
        }
    }

    /// Whether all of it is right.
    pub fn done(self) -> Result<(), Failure> {
        if self.faults.is_empty() { Ok(()) } else { Err(Failure::fields(self.faults)) }
    }

    fn fits(&mut self, field: &str, text: &str, max: usize, is_bad: impl Fn(char) -> bool) {
        self.check(field, text.chars().count() <= max, &format!("up to {max} characters"));
        self.check(field, !text.chars().any(is_bad), "no control characters");
    }
}

/// An identity in the path; what cannot be one is nobody's.
pub(super) struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        parse_id(&text).map(PathId)
    }
}

/// Two identities in the path.
pub(super) struct PathIds<A, B>(pub A, pub B);

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (first, second) = path.map(|Path(texts)| texts).unwrap_or_default();
        Ok(PathIds(parse_id(&first)?, parse_id(&second)?))
    }
}

fn parse_id<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| nothing_there())
}

/// There is nothing of that identity, or nothing that the caller may know of.
pub(super) fn nothing_there() -> Failure {
    Failure::not_found("there is nothing of that identity")
}

/// A place in a list as `time_identity`.
pub(super) fn place<T: FromStr>(field: &str, text: &str) -> Result<(i64, T), Failure> {
    let parsed = text.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parsed.ok_or_else(|| Failure::field(field, "no place in this list"))
}

/// The same for the next page.
pub(super) fn place_text(at: i64, id: impl Display) -> String {
    format!("{at}_{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_first_fault_of_each_field_is_told() {
        let mut form = Form::default();
        assert_eq!(form.line("name", "  Ada ", 5), "Ada");
        assert_eq!(form.some_line("plate", Some(" "), 5), None);
        assert_eq!(form.some_text("note", Some("two\nlines"), 20).as_deref(), Some("two\nlines"));
        assert!(form.done().is_ok());

        let mut form = Form::default();
        form.line("name", " ", 5);
        form.line("title", "far too long\u{7}", 5);
        form.some_line("plate", Some("a\nb"), 5);
        form.some_size("tank_l", Some(f64::NAN), 10.0);
        form.some_count("days", Some(0), 10);
        assert_eq!(form.faults.len(), 5);
        assert_eq!(form.faults[1].1, "up to 5 characters");
    }

    #[test]
    fn a_place_in_a_list_comes_back_as_it_was() {
        let id = Uuid::from_u128(7);
        assert_eq!(place::<Uuid>("after", &place_text(-5, id)).unwrap(), (-5, id));
        for wrong in ["", "5", "x_y", "5_", "_5"] {
            assert!(place::<Uuid>("after", wrong).is_err(), "{wrong}");
        }
    }
}

//! What is asked of a vehicle's past: from when to when, and which signals.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use bugbrother_wire::{UnixMs, codec::LATEST, signal::is_key};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{body::Params, failure::Failure};
use crate::clock;

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `from` and `to`, in milliseconds since 1970 by the vehicle's clock, both inclusive.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(super) struct Span {
    /// Beginning, in milliseconds since 1970, inclusive.
    from: Option<UnixMs>,
    /// End, in milliseconds since 1970, inclusive.
    to: Option<UnixMs>,
}

impl Span {
    /// From a moment to another.
    pub fn new(from: Option<UnixMs>, to: Option<UnixMs>) -> Self {
        Span { from, to }
    }

    /// The last day until `to` where no beginning is given, and until now where no end is.
    pub fn or_a_day(self) -> Result<(UnixMs, UnixMs), Failure> {
        let to = self.to.unwrap_or_else(clock::now);
        Self::checked(self.from.unwrap_or(to.saturating_sub(DAY_MS)), to)
    }

    /// All of the past where no beginning is given, and all that is there where no end is.
    pub fn or_all(self) -> Result<(UnixMs, UnixMs), Failure> {
        Self::checked(self.from.unwrap_or(0), self.to.unwrap_or(LATEST))
    }

    /// `from` and `to` as they were given.
    pub fn given(self) -> [Option<UnixMs>; 2] {
        [self.from, self.to]
    }

    /// There is nothing before 1970 nor after [`LATEST`].
    fn checked(from: UnixMs, to: UnixMs) -> Result<(UnixMs, UnixMs), Failure> {
        if from > to {
            return Err(invalid_span("`from` is after `to`; both are milliseconds since 1970"));
        }
        Ok((from.clamp(0, LATEST), to.clamp(0, LATEST)))
    }
}

/// The refusal of a span.
pub(super) fn invalid_span(message: &str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "invalid_span", message)
}

/// [`Signals`], as the API's description has them.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what `Signals` reads")]
pub(super) struct SignalKeys {
    /// Keys of signals with commas between them, such as `spd,rpm`.
    signals: Option<String>,
}

/// Keys of signals: `signal=spd&signal=rpm`, `signals=spd,rpm` or both. Each once, in their order.
#[derive(Debug)]
pub(super) struct Signals(pub Vec<String>);

impl<S: Send + Sync> FromRequestParts<S> for Signals {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Params(pairs) = Params::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        let keys = pairs.iter().flat_map(|(name, value)| match name.as_str() {
            "signal" => vec![value.as_str()],
            "signals" => value.split(',').collect(),
            _ => Vec::new(),
        });
        let mut signals: Vec<String> = Vec::new();
        for key in keys {
            if !is_key(key) {
                let message = "a signal's key is 1 to 24 of a-z, 0-9, `_` and `.`, such as `spd`";
                return Err(Failure::new(StatusCode::BAD_REQUEST, "invalid_signal", message));
            }
            if !signals.iter().any(|known| known == key) {
                signals.push(key.to_owned());
            }
        }
        Ok(Signals(signals))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    async fn signals(query: &str) -> Option<Vec<String>> {
        let request = Request::builder().uri(format!("/x?{query}")).body(()).unwrap();
        Signals::from_request_parts(&mut request.into_parts().0, &()).await.ok().map(|Signals(keys)| keys)
    }

    #[tokio::test]
    async fn signals_are_named_one_by_one_or_in_a_list_and_each_counts_once() {
        assert_eq!(signals("signal=spd&signal=x.own_1&from=5").await.unwrap(), ["spd", "x.own_1"]);
        assert_eq!(signals("signals=rpm,spd&signal=spd").await.unwrap(), ["rpm", "spd"]);
        assert!(signals("from=5").await.unwrap().is_empty());
        for bad in ["signal=", "signals=spd,", "signal=Spd", "signal=a%27b", &format!("signal={}", "a".repeat(25))] {
            assert_eq!(signals(bad).await, None, "{bad}");
        }
    }

    #[test]
    fn a_span_ends_after_it_begins_and_lies_where_there_are_vehicles() {
        let span = Span::new;
        assert_eq!(span(None, None).or_all().unwrap(), (0, LATEST));
        assert_eq!(span(Some(i64::MIN), Some(i64::MAX)).or_all().unwrap(), (0, LATEST));
        assert_eq!(span(Some(7), Some(7)).or_a_day().unwrap(), (7, 7));
        assert_eq!(span(None, Some(DAY_MS + 5)).or_a_day().unwrap(), (5, DAY_MS + 5));
        assert_eq!(span(None, Some(i64::MIN)).or_a_day().unwrap(), (0, 0));
        assert!(span(Some(8), Some(7)).or_all().is_err());
    }
}

//! Whether what arrives is taken, the same for everybody who listens to the fleet. Pure: the clock is an argument.

use crate::{DecodeError, Message, Topic, UnixMs, decode, topic::TopicError};

/// 2026-01-01T00:00:00Z. Who believes to live earlier has no clock to judge others by.
pub const CLOCK_IS_SET: UnixMs = 1_767_225_600_000;

/// A vehicle's clock that is ahead of ours by more is wrong, or ours is: a day.
pub const MAX_AHEAD_MS: i64 = 24 * 60 * 60 * 1000;

/// Why something that arrived is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It was published on no topic of the contract.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Its payload is no message of its topic.
    #[error(transparent)]
    Payload(#[from] DecodeError),
    /// It is a record of a time to come: one of the two clocks is wrong.
    #[error("record is of a time more than a day ahead of our clock")]
    Future,
}

impl Refused {
    /// A word for counters, one of few.
    pub fn reason(&self) -> &'static str {
        match self {
            Refused::Topic(_) => "topic",
            Refused::Payload(error) => error.reason(),
            Refused::Future => "future",
        }
    }
}

/// The message of a payload, for who keeps it: whatever time it claims to be of, it is a record.
pub fn judge(topic: &str, payload: &[u8]) -> Result<(Topic, Message), Refused> {
    let topic = topic.parse()?;
    let message = decode(&topic, payload)?;
    Ok((topic, message))
}

/// The message of a payload that arrived at `now`, for who shows it or acts upon it as the present.
pub fn judge_present(topic: &str, payload: &[u8], now: UnixMs) -> Result<(Topic, Message), Refused> {
    let (topic, message) = judge(topic, payload)?;
    if is_ahead(&message, now) {
        return Err(Refused::Future);
    }
    Ok((topic, message))
}

/// Whether a record is of a time more than [`MAX_AHEAD_MS`] ahead of `now`: taken it would be "the latest" until that time
/// comes.
fn is_ahead(message: &Message, now: UnixMs) -> bool {
    let is_later = |newest| newest > now.saturating_add(MAX_AHEAD_MS);
    now >= CLOCK_IS_SET && newest(message).is_some_and(is_later)
}

/// The newest time that a record speaks of, by the vehicle's clock; `None` for what is no record.
pub fn newest(message: &Message) -> Option<UnixMs> {
    Some(match message {
        Message::Telemetry(batch) | Message::Backfill(batch) => batch.last_ts().unwrap_or(batch.t0),
        Message::Diagnostics(diagnostics) => diagnostics.at,
        Message::Event(event) => event.at,
        Message::Media(media) => media.at.max(media.to),
        Message::Reply(reply) => reply.at,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Epoch, SCHEMA_VERSION, Seq, Vin, encode,
        message::{Clock, Presence, Row, Status, Telemetry},
        topic::Kind,
    };

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    const NOW: UnixMs = 1_790_000_000_000;
    const TOPIC: &str = "fleet/v1/WVWZZZ1JZ3W386752/up/telemetry";

    fn vin() -> Vin {
        "WVWZZZ1JZ3W386752".parse().unwrap()
    }

    fn batch() -> Telemetry {
        Telemetry {
            v: SCHEMA_VERSION,
            vin: vin(),
            epoch: Epoch(7),
            seq: Seq(3),
            t0: NOW,
            clock: Clock::Gnss,
            keys: vec!["lat".into()],
            rows: vec![Row { dt_ms: 0, values: vec![Some(47.0)] }],
            gap: None,
        }
    }

    fn reason(topic: &str, payload: &[u8], now: UnixMs) -> Option<&'static str> {
        judge_present(topic, payload, now).err().map(|refused| refused.reason())
    }

    #[test]
    fn what_is_right_is_taken_with_its_topic() {
        let taken = judge_present(TOPIC, &encode(&batch()), NOW).unwrap();
        assert_eq!(taken, (Topic::new(vin(), Kind::Telemetry), Message::Telemetry(batch())));
    }

    #[test]
    fn what_is_wrong_is_refused_for_what_is_wrong_first() {
        assert_eq!(reason("fleet/v1/WVWZZZ1JZ3W386752/up/x", &encode(&batch()), NOW), Some("topic"));
        assert_eq!(reason(TOPIC, b"\xc1 random", NOW), Some("malformed"));
        let version_2 = Telemetry { v: 2, t0: NOW + 10 * DAY_MS, ..batch() };
        assert_eq!(reason(TOPIC, &encode(&version_2), NOW), Some("version"));
    }

    #[test]
    fn a_time_more_than_a_day_ahead_of_our_clock_is_not_the_present_unless_ours_is_not_set() {
        let ahead = |ms| encode(&Telemetry { t0: NOW + ms, ..batch() });
        assert_eq!(reason(TOPIC, &ahead(DAY_MS), NOW), None);
        assert_eq!(reason(TOPIC, &ahead(DAY_MS + 1), NOW), Some("future"));
        assert_eq!(reason(TOPIC, &ahead(0), 0), None, "a server that believes to be in 1970 refuses nobody");
        assert!(judge(TOPIC, &ahead(DAY_MS + 1)).is_ok(), "it is kept all the same");
    }

    #[test]
    fn a_status_is_about_the_present_whatever_the_vehicles_clock_says() {
        let status = Status {
            v: SCHEMA_VERSION,
            vin: vin(),
            epoch: Epoch(7),
            status: Presence::Online,
            since: NOW + 10 * DAY_MS,
            reason: None,
        };
        assert_eq!(reason("fleet/v1/WVWZZZ1JZ3W386752/up/status", &encode(&status), NOW), None);
    }
}

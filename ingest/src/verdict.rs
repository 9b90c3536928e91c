//! Whether a payload can be taken, and if not, which record is done all the same. Pure.
//!
//! A record of an impossible time, before 2000 or more than a day ahead of our clock, is kept whole, and apart: which clock
//! is wrong cannot be told here, and a server whose clock is slow must not throw away what its vehicles delete on its word.

use bugbrother_store::{Place, Refusal};
use bugbrother_wire::{Epoch, Message, Seq, Topic, UnixMs, topic::Kind};
use serde::Deserialize;

/// The message that arrived at `now`, or why it cannot be taken, with the place of the record where that can be read.
pub fn judge(topic: &str, payload: &[u8], now: UnixMs) -> Result<Message, Refusal> {
    bugbrother_wire::judge_present(topic, payload, now).map(|(_, message)| message).map_err(|refused| Refusal {
        reason: refused.reason(),
        place: topic.parse().ok().and_then(|topic| claimed_place(&topic, payload)),
    })
}

/// Where a record that is refused claims to stand. Its vehicle is the topic's, which the broker has checked.
fn claimed_place(topic: &Topic, payload: &[u8]) -> Option<Place> {
    #[derive(Deserialize)]
    struct Claim {
        epoch: Epoch,
        seq: Seq,
    }

    const TOP: u64 = i64::MAX as u64;
    let is_record = matches!(
        topic.kind,
        Kind::Telemetry | Kind::Backfill | Kind::Diagnostics | Kind::Event | Kind::Media | Kind::Reply
    );
    // Unlike the codec this does not mind what comes after the message.
    let claim: Claim = is_record.then(|| rmp_serde::from_slice(payload).ok()).flatten()?;
    let counts = (1..TOP).contains(&claim.epoch.0) && (1..TOP).contains(&claim.seq.0);
    counts.then_some(Place { vin: topic.vin, epoch: claim.epoch, seq: claim.seq })
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{
        SCHEMA_VERSION, UnixMs, Vin, codec, encode,
        message::{Clock, Row, Telemetry},
    };
    use proptest::prelude::*;

    use super::*;

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

    fn refusal(topic: &str, payload: Vec<u8>) -> Option<(&'static str, Option<Place>)> {
        judge(topic, &payload, NOW).err().map(|refusal| (refusal.reason, refusal.place))
    }

    fn its_place() -> Option<Place> {
        Some(Place { vin: vin(), epoch: Epoch(7), seq: Seq(3) })
    }

    #[test]
    fn a_good_batch_is_taken() {
        assert_eq!(judge(TOPIC, &encode(&batch()), NOW), Ok(Message::Telemetry(batch())));
    }

    #[test]
    fn a_wrong_record_is_refused_with_its_place_so_that_the_outbox_gets_on() {
        let far_north = Telemetry { rows: vec![Row { dt_ms: 0, values: vec![Some(91.0)] }], ..batch() };
        assert_eq!(refusal(TOPIC, encode(&far_north)), Some(("field", its_place())));
        let mut trailing = encode(&batch());
        trailing.extend(b"junk");
        assert_eq!(refusal(TOPIC, trailing), Some(("trailing_bytes", its_place())));
        let version_2 = Telemetry { v: 2, ..batch() };
        assert_eq!(refusal(TOPIC, encode(&version_2)), Some(("version", its_place())));
        let foreign = Telemetry { vin: "1M8GDM9AXKP042788".parse().unwrap(), ..batch() };
        assert_eq!(refusal(TOPIC, encode(&foreign)), Some(("other_vin", its_place())));
        let huge = Telemetry { keys: vec!["x".repeat(codec::MAX_TELEMETRY_BYTES)], ..batch() };
        assert_eq!(refusal(TOPIC, encode(&huge)), Some(("too_large", its_place())));
    }

    #[test]
    fn what_claims_no_possible_place_is_refused_without_one() {
        assert_eq!(refusal(TOPIC, b"\xc1 random".to_vec()), Some(("malformed", None)));
        assert_eq!(refusal(TOPIC, Vec::new()), Some(("malformed", None)));
        let beyond = Telemetry { seq: Seq(u64::MAX), ..batch() };
        assert_eq!(refusal(TOPIC, encode(&beyond)), Some(("field", None)));
        assert_eq!(refusal("fleet/v1/WVWZZZ1JZ3W386752/up/x", encode(&batch())), Some(("topic", None)));
        assert_eq!(refusal("fleet/v1/WVWZZZ1JZ3W386752/up/status", encode(&batch())), Some(("malformed", None)));
    }

    #[test]
    fn a_record_of_an_impossible_time_is_refused_for_its_time_and_with_its_place() {
        let ahead = Telemetry { t0: NOW + 400 * 24 * 60 * 60 * 1000, ..batch() };
        assert_eq!(refusal(TOPIC, encode(&ahead)), Some(("future", its_place())));
        assert!(judge(TOPIC, &encode(&ahead), NOW).unwrap_err().is_about_time());
        let before = Telemetry { t0: 5_000, ..batch() };
        assert_eq!(refusal(TOPIC, encode(&before)), Some(("time", its_place())));
        assert!(judge(TOPIC, &encode(&before), NOW).unwrap_err().is_about_time());
        assert!(judge(TOPIC, &encode(&ahead), 5_000).is_ok(), "who has no clock judges none");
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(mut payload in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..200usize) {
            judge(TOPIC, &payload, NOW).ok();
            let mut bent = encode(&batch());
            payload.truncate(8);
            let at = cut.min(bent.len());
            bent.splice(at..(at + payload.len()).min(bent.len()), payload);
            judge(TOPIC, &bent, NOW).ok();
        }
    }
}

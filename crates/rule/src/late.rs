//! What is found in data that came late, put beside what is known: which alerts are to be added to the history, and which
//! earlier findings fall away.
//!
//! Data arrives in any order and more than once. Each time some of it has come, the vehicle's past around it is judged anew
//! with all that is stored by then; what is found that no alert covers is history that nobody was told of. Findings of an
//! earlier time that are not found again were made with less, and fall away. So the last judgement decides, and it knows
//! everything: the order in which the data came makes no difference.

use bugbrother_wire::{AlertId, UnixMs, Vin};

use crate::Firing;

/// An alert of the same rule and vehicle that is in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its identity.
    pub id: AlertId,
    /// When its cause began.
    pub opened: UnixMs,
    /// When it ended, if it did.
    pub resolved: Option<UnixMs>,
    /// It was found in late data.
    pub late: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// These are to be there, under their identities: made, or made anew.
    pub keep: Vec<(AlertId, Firing)>,
    /// These are not.
    pub drop: Vec<AlertId>,
}

impl Verdict {
    /// The same with nothing new but what touches these moments: what was judged beside is history that was judged before.
    pub fn near(self, (from, to): (UnixMs, UnixMs), known: &[Known]) -> Self {
        let is_near = |(id, firing): &(AlertId, Firing)| {
            let touches = firing.opened <= to && firing.resolved.is_none_or(|end| end >= from);
            touches || known.iter().any(|alert| alert.id == *id)
        };
        Verdict { keep: self.keep.into_iter().filter(is_near).collect(), drop: self.drop }
    }
}

/// Compares what was found in a span of a vehicle's past with the alerts of the rule that overlap with the span. What began
/// before the span is known better than by what is found at its edge.
pub fn settle((vin, rule): (Vin, &str), (from, to): (UnixMs, UnixMs), found: Vec<Firing>, known: &[Known]) -> Verdict {
    let mut verdict = Verdict::default();
    for firing in found {
        let end = firing.resolved.unwrap_or(to);
        let covers = |alert: &Known| {
            let counts = !alert.late || alert.opened < from;
            counts && alert.opened <= end && alert.resolved.is_none_or(|resolved| resolved >= firing.opened)
        };
        // What somebody was told of, at least in part, is not told again.
        if known.iter().any(covers) {
            continue;
        }
        verdict.keep.push((identity(vin, rule, firing.opened), Firing { resolved: Some(end), ..firing }));
    }
    let is_kept = |id: AlertId| verdict.keep.iter().any(|(kept, _)| *kept == id);
    let within = known.iter().filter(|alert| alert.late && alert.opened >= from && alert.opened <= to);
    verdict.drop = within.filter(|alert| !is_kept(alert.id)).map(|alert| alert.id).collect();
    verdict
}

/// The identity of what was found: the same whenever it is found.
fn identity(vin: Vin, rule: &str, opened: UnixMs) -> AlertId {
    // FNV-1a, twice with different beginnings: it need not withstand anybody, and must be the same in every version.
    let hash = |begin: u64| {
        let bytes = vin.as_str().bytes().chain([0]).chain(rule.bytes()).chain([0]).chain(opened.to_be_bytes());
        bytes.fold(begin, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let (high, low) = (hash(0xcbf2_9ce4_8422_2325), hash(0x9ae1_6a3b_2f90_404f));
    let bits = (u128::from(high) << 64) | u128::from(low);
    // Version 8 and the variant of RFC 9562: an identity of a making of one's own.
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x8 << 76) | (0x2 << 62);
    AlertId(uuid::Uuid::from_u128(bits))
}

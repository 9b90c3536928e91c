//! What lets somebody in, and when it does so no more.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use bugbrother_store::{Endings, Store, StoreError};
use bugbrother_wire::{ApiTokenId, SessionId, UnixMs};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock;

/// How often the database is asked what other servers have ended.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How far the clocks of servers that share a database may be apart.
const CLOCKS_APART_MS: i64 = 60_000;
/// Endings that are read at once.
const AT_ONCE: u32 = 10_000;
/// Most endings of a kind that are remembered.
const MAX_REMEMBERED: usize = 100_000;
/// How often a database that does not answer is complained of.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What somebody came in by: what is opened with it lasts no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pass {
    pub by: PassKind,
    /// Whose it is.
    pub account: String,
    /// When it was shown to be good.
    pub since: UnixMs,
    /// When it ends by itself.
    pub until: UnixMs,
}

/// Kinds of passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PassKind {
    Session(SessionId),
    ApiToken(ApiTokenId),
}

/// What was ended before its time, here or by another server.
pub(crate) struct Passes {
    ended: watch::Sender<Ended>,
    keep_ms: i64,
}

#[derive(Default)]
struct Ended {
    passes: HashMap<PassKind, UnixMs>,
    /// User → of which time API tokens must not be older, to be asked for once more.
    accounts: HashMap<String, UnixMs>,
}

impl Ended {
    fn has(&self, pass: &Pass) -> bool {
        let is_old = || self.accounts.get(&pass.account).is_some_and(|at| *at > pass.since);
        // Of sessions each is named that was ended: one in which the password was changed goes on.
        self.passes.contains_key(&pass.by) || (matches!(pass.by, PassKind::ApiToken(_)) && is_old())
    }
}

impl Passes {
    /// `longest`: how long an access token is good at most.
    pub fn new(longest: Duration) -> Self {
        let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX / 4);
        Passes { ended: watch::Sender::default(), keep_ms: longest.saturating_add(2 * CLOCKS_APART_MS) }
    }

    /// Whether it lets nobody in any more.
    pub fn is_over(&self, pass: &Pass, now: UnixMs) -> bool {
        pass.until <= now || self.ended.borrow().has(pass)
    }

    /// Waits until it lets nobody in any more.
    pub async fn over(&self, pass: &Pass) {
        let remaining = u64::try_from(pass.until - clock::now()).unwrap_or(0);
        let mut ended = self.ended.subscribe();
        tokio::select! {
            () = sleep(Duration::from_millis(remaining)) => {}
            heard = ended.wait_for(|ended| ended.has(pass)) => {
                heard.expect("the sender lives as long as `self`");
            }
        }
    }

    /// Ends sessions for all who have their tokens.
    pub fn end_sessions(&self, sessions: impl IntoIterator<Item = SessionId>, now: UnixMs) {
        self.change(now, |ended| {
            ended.passes.extend(sessions.into_iter().map(|id| (PassKind::Session(id), now)));
        });
    }

    /// Revokes an API token.
    pub fn end_token(&self, id: ApiTokenId, now: UnixMs) {
        self.change(now, |ended| {
            ended.passes.insert(PassKind::ApiToken(id), now);
        });
    }

    /// Asks the database now and then what was ended, until the stop.
    pub async fn follow(&self, store: &Store, stop: CancellationToken) {
        let mut since = clock::now() - self.keep_ms;
        let mut ticks = interval(ASK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complained: Option<Instant> = None;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            match store.endings(since, AT_ONCE).await {
                Ok(endings) => since = self.take(endings, since),
                Err(error) if complained.is_none_or(|at| at.elapsed() > COMPLAIN_EVERY) => {
                    complained = Some(Instant::now());
                    warn!(%error, "cannot ask which sessions were ended elsewhere");
                }
                Err(_) => {}
            }
        }
    }

    /// Asks the database at once: at the start, and when a change of an account has ended what is its.
    pub async fn ask(&self, store: &Store) -> Result<(), StoreError> {
        let since = clock::now() - self.keep_ms;
        let endings = store.endings(since, AT_ONCE).await?;
        self.take(endings, since);
        Ok(())
    }

    /// Remembers; tells from when on to ask the next time.
    fn take(&self, endings: Endings, since: UnixMs) -> UnixMs {
        let full = [endings.sessions.len(), endings.tokens.len(), endings.accounts.len()]
            .iter()
            .any(|count| *count >= AT_ONCE as usize);
        let now = clock::now();
        let newest = [
            endings.sessions.last().map(|(_, at)| *at),
            endings.tokens.last().map(|(_, at)| *at),
            endings.accounts.last().map(|(_, at)| *at),
        ];
        // Of a kind that did not come whole the next part comes next.
        let next = if full { newest.iter().flatten().copied().min().unwrap_or(since) } else { now - CLOCKS_APART_MS };
        let is_new = {
            let known = self.ended.borrow();
            let sessions = endings.sessions.iter().any(|(id, _)| !known.passes.contains_key(&PassKind::Session(*id)));
            let tokens = endings.tokens.iter().any(|(id, _)| !known.passes.contains_key(&PassKind::ApiToken(*id)));
            sessions || tokens || endings.accounts.iter().any(|(name, at)| known.accounts.get(name) != Some(at))
        };
        // Everybody who has something open is woken up by a change.
        if is_new {
            self.change(now, |ended| {
                ended.passes.extend(endings.sessions.into_iter().map(|(id, at)| (PassKind::Session(id), at)));
                ended.passes.extend(endings.tokens.into_iter().map(|(id, at)| (PassKind::ApiToken(id), at)));
                ended.accounts.extend(endings.accounts);
            });
        }
        next.max(since)
    }

    fn change(&self, now: UnixMs, change: impl FnOnce(&mut Ended)) {
        let oldest = now - self.keep_ms;
        self.ended.send_modify(|ended| {
            change(ended);
            forget(&mut ended.passes, oldest);
            forget(&mut ended.accounts, oldest);
        });
    }
}

/// Forgets what no token that is good can be of any more, and the oldest of far too many.
fn forget<K: Hash + Eq>(ended: &mut HashMap<K, UnixMs>, oldest: UnixMs) {
    ended.retain(|_, at| *at >= oldest);
    if ended.len() > MAX_REMEMBERED {
        let mut times: Vec<_> = ended.values().copied().collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        ended.retain(|_, at| *at > middle);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn session(n: u128) -> SessionId {
        SessionId(Uuid::from_u128(n))
    }

    fn pass(by: PassKind, since: UnixMs) -> Pass {
        Pass { by, account: "ada".to_owned(), since, until: clock::now() + 60_000 }
    }

    #[tokio::test]
    async fn a_pass_is_over_when_it_is_ended_and_others_are_not() {
        let passes = Passes::new(Duration::from_secs(900));
        let now = clock::now();
        let (one, two) = (pass(PassKind::Session(session(1)), now), pass(PassKind::Session(session(2)), now));
        assert!(!passes.is_over(&one, now));
        passes.end_sessions([session(1)], now);
        assert!(passes.is_over(&one, now) && !passes.is_over(&two, now));
        passes.over(&one).await;
        assert!(passes.is_over(&two, two.until), "it ends by itself");
    }

    #[test]
    fn another_role_ends_what_api_tokens_opened_before() {
        let passes = Passes::new(Duration::from_secs(900));
        let now = clock::now();
        let token = PassKind::ApiToken(ApiTokenId(Uuid::from_u128(1)));
        passes.take(Endings { accounts: vec![("ada".to_owned(), now)], ..Endings::default() }, 0);
        assert!(passes.is_over(&pass(token, now - 1), now));
        assert!(!passes.is_over(&pass(token, now), now));
        assert!(!passes.is_over(&pass(PassKind::Session(session(1)), now - 1), now), "sessions are ended one by one");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_grows_old() {
        let passes = Passes::new(Duration::from_secs(900));
        let now = clock::now();
        passes.end_sessions((0..150_000).map(session), now - 100_000_000);
        assert!(passes.ended.borrow().passes.is_empty());
        passes.end_sessions([session(1)], now);
        for n in 0..3 {
            passes.end_sessions((0..50_000).map(|id| session(id + n * 50_000)), now + n as i64);
        }
        assert!(passes.ended.borrow().passes.len() <= MAX_REMEMBERED);
    }
}

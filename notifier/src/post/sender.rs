//! Deliveries to messages, and messages on their way.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use bugbrother_store::{Channel, Claim, ClientId, Language, MailServer, Store, StoreError};
use bugbrother_wire::{
    AlertId, ChannelId, SCHEMA_VERSION, UnixMs,
    api::{Attention, ChannelKind, DeliveryStep, Right, Role, Tongue},
    message::{Alert, AlertState, Severity},
    unix_ms,
};
use metrics::counter;
use serde_json::json;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    RULE, Settings, Tell,
    carrier::{Parcel, Refusal, Tools, carrier},
    letter::{self, Letter, Reader},
    matter::{self, Matter},
    retry, storm,
};

/// Channels that are sent to at a time.
const MOST_AT_ONCE: usize = 64;
/// Channels that are looked at in one step.
const MOST_CHANNELS: u32 = 10_000;
/// How long a channel is left alone when the database has failed.
const RECOVER: Duration = Duration::from_secs(1);
/// How long a channel that does not answer is left alone at most.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How long those that are under way at the end may take.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends what is due.
pub struct Sender {
    store: Store,
    settings: Settings,
    http: reqwest::Client,
    tell: Tell,
    /// By which the database knows who has claimed a message.
    name: String,
    busy: Mutex<HashSet<ChannelId>>,
    /// Channels that do not answer, and until when they are left alone: who hangs is not to take everybody's places.
    resting: Mutex<HashMap<ChannelId, Instant>>,
    /// A channel has come to its end: what has come for it meanwhile waits for the next look.
    idle: Notify,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A channel that is being sent to, until this is dropped.
struct Busy(Arc<Sender>, ChannelId);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy().remove(&self.1);
        self.0.idle.notify_one();
    }
}

/// Who reads by a channel.
struct Owner {
    language: Language,
    attention: Attention,
    client: Option<ClientId>,
    /// Where a person is written to.
    email: Option<String>,
}

impl Sender {
    pub fn new(store: Store, settings: Settings, tell: Tell) -> Result<Self, reqwest::Error> {
        Ok(Sender {
            http: settings.gate.client()?,
            store,
            settings,
            tell,
            name: Uuid::new_v4().to_string(),
            busy: Mutex::default(),
            resting: Mutex::default(),
            idle: Notify::new(),
            places: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Begins to send by each channel that has something due and is not at it.
    pub async fn look(self: &Arc<Self>) -> Result<(), StoreError> {
        for channel in self.store.due_channels(now(), MOST_CHANNELS).await? {
            if self.busy().contains(&channel) || self.rests(channel) {
                continue;
            }
            // Without a place the rest waits for the next look.
            let Ok(place) = self.places.clone().try_acquire_owned() else { break };
            self.busy().insert(channel);
            let busy = Busy(self.clone(), channel);
            self.tasks.spawn(self.clone().work(busy, place));
        }
        Ok(())
    }

    /// Waits until a channel has come to its end.
    pub async fn idle(&self) {
        self.idle.notified().await;
    }

    /// Waits a moment for those that are under way. What they do not finish is sent again by whoever comes next.
    pub async fn finish(&self) {
        self.stop.cancel();
        self.tasks.close();
        drop(timeout(LAST_TIMEOUT, self.tasks.wait()).await);
    }

    /// Leaves a channel alone for a while.
    fn rest(&self, channel: ChannelId, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_REST);
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, until);
    }

    fn rests(&self, channel: ChannelId) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        resting.retain(|_, until| *until > now);
        resting.contains_key(&channel)
    }

    fn busy(&self) -> MutexGuard<'_, HashSet<ChannelId>> {
        // It is whole between any two calls.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends all that is due by a channel, one message after the other.
    async fn work(self: Arc<Self>, busy: Busy, _place: OwnedSemaphorePermit) {
        let channel = busy.1;
        loop {
            let pause = match self.next(channel).await {
                Ok(Some(_)) if self.rests(channel) => break,
                Ok(Some(pause)) => pause,
                Ok(None) => break,
                Err(error) => {
                    // It stays claimed until its lease is over, and is tried then.
                    say(channel, &error);
                    self.stop.run_until_cancelled(sleep(RECOVER)).await;
                    break;
                }
            };
            if self.stop.run_until_cancelled(sleep(pause)).await.is_none() {
                break;
            }
        }
    }

    /// Sends the next message of a channel; nothing when there is none. How long to wait then.
    async fn next(&self, channel: ChannelId) -> Result<Option<Duration>, StoreError> {
        let now = now();
        let lease = i64::try_from(self.settings.lease.as_millis()).unwrap_or(i64::MAX);
        let Some(claim) = self.store.claim(channel, &self.name, now, now.saturating_add(lease)).await? else {
            return Ok(None);
        };
        let Some(channel) = self.store.channel(channel).await? else { return Ok(None) };
        let Some(owner) = self.owner(&channel).await? else {
            self.give_up(&claim, &channel, "its owner may not see alerts any more", None).await?;
            return Ok(Some(Duration::ZERO));
        };
        if !channel.enabled && !is_test(&claim) {
            self.give_up(&claim, &channel, "the channel is switched off", None).await?;
            return Ok(Some(Duration::ZERO));
        }
        let matters = matter::gather(&self.store, &claim, owner.client, now).await?;
        if matters.is_empty() && !is_test(&claim) {
            self.give_up(&claim, &channel, "the alert is not there any more", None).await?;
            return Ok(Some(Duration::ZERO));
        }
        let letter = self.write(&claim, &matters, &owner);
        // A person's letters go where the person is written to, whatever that is by now.
        let target = match channel.kind {
            ChannelKind::Email if channel.account.is_some() => owner.email.as_deref(),
            _ => Some(channel.settings.target.as_str()),
        };
        let Some(target) = target else {
            self.give_up(&claim, &channel, "its owner has no e-mail address", matters.first()).await?;
            return Ok(Some(Duration::ZERO));
        };
        self.carry(&claim, &channel, target, &letter, &matters).await.map(Some)
    }

    /// Who reads by a channel; nobody when its owner may not.
    async fn owner(&self, channel: &Channel) -> Result<Option<Owner>, StoreError> {
        let Some(name) = &channel.account else {
            let language = match channel.settings.language {
                Tongue::En => Language::En,
                Tongue::Fr => Language::Fr,
            };
            return Ok(Some(Owner { language, attention: Attention::default(), client: None, email: None }));
        };
        let account = self.store.account(name).await?;
        let Some(account) = account.filter(|account| {
            account.disabled.is_none()
                && account.role.rights().contains(&Right::Watch)
                && (account.role != Role::Client || account.client.is_some())
        }) else {
            return Ok(None);
        };
        Ok(Some(Owner {
            language: account.language,
            attention: self.store.attention(name).await?,
            client: account.client.filter(|_| account.role == Role::Client),
            email: account.email,
        }))
    }

    fn write(&self, claim: &Claim, matters: &[Matter], owner: &Owner) -> Letter {
        let dashboard = self.settings.dashboard.as_deref();
        let reader = Reader { language: owner.language, attention: &owner.attention, dashboard };
        if is_test(claim) { letter::test(&reader) } else { letter::compose(matters, claim.bundle.as_deref(), &reader) }
    }

    /// Has a message carried, and notes what became of it. How long to wait then.
    async fn carry(
        &self,
        claim: &Claim,
        channel: &Channel,
        target: &str,
        letter: &Letter,
        matters: &[Matter],
    ) -> Result<Duration, StoreError> {
        let secret = self.store.channel_secret(channel.id).await?;
        let mail = match channel.kind {
            ChannelKind::Email => self.store.setting().await?,
            _ => MailServer::default(),
        };
        let now = now();
        let body = body(claim, letter, matters, now);
        let parcel = Parcel { message: &claim.message, letter, body: &body, target, secret: secret.as_deref(), now };
        let tools = Tools {
            gate: &self.settings.gate,
            http: &self.http,
            mail: &mail,
            mail_authorities: &self.settings.mail_authorities,
            telegram: self.settings.telegram.as_deref(),
            push: self.settings.push.as_deref(),
            dashboard: self.settings.dashboard.as_deref(),
        };
        let carrier = carrier(channel.kind, tools);
        // Whoever else sees the lease end takes the message for left.
        let most = self.settings.lease.mul_f64(0.8);
        let carried = timeout(most, carrier.carry(&parcel)).await;
        let carried = carried.unwrap_or_else(|_| Err(Refusal::Later("it did not end in time".to_owned(), None)));
        let outcome = match carried {
            Ok(()) => {
                self.store.delivered(claim, &self.name, self::now()).await?;
                if let Some(failing) = channel.failing {
                    self.recover(channel.id, failing).await?;
                }
                "sent"
            }
            // Whoever tries a channel wants to know now.
            Err(Refusal::Later(why, asked)) if claim.tries < retry::MOST_TRIES && !is_test(claim) => {
                debug!(channel = %channel.id, why, "a message was not taken and is tried again");
                let wait = retry::wait(self.settings.first_wait, claim.tries, asked, rand::random());
                self.rest(channel.id, wait);
                let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
                self.store.put_off(claim, &self.name, &why, self::now().saturating_add(wait)).await?;
                "put_off"
            }
            Err(Refusal::Gone(why)) if channel.kind == ChannelKind::Push => {
                debug!(channel = %channel.id, why, "a browser does not take messages any more");
                self.store.delete_channel(channel.account.as_deref(), channel.id).await?;
                "gone"
            }
            Err(Refusal::Later(why, _) | Refusal::Never(why) | Refusal::Gone(why)) => {
                self.give_up(claim, channel, &why, matters.first()).await?;
                "dead"
            }
        };
        counter!("bugbrother_notifier_messages_total", "outcome" => outcome).increment(1);
        Ok(carrier.pause())
    }

    /// Gives a message up. That is an alert of its own, of the vehicle that it was about: once for a channel until that works
    /// again, and not if it was such an alert itself.
    async fn give_up(
        &self,
        claim: &Claim,
        channel: &Channel,
        why: &str,
        about: Option<&Matter>,
    ) -> Result<(), StoreError> {
        let alert = about.filter(|matter| matter.alert.rule != RULE).map(|matter| failing(channel, matter, now()));
        if let Some(raised) = self.store.give_up(claim, &self.name, why, alert.as_ref()).await? {
            warn!(channel = %channel.id, kind = ?channel.kind, "a channel does not deliver");
            (self.tell)(raised);
        }
        Ok(())
    }

    /// The alert ends that said that a channel does not work.
    async fn recover(&self, channel: ChannelId, failing: AlertId) -> Result<(), StoreError> {
        let Some(record) = self.store.alert(failing).await? else { return Ok(()) };
        let now = now();
        let over = Alert { state: AlertState::Resolved, resolved: Some(now), updated: now, ..record.alert };
        if self.store.recover(channel, &over).await? {
            (self.tell)(over);
        }
        Ok(())
    }
}

fn is_test(claim: &Claim) -> bool {
    claim.deliveries.iter().all(|delivery| delivery.step == DeliveryStep::Test)
}

fn say(channel: ChannelId, error: &StoreError) {
    let error: &dyn std::error::Error = error;
    warn!(error, %channel, "a message cannot be sent for want of the database");
}

/// That a channel does not work.
fn failing(channel: &Channel, about: &Matter, now: UnixMs) -> Alert {
    Alert {
        id: AlertId(Uuid::now_v7()),
        rule: RULE.to_owned(),
        title: format!("Notifications by “{}” are not delivered", channel.label),
        severity: Severity::Warning,
        state: AlertState::Open,
        opened: now,
        updated: now,
        resolved: None,
        count: 1,
        value: None,
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
        v: SCHEMA_VERSION,
        vin: about.alert.vin,
    }
}

/// A message for programs.
fn body(claim: &Claim, letter: &Letter, matters: &[Matter], now: UnixMs) -> serde_json::Value {
    let kind = match &claim.bundle {
        _ if matters.is_empty() => "test",
        Some(bundle) if storm::is_storm(bundle) => "storm",
        Some(_) => "digest",
        None => "alert",
    };
    json!({
        "v": SCHEMA_VERSION,
        "id": claim.message,
        "kind": kind,
        "at": now,
        "title": letter.title,
        "alerts": matters,
        "links": letter.links.iter().map(|(_, url)| url).collect::<Vec<_>>(),
    })
}

fn now() -> UnixMs {
    unix_ms(SystemTime::now())
}

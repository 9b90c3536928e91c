//! Steps of alerts to deliveries.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::SystemTime,
};

use bugbrother_store::{
    AlertEventKind, ClientId, EscalateTo, Listener, MAX_PAGE, NewDelivery, Posting, Recent, Store, StoreError, Unposted,
};
use bugbrother_wire::{
    ChannelId, UnixMs, Vin,
    api::{DeliveryStep, Role},
    unix_ms,
};
use metrics::counter;

use super::{
    audience::{Facts, Happening, Hearing, hearings},
    hours, storm,
};

/// Steps that are posted in one transaction: between two of them the database is others'.
const AT_ONCE: u32 = 64;
/// Clients that may see one vehicle.
const MOST_CLIENTS: u32 = 1_000;

/// Decides who hears of the oldest steps that nobody heard of. Tells whether there may be more.
pub async fn post(store: &Store) -> Result<bool, StoreError> {
    let unposted = store.unposted(AT_ONCE).await?;
    if unposted.is_empty() {
        return Ok(false);
    }
    let now = unix_ms(SystemTime::now());
    let listeners = listeners(store).await?;
    let EscalateTo { people } = store.setting().await?;
    let mut around = Around { store, now, seen_by: BTreeMap::new(), recent: HashMap::new() };
    let mut postings = Vec::with_capacity(unposted.len());
    for Unposted { record, event } in &unposted {
        let alert = &record.alert;
        let clients = around.clients(alert.vin, &listeners).await?;
        let told = match event.kind {
            AlertEventKind::Resolved => store.told(alert.id).await?,
            _ => Vec::new(),
        };
        let facts = Facts { listeners: &listeners, clients: &clients, told: &told, escalate_to: &people, now };
        let happening = Happening { alert, handling: &record.handling, event };
        let mut deliveries = Vec::new();
        for hearing in hearings(happening, facts) {
            let (due, bundle) = around.when(&hearing, &alert.rule).await?;
            let Hearing { channel, step, .. } = hearing;
            deliveries.push(NewDelivery { channel, step, rule: alert.rule.clone(), vin: alert.vin, bundle, due });
        }
        postings.push(Posting { alert: alert.id, number: event.number, deliveries });
    }
    let posted = store.post(&postings, now).await?;
    counter!("bugbrother_notifier_steps_posted_total").increment(posted as u64);
    Ok(true)
}

async fn listeners(store: &Store) -> Result<Vec<Listener>, StoreError> {
    let mut all: Vec<Listener> = Vec::new();
    loop {
        let page = store.listeners(all.last().map(|last| last.channel), MAX_PAGE).await?;
        let is_last = page.len() < MAX_PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// What is looked up once for all steps of a transaction.
struct Around<'a> {
    store: &'a Store,
    now: UnixMs,
    seen_by: BTreeMap<Vin, BTreeSet<ClientId>>,
    recent: HashMap<(ChannelId, String, DeliveryStep), Vec<Recent>>,
}

impl Around<'_> {
    /// The clients that see a vehicle, if anybody listens for one.
    async fn clients(&mut self, vin: Vin, listeners: &[Listener]) -> Result<BTreeSet<ClientId>, StoreError> {
        if let Some(known) = self.seen_by.get(&vin) {
            return Ok(known.clone());
        }
        let of_client = |listener: &Listener| listener.person.as_ref().is_some_and(|one| one.role == Role::Client);
        let mut clients = BTreeSet::new();
        if listeners.iter().any(of_client) {
            let found = self.store.clients_of(vin, self.now, MOST_CLIENTS).await?;
            clients.extend(found.into_iter().map(|(client, _)| client));
        }
        self.seen_by.insert(vin, clients.clone());
        Ok(clients)
    }

    /// When a step is told, and with what else.
    async fn when(&mut self, hearing: &Hearing<'_>, rule: &str) -> Result<(UnixMs, Option<String>), StoreError> {
        let now = self.now;
        let own = hearing.attention.map_or((now, None), |attention| hours::due(attention, hearing.urgent, now));
        let together = matches!(hearing.step, DeliveryStep::Opened | DeliveryStep::Resolved);
        if own.1.is_some() || !together {
            return Ok((own.0, own.1.map(str::to_owned)));
        }
        let place = (hearing.channel, rule.to_owned(), hearing.step);
        if !self.recent.contains_key(&place) {
            let since = now - storm::STORM_MS;
            let most = storm::ONE_BY_ONE as u32;
            let found = self.store.recent(hearing.channel, rule, hearing.step, since, most).await?;
            self.recent.insert(place.clone(), found);
        }
        let recent = self.recent.entry(place).or_default();
        let end = storm::end(recent, now);
        recent.insert(0, Recent { made: now, gathers_until: end });
        recent.truncate(storm::ONE_BY_ONE);
        Ok(match end {
            Some(end) => (end, Some(storm::bundle(rule, hearing.step))),
            None => (now, None),
        })
    }
}

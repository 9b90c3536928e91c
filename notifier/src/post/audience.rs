//! Who hears what of an alert. Pure.

use std::collections::BTreeSet;

use bugbrother_store::{AlertEvent, AlertEventKind, ClientId, Handling, Listener};
use bugbrother_wire::{
    ChannelId, UnixMs,
    api::{Attention, DeliveryStep, Right, Role},
    message::{Alert, Severity},
};

/// What happened longer ago is history: nobody is woken up for it by a notifier that comes back.
const STALE_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

/// Something that happened to an alert.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// The alert as it stands now.
    pub alert: &'a Alert,
    /// Who sees to it, and whether it rests.
    pub handling: &'a Handling,
    /// What happened.
    pub event: &'a AlertEvent,
}

/// What decides who hears.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Every channel that is used.
    pub listeners: &'a [Listener],
    /// The clients that see the alert's vehicle now.
    pub clients: &'a BTreeSet<ClientId>,
    /// The channels that have told of this alert.
    pub told: &'a [ChannelId],
    /// Whom it concerns that nobody saw to an alert in time; all administrators, if nobody is named.
    pub escalate_to: &'a [String],
    /// Our clock.
    pub now: UnixMs,
}

/// A channel that is to tell of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hearing<'a> {
    /// The channel.
    pub channel: ChannelId,
    /// What it tells.
    pub step: DeliveryStep,
    /// When its owner wants to hear; of the fleet's own channels at once.
    pub attention: Option<&'a Attention>,
    /// Whether it may break through quiet hours.
    pub urgent: bool,
}

/// Who hears of what happened.
pub fn hearings<'a>(happening: Happening<'_>, facts: Facts<'a>) -> Vec<Hearing<'a>> {
    let Happening { alert, handling, event } = happening;
    let rests = handling.snoozed_until.is_some_and(|until| until > facts.now);
    // What came late is history, too.
    if alert.late || facts.now - event.at > STALE_AFTER_MS {
        return Vec::new();
    }
    let step = match event.kind {
        // That somebody takes back that they see to it is nothing new.
        AlertEventKind::Opened if event.by.is_none() && !rests => DeliveryStep::Opened,
        AlertEventKind::Assigned => DeliveryStep::Assigned,
        AlertEventKind::Escalated if !rests => DeliveryStep::Escalated,
        AlertEventKind::Resolved => DeliveryStep::Resolved,
        _ => return Vec::new(),
    };
    let hears = |listener: &&Listener| may_know(listener, facts.clients) && wants(listener, step, happening, &facts);
    let urgent = alert.severity == Severity::Critical || step == DeliveryStep::Escalated;
    let hearing = |listener: &'a Listener| Hearing {
        channel: listener.channel,
        step,
        attention: listener.person.as_ref().map(|person| &person.attention),
        urgent,
    };
    facts.listeners.iter().filter(hears).map(hearing).collect()
}

/// Whether the owner of a channel may know that there is the vehicle. The fleet's own channels may.
fn may_know(listener: &Listener, clients: &BTreeSet<ClientId>) -> bool {
    listener.person.as_ref().is_none_or(|person| {
        person.role.rights().contains(&Right::Watch)
            && (person.role != Role::Client || person.client.is_some_and(|client| clients.contains(&client)))
    })
}

fn wants(listener: &Listener, step: DeliveryStep, happening: Happening<'_>, facts: &Facts<'_>) -> bool {
    let Happening { alert, handling, event } = happening;
    let name = listener.person.as_ref().map(|person| person.name.as_str());
    let wants_severity = listener.settings.severities.contains(&alert.severity);
    match step {
        DeliveryStep::Opened => {
            let is_theirs = handling.assigned_to.as_deref().is_none_or(|to| name.is_none_or(|name| name == to));
            wants_severity && is_theirs
        }
        // Whoever gives it to themselves knows.
        DeliveryStep::Assigned => name.is_some() && name == event.text.as_deref() && name != event.by.as_deref(),
        DeliveryStep::Escalated => match (&listener.person, facts.escalate_to) {
            (None, _) => wants_severity,
            (Some(person), []) => person.role == Role::Administrator,
            (Some(person), named) => named.contains(&person.name),
        },
        DeliveryStep::Resolved => facts.told.contains(&listener.channel),
        DeliveryStep::Test => false,
    }
}

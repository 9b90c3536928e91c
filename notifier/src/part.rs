//! The desk at work: the vehicles that this notifier looks after, and what it hears of the others.

use std::{collections::BTreeSet, sync::Arc};

use bugbrother_client::Delivery;
use bugbrother_store::shard_of;
use bugbrother_trace::Stage;
use bugbrother_wire::{
    Message, Topic, Vin, judge_present,
    message::{Alert, AlertState},
    topic::Kind,
};
use bytes::Bytes;
use metrics::{counter, gauge};

use crate::{
    desk::Desk,
    holding::Passage,
    now,
    outgoing::Outgoing,
    overheard::Overheard,
    post,
    takeover::{Arrived, Taken},
};

/// Topic and payload of a message.
type Delivered = (String, Bytes);

/// The part of the fleet that is this notifier's.
pub struct Part {
    /// Judges it.
    pub desk: Desk,
    outgoing: Arc<Outgoing>,
    /// Every vehicle of these is ours, known or not.
    shards: BTreeSet<u8>,
    overheard: Overheard<Delivered>,
}

impl Part {
    /// Nothing yet.
    pub fn new(desk: Desk, outgoing: Arc<Outgoing>) -> Self {
        Part { desk, outgoing, shards: BTreeSet::new(), overheard: Overheard::default() }
    }

    /// Takes a message in.
    pub fn hear(&mut self, delivery: &Delivery) {
        let of: Result<Topic, _> = delivery.topic.parse();
        match of {
            Ok(Topic { vin, .. }) if !self.is_ours(vin) => self.overhear(vin, delivery),
            Ok(Topic { vin, kind: Kind::Alert(id) }) => {
                // One that the broker has kept from before, and nobody knows, is of an alert that ended while it could not
                // be told, or that somebody acknowledged in the same moment.
                let is_known = delivery.payload.is_empty() || self.desk.is_active(vin, id);
                if !is_known && !is_of_post(delivery) && (delivery.retained || !is_end(delivery)) {
                    self.outgoing.clear(vin, id);
                }
            }
            _ => {
                let now = now();
                match judge_present(&delivery.topic, &delivery.payload, now) {
                    Ok((topic, message)) => {
                        let changed = self.desk.hear(topic.vin, &message, delivery.retained, now);
                        if let Message::Telemetry(batch) = &message
                            && let Some(record) = bugbrother_trace::followed(batch)
                        {
                            bugbrother_trace::took(record, Stage::Judge, now, self::now());
                        }
                        self.send(changed);
                    }
                    // What cannot be read is ingest's to keep.
                    Err(refused) => {
                        counter!("bugbrother_notifier_refused_total", "reason" => refused.reason()).increment(1);
                    }
                }
            }
        }
    }

    /// What the broker has kept from before says nothing new, and alerts are the database's to know.
    fn overhear(&mut self, vin: Vin, delivery: &Delivery) {
        let is_news = !matches!(delivery.topic.parse(), Ok(Topic { kind: Kind::Alert(_), .. }));
        if is_news && !delivery.retained {
            let delivered = (delivery.topic.clone(), delivery.payload.clone());
            self.overheard.keep(vin, delivered, delivery.payload.len(), now());
        }
    }

    /// Takes vehicles on or lets go of them.
    pub fn pass(&mut self, passage: Passage) {
        match passage {
            Passage::Took(taken) => self.take(taken),
            Passage::Lost(shards) => drop(self.release(&shards)),
            Passage::Give(shards, answer) => {
                let memories = self.release(&shards);
                self.outgoing.keep(memories);
                // Whoever asked may be gone: then everything is.
                answer.send(()).ok();
            }
        }
    }

    /// Goes on where others stopped, with what was heard since.
    pub fn take(&mut self, Taken { vehicles, shards, ended }: Taken) {
        let now = now();
        let mut changed = Vec::new();
        let vins: BTreeSet<Vin> = vehicles.iter().map(|one| one.vin).collect();
        for Arrived { vin, adopted, since, late } in vehicles {
            changed.extend(self.desk.adopt(vin, adopted, now));
            if let Some(span) = late {
                self.desk.mark_late(vin, span, now);
            }
            for samples in since {
                changed.extend(self.desk.catch_up(vin, &samples, now));
            }
        }
        // Those before us may not have come to say it.
        self.outgoing.repeat(self.desk.active().filter(|alert| vins.contains(&alert.vin)));
        for (vin, id) in ended {
            self.outgoing.clear(vin, id);
        }
        let is_new = |vin: Vin| vins.contains(&vin) || shards.contains(&shard_of(vin));
        for (heard, (topic, payload)) in self.overheard.take(is_new, now) {
            if let Ok((topic, message)) = judge_present(&topic, &payload, heard) {
                changed.extend(self.desk.hear(topic.vin, &message, false, heard));
            }
        }
        self.shards.extend(shards);
        self.send(changed);
    }

    /// Lets go of vehicles. Returns what is to be kept of them.
    fn release(&mut self, shards: &[u8]) -> Vec<(Vin, String)> {
        self.shards.retain(|shard| !shards.contains(shard));
        let vins: Vec<Vin> = self.desk.vins().filter(|vin| shards.contains(&shard_of(*vin))).collect();
        vins.into_iter().filter_map(|vin| Some((vin, self.desk.release(vin)?))).collect()
    }

    fn is_ours(&self, vin: Vin) -> bool {
        self.shards.contains(&shard_of(vin)) || self.desk.knows(vin)
    }

    /// Has alerts that changed stored and told, with what is remembered of their vehicles.
    pub fn send(&mut self, changed: Vec<Alert>) {
        if changed.is_empty() {
            return;
        }
        let now = now();
        let vins: BTreeSet<Vin> = changed.iter().map(|alert| alert.vin).collect();
        self.outgoing.keep(vins.into_iter().filter_map(|vin| Some((vin, self.desk.memory(vin, now)?))));
        for alert in &changed {
            if alert.state == AlertState::Resolved {
                counter!("bugbrother_notifier_alerts_resolved_total").increment(1);
            } else {
                counter!("bugbrother_notifier_alerts_changed_total").increment(1);
            }
        }
        gauge!("bugbrother_notifier_alerts_active").set(self.desk.active().count() as f64);
        self.outgoing.send(changed);
    }
}

/// Whether it says that a channel does not work, which is no rule's to end.
fn is_of_post(delivery: &Delivery) -> bool {
    let said = judge_present(&delivery.topic, &delivery.payload, now());
    matches!(said, Ok((_, Message::Alert(alert))) if alert.rule == post::RULE && alert.state != AlertState::Resolved)
}

/// Whether it is the last word on an alert, after which its topic is cleared anyway.
fn is_end(delivery: &Delivery) -> bool {
    let said = judge_present(&delivery.topic, &delivery.payload, now());
    matches!(said, Ok((_, Message::Alert(alert))) if alert.state == AlertState::Resolved)
}

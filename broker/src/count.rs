//! The broker's metrics.

use metrics::{counter, gauge};

pub(crate) fn refused(reason: &'static str) {
    counter!("bugbrother_broker_connects_refused_total", "reason" => reason).increment(1);
}

/// A gauge's share of one connection: given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Connected(());

impl Connected {
    pub(crate) fn new() -> Self {
        gauge!("bugbrother_broker_connections").increment(1);
        counter!("bugbrother_broker_connects_total").increment(1);
        Connected(())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        gauge!("bugbrother_broker_connections").decrement(1);
    }
}

pub(crate) fn ended(reason: &'static str) {
    counter!("bugbrother_broker_disconnects_total", "reason" => reason).increment(1);
}

pub(crate) fn received(bytes: usize) {
    counter!("bugbrother_broker_received_bytes_total").increment(bytes as u64);
}

pub(crate) fn sent(bytes: usize) {
    counter!("bugbrother_broker_sent_bytes_total").increment(bytes as u64);
}

pub(crate) fn published() {
    counter!("bugbrother_broker_received_messages_total").increment(1);
}

pub(crate) fn delivered() {
    counter!("bugbrother_broker_sent_messages_total").increment(1);
}

pub(crate) fn publish_denied() {
    counter!("bugbrother_broker_denied_publishes_total").increment(1);
}

pub(crate) fn subscribe_denied() {
    counter!("bugbrother_broker_denied_subscribes_total").increment(1);
}

/// Messages that a subscriber was meant to get and did not.
pub(crate) fn dropped(reason: &'static str, messages: u64) {
    counter!("bugbrother_broker_dropped_messages_total", "reason" => reason).increment(messages);
}

pub(crate) fn unknown_ack() {
    counter!("bugbrother_broker_unknown_acks_total").increment(1);
}

pub(crate) fn throttled() {
    counter!("bugbrother_broker_throttled_total").increment(1);
}

pub(crate) fn retained(messages: usize, bytes: usize) {
    gauge!("bugbrother_broker_retained_messages").set(messages as f64);
    gauge!("bugbrother_broker_retained_bytes").set(bytes as f64);
}

//! `$SYS/broker/…`, named and written as Mosquitto does it.
//!
//! Left out is `heap`, which only Mosquitto's own allocator knows. What only this broker says: below `sessions/` of each
//! client whose session lasts and whose queue was full, how many messages it has missed.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    access::Owner, count, gate::Gate, message::Message, retained::Share, router::RouterDied, sessions::Survey,
};

/// Over how many minutes a load is smoothed.
const SPANS: [(f64, &str); 3] = [(1.0, "1min"), (5.0, "5min"), (15.0, "15min")];

/// Sessions whose losses are told.
const MOST_LOSSES: usize = 100;

/// What is given as a load: events per minute.
const LOADS: [&str; 9] = [
    "messages/received",
    "messages/sent",
    "publish/dropped",
    "publish/received",
    "publish/sent",
    "bytes/received",
    "bytes/sent",
    "sockets",
    "connections",
];

/// The broker's figures at one moment.
#[derive(Debug, Clone, Default)]
struct Figures {
    sockets: u64,
    connect_packets: u64,
    connections: u64,
    most_connections: u64,
    subscriptions: u64,
    packets: InOut,
    messages: InOut,
    payload_bytes: InOut,
    bytes: InOut,
    dropped: u64,
    retained_messages: u64,
    retained_bytes: u64,
    queued_messages: u64,
    queued_bytes: u64,
    away: u64,
    groups: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct InOut {
    received: u64,
    sent: u64,
}

impl Figures {
    fn now() -> Self {
        let in_out =
            |received: &count::Figure, sent: &count::Figure| InOut { received: received.get(), sent: sent.get() };
        Figures {
            sockets: count::SOCKETS.get(),
            connect_packets: count::CONNECT_PACKETS.get(),
            connections: count::CONNECTIONS.get(),
            most_connections: count::MOST_CONNECTIONS.get(),
            subscriptions: count::SUBSCRIPTIONS.get(),
            packets: in_out(&count::RECEIVED_PACKETS, &count::SENT_PACKETS),
            messages: in_out(&count::RECEIVED_MESSAGES, &count::SENT_MESSAGES),
            payload_bytes: in_out(&count::RECEIVED_PAYLOADS, &count::SENT_PAYLOADS),
            bytes: in_out(&count::RECEIVED_BYTES, &count::SENT_BYTES),
            dropped: count::all_dropped(),
            retained_messages: count::RETAINED_MESSAGES.get(),
            retained_bytes: count::RETAINED_BYTES.get(),
            queued_messages: count::QUEUED_MESSAGES.get(),
            queued_bytes: count::QUEUED_BYTES.get(),
            ..Figures::default()
        }
    }

    /// In the order of [`LOADS`].
    fn loads(&self) -> [u64; LOADS.len()] {
        [
            self.packets.received,
            self.packets.sent,
            self.dropped,
            self.messages.received,
            self.messages.sent,
            self.bytes.received,
            self.bytes.sent,
            self.sockets,
            self.connect_packets,
        ]
    }

    fn texts(&self) -> [(&'static str, u64); 22] {
        [
            ("clients/total", self.connections + self.away),
            ("clients/maximum", self.most_connections),
            ("clients/disconnected", self.away),
            ("clients/inactive", self.away),
            ("clients/connected", self.connections),
            ("clients/active", self.connections),
            ("clients/expired", 0),
            ("messages/stored", self.retained_messages + self.queued_messages),
            ("messages/received", self.packets.received),
            ("messages/sent", self.packets.sent),
            ("store/messages/count", self.retained_messages + self.queued_messages),
            ("store/messages/bytes", self.retained_bytes + self.queued_bytes),
            ("subscriptions/count", self.subscriptions),
            ("shared_subscriptions/count", self.groups),
            ("retained messages/count", self.retained_messages),
            ("publish/messages/dropped", self.dropped),
            ("publish/messages/received", self.messages.received),
            ("publish/messages/sent", self.messages.sent),
            ("publish/bytes/received", self.payload_bytes.received),
            ("publish/bytes/sent", self.payload_bytes.sent),
            ("bytes/received", self.bytes.received),
            ("bytes/sent", self.bytes.sent),
        ]
    }
}

/// What has been said, and what is needed to say more.
#[derive(Default)]
struct Report {
    said: HashMap<String, String>,
    lost: HashMap<String, String>,
    at: Duration,
    counted: [u64; LOADS.len()],
    loads: [[f64; SPANS.len()]; LOADS.len()],
}

impl Report {
    /// The topics below `$SYS/broker/` whose texts are new, `uptime` after the broker's start.
    fn changes(&mut self, uptime: Duration, figures: &Figures) -> Vec<(String, String)> {
        self.smooth(uptime, figures.loads());
        let mut texts = vec![
            ("version".to_owned(), concat!("bugbrother version ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("uptime".to_owned(), format!("{} seconds", uptime.as_secs())),
        ];
        texts.extend(figures.texts().map(|(topic, number)| (topic.to_owned(), number.to_string())));
        for (of, loads) in LOADS.iter().zip(&self.loads) {
            texts.extend(
                SPANS.iter().zip(loads).map(|((_, span), load)| (format!("load/{of}/{span}"), format!("{load:.2}"))),
            );
        }
        texts.retain(|(topic, text)| self.said.insert(topic.clone(), text.clone()).as_ref() != Some(text));
        texts
    }

    /// Of the sessions that have lost most what is new, and an empty text for one that is not among them any more.
    fn losses(&mut self, survey: Survey) -> Vec<(String, String)> {
        let mut worst = survey.with_losses;
        worst.sort_unstable_by_key(|(_, dropped)| std::cmp::Reverse(*dropped));
        let losses: HashMap<String, String> = worst
            .into_iter()
            .take(MOST_LOSSES)
            .map(|(identity, dropped)| {
                // A name may have what would be levels of the topic, or wildcards.
                let user = identity.user.as_deref().unwrap_or("-").replace(['/', '+', '#'], "_");
                (format!("sessions/{user}/{}/dropped", identity.client_id), dropped.to_string())
            })
            .collect();
        let gone: Vec<_> = self.lost.keys().filter(|topic| !losses.contains_key(*topic)).cloned().collect();
        let mut changes: Vec<_> = gone.into_iter().map(|topic| (topic, String::new())).collect();
        let new = losses.iter().filter(|(topic, text)| self.lost.get(*topic) != Some(text));
        changes.extend(new.map(|(topic, text)| (topic.clone(), text.clone())));
        self.lost = losses;
        changes
    }

    /// Moves each load towards what happened since the last time: exponential smoothing, as of a Unix load average.
    fn smooth(&mut self, uptime: Duration, counted: [u64; LOADS.len()]) {
        let minutes = uptime.saturating_sub(self.at).as_secs_f64() / 60.0;
        if minutes <= 0.0 {
            return;
        }
        for ((loads, now), before) in self.loads.iter_mut().zip(counted).zip(self.counted) {
            let per_minute = now.saturating_sub(before) as f64 / minutes;
            for (load, (span, _)) in loads.iter_mut().zip(SPANS) {
                *load = per_minute + (-minutes / span).exp() * (*load - per_minute);
            }
        }
        self.at = uptime;
        self.counted = counted;
    }
}

/// Publishes what has changed, once in an interval; never without one.
pub(crate) async fn run(gate: &Gate, every: Option<Duration>) -> RouterDied {
    let Some(every) = every.filter(|every| !every.is_zero()) else { return std::future::pending().await };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut report = Report { counted: Figures::now().loads(), ..Report::default() };
    loop {
        ticks.tick().await;
        let survey = gate.sessions.survey();
        let figures = Figures { away: survey.away as u64, groups: gate.audience.groups() as u64, ..Figures::now() };
        let mut changes = report.changes(gate.clock.now(), &figures);
        changes.extend(report.losses(survey));
        for (topic, text) in changes {
            let message = Message {
                qos: 1,
                retain: true,
                ..Message::new(&format!("$SYS/broker/{topic}"), Bytes::from(text.into_bytes()))
            };
            if gate.pass_on(&Owner::Broker, Share::OfMany, message, Vec::new()).await.is_err() {
                return RouterDied;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(packets: u64) -> Figures {
        Figures { packets: InOut { received: packets, sent: 0 }, ..Figures::default() }
    }

    fn text<'a>(changes: &'a [(String, String)], topic: &str) -> Option<&'a str> {
        changes.iter().find(|(of, _)| of == topic).map(|(_, text)| text.as_str())
    }

    #[test]
    fn only_what_has_changed_is_said_again() {
        let mut report = Report::default();
        let first = report.changes(Duration::ZERO, &received(0));
        assert_eq!(first.len(), 2 + 22 + LOADS.len() * SPANS.len());
        assert_eq!(text(&first, "uptime"), Some("0 seconds"));
        assert_eq!(text(&first, "load/messages/received/1min"), Some("0.00"));
        let second = report.changes(Duration::from_secs(10), &received(5));
        let mut topics: Vec<&str> = second.iter().map(|(topic, _)| topic.as_str()).collect();
        topics.sort_unstable();
        let spans = ["load/messages/received/15min", "load/messages/received/1min", "load/messages/received/5min"];
        assert_eq!(topics, [&spans[..], &["messages/received", "uptime"]].concat());
        assert_eq!(text(&second, "messages/received"), Some("5"));
    }

    #[test]
    fn a_load_moves_towards_the_events_of_a_minute() {
        let mut report = Report::default();
        for second in 1..=600 {
            report.smooth(Duration::from_secs(second), received(2 * second).loads());
        }
        let [one, five, fifteen] = report.loads[0];
        assert!((one - 120.0).abs() < 0.01, "{one}");
        // 1 - e^-2 and 1 - e^-(2/3) of it.
        assert!((five - 103.76).abs() < 0.1 && (fifteen - 58.39).abs() < 0.1, "{five} {fifteen}");
        report.smooth(Duration::from_secs(660), received(1200).loads());
        assert!((report.loads[0][0] - 120.0 * (-1.0_f64).exp()).abs() < 0.1);
        assert_eq!(report.loads[1], [0.0; 3]);
    }

    #[test]
    fn loads_have_the_names_of_what_is_counted() {
        let figures = Figures { dropped: 3, bytes: InOut { received: 6, sent: 7 }, ..Figures::default() };
        assert_eq!(figures.loads(), [0, 0, 3, 0, 0, 6, 7, 0, 0]);
    }
}

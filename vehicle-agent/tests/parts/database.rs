//! The fleet's database as the agent sees it: it takes records and acknowledges them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bugbrother_client::{Delivery, Event, Events, Options, Publisher, Qos, connect};
use bugbrother_wire::{
    Epoch, Message, Seq, Topic, Vin, decode, encode,
    message::{Ack, Birth, Status, Telemetry},
    topic::{ALL_UP, Kind},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running one; it ends with this value.
pub struct Database {
    pub state: Arc<Mutex<State>>,
    publisher: Publisher,
    stop: CancellationToken,
    _task: JoinHandle<()>,
}

/// What it knows.
#[derive(Default)]
pub struct State {
    /// Every record by its number; the first copy counts.
    pub records: BTreeMap<(Epoch, Seq), Message>,
    /// How often each arrived, and on which topics.
    pub arrivals: Vec<(Kind, Seq)>,
    pub statuses: Vec<Status>,
    pub births: Vec<Birth>,
    /// Records are stored but nobody is told.
    pub silent: bool,
    /// Its identity; another one is another database.
    pub identity: String,
}

impl State {
    pub fn telemetry(&self) -> impl Iterator<Item = &Telemetry> {
        self.records.values().filter_map(|message| match message {
            Message::Telemetry(batch) | Message::Backfill(batch) => Some(batch),
            _ => None,
        })
    }

    /// Times of all rows that have a position, in rising order.
    pub fn positions(&self) -> Vec<i64> {
        let samples = self.telemetry().flat_map(Telemetry::samples);
        let mut times: Vec<i64> = samples.filter(|(_, key, _)| *key == "lat").map(|(ts, ..)| ts).collect();
        times.sort_unstable();
        times
    }

    pub fn ack(&self, vin: Vin, epoch: Epoch) -> Ack {
        let stored: Vec<u64> = self.records.keys().filter(|(e, _)| *e == epoch).map(|(_, seq)| seq.0).collect();
        let mut runs: Vec<(Seq, Seq)> = Vec::new();
        for seq in stored.into_iter().map(Seq) {
            match runs.last_mut() {
                Some((_, to)) if to.next() == seq => *to = seq,
                _ => runs.push((seq, seq)),
            }
        }
        let whole = match runs.first() {
            Some((Seq(1), to)) => *to,
            _ => Seq(0),
        };
        let ranges = runs.into_iter().filter(|(from, _)| *from > whole).take(64).collect();
        Ack { v: 1, vin, epoch, seq: whole, ranges, store: self.identity.clone() }
    }
}

impl Database {
    pub fn start(port: u16) -> Self {
        let stop = CancellationToken::new();
        let mut options = Options::new("127.0.0.1", port, "database", "database", "");
        options.keep_alive = Duration::from_secs(5);
        options.subscriptions = vec![(ALL_UP.to_owned(), Qos::AtLeastOnce)];
        let (publisher, events) = connect(options, stop.clone());
        let state = Arc::new(Mutex::new(State { identity: "first".to_owned(), ..State::default() }));
        let task = tokio::spawn(serve(events, publisher.clone(), state.clone()));
        Database { state, publisher, stop, _task: task }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Publishes on one of the vehicle's topics.
    pub async fn say(&self, vin: Vin, kind: Kind, payload: Vec<u8>) {
        let topic = Topic::new(vin, kind).to_string();
        let receipt = self.publisher.publish(topic, payload, Qos::AtLeastOnce, kind.retained()).await;
        receipt.expect("the database is connected").await.expect("the broker has it");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(mut events: Events, publisher: Publisher, state: Arc<Mutex<State>>) {
    while let Some(event) = events.recv().await {
        let Event::Message(delivery) = event else { continue };
        let ack = take(&delivery, &mut state.lock().unwrap());
        if let Some(ack) = ack {
            let topic = Topic::new(ack.vin, Kind::Ack).to_string();
            drop(publisher.publish(topic, encode(&ack), Qos::AtLeastOnce, true).await);
        }
        delivery.ack();
    }
}

fn take(delivery: &Delivery, state: &mut State) -> Option<Ack> {
    let topic: Topic = delivery.topic.parse().expect("agents keep to the contract");
    let message = decode(&topic, &delivery.payload).expect("agents keep to the contract");
    match &message {
        Message::Birth(birth) => state.births.push(birth.clone()),
        Message::Status(status) => state.statuses.push(status.clone()),
        _ => {}
    }
    let record = message.as_record()?;
    let (epoch, seq) = (record.epoch(), record.seq());
    state.arrivals.push((topic.kind, seq));
    state.records.entry((epoch, seq)).or_insert(message);
    (!state.silent).then(|| state.ack(topic.vin, epoch))
}

//! What is on disk gets into the database, however scattered it is: the outbox, the order in which it is sent and the
//! database's word on each record, without broker and clock.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bugbrother_agent::{
    clock::{Boot, Good, provisional},
    outbox::{Answer, Batch, Draft, Happening, Outbox},
    uplink::delivery::{Delivery, LIVE_REACH, Lane},
};
use bugbrother_store::progress::{Mark, Progress};
use bugbrother_wire::{
    CommandId, Seq, Vin,
    codec::{MAX_RANGES, decode_value},
    message::{Ack, Clock, EventKind, Gap, ReplyState, Row, Telemetry, VinSource},
};
use tempfile::TempDir;

const NOW: i64 = 1_790_000_000_000;
const SMALL: u64 = 256 << 10;

fn vin() -> Vin {
    "WVWZZZ1JZ3W386752".parse().unwrap()
}

fn samples() -> Draft {
    let rows = (0..40).map(|dt_ms| Row { dt_ms, values: vec![Some(47.123_456 + f64::from(dt_ms))] }).collect();
    Draft::Batch(Batch { clock: Clock::Gnss, t0: NOW, keys: vec!["spd".to_owned()], rows, replayed: 0 })
}

fn urgent() -> Draft {
    Draft::Reply(Answer::new(CommandId(uuid::Uuid::nil()), ReplyState::Denied, NOW))
}

/// A vehicle and the fleet's database.
struct Fleet {
    _dir: TempDir,
    outbox: Outbox,
    delivery: Delivery,
    database: Progress,
    /// Numbers that the database took in as records, not as lost.
    records: BTreeSet<u64>,
    declared: BTreeSet<u64>,
    now: Instant,
}

impl Fleet {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("outbox.db");
        let outbox = Outbox::open(&path, SMALL, vin(), VinSource::Configured, NOW).await.unwrap();
        Fleet {
            _dir: dir,
            outbox,
            delivery: Delivery::new(Seq(0)),
            database: Progress::default(),
            records: BTreeSet::new(),
            declared: BTreeSet::new(),
            now: Instant::now(),
        }
    }

    fn top(&self) -> Seq {
        self.outbox.tally().borrow().top
    }

    async fn record(&mut self, drafts: &[Draft]) {
        self.outbox.append(drafts, NOW).await.unwrap();
        self.delivery.commit(self.top());
    }

    fn connect(&mut self) {
        let live_from = Seq(self.top().0.saturating_sub(LIVE_REACH / 4) + 1);
        self.delivery.connect(live_from);
    }

    /// Sends what may be sent once; `arrives` says of each record whether it gets to the database.
    async fn send(&mut self, arrives: impl Fn(Lane, Seq) -> bool) {
        let Some(order) = self.delivery.next() else { return };
        let records = self.outbox.read(order.range.clone(), order.limit).await.unwrap();
        let places: Vec<Seq> = records.iter().map(|record| record.place).collect();
        self.delivery.sent(&order, &places, self.now);
        for record in records {
            self.delivery.publish_done(order.lane);
            if arrives(order.lane, record.seq) {
                self.store(record.seq, &record.body);
            }
        }
    }

    fn store(&mut self, seq: Seq, body: &[u8]) {
        let gap: Option<Gap> = decode_value::<Telemetry>(body).ok().and_then(|telemetry| telemetry.gap);
        if self.database.take(seq, gap.as_ref().map(|gap| (gap.from, gap.to))) == Mark::New {
            self.records.insert(seq.0);
            self.declared.extend(gap.map(|gap| gap.from.0..=gap.to.0).into_iter().flatten());
        }
    }

    async fn acknowledge(&mut self) {
        let ack = Ack {
            v: 1,
            vin: vin(),
            epoch: self.outbox.identity().epoch,
            seq: self.database.high_water(),
            ranges: self.database.ranges().collect(),
            store: "a".to_owned(),
        };
        assert!(ack.ranges.len() <= MAX_RANGES);
        let progress = self.outbox.acknowledge(&ack, false).await.unwrap();
        self.delivery.acknowledge(&ack, progress, self.now);
    }

    /// Everything that is sent arrives, until nothing is left.
    async fn catch_up(&mut self) {
        for _ in 0..self.top().0 {
            self.send(|_, _| true).await;
            self.acknowledge().await;
            if self.delivery.next().is_none() {
                let Some(deadline) = self.delivery.deadline() else { break };
                self.now = deadline;
                self.delivery.lose_patience();
            }
        }
        let left = self.outbox.tally().borrow().unstored;
        assert_eq!(left, 0, "records stay in the outbox; the database has {:?}", self.database);
        assert_eq!(self.database.high_water(), self.top());
        let all: BTreeSet<u64> = (1..=self.top().0).collect();
        assert_eq!(&self.records | &self.declared, all, "every number is a record or declared");
    }
}

#[tokio::test]
async fn what_stays_of_a_full_outbox_arrives_though_it_is_scattered() {
    for samples_between in [1, 3, 20] {
        let mut fleet = Fleet::new().await;
        let mut drafts = vec![samples(); samples_between];
        drafts.push(urgent());
        let drafts: Vec<_> = drafts.into_iter().cycle().take(240).collect();
        while fleet.top().0 < 4000 {
            fleet.record(&drafts).await;
        }
        let isolated = fleet.outbox.read(Seq(0)..fleet.top(), 10_000).await.unwrap();
        assert!(isolated.windows(2).filter(|pair| pair[0].seq.next() < pair[1].seq).count() > 2 * MAX_RANGES);
        fleet.connect();
        fleet.catch_up().await;
        assert!(fleet.declared.len() > 500);
    }
}

#[tokio::test]
async fn a_database_that_can_take_no_more_ranges_gets_on_with_a_gap() {
    let mut fleet = Fleet::new().await;
    while fleet.top().0 < 2000 {
        fleet.record(&[vec![samples(); 100], vec![urgent(); 2]].concat()).await;
    }
    // Live records of many short connections, of which nothing late got through.
    while fleet.database.ranges().count() < MAX_RANGES {
        fleet.record(&vec![samples(); 20]).await;
        fleet.connect();
        let last = fleet.top();
        fleet.send(|lane, seq| lane == Lane::Live && seq == last).await;
        fleet.delivery.disconnect();
    }
    fleet.record(&vec![samples(); 20]).await;
    fleet.connect();
    fleet.catch_up().await;
}

#[tokio::test]
async fn what_a_gap_declared_stays_declared_when_the_gap_itself_has_to_go() {
    let mut fleet = Fleet::new().await;
    while fleet.top().0 < 1000 {
        fleet.record(&[vec![samples(); 10], vec![urgent(); 2]].concat()).await;
    }
    let first = async |outbox: &Outbox| outbox.read(Seq(0)..Seq(u64::MAX), 1).await.unwrap().remove(0);
    let oldest = first(&fleet.outbox).await;
    while first(&fleet.outbox).await.seq.0 <= oldest.seq.0 + 1000 {
        fleet.record(&vec![urgent(); 200]).await;
        assert!(fleet.top().0 < 100_000);
    }
    fleet.connect();
    fleet.catch_up().await;
}

#[tokio::test]
async fn a_record_that_is_lost_on_the_way_is_sent_again() {
    let mut fleet = Fleet::new().await;
    while fleet.top().0 < 1500 {
        fleet.record(&[vec![samples(); 7], vec![urgent()]].concat()).await;
    }
    fleet.connect();
    for round in 0..300 {
        fleet.send(|_, seq| (seq.0 + round) % 5 != 0).await;
        fleet.acknowledge().await;
        fleet.now += Duration::from_secs(1);
        if fleet.delivery.deadline().is_some_and(|deadline| deadline <= fleet.now) {
            fleet.delivery.lose_patience();
        }
    }
    fleet.catch_up().await;
}

#[tokio::test]
async fn what_has_its_time_does_not_wait_behind_what_has_none_yet() {
    let mut fleet = Fleet::new().await;
    fleet.outbox.enter(&Boot { id: "first".to_owned(), guess: NOW }).await.unwrap();
    let early = |up| Draft::Event(Happening::new(EventKind::IgnitionOn, provisional(up)));
    fleet.record(&(0..100).map(|second| early(second * 1000)).collect::<Vec<_>>()).await;
    fleet.connect();
    for _ in 0..10 {
        fleet.record(&[samples(), samples()]).await;
        while fleet.delivery.next().is_some() {
            fleet.send(|_, _| true).await;
        }
        fleet.acknowledge().await;
        fleet.now += Duration::from_secs(4);
        if fleet.delivery.deadline().is_some_and(|deadline| deadline <= fleet.now) {
            fleet.delivery.lose_patience();
        }
    }
    assert_eq!(fleet.records, (101..=120).collect(), "all that has its time, and nothing else");
    fleet.outbox.settle(Good { started: NOW - 1_000_000, clock: Clock::Gnss }).await.unwrap();
    fleet.delivery.release();
    fleet.catch_up().await;
    assert_eq!(fleet.records.len(), 120);
}

//! The outbox through ends of every kind.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

use std::{fs, path::Path};

use bugbrother_agent::outbox::{Answer, Batch, Draft, KEPT, Outbox, OutboxError, Progress, peek_vin};
use bugbrother_wire::{
    Epoch, Message, Seq, Topic, Vin, decode,
    message::{Ack, Clock, Event, EventKind, Gap, Row, Telemetry, VinSource},
    topic::Kind,
};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

const NOW: i64 = 1_790_000_000_000;
const LARGE: u64 = 64 << 20;

fn vin() -> Vin {
    "WVWZZZ1JZ3W386752".parse().unwrap()
}

async fn open(path: &Path, max_bytes: u64) -> Outbox {
    Outbox::open(path, max_bytes, vin(), VinSource::Configured, NOW).await.unwrap()
}

async fn empty() -> (TempDir, Outbox) {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir.path().join("outbox.db"), LARGE).await;
    (dir, outbox)
}

fn samples(rows: usize) -> Draft {
    let row = |dt_ms| Row { dt_ms, values: vec![Some(47.123_456 + f64::from(dt_ms))] };
    let rows = (0..u32::try_from(rows).unwrap()).map(row).collect();
    Draft::Batch(Batch { clock: Clock::Gnss, t0: NOW, keys: vec!["spd".to_owned()], rows, replayed: 0 })
}

fn event() -> Draft {
    let command = bugbrother_wire::CommandId(uuid::Uuid::from_u128(7));
    Draft::Reply(Answer::new(command, bugbrother_wire::message::ReplyState::Denied, NOW))
}

fn ack(epoch: Epoch, store: &str, seq: u64, ranges: &[(u64, u64)]) -> Ack {
    Ack {
        v: 1,
        vin: vin(),
        epoch,
        seq: Seq(seq),
        ranges: ranges.iter().map(|(from, to)| (Seq(*from), Seq(*to))).collect(),
        store: store.to_owned(),
    }
}

async fn unstored(outbox: &Outbox) -> Vec<u64> {
    let all = outbox.read(Seq(0)..Seq(u64::MAX), 100_000).await.unwrap();
    assert_eq!(all.len() as u64, outbox.tally().borrow().unstored, "the tally agrees with the file");
    let mut seqs: Vec<_> = all.iter().map(|record| record.seq.0).collect();
    seqs.sort_unstable();
    seqs
}

async fn gaps(outbox: &Outbox) -> Vec<(u64, u64)> {
    let all = outbox.read(Seq(0)..Seq(u64::MAX), 100_000).await.unwrap();
    let telemetry = |body: &[u8]| -> Option<Telemetry> { bugbrother_wire::codec::decode_value(body).ok() };
    let gaps = all.iter().filter_map(|record| telemetry(&record.body)?.gap);
    gaps.map(|gap| (gap.from.0, gap.to.0)).collect()
}

#[tokio::test]
async fn a_record_is_read_back_as_the_message_that_it_is() {
    let (_dir, outbox) = empty().await;
    outbox.append(&[samples(3), event()], NOW).await.unwrap();
    for record in outbox.read(Seq(0)..Seq(9), 9).await.unwrap() {
        let message = decode(&Topic::new(vin(), record.kind), &record.body).unwrap();
        let placed = message.as_record().unwrap();
        assert_eq!((placed.epoch(), placed.seq()), (outbox.identity().epoch, record.seq));
        assert!(matches!(message, Message::Telemetry(_) | Message::Reply(_)));
    }
}

#[tokio::test]
async fn an_agent_that_is_killed_finds_every_record_and_gives_no_number_twice() {
    let (dir, outbox) = empty().await;
    outbox.append(&[samples(1), samples(1), samples(1)], NOW).await.unwrap();
    let epoch = outbox.identity().epoch;
    outbox.acknowledge(&ack(epoch, "a", 2, &[]), false).await.unwrap();
    outbox.append(&[event()], NOW).await.unwrap();
    // The files as they are on the disk at this moment are what a killed process leaves.
    let left = dir.path().join("left.db");
    fs::copy(dir.path().join("outbox.db"), &left).unwrap();
    fs::copy(dir.path().join("outbox.db-wal"), dir.path().join("left.db-wal")).unwrap();
    let again = open(&left, LARGE).await;
    assert_eq!(again.identity().epoch, epoch);
    assert_eq!(unstored(&again).await, [3, 4]);
    again.append(&[samples(1)], NOW).await.unwrap();
    assert_eq!(unstored(&again).await, [3, 4, 5]);
}

#[tokio::test]
async fn a_number_is_not_given_again_when_all_records_are_gone() {
    let (dir, outbox) = empty().await;
    let path = dir.path().join("outbox.db");
    for _ in 0..KEPT + 10 {
        outbox.append(&[samples(1)], NOW).await.unwrap();
    }
    let epoch = outbox.identity().epoch;
    outbox.acknowledge(&ack(epoch, "a", KEPT + 10, &[]), false).await.unwrap();
    outbox.close().await.unwrap();
    let outbox = open(&path, LARGE).await;
    assert_eq!(outbox.tally().borrow().top, Seq(KEPT + 10));
    assert_eq!(outbox.tally().borrow().unstored, 0);
    outbox.append(&[samples(1)], NOW).await.unwrap();
    assert_eq!(unstored(&outbox).await, [KEPT + 11]);
}

#[tokio::test]
async fn what_is_acknowledged_above_a_hole_is_not_sent_again() {
    let (_dir, outbox) = empty().await;
    outbox.append(&vec![samples(1); 10], NOW).await.unwrap();
    let epoch = outbox.identity().epoch;
    let progress = outbox.acknowledge(&ack(epoch, "a", 2, &[(5, 6), (9, 9)]), false).await.unwrap();
    assert_eq!(progress, Progress::Forward(Seq(2)));
    assert_eq!(unstored(&outbox).await, [3, 4, 7, 8, 10]);
}

#[tokio::test]
async fn an_acknowledgement_of_another_outbox_or_of_the_future_changes_nothing() {
    let (_dir, outbox) = empty().await;
    outbox.append(&[samples(1)], NOW).await.unwrap();
    let epoch = outbox.identity().epoch;
    for wrong in [ack(Epoch(1), "a", 1, &[]), ack(epoch, "a", 2, &[]), ack(epoch, "a", 0, &[(1, 9)])] {
        assert_eq!(outbox.acknowledge(&wrong, false).await.unwrap(), Progress::None);
    }
    assert_eq!(unstored(&outbox).await, [1]);
}

#[tokio::test]
async fn a_database_that_went_back_gets_the_kept_tail_and_is_told_what_is_beyond_it() {
    let (_dir, outbox) = empty().await;
    let count = KEPT + 100;
    outbox.append(&vec![samples(1); count as usize], NOW).await.unwrap();
    let epoch = outbox.identity().epoch;
    outbox.acknowledge(&ack(epoch, "a", count, &[]), false).await.unwrap();
    assert!(unstored(&outbox).await.is_empty());
    // What the broker had kept may be old: it takes nothing back.
    assert_eq!(outbox.acknowledge(&ack(epoch, "a", 50, &[]), true).await.unwrap(), Progress::None);
    let copy = ack(epoch, "b", 50, &[(60, 69)]);
    assert_eq!(outbox.acknowledge(&copy, false).await.unwrap(), Progress::Back(Seq(50)));
    let tail: Vec<u64> = (101..=count + 2).collect();
    assert_eq!(unstored(&outbox).await, tail);
    assert_eq!(gaps(&outbox).await, [(51, 59), (70, 100)]);
}

#[tokio::test]
async fn a_copy_with_the_same_number_and_less_above_it_gets_that_again() {
    let (dir, outbox) = empty().await;
    let count = KEPT + 100;
    outbox.append(&vec![samples(1); count as usize], NOW).await.unwrap();
    let epoch = outbox.identity().epoch;
    let named = [(20, 40), (50, 90), (count - 9, count)];
    outbox.acknowledge(&ack(epoch, "a", 10, &named), false).await.unwrap();
    outbox.close().await.unwrap();
    let outbox = open(&dir.path().join("outbox.db"), LARGE).await;
    let lagging = ack(epoch, "a", 10, &[(20, 30), (50, 90), (count - 9, count - 5)]);
    assert_eq!(outbox.acknowledge(&lagging, false).await.unwrap(), Progress::Back(Seq(10)));
    // Of what is gone only the numbers that nobody has are declared; the rest is there and sent again.
    assert_eq!(gaps(&outbox).await, [(31, 40)]);
    let again: Vec<u64> = (11..=19).chain(41..=49).chain(91..=count - 10).chain(count - 4..=count + 1).collect();
    assert_eq!(unstored(&outbox).await, again);
    assert_eq!(outbox.acknowledge(&lagging, false).await.unwrap(), Progress::Forward(Seq(10)));
    // Once more, and further: what is declared already is not declared again.
    assert_eq!(outbox.acknowledge(&ack(epoch, "b", 10, &[]), false).await.unwrap(), Progress::Back(Seq(10)));
    assert_eq!(gaps(&outbox).await, [(20, 30), (31, 40), (50, 90)]);
}

/// A file as version 0.1.0 left it.
#[tokio::test]
async fn a_file_of_an_older_version_goes_on_and_its_gaps_take_their_place() {
    let (dir, outbox) = empty().await;
    let path = dir.path().join("outbox.db");
    let gap = Gap { from: Seq(1), to: Seq(2), reason: "outbox is full".to_owned() };
    outbox.append(&[samples(1), samples(1), event(), Draft::Gap(gap)], NOW).await.unwrap();
    let epoch = outbox.identity().epoch;
    outbox.close().await.unwrap();
    let mut db = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let older = "DELETE FROM record WHERE seq < 3; DROP INDEX record_gap; ALTER TABLE record DROP COLUMN gap_from; \
                 ALTER TABLE record DROP COLUMN gap_to; ALTER TABLE identity DROP COLUMN stored_ranges; \
                 DROP INDEX record_boot; ALTER TABLE record DROP COLUMN boot; ALTER TABLE record DROP COLUMN crc; DROP TABLE boot; DROP TABLE usage; \
                 PRAGMA user_version = 0";
    sqlx::raw_sql(older).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let outbox = open(&path, LARGE).await;
    assert_eq!(outbox.identity().epoch, epoch);
    let records = outbox.read(Seq(1)..Seq(9), 9).await.unwrap();
    assert_eq!(records.iter().map(|record| (record.place.0, record.seq.0)).collect::<Vec<_>>(), [(2, 4), (3, 3)]);
    outbox.acknowledge(&ack(epoch, "a", 2, &[(4, 4)]), false).await.unwrap();
    assert_eq!(unstored(&outbox).await, [3]);
}

#[tokio::test]
async fn when_it_is_full_the_oldest_samples_go_and_a_gap_says_which() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir.path().join("outbox.db"), 1 << 20).await;
    outbox.append(&[samples(200), event(), samples(200)], NOW).await.unwrap();
    let mut given = 3;
    while gaps(&outbox).await.is_empty() {
        outbox.append(&vec![samples(200); 20], NOW).await.unwrap();
        given += 20;
        assert!(given < 5000, "the outbox never gets full");
    }
    let kept = unstored(&outbox).await;
    assert!(kept.contains(&2), "what is urgent stays");
    let gaps = gaps(&outbox).await;
    assert_eq!(gaps[0], (1, 1));
    let lost: Vec<u64> = gaps.iter().flat_map(|(from, to)| *from..=*to).collect();
    let mut all: Vec<u64> = kept.iter().copied().chain(lost).collect();
    all.sort_unstable();
    let expected: Vec<u64> = (1..=given + gaps.len() as u64).collect();
    assert_eq!(all, expected, "every number is there or named as lost");
}

#[tokio::test]
async fn a_file_serves_one_agent_and_one_vehicle() {
    let (dir, outbox) = empty().await;
    let path = dir.path().join("outbox.db");
    let second = Outbox::open(&path, LARGE, vin(), VinSource::Configured, NOW).await;
    assert!(matches!(second.err(), Some(OutboxError::InUse(_))));
    outbox.close().await.unwrap();
    let other = "WP0ZZZ99ZTS390000".parse().unwrap();
    let foreign = Outbox::open(&path, LARGE, other, VinSource::Configured, NOW).await;
    assert!(matches!(foreign.err(), Some(OutboxError::OtherVehicle { .. })));
    assert_eq!(peek_vin(&path).await.unwrap(), Some((vin(), VinSource::Configured)));
    assert_eq!(peek_vin(&dir.path().join("none")).await.unwrap(), None);
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_a_new_epoch_begins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("outbox.db");
    fs::write(&path, vec![0x5A; 20_000]).unwrap();
    assert_eq!(peek_vin(&path).await.unwrap(), None);
    let outbox = open(&path, LARGE).await;
    outbox.append(&[samples(1)], NOW).await.unwrap();
    // The first tells the fleet.
    assert_eq!(unstored(&outbox).await, [1, 2]);
    assert_eq!(
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|file| { file.as_ref().unwrap().file_name().to_string_lossy().contains("damaged") })
            .count(),
        1
    );
}

/// Bytes that are on the disk of a record of that value, and so of no other.
fn value(seq: u64) -> f64 {
    1.0e9 + seq as f64 + 0.123_456_7
}

/// Records of 30 kB each, most of which is in overflow pages, whose values tell them apart.
fn large(seq: u64) -> Draft {
    let rows = (0..3000).map(|dt_ms| Row { dt_ms, values: vec![Some(value(seq))] }).collect();
    Draft::Batch(Batch { clock: Clock::Gnss, t0: NOW, keys: vec!["spd".to_owned()], rows, replayed: 0 })
}

/// Pages of the file that hold nothing but that record.
fn overflow_pages(bytes: &[u8], seq: u64) -> Vec<usize> {
    let pattern = value(seq).to_be_bytes();
    let counts = |page: &[u8]| page.windows(8).filter(|window| *window == pattern).count();
    let pages = bytes.chunks(4096).enumerate().filter(|(_, page)| counts(page) > 300);
    pages.map(|(index, _)| index * 4096).collect()
}

/// A closed outbox of ten large records, of which the page of `seq` is changed.
async fn damaged(seq: u64, damage: impl Fn(&mut [u8])) -> (TempDir, Epoch, Outbox) {
    let (dir, outbox) = empty().await;
    let path = dir.path().join("outbox.db");
    for seq in 1..=10 {
        outbox.append(&[large(seq)], NOW).await.unwrap();
    }
    let epoch = outbox.identity().epoch;
    outbox.close().await.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let page = overflow_pages(&bytes, seq)[2];
    damage(&mut bytes[page..page + 4096]);
    fs::write(&path, bytes).unwrap();
    let outbox = open(&path, LARGE).await;
    assert_eq!(outbox.identity().epoch, epoch, "the damage does not show yet");
    (dir, epoch, outbox)
}

/// Kinds of events and texts in the outbox.
async fn events(outbox: &Outbox) -> Vec<(EventKind, String)> {
    let all = outbox.read(Seq(0)..Seq(u64::MAX), 100_000).await.unwrap();
    let events = all.iter().filter(|record| record.kind == Kind::Event);
    events
        .map(|record| bugbrother_wire::codec::decode_value::<Event>(&record.body).unwrap())
        .map(|event| (event.kind, event.text.unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn a_file_whose_records_are_damaged_goes_on_with_what_can_be_read_and_tells_the_fleet() {
    let (dir, outbox) = empty().await;
    let path = dir.path().join("outbox.db");
    for seq in 1..=10 {
        outbox.append(&[large(seq)], NOW).await.unwrap();
    }
    let epoch = outbox.identity().epoch;
    outbox.acknowledge(&ack(epoch, "a", 2, &[(4, 4)]), false).await.unwrap();
    outbox.close().await.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // The page of the table that holds the records' beginnings: none of those can be read any more.
    let text = b"\xa4keys\x91\xa3spd";
    let leaf = bytes.chunks(4096).rposition(|page| page.windows(text.len()).any(|window| window == text)).unwrap();
    bytes[leaf * 4096..(leaf + 1) * 4096].fill(0x5A);
    fs::write(&path, bytes).unwrap();
    let outbox = open(&path, LARGE).await;
    assert_eq!(outbox.identity().epoch, epoch);
    let kept: Vec<u64> = unstored(&outbox).await;
    let lost: Vec<u64> = gaps(&outbox).await.iter().flat_map(|(from, to)| *from..=*to).collect();
    assert!(!lost.is_empty());
    let mut all: Vec<u64> = kept.into_iter().chain(lost.iter().copied()).chain([1, 2, 4]).collect();
    all.sort_unstable();
    let top = outbox.tally().borrow().top.0;
    assert_eq!(all, (1..=top).collect::<Vec<_>>(), "every number is there, stored or named as lost");
    let told = events(&outbox).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, EventKind::OutboxDamaged);
    assert!(told[0].1.contains(&format!("{} are lost", lost.len())), "{told:?}");
    outbox.append(&[samples(1)], NOW).await.unwrap();
    outbox.close().await.unwrap();
    assert_eq!(*unstored(&open(&path, LARGE).await).await.last().unwrap(), top + 1);
    // A second time: the first damaged file makes room for the next.
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[4096..length].fill(0x5A);
    fs::write(&path, bytes).unwrap();
    let outbox = open(&path, LARGE).await;
    assert_ne!(outbox.identity().epoch, epoch, "not even its identity could be read");
    assert_eq!(events(&outbox).await, [(EventKind::OutboxDamaged, "0 records could be read, 0 are lost".to_owned())]);
    let aside = fs::read_dir(dir.path()).unwrap().flatten();
    assert_eq!(aside.filter(|file| file.file_name().to_string_lossy().contains("damaged")).count(), 1);
}

#[tokio::test]
async fn an_agent_that_is_killed_while_a_damaged_file_is_replaced_goes_on_with_the_new_one_or_begins_anew() {
    let (dir, outbox) = empty().await;
    let path = dir.path().join("outbox.db");
    outbox.append(&[samples(1), samples(1)], NOW).await.unwrap();
    let epoch = outbox.identity().epoch;
    outbox.close().await.unwrap();
    // The damaged file is aside, and the new one not yet in its place.
    fs::rename(&path, dir.path().join("outbox.db.new")).unwrap();
    assert_eq!(peek_vin(&path).await.unwrap(), Some((vin(), VinSource::Configured)));
    let outbox = open(&path, LARGE).await;
    assert_eq!((outbox.identity().epoch, unstored(&outbox).await), (epoch, vec![1, 2]));
    outbox.close().await.unwrap();
    // The new one is half written, and the damaged one still in its place.
    fs::write(dir.path().join("outbox.db.new"), "half").unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 4096]).unwrap();
    let outbox = open(&path, LARGE).await;
    outbox.append(&[samples(1)], NOW).await.unwrap();
    assert_eq!(events(&outbox).await.len(), 1);
    assert!(!dir.path().join("outbox.db.new").exists());
}

#[tokio::test]
async fn a_record_of_which_a_page_is_lost_is_given_up_when_that_shows_and_the_rest_goes_on() {
    // The number of the page that follows.
    let (dir, epoch, outbox) = damaged(5, |page| page[..4].fill(0x5A)).await;
    assert_eq!(unstored(&outbox).await, [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(gaps(&outbox).await, [(5, 5)]);
    assert_eq!(events(&outbox).await, [(EventKind::OutboxDamaged, "9 records could be read, 1 are lost".to_owned())]);
    outbox.append(&[samples(1)], NOW).await.unwrap();
    outbox.acknowledge(&ack(epoch, "a", 12, &[]), false).await.unwrap();
    assert_eq!(unstored(&outbox).await, [13]);
    outbox.close().await.unwrap();
    assert_eq!(open(&dir.path().join("outbox.db"), LARGE).await.identity().epoch, epoch);
}

#[tokio::test]
async fn a_record_of_which_a_bit_is_lost_is_given_up_when_that_shows() {
    let (_dir, epoch, outbox) = damaged(7, |page| page[1000] ^= 1).await;
    assert_eq!(unstored(&outbox).await, [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]);
    assert_eq!(gaps(&outbox).await, [(7, 7)]);
    outbox.acknowledge(&ack(epoch, "a", 11, &[]), false).await.unwrap();
    assert_eq!(unstored(&outbox).await, [] as [u64; 0]);
}

#[tokio::test]
async fn damage_that_shows_when_a_record_is_acknowledged_ends_nothing() {
    let (_dir, epoch, outbox) = damaged(5, |page| page[..4].fill(0x5A)).await;
    let all = ack(epoch, "a", 10, &[]);
    if outbox.acknowledge(&all, false).await.is_err() {
        // It is said again, at the latest when something is sent again.
        outbox.append(&[samples(1)], NOW).await.unwrap();
        outbox.acknowledge(&all, false).await.unwrap();
    }
    let left = unstored(&outbox).await;
    assert!(left.iter().all(|seq| *seq > 10), "{left:?}");
}

#[tokio::test]
async fn a_replay_goes_on_where_the_records_end() {
    let (dir, outbox) = empty().await;
    let path = dir.path().join("outbox.db");
    let drive = Path::new("drive.nmea");
    assert_eq!(outbox.resume_recording(drive).await.unwrap(), 0);
    let Draft::Batch(batch) = samples(5) else { panic!() };
    outbox.append(&[Draft::Batch(Batch { replayed: 5, ..batch })], NOW).await.unwrap();
    outbox.close().await.unwrap();
    let outbox = open(&path, LARGE).await;
    assert_eq!(outbox.resume_recording(drive).await.unwrap(), 5);
    outbox.finish_recording().await.unwrap();
    assert_eq!(outbox.resume_recording(drive).await.unwrap(), 0);
    assert_eq!(outbox.resume_recording(Path::new("other.nmea")).await.unwrap(), 0);
}

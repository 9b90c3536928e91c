//! The real program on a disk whose power is cut again and again, and on one that is too small.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails it")]

#[expect(dead_code, reason = "another test needs the rest")]
mod parts;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bugbrother_agent::outbox::{Batch, Draft, Outbox};
use bugbrother_kit::{disk::Disk, mosquitto::Mosquitto, process::Process, volume::Volume, wait};
use bugbrother_simulator::Drive;
use bugbrother_wire::{
    Seq, Vin,
    codec::decode_value,
    message::{Ack, Clock, Row, Telemetry, VinSource},
};
use parts::database::Database;

const AGENT: &str = env!("CARGO_BIN_EXE_bugbrother-agent");
const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(60);
const CUTS: usize = 20;
const NOW: i64 = 1_790_000_000_000;

fn start(folder: &Path, port: u16, drive: &Path, outbox: &Path) -> Process {
    let password = folder.join("password");
    fs::write(&password, "s3cret\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let (broker, gps) = (format!("127.0.0.1:{port}"), format!("file:{}@60", drive.display()));
    let (password, outbox) = (password.display().to_string(), outbox.display().to_string());
    let arguments = [
        "--vin",
        VIN,
        "--broker",
        &broker,
        "--password-file",
        &password,
        "--gps",
        &gps,
        "--outbox",
        &outbox,
        "--exit-when-done",
    ];
    Process::start(folder, "agent", Path::new(AGENT), &arguments, &[]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_power_cuts_lose_nothing_that_was_promised_and_store_nothing_twice() {
    let broker = Mosquitto::open_to_all().unwrap();
    let database = Database::start(broker.port());
    let mut disk = Disk::mount(16).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let drive = dir.path().join("drive.nmea");
    let duration = Duration::from_secs(60 * 60);
    let log = Drive { seed: 5, duration, start: NOW, rate_hz: 1, damaged: true }.log();
    fs::write(&drive, &log.bytes).unwrap();
    let outbox: PathBuf = disk.path().join("outbox.db");
    for cut in 1..=CUTS {
        let mut agent = start(dir.path(), broker.port(), &drive, &outbox);
        let wanted = log.valid_fixes * cut / (CUTS + 2);
        wait::until("a part of the drive is there", LIMIT, || {
            std::future::ready((database.state().positions().len() > wanted).then_some(()))
        })
        .await
        .unwrap();
        agent.kill().unwrap();
        // What nobody has asked the disk to keep is gone.
        let canary = disk.path().join("canary");
        fs::write(&canary, "tweet").unwrap();
        disk.cut_power().await.unwrap();
        assert_ne!(fs::read_to_string(&canary).unwrap_or_default(), "tweet", "cut {cut} takes nothing");
        // Whoever has heard of a record can rely on it: it was on the disk before it was sent.
        let heard = database.state().records.keys().map(|(_, seq)| *seq).max().unwrap();
        let vin: Vin = VIN.parse().unwrap();
        let kept = Outbox::open(&outbox, 1 << 28, vin, VinSource::Configured, NOW).await.unwrap();
        let top = kept.tally().borrow().top;
        assert!(top >= heard, "cut {cut}: {heard:?} was sent, the disk knows {top:?}");
        kept.close().await.unwrap();
    }
    let mut agent = start(dir.path(), broker.port(), &drive, &outbox);
    assert!(agent.ended(LIMIT * 2).await.unwrap().success(), "{}", agent.logged());
    let state = database.state();
    let positions = state.positions();
    let moments: BTreeSet<_> = positions.iter().collect();
    assert_eq!((positions.len(), moments.len()), (log.valid_fixes, log.valid_fixes), "rows, different moments");
    let epochs: BTreeSet<_> = state.records.keys().map(|(epoch, _)| epoch).collect();
    assert_eq!(epochs.len(), 1, "no file was given up");
    let numbers: Vec<u64> = state.records.keys().map(|(_, seq)| seq.0).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "no number is missing");
}

/// What a driving hour writes to the card, when the database acknowledges as it should.
#[tokio::test]
async fn an_hour_of_driving_writes_little_to_the_card() {
    for (every, least, most) in [(1, 20, 150), (10, 1, 30)] {
        let disk = Disk::mount(32).await.unwrap();
        let vin: Vin = VIN.parse().unwrap();
        let path = disk.path().join("outbox.db");
        let outbox = Outbox::open(&path, 16 << 20, vin, VinSource::Configured, NOW).await.unwrap();
        let before = disk.written().unwrap();
        const SECONDS: i64 = 900;
        for second in (0..SECONDS).step_by(every) {
            // A batch a second, of a fix and twenty values.
            let batches: Vec<_> = (second..second + every as i64).map(engine).collect();
            outbox.append(&batches, NOW).await.unwrap();
            let top = outbox.tally().borrow().top;
            let epoch = outbox.identity().epoch;
            let ack = Ack { v: 1, vin, epoch, seq: top, ranges: Vec::new(), store: "a".to_owned() };
            outbox.acknowledge_later(&ack, false).await.unwrap();
        }
        let megabytes = (disk.written().unwrap() - before) * 3600 / SECONDS.unsigned_abs() / 1_000_000;
        eprintln!("written every {every} s: {megabytes} MB an hour");
        assert!((least..=most).contains(&megabytes), "{megabytes} MB an hour");
        outbox.close().await.unwrap();
    }
}

fn engine(second: i64) -> Draft {
    let keys = (0..27).map(|key| format!("key{key}")).collect();
    let row = |dt_ms| Row { dt_ms, values: (0..27).map(|key| Some(f64::from(key) + 0.1)).collect() };
    Draft::Batch(Batch { clock: Clock::Gnss, t0: NOW + second * 1000, keys, rows: vec![row(0), row(500)], replayed: 0 })
}

fn samples(second: i64) -> Draft {
    let row = |dt_ms| Row { dt_ms, values: vec![Some(47.123_456 + f64::from(dt_ms)); 2] };
    let keys = vec!["lat".to_owned(), "lon".to_owned()];
    let rows = (0..50).map(row).collect();
    Draft::Batch(Batch { clock: Clock::Gnss, t0: NOW + second * 1000, keys, rows, replayed: 0 })
}

/// Nobody has told it how small its disk is.
#[tokio::test]
async fn on_a_disk_of_five_megabytes_the_oldest_go_a_gap_is_recorded_and_live_goes_on() {
    let volume = Volume::mount(5).await.unwrap();
    let path = volume.path().join("outbox.db");
    let vin: Vin = VIN.parse().unwrap();
    let outbox = Outbox::open(&path, 256 << 20, vin, VinSource::Configured, NOW).await.unwrap();
    const SECONDS: i64 = 20_000;
    for second in 0..SECONDS {
        outbox.append(&[samples(second)], NOW + second * 1000).await.unwrap();
    }
    let top = outbox.tally().borrow().top;
    let records = outbox.read(Seq(0)..Seq(u64::MAX), 100_000).await.unwrap();
    let messages: Vec<Telemetry> = records.iter().map(|record| decode_value(&record.body).unwrap()).collect();
    let newest = messages.iter().map(|message| message.t0).max().unwrap();
    assert_eq!(newest, NOW + (SECONDS - 1) * 1000);
    let lost = messages.iter().filter_map(|message| message.gap.as_ref()).flat_map(|gap| gap.from.0..=gap.to.0);
    let kept: BTreeSet<u64> = records.iter().map(|record| record.seq.0).collect();
    let all: BTreeSet<u64> = lost.chain(kept.iter().copied()).collect();
    assert_eq!(all, (1..=top.0).collect::<BTreeSet<_>>(), "every number is there or named as lost");
    let bytes: usize = records.iter().map(|record| record.body.len()).sum();
    eprintln!("{} of {SECONDS} batches are kept, {} kB; the disk has 5 MB", kept.len(), bytes / 1000);
    assert!(bytes > 1_000_000, "most of the disk is used: {bytes}");
    outbox.close().await.unwrap();
    let again = Outbox::open(&path, 256 << 20, vin, VinSource::Configured, NOW).await.unwrap();
    assert_eq!(again.tally().borrow().top, top);
    again.append(&[samples(SECONDS)], NOW).await.unwrap();
}

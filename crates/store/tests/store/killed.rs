//! A writer that is killed with -9.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use bugbrother_store::Store;
use bugbrother_wire::Seq;

use crate::{
    fleet::{batch, golf, live, open, url},
    home,
};

const URL: &str = "BUGBROTHER_TEST_STORE";
const TELEMETRY_URL: &str = "BUGBROTHER_TEST_SAMPLES";

/// Commits one record after the other and says so of each, until it is killed.
#[tokio::test]
#[ignore = "runs as the child of the test below"]
async fn a_writer_that_goes_on_for_ever() {
    let url = std::env::var(URL).expect("the parent sets the address");
    let telemetry_url = std::env::var(TELEMETRY_URL).ok();
    let store = Store::open_with(&url, telemetry_url.as_deref()).await.unwrap();
    let mut out = std::io::stdout();
    for seq in 1.. {
        store.commit(&[live(batch(golf(), 1, seq))]).await.unwrap();
        writeln!(out, "\ncommitted {seq}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_writer_said_to_be_committed_is_there_and_whole() {
    let home = home::make().await;
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::a_writer_that_goes_on_for_ever", "--ignored", "--nocapture"])
        .env(URL, url(&home))
        .envs(home::telemetry_url(&home).map(|url| (TELEMETRY_URL, url)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(writer.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("committed ")?.parse::<u64>().ok())
        .find(|seq| *seq == 40);
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(said, Some(40));

    let store = open(&home).await;
    let rows = store.positions(golf(), 0, i64::MAX, 100_000).await.unwrap().len() as u64;
    assert!(rows >= 400 && rows.is_multiple_of(10), "{rows}");
    let stored = rows / 10;
    let all: Vec<_> = (1..=stored + 1).map(|seq| live(batch(golf(), 1, seq))).collect();
    let done = store.commit(&all).await.unwrap();
    assert_eq!((done.stored, done.duplicates, done.acks[0].seq), (1, stored, Seq(stored + 1)));
}

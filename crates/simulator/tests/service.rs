//! The simulator on its two ports.

#![expect(clippy::unwrap_used, reason = "a test stops where its world is not as it should be")]

use std::time::Duration;

use bugbrother_simulator::{Simulator, demo_fleet};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn ask(stream: &mut TcpStream, command: &str) -> String {
    stream.write_all(format!("{command}\r").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while answer.last() != Some(&b'>') {
        assert_ne!(timeout(PATIENCE, stream.read_buf(&mut answer)).await.unwrap().unwrap(), 0);
    }
    String::from_utf8(answer).unwrap()
}

/// Latitude and longitude as text, from the next RMC sentence.
async fn position(gps: &mut BufReader<TcpStream>) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(timeout(PATIENCE, gps.read_line(&mut line)).await.unwrap().unwrap(), 0);
        if line.starts_with("$GPRMC") {
            let fields: Vec<&str> = line.split(',').collect();
            return fields[3..7].join(" ");
        }
    }
}

#[tokio::test]
async fn a_car_moves_for_one_client_after_another_until_it_is_stopped() {
    let (gps, elm) = (listener().await, listener().await);
    let (gps_at, elm_at) = (gps.local_addr().unwrap(), elm.local_addr().unwrap());
    let stop = CancellationToken::new();
    let car = Simulator::start(demo_fleet()[2], gps, elm, 20.0, stop.clone());

    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut client = BufReader::new(TcpStream::connect(gps_at).await.unwrap());
        seen.push(position(&mut client).await);
        seen.push(position(&mut client).await);
    }
    seen.dedup();
    assert!(seen.len() > 3, "{seen:?}");

    for _ in 0..2 {
        let mut client = TcpStream::connect(elm_at).await.unwrap();
        assert!(ask(&mut client, "ATZ").await.contains("ELM327 v1.5"));
        ask(&mut client, "ATE0").await;
        assert!(ask(&mut client, "010D").await.contains("41 0D"));
    }

    let mut waiting = TcpStream::connect(elm_at).await.unwrap();
    stop.cancel();
    timeout(PATIENCE, car.wait()).await.expect("the simulator ends");
    let mut rest = Vec::new();
    assert!(matches!(timeout(PATIENCE, waiting.read_to_end(&mut rest)).await.unwrap(), Ok(0) | Err(_)));
}

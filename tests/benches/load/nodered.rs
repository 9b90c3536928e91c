//! Node-RED on the same broker and the same InfluxDB: MQTT in, batch, InfluxDB out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{broker::Broker, influx::Influx, mosquitto::Mosquitto, port, process::Process};
use bugbrother_load::fleet::{Fleet, Form, Pace, Plan};
use bugbrother_tests::node_red;
use bugbrother_wire::UnixMs;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    drive::{Cut, SIGNALS, Sample},
    figures::{grouped, median},
    ingest::{self, VEHICLES},
    report::Report,
    server::{Databases, Kind, Server},
    settings::Settings,
    usage,
};

/// Samples of a message.
const ROWS: usize = 10;
/// Messages per second that are tried first, and how the next try follows from one that went well or did not.
const FIRST_RATE: f64 = 100.0;
const FASTER: f64 = 1.5;
const TRIES_BETWEEN: usize = 3;
/// So late may the last point be in the database.
const LATE: Duration = Duration::from_secs(2);
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Each message becomes points, half a second's worth of them one write.
const TO_POINTS: &str = "const { vin, t0, keys, rows } = msg.payload;\n\
    msg.payload = rows.map((row) => {\n\
      const fields = {};\n\
      keys.forEach((key, n) => { if (row[n + 1] !== null) fields[key] = row[n + 1]; });\n\
      return { measurement: 'telemetry', tags: { vin }, fields, timestamp: new Date(t0 + row[0]) };\n\
    });\n\
    return msg;";
const TO_ONE_LIST: &str = "msg.payload = msg.payload.flat();\nreturn msg;";

/// What Node-RED sustains.
struct Sustained {
    messages_per_second: f64,
    node_us: f64,
}

pub async fn run(settings: &Settings, samples: &[Vec<Sample>], report: &mut Report) -> Result<()> {
    let drives: Vec<Arc<Cut>> = samples.iter().map(|samples| Arc::new(Cut::new(samples, ROWS))).collect();
    let mut databases = Databases::start(Kind::Influx).await?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=settings.rounds {
        let name = databases.fresh();
        let influx = databases.influx.as_ref().context("an InfluxDB")?;
        influx.create_database(&name).await?;
        let sustained = NodeRed::start(influx, &name).await?.sustains(influx, &name, &drives, settings.time).await?;
        let mut server = Server::start(Kind::Influx, Broker::Mosquitto, VEHICLES, &mut databases).await?;
        let flood = ingest::flood(&mut server, &drives, &databases, settings.time).await?;
        println!(
            "round {round}, on Mosquitto into InfluxDB, {ROWS} samples a message: Node-RED sustains {} messages/s at {:.0} µs \
             of CPU each, we {} at {:.0} µs; {}",
            grouped(sustained.messages_per_second),
            sustained.node_us,
            grouped(flood.messages_per_second),
            flood.ingest_us,
            usage::load()
        );
        theirs.push(sustained);
        ours.push(flood);
    }
    let (their_rate, our_rate) = (
        median(theirs.iter().map(|round| round.messages_per_second)),
        median(ours.iter().map(|round| round.messages_per_second)),
    );
    let text = format!(
        "\n### Beside Node-RED\n\n\
         On Mosquitto, into InfluxDB, messages of {ROWS} samples of {SIGNALS} signals; Node-RED is given JSON.\n\n\
         | | messages/s | samples/s | CPU µs/message |\n|---|---:|---:|---:|\n\
         | Node-RED | {} | {} | {:.0} |\n| ingest | {} | {} | {:.0} |\n",
        grouped(their_rate),
        grouped(their_rate * ROWS as f64),
        median(theirs.iter().map(|round| round.node_us)),
        grouped(our_rate),
        grouped(our_rate * ROWS as f64),
        median(ours.iter().map(|round| round.ingest_us)),
    );
    println!("{text}");
    report.add(&text);
    Ok(())
}

struct NodeRed {
    process: Process,
    mosquitto: Mosquitto,
    // Dropped last.
    _home: tempfile::TempDir,
}

impl NodeRed {
    async fn start(influx: &Influx, database: &str) -> Result<Self> {
        let (home, mosquitto) = (tempfile::tempdir()?, Mosquitto::open_to_all()?);
        let (user, password) = influx.account();
        let secrets = json!({ "influx": { "username": user, "password": password } });
        let flows = flows(mosquitto.port(), influx, database)?;
        let process = node_red::start(home.path(), &flows, &secrets).await?;
        Ok(NodeRed { process, mosquitto, _home: home })
    }

    /// The highest rate of those tried at which every point gets into the database and none is late.
    async fn sustains(
        mut self,
        influx: &Influx,
        database: &str,
        drives: &[Arc<Cut>],
        time: Duration,
    ) -> Result<Sustained> {
        let mut best = Sustained { messages_per_second: 0.0, node_us: f64::NAN };
        let (mut rate, mut too_fast) = (FIRST_RATE, None);
        let (mut step, mut tries) = (0, 0);
        while tries < TRIES_BETWEEN {
            // No two tries have points at the same time.
            let start = ingest::start() + step * 20 * DAY_MS;
            step += 1;
            match self.try_rate(rate, start, influx, database, drives, time).await? {
                Some(sustained) => best = sustained,
                None => too_fast = Some(rate),
            }
            match too_fast {
                None => rate *= FASTER,
                Some(limit) => {
                    tries += 1;
                    rate = best.messages_per_second.midpoint(limit);
                }
            }
            self.process.check_running()?;
        }
        ensure!(best.messages_per_second > 0.0, "Node-RED does not sustain {FIRST_RATE} messages/s");
        Ok(best)
    }

    async fn try_rate(
        &mut self,
        rate: f64,
        start: UnixMs,
        influx: &Influx,
        database: &str,
        drives: &[Arc<Cut>],
        time: Duration,
    ) -> Result<Option<Sustained>> {
        let pace = Pace::Every(Duration::from_secs_f64(VEHICLES as f64 / rate));
        let plan = Plan::new(port::local(self.mosquitto.port()), VEHICLES, pace, Form::Json, start);
        let node = [self.process.id()];
        let before = usage::cpu_us(&node)?;
        let mut fleet = Fleet::start(plan, drives)?;
        let done = fleet.measure(time).await?;
        let messages = fleet.leave()?;
        let (ended, expected) = (Instant::now(), messages * ROWS as u64);
        let mut is_late = false;
        loop {
            let stored = count(influx, database, start).await?;
            if stored >= expected {
                break;
            }
            is_late |= ended.elapsed() > LATE;
            // What is under way gets a chance to be gone before the next try; what was lost never comes.
            if ended.elapsed() > time {
                println!("  Node-RED at {} messages/s: {stored} of {expected} points", grouped(rate));
                return Ok(None);
            }
            sleep(Duration::from_millis(100)).await;
        }
        println!(
            "  Node-RED at {} messages/s: all {expected} points, the last after {:.1} s",
            grouped(rate),
            ended.elapsed().as_secs_f64()
        );
        let node_us = (usage::cpu_us(&node)? - before) / messages as f64;
        let messages_per_second = done.published as f64 / done.seconds;
        Ok((!is_late).then_some(Sustained { messages_per_second, node_us }))
    }
}

async fn count(influx: &Influx, database: &str, start: UnixMs) -> Result<u64> {
    let (from, to) = (start, start + 20 * DAY_MS);
    let query = format!("SELECT COUNT(odo) FROM telemetry WHERE time >= {from}ms AND time < {to}ms");
    let answer: Value = serde_json::from_str(&influx.query(database, &query).await?)?;
    Ok(answer["results"][0]["series"][0]["values"][0][1].as_u64().unwrap_or(0))
}

fn flows(mqtt: u16, influx: &Influx, database: &str) -> Result<Value> {
    let influx_port: u16 = influx.http().rsplit(':').next().context("a port")?.parse()?;
    let mut flow = json!([
        { "id": "tab", "type": "tab", "label": "bench" },
        { "id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": mqtt, "clientid": "node-red",
          "autoConnect": true, "protocolVersion": "5", "keepalive": "60", "cleansession": true },
        { "id": "influx", "type": "influxdb", "hostname": "127.0.0.1", "port": influx_port, "protocol": "http",
          "database": database, "usetls": false, "influxdbVersion": "1.x" },
        { "id": "in", "z": "tab", "type": "mqtt in", "topic": "fleet/v1/+/up/json", "qos": "1", "datatype": "json",
          "broker": "broker", "nl": false, "rap": true, "rh": 0, "inputs": 0, "wires": [["points"]] },
        { "id": "points", "z": "tab", "type": "function", "func": TO_POINTS, "outputs": 1, "wires": [["batch"]] },
        { "id": "batch", "z": "tab", "type": "batch", "mode": "interval", "count": 100, "overlap": 0, "interval": 0.5,
          "allowEmptySequence": false, "topics": [], "wires": [["join"]] },
        { "id": "join", "z": "tab", "type": "join", "mode": "auto", "build": "array", "property": "payload",
          "wires": [["flat"]] },
        { "id": "flat", "z": "tab", "type": "function", "func": TO_ONE_LIST, "outputs": 1, "wires": [["out"]] },
        { "id": "out", "z": "tab", "type": "influxdb batch", "influxdb": "influx", "precision": "ms",
          "retentionPolicy": "", "wires": [] }
    ]);
    // What has no place on the sheet is taken for a setting.
    for node in flow.as_array_mut().into_iter().flatten().filter(|node| node["z"].is_string()) {
        (node["x"], node["y"]) = (json!(0), json!(0));
    }
    Ok(flow)
}

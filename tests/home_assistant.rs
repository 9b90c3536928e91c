//! What Home Assistant and Node-RED see of a vehicle, with accounts of their own, on each broker.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    broker::Broker,
    mqtt::{Client, Connect},
    on_each_broker, port,
    system::System,
    wait,
};
use bugbrother_tests::node_red;
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, Topic, Vin, encode,
    message::{Clock, Row, Telemetry},
    topic::Kind,
    unix_ms,
};
use serde_json::{Value, json};
use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;

const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(120);
const OPTIONS: [&str; 4] = ["--home-assistant", "homeassistant", "--state", "1"];

on_each_broker!(home_assistant_finds_a_device_and_the_state_that_it_shows);

/// Everything runs, Home Assistant is told, and there are two accounts that may read it; their passwords.
async fn system(broker: Broker) -> Result<(System, String, String)> {
    let mut system = System::on(broker)?;
    system.add_vehicle(VIN, "Golf")?;
    let home_assistant = system.grant("homeassistant", "homeassistant/#")?;
    system.manage(&["access", "grant", "homeassistant", "fleet/v1/+/state"])?;
    let node_red = system.grant("nodered", "fleet/v1/+/state")?;
    match broker {
        Broker::Embedded => system.start_with("up", &OPTIONS).await?,
        Broker::Mosquitto => {
            for service in ["broker", "ingest", "notifier"] {
                system.start(service).await?;
            }
            system.start_with("dashboard", &OPTIONS).await?;
            // What the dashboard may do has grown with its options.
            system.reload()?;
        }
    }
    Ok((system, home_assistant, node_red))
}

/// A vehicle with an account, which drives until its value is dropped: what is said before the dashboard listens, it does
/// not hear.
async fn drive(system: &System) -> Result<AbortOnDropHandle<Result<()>>> {
    let connect = Connect::new(5, VIN, &format!("password of {VIN}"));
    let mut car = Client::connect(port::local(system.mqtt()), &connect).await?;
    let vin: Vin = VIN.parse()?;
    let topic = Topic::new(vin, Kind::Telemetry).to_string();
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        let mut seconds = interval(Duration::from_millis(500));
        for seq in 1.. {
            seconds.tick().await;
            let code = car.publish(&topic, &encode(&batch(vin, seq)), 1, false).await?;
            ensure!(code < 0x80, "refused with {code:#x}");
        }
        Ok(())
    })))
}

fn batch(vin: Vin, seq: u64) -> Telemetry {
    let values = [("lat", 46.5), ("lon", 6.6), ("spd", 50.0), ("fuel", 61.0)];
    Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(seq),
        t0: unix_ms(SystemTime::now()),
        clock: Clock::Gnss,
        keys: values.iter().map(|(key, _)| (*key).to_owned()).collect(),
        rows: vec![Row { dt_ms: 0, values: values.iter().map(|(_, value)| Some(*value)).collect() }],
        gap: None,
    }
}

async fn home_assistant_finds_a_device_and_the_state_that_it_shows(broker: Broker) -> Result<()> {
    let (system, password, _) = system(broker).await?;
    let _car = drive(&system).await?;
    let mut listener =
        Client::connect(port::local(system.mqtt()), &Connect::new(5, "homeassistant", &password)).await?;
    // As Home Assistant does it: devices first, then what they name.
    listener.subscribe("homeassistant/#").await?;
    let wanted = format!("homeassistant/device/bugbrother_{VIN}/config");
    let devices =
        listener.messages_until(|message| message.topic == wanted && message.text().contains("device_tracker"));
    let device = devices.await?.pop().context("the device")?;
    let device: Value = serde_json::from_slice(&device.payload)?;
    ensure!(device["device"]["name"] == "Golf", "{device}");
    let topic = device["state_topic"].as_str().context("a state topic")?.to_owned();
    listener.subscribe(&topic).await?;
    let states = listener.messages_until(|message| {
        let state: Value = serde_json::from_slice(&message.payload).unwrap_or_default();
        message.topic == topic && state["latitude"] == 46.5 && state["values"]["spd"] == 50.0
    });
    states.await?;
    system.check_logs()
}

#[tokio::test(flavor = "multi_thread")]
async fn node_red_reads_the_state_of_a_vehicle_without_a_line_of_ours() -> Result<()> {
    let (system, _, password) = system(Broker::Embedded).await?;
    let _car = drive(&system).await?;
    let flows = json!([
        { "id": "tab", "type": "tab", "label": "fleet" },
        { "id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": system.mqtt(), "clientid": "nodered",
          "autoConnect": true, "protocolVersion": "5", "keepalive": "60", "cleansession": true },
        { "id": "in", "z": "tab", "x": 0, "y": 0, "type": "mqtt in", "topic": "fleet/v1/+/state", "qos": "1",
          "datatype": "json", "broker": "broker", "nl": false, "rap": true, "rh": 0, "inputs": 0, "wires": [["text"]] },
        { "id": "text", "z": "tab", "x": 0, "y": 0, "type": "template", "field": "payload", "fieldType": "msg",
          "format": "handlebars", "syntax": "mustache", "output": "str", "wires": [["out"]],
          "template": "{{payload.name}} at {{payload.latitude}} {{payload.longitude}}: {{payload.values.spd}} km/h" },
        { "id": "out", "z": "tab", "x": 0, "y": 0, "type": "debug", "active": true, "tosidebar": false, "console": true,
          "tostatus": false, "complete": "payload", "targetType": "msg", "wires": [] }
    ]);
    let home = tempfile::tempdir()?;
    let secrets = json!({ "broker": { "user": "nodered", "password": password } });
    let process = node_red::start(home.path(), &flows, &secrets).await?;
    let shown = wait::until("Node-RED shows the vehicle", LIMIT, || {
        std::future::ready(process.printed().contains("Golf at 46.5 6.6: 50 km/h").then_some(()))
    });
    shown.await.with_context(|| process.printed())
}

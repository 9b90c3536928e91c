//! What others are told of the fleet, over Debian's Mosquitto.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::{Config, Heralding};
use bugbrother_kit::{
    mosquitto::Mosquitto,
    mqtt::{Client, Connect, Message},
    port::local,
};
use bugbrother_wire::{
    Epoch, SCHEMA_VERSION, Seq, Topic, UnixMs, Vin, encode,
    message::{Clock, Diagnostics, Dtc, DtcStatus, Row, State, Telemetry},
    topic::Kind,
};
use serde_json::Value;

use crate::rig::{Rig, now, vin};

const PREFIX: &str = "homeassistant";
const SOON: Duration = Duration::from_millis(100);

fn heralding(config: &mut Config) {
    let home_assistant = Some(PREFIX.parse().expect("a prefix"));
    config.heralding = Some(Heralding { home_assistant, roll_every: SOON, ..Heralding::new(SOON) });
}

/// Who hears all of it, as Home Assistant does.
async fn listener(broker: &Mosquitto, name: &str) -> Result<Client> {
    let mut listener = Client::connect(local(broker.port()), &Connect::new(5, name, "")).await?;
    for filter in ["fleet/v1/+/state", "homeassistant/#"] {
        ensure!(listener.subscribe(filter).await? == 1, "{filter} is refused");
    }
    Ok(listener)
}

fn device_topic(vin: Vin) -> String {
    format!("{PREFIX}/device/bugbrother_{vin}/config")
}

fn state_topic(vin: Vin) -> String {
    Topic::new(vin, Kind::State).to_string()
}

async fn until(listener: &mut Client, wanted: impl Fn(&Message) -> bool) -> Result<Message> {
    listener.messages_until(wanted).await?.pop().context("the last is among them")
}

fn batch(vin: Vin, t0: UnixMs) -> Vec<u8> {
    let values = [("lat", 46.5), ("lon", 6.6), ("spd", 50.0), ("rpm", 2_000.0)];
    encode(&Telemetry {
        v: SCHEMA_VERSION,
        vin,
        epoch: Epoch(1),
        seq: Seq(1),
        t0,
        clock: Clock::Gnss,
        keys: values.iter().map(|(key, _)| (*key).to_owned()).collect(),
        rows: vec![Row { dt_ms: 0, values: values.iter().map(|(_, value)| Some(*value)).collect() }],
        gap: None,
    })
}

fn trouble(vin: Vin) -> Vec<u8> {
    let dtcs = vec![Dtc { code: "P0420".to_owned(), status: DtcStatus::Stored, ecu: None }];
    let (epoch, seq) = (Epoch(1), Seq(2));
    let (mil, monitors, freeze_frame) = (Some(true), Vec::new(), None);
    encode(&Diagnostics { v: SCHEMA_VERSION, vin, epoch, seq, at: now(), mil, dtcs, monitors, freeze_frame })
}

#[tokio::test]
async fn a_vehicle_is_told_of_while_it_is_there_and_taken_back_when_it_is_erased() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut listener = listener(&broker, "listener").await?;
    let rig = Rig::start_with(broker.port(), heralding).await?;
    rig.until_healthy().await?;
    let golf = vin(1);
    rig.store.name_vehicle(golf, "Golf", Some("VD 1"), now()).await?;
    let mut car = Client::connect(local(broker.port()), &Connect::new(5, "car", "")).await?;
    for (kind, payload) in [(Kind::Telemetry, batch(golf, now())), (Kind::Diagnostics, trouble(golf))] {
        let code = car.publish(&Topic::new(golf, kind).to_string(), &payload, 1, kind.retained()).await?;
        ensure!(code < 0x80, "refused with {code:#x}");
    }

    let whole = until(&mut listener, |message| {
        let state = serde_json::from_slice::<State>(&message.payload);
        message.topic == state_topic(golf)
            && state.is_ok_and(|state| state.trouble_codes == Some(1) && state.latitude == Some(46.5))
    })
    .await?;
    let state: State = serde_json::from_slice(&whole.payload)?;
    ensure!((state.values["spd"], state.longitude) == (50.0, Some(6.6)), "{state:?}");
    // Whoever comes later finds the device with all that the vehicle tells, and the state that it shows.
    let mut later = self::listener(&broker, "later").await?;
    let device = until(&mut later, |message| message.topic == device_topic(golf)).await?;
    ensure!(device.retain, "it is not retained");
    let device: Value = serde_json::from_slice(&device.payload)?;
    ensure!(
        device["state_topic"] == state_topic(golf)
            && device["components"].as_object().is_some_and(|parts| parts.len() == 5),
        "{device}"
    );

    rig.store.erase_vehicle(golf, "test", now()).await?;
    let gone = |topic: String| move |message: &Message| message.topic == topic && message.payload.is_empty();
    until(&mut listener, gone(device_topic(golf))).await?;
    until(&mut listener, gone(state_topic(golf))).await?;
    rig.stop().await
}

#[tokio::test]
async fn what_a_dashboard_said_before_is_taken_back_by_the_next_and_what_is_others_is_left() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let mut before = Client::connect(local(broker.port()), &Connect::new(5, "before", "")).await?;
    let (erased, lamp) = (vin(7), format!("{PREFIX}/device/lamp/config"));
    for topic in [device_topic(erased), state_topic(erased), lamp.clone()] {
        before.say(&topic, "{}", true).await?;
    }
    let rig = Rig::start_with(broker.port(), heralding).await?;
    let mut listener = listener(&broker, "listener").await?;
    let mut left = vec![device_topic(erased), state_topic(erased)];
    while !left.is_empty() {
        let message = until(&mut listener, |message| message.payload.is_empty()).await?;
        ensure!(message.topic != lamp, "it was others'");
        left.retain(|topic| *topic != message.topic);
        // What was empty before this one came to listen, is not told it: a new one finds nothing.
        if left.len() == 1 {
            break;
        }
    }
    let mut later = self::listener(&broker, "later").await?;
    let found = until(&mut later, |message| message.topic == lamp).await?;
    ensure!(found.retain && found.text() == "{}", "{found:?}");
    rig.stop().await
}

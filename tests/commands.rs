//! A command goes from the API over the broker to a real agent, and its reply into the database.

use std::time::Duration;

use anyhow::{Context, Result};
use bugbrother_kit::{broker::Broker, on_each_broker, process::Process, system::System, wait};
use bugbrother_simulator::Drive;
use bugbrother_store::{CommandState, Store};
use bugbrother_tests::viewer::Viewer;
use bugbrother_wire::{CommandId, api::CommandEntry};
use reqwest::Client;
use serde_json::json;

const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(60);

on_each_broker!(
    a_command_is_carried_out_by_its_vehicle_and_the_reply_is_stored,
    a_vehicle_that_was_away_does_what_it_was_told_meanwhile_once,
);

/// A drive of an hour at its own pace: the agent is there for as long as the test needs it.
fn agent(system: &System, password: &std::path::Path) -> Result<Process> {
    let drive =
        Drive { seed: 3, duration: Duration::from_secs(3600), start: 1_790_000_000_000, rate_hz: 1, damaged: false };
    let path = system.dir().join("drive.nmea");
    std::fs::write(&path, &drive.log().bytes)?;
    system.replay(VIN, password, &path, "1")
}

async fn give(system: &System, viewer: &Viewer, name: &str) -> Result<CommandId> {
    let id = CommandId(uuid::Uuid::new_v4());
    let url = format!("http://127.0.0.1:{}/api/frontend/vehicles/{VIN}/commands", system.http());
    let body = json!({ "id": id, "name": name, "expires_in_s": 300 });
    let answer = Client::new().post(url).bearer_auth(viewer.token()).json(&body).send().await?;
    let given: CommandEntry = answer.error_for_status()?.json().await?;
    assert_eq!(given.id, id);
    Ok(id)
}

async fn done(store: &Store, id: CommandId) -> Result<String> {
    wait::until("the command is carried out", LIMIT, || async {
        let record = store.command(id).await.ok()??;
        (record.state == CommandState::Done).then(|| record.detail.unwrap_or_default())
    })
    .await
}

async fn a_command_is_carried_out_by_its_vehicle_and_the_reply_is_stored(broker: Broker) -> Result<()> {
    let mut system = System::on(broker)?;
    system.start_all().await?;
    let password = system.add_vehicle(VIN, "Golf")?;
    let mut agent = agent(&system, &password)?;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let store = Store::open(&system.database()).await?;
    let id = give(&system, &viewer, "send_log").await?;
    assert!(done(&store, id).await?.contains("newest"));
    let record = store.command(id).await?.context("it was stored")?;
    assert!(record.text.is_some_and(|log| !log.is_empty()), "the log came along");
    agent.check_running()?;
    system.check_running()?;
    system.check_logs()
}

async fn a_vehicle_that_was_away_does_what_it_was_told_meanwhile_once(broker: Broker) -> Result<()> {
    let mut system = System::on(broker)?;
    system.start_all().await?;
    let password = system.add_vehicle(VIN, "Golf")?;
    let viewer = Viewer::sign_in(system.http(), "admin", system.password()?).await?;
    let store = Store::open(&system.database()).await?;
    let id = give(&system, &viewer, "resync").await?;
    let _agent = agent(&system, &password)?;
    assert!(done(&store, id).await?.contains("sent again"));
    // It would have been told again at every connection; what is over is not.
    let next = give(&system, &viewer, "send_log").await?;
    done(&store, next).await?;
    let commands = store.commands(VIN.parse()?, None, 10).await?;
    assert!(commands.iter().all(|record| record.state == CommandState::Done), "{commands:?}");
    system.check_running()?;
    system.check_logs()
}

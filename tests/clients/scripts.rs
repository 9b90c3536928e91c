use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use bugbrother_kit::{broker::Broker, on_each_broker, process::Process, system::System};
use bugbrother_tests::{node, python};

use crate::lab;

const LIMIT: Duration = Duration::from_secs(120);
const VERSIONS: [&str; 2] = ["3.1.1", "5.0"];

on_each_broker!(paho_for_python_works, mqtt_of_npm_works_over_websocket);

async fn paho_for_python_works(broker: Broker) -> Result<()> {
    let system = lab::open(broker).await?;
    run(&system, &python::interpreter()?, "paho_client.py", &system.mqtt().to_string()).await
}

async fn mqtt_of_npm_works_over_websocket(broker: Broker) -> Result<()> {
    node::install(&folder())?;
    let system = lab::open(broker).await?;
    run(&system, Path::new("node"), "npm_client.mjs", &format!("ws://127.0.0.1:{}", system.websocket())).await
}

async fn run(system: &System, interpreter: &Path, script: &str, broker: &str) -> Result<()> {
    let script = folder().join(script).display().to_string();
    for version in VERSIONS {
        let name = format!("client-{version}");
        let mut client = Process::start(system.dir(), &name, interpreter, &[&script, broker, version], &[])?;
        let status = client.ended(LIMIT).await?;
        assert!(status.success(), "{version}: {status}\n{}\n{}", client.printed(), client.logged());
        assert_eq!(client.printed().trim(), "all of it works", "{version}");
    }
    Ok(())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

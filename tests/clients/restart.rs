use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use bugbrother_kit::{broker::Broker, process::Process, system::System, wait};
use bugbrother_tests::{node, python};

use crate::lab;

const LIMIT: Duration = Duration::from_secs(120);
const VERSIONS: [&str; 2] = ["3.1.1", "5.0"];

/// Mosquitto keeps its sessions only at times, and forgets what came since when it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn paho_for_python_hears_each_message_once_though_the_broker_is_killed() -> Result<()> {
    run(&python::interpreter()?, "paho_restart.py", |system| system.mqtt().to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn mqtt_of_npm_hears_each_message_once_though_the_broker_is_killed() -> Result<()> {
    node::install(&folder())?;
    let url = |system: &System| format!("ws://127.0.0.1:{}", system.websocket());
    run(Path::new("node"), "npm_restart.mjs", url).await
}

async fn run(interpreter: &Path, script: &str, address: impl Fn(&System) -> String) -> Result<()> {
    let script = folder().join(script).display().to_string();
    for version in VERSIONS {
        // With no session of another version's clients.
        let mut system = lab::open(Broker::Embedded).await?;
        let address = address(&system);
        let arguments = [script.as_str(), &address, version];
        let mut client = Process::start(system.dir(), "client", interpreter, &arguments, &[])?;
        let half = wait::until("half of it is published", LIMIT, || {
            let ended = client.check_running();
            let half = client.printed().contains("half").then_some(Ok(()));
            std::future::ready(ended.err().map(Err).or(half))
        });
        half.await??;
        system.kill("broker")?;
        system.start("broker").await?;
        let status = client.ended(LIMIT).await?;
        assert!(status.success(), "{version}: {status}\n{}\n{}", client.printed(), client.logged());
        assert!(client.printed().trim().ends_with("each came once"), "{version}: {}", client.printed());
    }
    Ok(())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

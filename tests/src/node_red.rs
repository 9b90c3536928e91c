//! Node-RED, as npm has it.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use bugbrother_kit::{port, process::Process, wait};
use serde_json::Value;

use crate::node;

const LIMIT: Duration = Duration::from_secs(120);

/// Starts one in the folder `home` with these flows and their secrets, and waits until it is connected to its broker.
/// What it prints is in the process.
pub async fn start(home: &Path, flows: &Value, secrets: &Value) -> Result<Process> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/nodered");
    node::install(&folder)?;
    let file = |name: &str| home.join(name);
    fs::write(file("flows.json"), flows.to_string())?;
    fs::write(file("flows_cred.json"), secrets.to_string())?;
    let options = "credentialSecret: false, httpAdminRoot: false, flowFile: 'flows.json', uiHost: '127.0.0.1', \
                   telemetry: { enabled: false }, logging: { console: { level: 'info' } }";
    let port = port::free()?;
    fs::write(file("settings.js"), format!("module.exports = {{ {options}, uiPort: {port} }};\n"))?;
    let red = folder.join("node_modules/node-red/red.js").display().to_string();
    let (path, settings) = (home.display().to_string(), file("settings.js").display().to_string());
    let arguments = [&red, "--userDir", &path, "--settings", &settings];
    let mut process = Process::start(home, "node-red", Path::new("node"), &arguments, &[])?;
    let connected = wait::until("Node-RED is connected to the broker", LIMIT, || {
        let running = process.check_running();
        let connected = process.printed().contains("Connected to broker").then_some(Ok(()));
        std::future::ready(running.err().map(Err).or(connected))
    });
    connected.await.with_context(|| process.printed())??;
    Ok(process)
}

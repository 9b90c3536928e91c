//! The commands of `docs/enrolment.md`, run as they stand.

use std::{path::Path, process::Stdio, sync::Arc, time::SystemTime};

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::Enrolment;
use bugbrother_kit::port;
use bugbrother_pki::{Authority, Code};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::rig::{LIMIT, Rig, now, vin};

const GUIDE: &str = include_str!("../../../../docs/enrolment.md");

/// The text of the blocks after lines that are exactly this.
fn blocks(fence: &str) -> Vec<&'static str> {
    let opening = format!("\n```{fence}\n");
    GUIDE.split(opening.as_str()).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

async fn run(script: &str, folder: &Path, server: &str, code: &str) -> Result<String> {
    let mut shell = Command::new("bash")
        .args(["-eu", "-o", "pipefail"])
        .current_dir(folder)
        .env("SERVER", server)
        .env("CODE", code)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = shell.stdin.take().context("its input is a pipe")?;
    input.write_all(script.as_bytes()).await?;
    drop(input);
    let output = timeout(LIMIT, shell.wait_with_output()).await??;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{script}\n{said}");
    Ok(said)
}

#[tokio::test]
async fn the_commands_of_the_guide_lead_a_vehicle_from_its_code_to_its_end() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let authority = Arc::new(Authority::open_or_create(&dir.path().join("ca"), SystemTime::now())?);
    let rig = Rig::start_with(port::free()?, |config| {
        config.enrolment = Some(Enrolment { authority, broker: None });
    })
    .await?;
    let code = Code::new();
    rig.store.add_enrolment(vin(1), &code.sha256(), now(), now() + 60_000).await?;
    let (server, code, folder) = (rig.url(""), code.to_string(), tempfile::tempdir()?);
    let script = blocks("sh");
    assert_eq!(script.len(), 2);
    for part in script {
        let said = run(part, folder.path(), &server, &code).await?;
        assert!(said.contains(": OK"), "{said}");
    }
    assert_eq!(rig.store.revoke(vin(1), now()).await?, 2);
    let ending = blocks("sh after the revocation");
    assert_eq!(ending.len(), 1);
    run(ending[0], folder.path(), &server, &code).await?;
    rig.stop().await
}

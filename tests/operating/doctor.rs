use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, process::Command};

use anyhow::{Context, Result};
use bugbrother_kit::{
    broker::Broker,
    port,
    postgres::Postgres,
    process::program,
    system::{Stores, System},
};
use serde_json::Value;

/// Its findings, and whether it is content.
fn doctor(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(bool, Vec<Value>)> {
    let mut command = Command::new(program("bugbrother")?);
    let output = command.args(arguments).args(["doctor", "--json"]).envs(environment.iter().copied()).output()?;
    let report: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })?;
    Ok((output.status.success(), report["findings"].as_array().context("findings")?.clone()))
}

fn bad(findings: &[Value]) -> Vec<String> {
    let bad = findings.iter().filter(|finding| finding["verdict"] == "bad");
    bad.map(|finding| {
        format!("{}: {}", finding["part"].as_str().unwrap_or(""), finding["found"].as_str().unwrap_or(""))
    })
    .collect()
}

fn settings(folder: &std::path::Path, text: &str) -> Result<String> {
    let path = folder.join("server.toml");
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_is_well_and_one_that_cannot_start_is_told_why() -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let database = postgres.create_database("fleet").await?;
    let stores = Stores { database: Some(database.clone()), telemetry: None };
    let mut system = System::on_stores(Broker::Embedded, stores)?;
    system.start("up").await?;
    let folder = tempfile::tempdir()?;
    let text = format!(
        "data = \"{}\"\nhttp = \"127.0.0.1:{}\"\nmqtt = \"127.0.0.1:{}\"\nmetrics = \"127.0.0.1:{}\"\n",
        system.data().display(),
        system.http(),
        system.mqtt(),
        system.metrics()
    );
    let config = settings(folder.path(), &text)?;
    let (_, findings) = doctor(&["--config", &config], &[("BUGBROTHER_DATABASE", &database)])?;
    // How full this machine's disk is and how many files a test may open is not the server's doing.
    let mut told = bad(&findings);
    told.retain(|line| !line.starts_with("disk:") && !line.starts_with("open files:"));
    assert_eq!(told, Vec::<String>::new());
    let has = |part: &str, text: &str| {
        findings.iter().any(|finding| finding["part"] == part && finding["found"].as_str().unwrap_or("").contains(text))
    };
    assert!(has("database", "PostgreSQL 1") && has("ports", "in use, and the server runs"), "{findings:?}");

    postgres.kill().await?;
    system.kill("up")?;
    let other = TcpListener::bind(("127.0.0.1", system.http()))?;
    let (content, findings) = doctor(&["--config", &config], &[("BUGBROTHER_DATABASE", &database)])?;
    let told = bad(&findings).join("\n");
    assert!(!content && told.contains("database: ") && told.contains("another program listens there"), "{told}");
    assert!(!format!("{findings:?}").contains(database.split([':', '@']).nth(2).context("a password")?));
    drop(other);
    Ok(())
}

#[test]
fn a_new_server_of_each_shape_is_told_what_it_still_needs() -> Result<()> {
    for (shape, words) in [
        ("single", &[][..]),
        ("single-postgresql", &["database: "][..]),
        ("cluster", &["database: ", "broker: localhost:8884"][..]),
    ] {
        let folder = tempfile::tempdir()?;
        let (settings, data) = (folder.path().join("etc"), folder.path().join("data"));
        let mut command = Command::new(program("bugbrother")?);
        command.arg("--data").arg(&data).args(["init", shape, "--name", "localhost", "--folder"]).arg(&settings);
        let printed = crate::said(&mut command);
        assert!(printed.contains("written   ") && printed.contains("doctor"), "{printed}");
        let (again, refused) = crate::run(&mut command);
        assert!(!again && refused.contains("is there already"), "{refused}");
        let config = settings.join("server.toml").display().to_string();
        let free = format!("127.0.0.1:{}", port::free()?);
        let (_, findings) = doctor(&["--config", &config], &[("BUGBROTHER_HTTP", &free)])?;
        let told = bad(&findings).join("\n");
        for word in words {
            assert!(told.contains(word), "{shape}: `{word}` is missing: {told}");
        }
    }
    Ok(())
}

#[test]
fn an_unknown_setting_ends_every_command_with_its_name() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = settings(folder.path(), "colour = \"green\"\n")?;
    let (success, said) =
        crate::run(Command::new(program("bugbrother")?).args(["--config", &config, "vehicle", "list"]));
    assert!(!success && said.contains("there is no setting `colour`"), "{said}");
    Ok(())
}

#[test]
fn a_command_for_a_server_that_is_not_here_makes_no_other_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for command in [&["vehicle", "list"][..], &["access", "grant", "weather", "news/#"], &["backup", "fleet.tar"]] {
        let (success, said) = crate::run(Command::new(program("bugbrother")?).args(command).current_dir(folder.path()));
        assert!(!success && said.contains("there is no folder `data` here"), "{said}");
        assert_eq!(fs::read_dir(folder.path())?.count(), 0, "{command:?}");
    }
    Ok(())
}

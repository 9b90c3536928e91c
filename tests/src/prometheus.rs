//! Debian's Prometheus, and what it is asked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{port, process::Process, wait};
use reqwest::Client;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// A Prometheus on 127.0.0.1 that looks every second; it ends with this value.
pub struct Prometheus {
    process: Process,
    base: String,
    http: Client,
}

/// What `promtool` says, which must be content.
pub fn promtool(arguments: &[&str]) -> Result<String> {
    let run = Command::new(program("promtool")?).args(arguments).output()?;
    let said = [&run.stdout, &run.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    ensure!(run.status.success(), "promtool {}: {said}", arguments.join(" "));
    Ok(said)
}

fn program(name: &str) -> Result<PathBuf> {
    let path = Path::new("/usr/bin").join(name);
    ensure!(path.exists(), "Prometheus is not installed: apt-get install prometheus (make setup-test does it)");
    Ok(path)
}

impl Prometheus {
    /// Starts one in `folder` that asks these ports for metrics and has these rules.
    pub async fn start(folder: &Path, ports: &[u16], rules: &str) -> Result<Self> {
        let home = folder.join("prometheus");
        fs::create_dir(&home)?;
        fs::write(home.join("alerts.yml"), rules)?;
        let targets: Vec<_> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
        let settings = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: [alerts.yml]\n\
             scrape_configs:\n  - job_name: bugbrother\n    static_configs:\n      - targets: [{}]\n",
            targets.join(", ")
        );
        fs::write(home.join("prometheus.yml"), settings)?;
        let port = port::free()?;
        let arguments = [
            format!("--config.file={}", home.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", home.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        let process = Process::start(folder, "prometheus", &program("prometheus")?, &arguments, &[])?;
        let mut server = Prometheus { process, base: format!("http://127.0.0.1:{port}"), http: Client::new() };
        let ready = format!("{}/-/ready", server.base);
        let (http, process) = (server.http.clone(), &mut server.process);
        wait::until("Prometheus is ready", LIMIT, || {
            let running = process.check_running();
            let request = http.get(&ready).send();
            async move {
                match (running, request.await) {
                    (Err(error), _) => Some(Err(error)),
                    (Ok(()), Ok(answer)) if answer.status().is_success() => Some(Ok(())),
                    _ => None,
                }
            }
        })
        .await??;
        Ok(server)
    }

    /// The rows of an instant query; an error holds what Prometheus says of it.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>> {
        let url = format!("{}/api/v1/query", self.base);
        let answer: Value = self.http.get(url).query(&[("query", query)]).timeout(LIMIT).send().await?.json().await?;
        ensure!(answer["status"] == "success", "{query}: {answer}");
        answer["data"]["result"].as_array().cloned().context("no rows")
    }

    /// Names of the alerts that fire.
    pub async fn firing(&self) -> Result<Vec<String>> {
        let rows = self.query("ALERTS{alertstate=\"firing\"}").await?;
        Ok(rows.iter().filter_map(|row| row["metric"]["alertname"].as_str().map(str::to_owned)).collect())
    }
}

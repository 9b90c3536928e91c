//! `bugbrother doctor`: whether settings and surroundings let the server do its work, in plain words, and what to do if not.
//!
//! # Layout
//! - [`Report`]: findings, as they are printed
//! - `folder`: the data folder; `machine`: disk, open files, clock; `ports`: where it is to listen; `certificates`;
//!   `database`: the fleet's and the samples'; `broker`: one that is elsewhere; `media`: a bucket; `outside`: the proxy with TLS, a Bot API server
//!
//! # Invariants
//! - It changes nothing: it makes no folder, brings no schema up to date and publishes nothing.
//! - It may look at a server that runs, which notices nothing but a sign-in.
//! - No finding holds a password.

mod broker;
mod certificates;
mod database;
mod folder;
mod machine;
mod media;
mod outside;
mod ports;

use std::{
    fmt,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Result;
use serde::Serialize;

use crate::{
    arguments::{Doors, Net},
    brokers,
    data::Databases,
};

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not wanted, or not known.
    Note,
    /// Something is to be done.
    Bad,
}

/// What was found of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which part.
    pub part: &'static str,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    fn good(part: &'static str, found: impl Into<String>) -> Self {
        Finding { part, verdict: Verdict::Good, found: found.into(), advice: None }
    }

    fn note(part: &'static str, found: impl Into<String>) -> Self {
        Finding { part, verdict: Verdict::Note, found: found.into(), advice: None }
    }

    fn bad(part: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding { part, verdict: Verdict::Bad, found: found.into(), advice: Some(advice.into()) }
    }
}

/// All findings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether something is to be done.
    pub fn is_bad(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Bad)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let word = match finding.verdict {
                Verdict::Good => "good",
                Verdict::Note => "note",
                Verdict::Bad => "BAD ",
            };
            writeln!(f, "{word}  {:<12} {}", finding.part, finding.found)?;
            if let Some(advice) = &finding.advice {
                writeln!(f, "                   → {advice}")?;
            }
        }
        Ok(())
    }
}

/// What is looked at.
pub struct Case {
    pub data: PathBuf,
    /// A file that names one of them may be unreadable.
    pub databases: Result<Databases>,
    pub net: Net,
    pub doors: Doors,
}

/// An HTTP client that trusts whom this system trusts and follows nobody elsewhere.
pub use outside::client as http_client;

/// Looks at every part, which takes up to a minute where something does not answer.
pub async fn examine(case: &Case) -> Report {
    let Case { data, databases, net, doors } = case;
    let mut findings = folder::look(data);
    findings.extend(machine::look(data));
    let (ports, runs) = ports::look(net, doors).await;
    findings.extend(ports);
    findings.extend(certificates::look(data, net, doors));
    match databases {
        Ok(databases) => findings.extend(database::look(data, databases, net).await),
        Err(error) => findings.push(Finding::bad(
            "database",
            format!("{error:#}"),
            "it is the first line of a file that the server's user may read and not everybody",
        )),
    }
    for (named, advice) in [(brokers::of(net), "correct `broker`"), (brokers::others(net), "correct `other_broker`")] {
        match named {
            Ok(brokers) => findings.extend(broker::look(data, net, &brokers).await),
            Err(error) => findings.push(Finding::bad("broker", format!("{error:#}"), advice)),
        }
    }
    findings.extend(media::look(&net.media).await);
    findings.push(outside::proxy(net, runs).await);
    findings.extend(outside::telegram(net).await);
    Report { findings }
}

/// Prints the findings; the exit code says whether something is to be done.
pub fn tell(report: &Report, json: bool) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    match json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(report)?)?,
        false => write!(out, "{report}")?,
    }
    Ok(if report.is_bad() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_to_do_about_what_is_bad() {
        let mut report = Report { findings: vec![Finding::good("disk", "enough"), Finding::note("mail", "none")] };
        assert!(!report.is_bad());
        report.findings.push(Finding::bad("database", "it does not answer", "start it"));
        assert!(report.is_bad());
        let text = report.to_string();
        assert!(text.contains("BAD   database     it does not answer\n                   → start it\n"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["findings"][2]["verdict"], "bad");
        assert_eq!(json["findings"][0].get("advice"), None);
    }
}

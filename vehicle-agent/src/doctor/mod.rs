//! `bugbrother-agent doctor`: what there is in the car, in plain words, and what to do about what there is not.
//!
//! # Layout
//! - [`Report`]: findings, as they are printed
//! - `receiver`, `adapter`, `camera`, `computer`, `broker`: each looks at its part
//!
//! # Invariants
//! - It changes nothing: it writes no record, clears no code and sends nothing to the fleet but its sign-in.

mod adapter;
mod broker;
mod camera;
mod computer;
mod receiver;

use std::fmt;

use crate::{config::Config, ports::Ports};

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not wanted, or not needed.
    Note,
    /// Something is to be done.
    Bad,
}

/// What was found of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which part.
    pub part: &'static str,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do.
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(pub Vec<Finding>);

impl Report {
    /// Whether something is to be done.
    pub fn is_bad(&self) -> bool {
        self.0.iter().any(|finding| finding.verdict == Verdict::Bad)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            let word = match finding.verdict {
                Verdict::Good => "good",
                Verdict::Note => "note",
                Verdict::Bad => "BAD ",
            };
            writeln!(f, "{word}  {:<9} {}", finding.part, finding.found)?;
            if let Some(advice) = &finding.advice {
                writeln!(f, "                → {advice}")?;
            }
        }
        Ok(())
    }
}

/// Looks at every part, which takes up to a minute.
pub async fn examine(config: &Config) -> Report {
    let ports = Ports::new(&config.devices);
    let mut findings = Vec::new();
    if let Err(error) = config.check() {
        findings.push(Finding::bad("settings", error.to_string(), "change the settings that are named"));
    }
    findings.push(computer::clock().await);
    findings.push(computer::outbox(config));
    // One after the other: both may look for their device on the same ports.
    findings.push(receiver::look(config, &ports).await);
    findings.extend(adapter::look(config, &ports).await);
    findings.push(computer::microcontroller(config));
    findings.extend(camera::look(config).await);
    findings.extend(broker::look(config).await);
    Report(findings)
}

/// What a device that cannot be opened needs.
fn for_device(trouble: &str) -> String {
    let lower = trouble.to_lowercase();
    if lower.contains("permission denied") {
        "let this user use serial ports: sudo usermod -aG dialout USER, then sign in again".to_owned()
    } else if lower.contains("busy") {
        "another program uses it: stop the agent (systemctl stop bugbrother-agent), gpsd or ModemManager".to_owned()
    } else {
        "is it plugged in and has it power? `ls /dev/tty*` shows serial ports, `dmesg | tail` what was just plugged in"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_to_do_about_what_is_bad() {
        let mut report = Report(vec![Finding::good("clock", "set by the network"), Finding::note("camera", "none")]);
        assert!(!report.is_bad());
        report.0.push(Finding::bad("receiver", "none", "plug one in"));
        assert!(report.is_bad());
        let text = report.to_string();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("BAD   receiver  none\n                → plug one in\n"), "{text}");
    }

    #[test]
    fn what_a_device_needs_is_told_by_what_is_wrong_with_it() {
        assert!(for_device("Permission denied (os error 13)").contains("dialout"));
        assert!(for_device("Device or resource busy").contains("stop the agent"));
        assert!(for_device("No such file or directory").contains("plugged in"));
    }
}

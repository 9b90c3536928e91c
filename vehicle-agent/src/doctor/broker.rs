use std::time::Duration;

use bugbrother_client::{Fault, Options, Qos, try_sign_in};
use bugbrother_wire::Topic;
use secrecy::ExposeSecret;

use super::Finding;
use crate::{config::Config, link::Address};

const PART: &str = "broker";
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for broker in config.broker.addresses() {
        findings.push(sign_in(config, broker).await);
    }
    findings
}

/// With a session of its own: a running agent is not disturbed.
async fn sign_in(config: &Config, broker: &Address) -> Finding {
    let Some(vin) = config.vin else {
        return Finding::note(PART, format!("{broker}: not asked, since `vin` is not set"));
    };
    let (tls, password) = match (config.tls(), config.read_password()) {
        (Ok(tls), Ok(password)) => (tls, password),
        (Err(error), _) | (_, Err(error)) => {
            return Finding::bad(PART, format!("{broker}: {error}"), "correct the settings, or enrol again");
        }
    };
    let secure = tls.is_some();
    let username = config.username.clone().unwrap_or_else(|| vin.to_string());
    let client_id = format!("{vin}-doctor");
    let mut options = Options::new(broker.host.clone(), broker.port, client_id, username, password.expose_secret());
    options.tls = tls;
    options.subscriptions = vec![(Topic::down_filter(vin), Qos::AtLeastOnce)];
    let way = if secure { "by TLS" } else { "without TLS" };
    match try_sign_in(options, PATIENCE).await {
        Ok(()) => Finding::good(PART, format!("{broker}: signed in as {vin}, {way}")),
        Err(refusal) => Finding::bad(PART, format!("{broker}: {refusal}"), advice(refusal.fault)),
    }
}

fn advice(fault: Fault) -> &'static str {
    match fault {
        Fault::Account => "the fleet does not let this vehicle in: enrol it with a new code (bugbrother vehicle add)",
        Fault::Time => {
            "the certificate's time: is this computer's clock right? After a certificate's end, enrol with a new code"
        }
        Fault::Trust => "is it the right broker, and is `ca` its authority's certificate?",
        Fault::Name => "is there a network, and is the name right?",
        Fault::Reach => "is there a network, is the address right, does a firewall let this port through?",
    }
}

use std::time::Duration;

use bugbrother_client::{Event, Options, Qos, connect};
use bugbrother_wire::Topic;
use secrecy::ExposeSecret;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

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
    let stop = CancellationToken::new();
    let _ends_with_this = stop.clone().drop_guard();
    let (_publisher, mut events) = connect(options, stop.clone());
    let outcome = timeout(PATIENCE, async {
        while let Some(event) = events.recv().await {
            match event {
                Event::Up => return Ok(()),
                Event::Down { reason } => return Err(reason),
                Event::Message(_) => {}
            }
        }
        Err("the session ended".to_owned())
    });
    let way = if secure { "by TLS" } else { "without TLS" };
    match outcome.await {
        Ok(Ok(())) => Finding::good(PART, format!("{broker}: signed in as {vin}, {way}")),
        Ok(Err(reason)) => {
            let advice = advice(&reason);
            Finding::bad(PART, format!("{broker}: {reason}"), advice)
        }
        Err(_) => Finding::bad(PART, format!("{broker}: no answer within {} s", PATIENCE.as_secs()), advice("")),
    }
}

fn advice(reason: &str) -> &'static str {
    let lower = reason.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if any(&["not authorized", "bad user", "banned", "revoked"]) {
        "the fleet does not let this vehicle in: enrol it with a new code (bugbrother vehicle add)"
    } else if any(&["expired", "not valid yet", "notvalidyet"]) {
        "the certificate's time: is this computer's clock right? After a certificate's end, enrol with a new code"
    } else if any(&["certificate", "unknownissuer", "tls"]) {
        "is it the right broker, and is `ca` its authority's certificate?"
    } else if any(&["lookup", "resolve", "name"]) {
        "is there a network, and is the name right?"
    } else {
        "is there a network, is the address right, does a firewall let this port through?"
    }
}

use std::{fs, path::Path, time::Duration};

use bugbrother_client::{Fault, Options, try_sign_in};

use super::Finding;
use crate::{
    arguments::Net,
    brokers::{self, Address},
};

const PART: &str = "broker";
/// Longer than the client's own.
const PATIENCE: Duration = Duration::from_secs(15);
/// As whom.
const ACCOUNT: &str = "dashboard";

/// Signs in at each broker that is not this program's. One of our own is there when the server is.
pub(super) async fn look(data: &Path, net: &Net, brokers: &[Address]) -> Vec<Finding> {
    if brokers.is_empty() {
        return Vec::new();
    }
    let secret = data.join("secrets").join(ACCOUNT);
    let Ok(password) = fs::read_to_string(&secret) else {
        let found = format!("there is no password for `{ACCOUNT}` in `{}`", secret.display());
        return vec![Finding::bad(PART, found, "bugbrother init cluster makes them; give the same to the broker")];
    };
    let mut findings = Vec::new();
    for broker in brokers {
        let one = std::slice::from_ref(broker);
        if let Some(options) = brokers::session(one, net, ACCOUNT, password.trim_end().to_owned()) {
            findings.push(sign_in(broker, options).await);
        }
    }
    findings
}

/// With an identifier of its own: a dashboard that runs is not disturbed.
async fn sign_in(broker: &Address, mut options: Options) -> Finding {
    let Address { host, port, tls } = broker;
    options.client_id = format!("doctor-{:08x}", rand::random::<u32>());
    let way = if *tls { "by TLS" } else { "without TLS" };
    match try_sign_in(options, PATIENCE).await {
        Ok(()) => Finding::good(PART, format!("{host}:{port}: signed in as `{ACCOUNT}`, {way}")),
        Err(refusal) => Finding::bad(PART, format!("{host}:{port}: {refusal}"), advice(refusal.fault)),
    }
}

fn advice(fault: Fault) -> &'static str {
    match fault {
        Fault::Account => {
            "the broker has no such account, or another password: give it what stands in secrets/ of the data folder"
        }
        Fault::Time => "a certificate's time is not now: are both clocks right, or was it not renewed?",
        Fault::Trust => "is it the right broker, is its certificate for this name, and is `broker_ca` its authority's?",
        Fault::Name => "is the name right?",
        Fault::Reach => "does it run, is the port right, does a firewall let it through?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accounts, data, doctor::Verdict};

    #[tokio::test]
    async fn a_broker_that_is_away_and_a_password_that_is_missing_are_told() {
        let (_dir, data) = data::temporary();
        let net = Net { brokers: vec!["mqtt://127.0.0.1:9".to_owned()], ..Net::default() };
        let brokers = brokers::of(&net).unwrap();
        let found = look(data.path(), &net, &brokers).await;
        assert!(found[0].found.contains("no password for `dashboard`"), "{found:?}");
        accounts::ensure(&data).unwrap();
        let found = look(data.path(), &net, &brokers).await;
        assert!(
            found[0].verdict == Verdict::Bad && found[0].advice.as_ref().unwrap().contains("does it run"),
            "{found:?}"
        );
        assert!(look(data.path(), &Net::default(), &[]).await.is_empty());
    }
}

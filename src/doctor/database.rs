use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use bugbrother_notifier::post::gate::Gate;
use bugbrother_store::{Engine, MailServer, Schema, Store, StoreError, look as look_at, look_at_samples};
use tokio::time::timeout;

use super::Finding;
use crate::{arguments::Net, data::Databases, services::mail_authorities};

const PART: &str = "database";
/// The oldest PostgreSQL that is tried.
const OLDEST_POSTGRES: u32 = 15;
/// Of two clocks.
const MOST_APART: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn look(data: &Path, databases: &Databases, net: &Net) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = data.join("fleet.db");
    let url = match &databases.fleet {
        Some(url) => Some(url.clone()),
        None if file.exists() => Some(format!("sqlite://{}", file.display())),
        None => {
            findings.push(Finding::note(PART, "the first start makes it in the data folder"));
            None
        }
    };
    let mut usable = None;
    if let Some(url) = url {
        match look_at(&url).await {
            Ok(schema) => {
                findings.extend(judge(&schema));
                let up_to_date = schema.done == schema.known && schema.newer.is_none() && !schema.read_only;
                usable = up_to_date.then_some(url);
            }
            Err(error) => findings.push(Finding::bad(PART, told(&error), advice(&error))),
        }
    }
    if let Some(url) = &databases.telemetry {
        findings.push(match look_at_samples(url).await {
            Ok(()) => Finding::good("samples", "the InfluxDB answers and knows the account"),
            Err(error) => Finding::bad(
                "samples",
                told(&error),
                "does it run, and are host, port, user and password in `telemetry_url` right? Until it is well nothing is \
                 acknowledged, and vehicles keep what they have",
            ),
        });
    }
    // To ask for its settings a database is opened, which changes nothing in one that is up to date.
    if let Some(url) = usable {
        findings.push(mail(&url, net).await);
    }
    findings
}

fn judge(schema: &Schema) -> Vec<Finding> {
    let Schema { engine, version, done, known, newer, broken, read_only, clock_ms } = schema;
    let name = match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    };
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default();
    let mut findings = Vec::new();
    if *engine == Engine::Postgres && major < OLDEST_POSTGRES {
        let found = format!("PostgreSQL {version}: {OLDEST_POSTGRES} is the oldest that is tried");
        findings.push(Finding::bad(PART, found, "upgrade it"));
    }
    if let Some(later) = newer {
        let found = format!("it is of a later version of bugbrother (migration {later})");
        findings.push(Finding::bad(PART, found, "start that version, or restore a backup of before"));
    }
    if let Some(broken) = broken {
        let found = format!("migration {broken} has failed in the middle");
        findings.push(Finding::bad(PART, found, "restore the backup of before the upgrade, and tell us"));
    }
    if *read_only {
        let found = format!("{name} {version}: it is a replica and takes no changes");
        let advice = "let its address lead to the primary; if that is lost, promote this one (docs/two-sites.md)";
        findings.push(Finding::bad(PART, found, advice));
    }
    if let Some(clock) = clock_ms {
        let theirs = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(*clock).unwrap_or_default());
        let now = SystemTime::now();
        let apart = now.duration_since(theirs).or_else(|_| theirs.duration_since(now)).unwrap_or_default();
        if apart > MOST_APART {
            let found = format!("its machine's clock and this one's are {} s apart", apart.as_secs());
            findings.push(Finding::bad("clock", found, "let systemd-timesyncd or chrony keep both"));
        }
    }
    if findings.is_empty() {
        findings.push(match done.cmp(known) {
            std::cmp::Ordering::Less => {
                let found =
                    format!("{name} {version}: {done} of {known} migrations are done; the next start does the rest");
                Finding::note(PART, found)
            }
            _ => Finding::good(PART, format!("{name} {version}, all {known} migrations are done")),
        });
    }
    findings
}

/// The chain of causes; none of them holds the address.
fn told(error: &StoreError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    let told = std::iter::once(error.to_string()).chain(causes.map(|cause| cause.to_string()));
    told.collect::<Vec<_>>().join(": ")
}

fn advice(error: &StoreError) -> &'static str {
    let text = told(error).to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if any(&["password authentication", "role", "no pg_hba"]) {
        "user and password in `database_file` are to be those of CREATE USER, and pg_hba.conf is to let them in from here"
    } else if any(&["does not exist"]) {
        "make it: sudo -u postgres psql < database.sql, which `bugbrother init` writes"
    } else if any(&["refused", "does not answer", "timed out", "unreachable"]) {
        "does it run (systemctl status postgresql), does it listen there (listen_addresses), does a firewall let port 5432 through?"
    } else if any(&["lookup", "name or service", "resolve"]) {
        "is the host in its address right?"
    } else if any(&["not a database", "malformed"]) {
        "the file is damaged or something else: restore a backup"
    } else if matches!(error, StoreError::Url) {
        "correct `database`: sqlite://… or postgres://…"
    } else {
        "look at the database's own log"
    }
}

/// Whether the fleet's mail server lets us in, where one is set.
async fn mail(url: &str, net: &Net) -> Finding {
    const PART: &str = "mail";
    let asked = async {
        let store = Store::open(url).await?;
        let server = store.setting::<MailServer>().await;
        store.close().await;
        server
    };
    let server = match timeout(PATIENCE, asked).await {
        Ok(Ok(server)) => server,
        Ok(Err(error)) => return Finding::note(PART, format!("its settings cannot be read: {}", told(&error))),
        Err(_) => return Finding::note(PART, "its settings cannot be read in time"),
    };
    if server.host.is_empty() {
        return Finding::note(PART, "no mail server is set (dashboard, settings): no letter goes out");
    }
    let gate = Gate::new(net.allow_private.iter().copied());
    let authorities = match mail_authorities(net) {
        Ok(authorities) => authorities,
        Err(error) => return Finding::bad(PART, format!("{error:#}"), "correct `mail_ca`"),
    };
    match bugbrother_notifier::post::carrier::try_mail_server(&gate, &server, &authorities).await {
        Ok(()) => Finding::good(PART, format!("{} lets us in", server.host)),
        Err(reason) => {
            let advice = "correct host, port, encryption, user or password in the dashboard's settings; a server in your own \
                          network needs `allow_private`";
            Finding::bad(PART, format!("{}: {reason}", server.host), advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data, doctor::Verdict};

    fn schema() -> Schema {
        Schema {
            engine: Engine::Postgres,
            version: "15.7".to_owned(),
            done: 14,
            known: 14,
            newer: None,
            broken: None,
            read_only: false,
            clock_ms: Some(bugbrother_wire::unix_ms(SystemTime::now())),
        }
    }

    #[test]
    fn what_is_wrong_with_a_database_is_told_by_its_word() {
        assert_eq!(judge(&schema())[0].verdict, Verdict::Good);
        assert_eq!(judge(&Schema { done: 3, ..schema() })[0].verdict, Verdict::Note);
        for (schema, word) in [
            (Schema { version: "13.1".to_owned(), ..schema() }, "the oldest that is tried"),
            (Schema { newer: Some(99), ..schema() }, "a later version"),
            (Schema { broken: Some(7), ..schema() }, "failed in the middle"),
            (Schema { read_only: true, ..schema() }, "is a replica"),
            (Schema { clock_ms: Some(0), ..schema() }, "apart"),
        ] {
            let findings = judge(&schema);
            assert!(
                findings.iter().any(|finding| finding.verdict == Verdict::Bad && finding.found.contains(word)),
                "{findings:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_database_that_is_away_damaged_or_nowhere_is_told_apart() {
        let (_dir, data) = data::temporary();
        let at = |url: &str| Databases { fleet: Some(url.to_owned()), telemetry: None };
        let net = Net::default();
        let away = look(data.path(), &at("postgres://bugbrother:s3cret@127.0.0.1:9/fleet"), &net).await;
        assert!(
            away[0].verdict == Verdict::Bad && away[0].advice.as_ref().unwrap().contains("does it run"),
            "{away:?}"
        );
        assert!(!format!("{away:?}").contains("s3cret"), "{away:?}");
        let none = look(data.path(), &at("oracle://x"), &net).await;
        assert!(none[0].advice.as_ref().unwrap().contains("sqlite://"), "{none:?}");
        let new = look(data.path(), &Databases::default(), &net).await;
        assert_eq!((new.len(), new[0].verdict), (1, Verdict::Note));
        std::fs::write(data.fleet_file(), "this is no database, however long it may be".repeat(100)).unwrap();
        let damaged = look(data.path(), &Databases::default(), &net).await;
        assert!(damaged[0].advice.as_ref().unwrap().contains("restore a backup"), "{damaged:?}");
    }

    #[tokio::test]
    async fn a_good_database_is_asked_for_the_mail_server() {
        let (_dir, data) = data::temporary();
        let store = data.store().await.unwrap();
        let good = look(data.path(), &Databases::default(), &Net::default()).await;
        assert!(good[0].verdict == Verdict::Good && good[0].found.contains("migrations are done"), "{good:?}");
        assert!(good[1].found.contains("no mail server is set"), "{good:?}");
        let server = MailServer { host: "127.0.0.1".to_owned(), port: Some(9), ..MailServer::default() };
        store.save_setting(&server, None, 0).await.unwrap();
        let bad = look(data.path(), &Databases::default(), &Net::default()).await;
        assert!(bad[1].verdict == Verdict::Bad && bad[1].found.contains("own network"), "{bad:?}");
    }

    #[tokio::test]
    async fn an_influxdb_that_is_away_is_told() {
        let (_dir, data) = data::temporary();
        let telemetry = Some("influxdb://u:s3cret@127.0.0.1:9/fleet".to_owned());
        let found = look(data.path(), &Databases { fleet: None, telemetry }, &Net::default()).await;
        let samples = found.iter().find(|finding| finding.part == "samples").unwrap();
        assert!(samples.verdict == Verdict::Bad && !samples.found.contains("s3cret"), "{samples:?}");
    }
}

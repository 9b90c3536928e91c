//! A vehicle from its code to its end: the real agent enrols, connects with its certificate, renews it and is revoked.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{
    process::{Process, program},
    system::System,
    wait,
};
use bugbrother_simulator::Drive;
use bugbrother_store::{Store, history::MAX_POSITIONS};

const VIN: &str = "WVWZZZ1JZ3W386752";
const LIMIT: Duration = Duration::from_secs(60);

fn agent(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(program("bugbrother-agent")?).args(arguments).output()?)
}

fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The code that is printed, a line of its own.
fn new_code(system: &System) -> Result<String> {
    let said = system.manage(&["vehicle", "add", VIN, "--name", "Van"])?;
    let is_code = |word: &&str| word.len() > 20 && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    said.split_whitespace().find(is_code).map(str::to_owned).context(said.clone())
}

/// Replays a drive with the identity in `dir`, from an outbox of its own.
fn drive(system: &System, dir: &str, name: &str, start: i64) -> Result<(Process, usize)> {
    let drive = Drive { seed: 9, duration: Duration::from_secs(120), start, rate_hz: 1, damaged: false };
    let log = drive.log();
    let nmea = system.dir().join(format!("{name}.nmea"));
    fs::write(&nmea, &log.bytes)?;
    let gps = format!("file:{}@max", nmea.display());
    let broker = format!("mqtts://127.0.0.1:{}", system.vehicles());
    let arguments = ["--identity", dir, "--broker", &broker, "--gps", &gps, "--obd", "none", "--exit-when-done"];
    let agent = Process::start(system.dir(), name, &program("bugbrother-agent")?, &arguments, &[("NO_COLOR", "1")])?;
    Ok((agent, log.valid_fixes))
}

async fn stored(system: &System) -> Result<usize> {
    let store = Store::open(&system.database()).await?;
    Ok(store.positions(VIN.parse()?, 0, i64::MAX, MAX_POSITIONS).await?.len())
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vehicle_enrols_drives_renews_and_is_revoked() -> Result<()> {
    let mut system = System::new()?;
    system.start_all().await?;
    let server = format!("http://127.0.0.1:{}", system.http());
    let folder = system.dir().join("identity");
    let dir = folder.display().to_string();

    for (arguments, words) in [
        (["http://192.0.2.1:8080", "AAAA"], "must start with https://"),
        (["http://127.0.0.1:1", "AAAA"], "cannot be reached"),
        ([server.as_str(), "AAAA"], "wrong, used or expired"),
    ] {
        let refused = agent(&["enroll", arguments[0], arguments[1], "--dir", &dir])?;
        ensure!(!refused.status.success() && printed(&refused).contains(words), printed(&refused));
    }
    let code = new_code(&system)?;
    // As a person types it.
    let enrolled = agent(&["enroll", &server, &code.to_lowercase(), "--dir", &dir])?;
    ensure!(enrolled.status.success(), printed(&enrolled));
    ensure!(printed(&enrolled).contains("good for 90 days"), printed(&enrolled));
    assert_eq!((mode(&folder)?, mode(&folder.join("identity.pem"))?), (0o700, 0o600));
    let again = agent(&["enroll", &server, &code, "--dir", &dir])?;
    ensure!(printed(&again).contains(&format!("holds the identity of {VIN} already")), printed(&again));

    let (mut first, fixes) = drive(&system, &dir, "first", 1_790_000_000_000)?;
    ensure!(first.ended(LIMIT).await?.success(), first.logged());
    assert_eq!(stored(&system).await?, fixes);

    let before = fs::read_to_string(folder.join("identity.pem"))?;
    let renewed = agent(&["renew", "--dir", &dir])?;
    ensure!(renewed.status.success(), printed(&renewed));
    let after = fs::read_to_string(folder.join("identity.pem"))?;
    ensure!(before != after && mode(&folder.join("identity.pem"))? == 0o600);
    ensure!(!folder.join("pending.key").exists());

    // The power fails when the new certificate is in its place and nothing else has been done; and when its key was made and
    // nobody was asked.
    for _ in 0..2 {
        let identity = fs::read_to_string(folder.join("identity.pem"))?;
        let key = &identity[identity.find("-----BEGIN PRIVATE KEY-----").context("a key")?..];
        fs::write(folder.join("pending.key"), key)?;
        let renewed = agent(&["renew", "--dir", &dir])?;
        ensure!(renewed.status.success(), printed(&renewed));
        ensure!(identity != fs::read_to_string(folder.join("identity.pem"))?);
    }
    let (mut second, more) = drive(&system, &dir, "second", 1_790_001_000_000)?;
    ensure!(second.ended(LIMIT).await?.success(), second.logged());
    assert_eq!(stored(&system).await?, fixes + more);

    system.manage(&["vehicle", "revoke", VIN])?;
    let refused = agent(&["renew", "--dir", &dir])?;
    ensure!(printed(&refused).contains("the certificate is revoked"), printed(&refused));
    // The broker hears of it within a second: until then a vehicle that has nothing to say may still be let in.
    let broker = format!("mqtts://127.0.0.1:{}", system.vehicles());
    let idle = ["--identity", &dir, "--broker", &broker, "--gps", "tcp:127.0.0.1:1", "--obd", "none"];
    let mut idle = Process::start(system.dir(), "idle", &program("bugbrother-agent")?, &idle, &[("NO_COLOR", "1")])?;
    let put_out = || std::future::ready(idle.logged().contains("no connection").then_some(()));
    wait::until("the broker has heard of it", LIMIT, put_out).await?;
    idle.kill()?;
    let (mut third, _) = drive(&system, &dir, "third", 1_790_002_000_000)?;
    let kept_out = || std::future::ready(third.logged().contains("no connection").then_some(()));
    wait::until("it is not let in", LIMIT, kept_out).await?;
    ensure!(!third.logged().contains("BEGIN") && !third.logged().contains(&code), "no secret in a log");
    third.kill()?;
    assert_eq!(stored(&system).await?, fixes + more);

    let code = new_code(&system)?;
    let enrolled = agent(&["enroll", &server, &code, "--dir", &dir, "--again"])?;
    ensure!(enrolled.status.success(), printed(&enrolled));
    let (mut fourth, last) = drive(&system, &dir, "fourth", 1_790_003_000_000)?;
    ensure!(fourth.ended(LIMIT).await?.success(), fourth.logged());
    let all = stored(&system).await?;
    ensure!(all >= fixes + more + last, "{all} stored");
    Ok(())
}

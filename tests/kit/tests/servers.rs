//! The servers that tests stand on do what the tests believe of them.

use std::{fs, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use bugbrother_kit::{influx::Influx, postgres::Postgres, volume::Volume, wait};
use tokio::{io::AsyncReadExt, process::Command};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn postgres_keeps_what_it_confirmed_when_it_is_killed() -> Result<()> {
    let mut server = Postgres::start().await?;
    server.create_database("fleet").await?;
    server.execute("fleet", "CREATE TABLE drive (km INTEGER)").await?;
    for round in 1..=3 {
        server.execute("fleet", &format!("INSERT INTO drive VALUES ({round})")).await?;
        server.kill().await?;
        ensure!(server.processes()?.is_empty());
        ensure!(server.execute("fleet", "SELECT 1").await.is_err(), "a killed server answers");
        server.start_again().await?;
        assert_eq!(server.execute("fleet", "SELECT count(*), max(km) FROM drive").await?, format!("{round}|{round}"));
    }
    ensure!(server.logged().contains("not properly shut down"), "it was not killed: {}", server.logged());
    Ok(())
}

#[tokio::test]
async fn postgres_writes_through_to_the_disk() -> Result<()> {
    let server = Postgres::start().await?;
    let mut settings = Vec::new();
    for name in ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "unix_socket_directories"] {
        settings.push(server.execute("postgres", &format!("SHOW {name}")).await?);
    }
    assert_eq!(settings, ["on", "on", "on", "127.0.0.1", ""]);
    Ok(())
}

#[tokio::test]
async fn the_url_of_a_database_is_its_owners_and_needs_its_password() -> Result<()> {
    let server = Postgres::start().await?;
    let url = server.create_database("fleet").await?;
    let psql = |url: String| async move {
        let sql =
            "CREATE TABLE drive (km INTEGER); SELECT current_user, usesuper FROM pg_user WHERE usename = current_user";
        let mut psql = Command::new("/usr/bin/psql");
        psql.env_clear().args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", sql, &url]);
        let output = psql.output().await?;
        anyhow::Ok((String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
    };
    assert_eq!(psql(url.clone()).await?, ("bugbrother|f\n".to_owned(), String::new()));
    let (account, rest) = url.rsplit_once('@').context("no account in the URL")?;
    let (printed, error) = psql(format!("{account}x@{rest}")).await?;
    ensure!(printed.is_empty() && error.contains("password authentication failed"), "{printed}{error}");
    Ok(())
}

#[tokio::test]
async fn a_killed_postgres_leaves_no_one_at_work() -> Result<()> {
    let mut server = Postgres::start().await?;
    // Busy with something that does not look up when the server has gone.
    let sql = "SELECT count(*) FROM generate_series(1, 1000000000000)";
    let mut busy = Command::new("/usr/bin/psql");
    busy.args(["-X", "-c", sql, &server.url("postgres")]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut busy = busy.kill_on_drop(true).spawn()?;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1000000000000)' AND \
                 usename = 'bugbrother'";
    wait::until("the query runs", LIMIT, async || server.execute("postgres", count).await.ok().filter(|n| n == "1"))
        .await?;
    server.kill().await?;
    ensure!(server.processes()?.is_empty());
    ensure!(!busy.wait().await?.success(), "the query was answered");
    server.start_again().await
}

#[tokio::test]
async fn a_paused_postgres_answers_when_it_goes_on() -> Result<()> {
    let server = Postgres::start().await?;
    server.pause().await?;
    for id in server.processes()? {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        ensure!(stat.contains(") T "), "not stopped: {stat}");
    }
    let mut question = Box::pin(server.execute("postgres", "SELECT 42"));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut question).await;
    ensure!(early.is_err(), "a paused server answers: {early:?}");
    server.resume()?;
    assert_eq!(question.await?, "42");
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_postgres_stays_behind() -> Result<()> {
    for killed in [false, true] {
        let folder = tempfile::tempdir()?;
        let mut server = Postgres::start_in(folder.path()).await?;
        let processes = server.processes()?;
        ensure!(processes.len() > 1, "only {processes:?}");
        let block = shared_memory(&folder.path().join("postgres"))?;
        ensure!(shared_memory_exists(&block)?, "block {block} of shared memory does not exist");
        if killed {
            server.kill().await?;
            ensure!(shared_memory_exists(&block)?, "a killed server cannot have freed its shared memory");
        }
        drop(server);
        assert_gone(&processes);
        ensure!(!shared_memory_exists(&block)?, "block {block} of shared memory is left");
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);
    }
    Ok(())
}

/// The child is this very test, which then waits to be killed.
#[tokio::test]
async fn nothing_of_a_postgres_outlives_a_test_that_is_killed() -> Result<()> {
    const FOLDER: &str = "BUGBROTHER_KIT_FOLDER";
    const NAME: &str = "nothing_of_a_postgres_outlives_a_test_that_is_killed";
    if let Some(folder) = std::env::var_os(FOLDER) {
        let server = Postgres::start_in(Path::new(&folder)).await?;
        println!("started: {:?}", server.processes()?);
        std::future::pending::<()>().await;
    }
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["--exact", NAME, "--nocapture"]).env(FOLDER, folder.path()).stdout(Stdio::piped());
    let mut child = child.kill_on_drop(true).spawn()?;
    let mut output = child.stdout.take().context("no output")?;
    let mut printed = String::new();
    while !printed.contains("started: ") {
        let mut buffer = [0; 1024];
        let read = output.read(&mut buffer).await?;
        ensure!(read > 0, "the child has ended: {printed}");
        printed.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    let block = shared_memory(&folder.path().join("postgres"))?;
    child.kill().await?;
    wait::until("the folder is empty", LIMIT, async || (fs::read_dir(folder.path()).ok()?.count() == 0).then_some(()))
        .await?;
    ensure!(!shared_memory_exists(&block)?, "block {block} of shared memory is left");
    Ok(())
}

#[tokio::test]
async fn postgres_refuses_what_a_full_volume_has_no_room_for() -> Result<()> {
    let volume = Volume::mount(100).await?;
    let mut server = Postgres::start_in(volume.path()).await?;
    server.execute("postgres", "CREATE TABLE drive (km INTEGER, note TEXT)").await?;
    server.execute("postgres", "INSERT INTO drive VALUES (1, '')").await?;
    volume.fill()?;
    let much = "INSERT INTO drive SELECT 2, repeat('x', 500) FROM generate_series(1, 500)";
    let error = server.execute("postgres", much).await.err().context("250 kB went into a full volume")?;
    ensure!(error.to_string().contains("No space left on device"), "{error:#}");
    server.check_running()?;
    volume.free()?;
    server.execute("postgres", "INSERT INTO drive VALUES (3, '')").await?;
    assert_eq!(server.execute("postgres", "SELECT km FROM drive ORDER BY km").await?, "1\n3");
    Ok(())
}

/// It falls; whether it gets up again by itself depends on what its fall gave back.
#[tokio::test]
async fn postgres_without_room_for_its_log_of_changes_falls_and_keeps_what_it_confirmed() -> Result<()> {
    let volume = Volume::mount(100).await?;
    let mut server = Postgres::start_in(volume.path()).await?;
    server.execute("postgres", "CREATE TABLE drive (km INTEGER)").await?;
    server.execute("postgres", "INSERT INTO drive VALUES (1)").await?;
    volume.fill()?;
    let log = "SELECT pg_logical_emit_message(true, 'kit', repeat('x', 40000000))";
    let error = server.execute("postgres", log).await.err().context("40 MB went into a full volume")?;
    ensure!(error.to_string().contains("PANIC"), "{error:#}");
    server.kill().await?;
    volume.free()?;
    server.start_again().await?;
    assert_eq!(server.execute("postgres", "SELECT km FROM drive").await?, "1");
    Ok(())
}

#[tokio::test]
async fn a_volume_is_as_small_as_it_says_and_goes_with_its_value() -> Result<()> {
    let volume = Volume::mount(4).await?;
    let folder = volume.path().to_owned();
    let file = folder.join("file");
    fs::write(&file, vec![1; 3 << 20])?;
    ensure!(fs::write(folder.join("more"), vec![1; 2 << 20]).is_err(), "5 MB went into 4");
    fs::remove_file(folder.join("more"))?;
    volume.fill()?;
    ensure!(fs::write(folder.join("more"), [1]).is_err(), "a byte went into a full volume");
    assert_eq!(fs::read(&file)?, vec![1; 3 << 20]);
    volume.free()?;
    fs::write(folder.join("more"), vec![1; 1 << 19])?;
    // A test that fails keeps nothing mounted either.
    let failed = tokio::spawn(async move {
        let _volume = volume;
        panic!("a test fails, as it is meant to");
    });
    ensure!(failed.await.is_err());
    ensure!(!folder.exists(), "`{}` is left", folder.display());
    ensure!(!fs::read_to_string("/proc/mounts")?.contains(&folder.display().to_string()));
    Ok(())
}

#[tokio::test]
async fn influx_keeps_what_it_confirmed_when_it_is_killed() -> Result<()> {
    let mut server = Influx::start().await?;
    server.create_database("fleet").await?;
    for round in 1..=3 {
        server.write("fleet", &format!("drive,vin=A km={round}i {round}")).await?;
        server.kill().await?;
        ensure!(server.processes()?.is_empty());
        ensure!(server.query("fleet", "SHOW MEASUREMENTS").await.is_err(), "a killed server answers");
        server.start_again().await?;
        let answer = server.query("fleet", "SELECT count(km), max(km) FROM drive").await?;
        ensure!(answer.contains(&format!("[[0,{round},{round}]]")), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn influx_lets_nobody_in_without_the_password() -> Result<()> {
    let server = Influx::start().await?;
    let url = server.create_database("fleet").await?;
    let (user, password) = server.account();
    assert_eq!(url, format!("{}/fleet", server.http().replace("http://", &format!("influxdb://{user}:{password}@"))));
    for account in [None, Some(format!("{user}:x{password}"))] {
        let mut curl = Command::new("curl");
        curl.args(["-q", "--silent", "--noproxy", "*", "--write-out", "%{http_code}", "--data-binary", "drive km=1"]);
        curl.arg(format!("{}/write?db=fleet", server.http()));
        curl.args(account.iter().flat_map(|account| ["--user", account]));
        let printed = String::from_utf8(curl.output().await?.stdout)?;
        ensure!(printed.ends_with("401"), "{printed}");
    }
    let error = server.query("fleet", "SELECT nonsense").await.err().context("nonsense was answered")?;
    ensure!(error.to_string().contains("error parsing query"), "{error:#}");
    let error = server.write("elsewhere", "drive km=1").await.err().context("written to no database")?;
    ensure!(error.to_string().contains("database not found"), "{error:#}");
    Ok(())
}

#[tokio::test]
async fn a_paused_influx_answers_when_it_goes_on() -> Result<()> {
    let server = Influx::start().await?;
    server.pause().await?;
    let mut question = Box::pin(server.query("", "SHOW DATABASES"));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut question).await;
    ensure!(early.is_err(), "a paused server answers: {early:?}");
    server.resume()?;
    question.await.map(drop)
}

#[tokio::test]
async fn nothing_of_an_influx_stays_behind() -> Result<()> {
    let server = Influx::start().await?;
    let processes = server.processes()?;
    assert_eq!(processes.len(), 1);
    let folder = fs::read_link(format!("/proc/{}/cwd", processes[0]))?;
    drop(server);
    assert_gone(&processes);
    ensure!(!folder.parent().context("it works in the root folder")?.exists());
    Ok(())
}

fn assert_gone(processes: &[u32]) {
    // Whoever inherited a killed process may not have asked for its status yet: it is no more than that.
    let is_alive = |id: &&u32| fs::read_link(format!("/proc/{id}/cwd")).is_ok();
    assert_eq!(processes.iter().filter(is_alive).count(), 0, "of {processes:?} some are left");
}

/// Key and id of the block by which a PostgreSQL guards its folder.
fn shared_memory(data: &Path) -> Result<String> {
    let status = fs::read_to_string(data.join("postmaster.pid"))?;
    let line = status.lines().nth(6).context("no seventh line in postmaster.pid")?;
    line.split_whitespace().last().map(str::to_owned).context("no id in the seventh line of postmaster.pid")
}

fn shared_memory_exists(block: &str) -> Result<bool> {
    let blocks = fs::read_to_string("/proc/sysvipc/shm")?;
    Ok(blocks.lines().any(|line| line.split_whitespace().nth(1) == Some(block)))
}

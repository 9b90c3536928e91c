//! A copy of a server that follows it, as Debian's tools make one.

use anyhow::{Result, ensure};

use crate::postgres::{Postgres, SUPERUSER, Setup};

/// How a standby reaches the server that it follows.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Name or address.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// Who may replicate, with the password that all accounts of the tests have.
    pub user: &'a str,
    /// What the server keeps for it of its log of changes.
    pub slot: &'a str,
    /// What it calls itself.
    pub name: &'a str,
}

impl Source<'_> {
    fn connection(&self) -> String {
        let Source { host, port, user, name, .. } = self;
        format!("host={host} port={port} user={user} application_name={name}")
    }
}

impl Postgres {
    /// Lets others follow it, by an account of that name.
    pub async fn let_follow(&self, user: &str, slot: &str) -> Result<()> {
        let role = format!("CREATE ROLE {user} REPLICATION LOGIN PASSWORD '{}'", self.password);
        self.execute(SUPERUSER, &role).await?;
        self.keep_for(slot).await
    }

    /// Keeps what a follower has not heard yet.
    pub async fn keep_for(&self, slot: &str) -> Result<()> {
        self.execute(SUPERUSER, &format!("SELECT pg_create_physical_replication_slot('{slot}')")).await?;
        Ok(())
    }

    /// A copy of `primary` that runs and follows it.
    pub async fn standby_of(primary: &Postgres, source: Source<'_>, setup: Setup<'_>) -> Result<Self> {
        let mut standby = Self::prepare(setup, primary.password.clone()).await?;
        let data = format!("--pgdata={}", standby.data().display());
        let (slot, source) = (format!("--slot={}", source.slot), format!("--dbname={}", source.connection()));
        let arguments =
            ["--wal-method=stream", "--checkpoint=fast", "--no-sync", "--write-recovery-conf", &slot, &data, &source];
        standby.run_program("pg_basebackup", &arguments).await?;
        standby.start_again().await?;
        ensure!(standby.is_standby().await?, "it does not follow");
        Ok(standby)
    }

    /// Lets others follow one that was promoted. Before its next checkpoint `pg_rewind` takes it for what it was before.
    pub async fn ready_for_others(&self, slot: &str) -> Result<()> {
        self.execute(SUPERUSER, "CHECKPOINT").await?;
        self.keep_for(slot).await
    }

    /// Makes a standby a server of its own; returns when it is one.
    pub async fn promote(&self) -> Result<()> {
        let data = format!("--pgdata={}", self.data().display());
        self.run_program("pg_ctl", &["promote", "--wait", &data]).await?;
        Ok(())
    }

    /// Has one that was killed, and in whose place another one came, follow that one.
    pub async fn come_back(&mut self, source: Source<'_>) -> Result<()> {
        let data = format!("--target-pgdata={}", self.data().display());
        let source = format!("--source-server={} dbname={SUPERUSER}", source.connection());
        // It starts the server for a moment, to end what the kill has left, and that must not write another log of changes.
        let conf = format!("--config-file={}", self.write_conf().await?.display());
        self.run_program("pg_rewind", &["--no-sync", "--write-recovery-conf", &conf, &data, &source]).await?;
        self.start_again().await?;
        ensure!(self.is_standby().await?, "it does not follow");
        Ok(())
    }

    /// Whether it follows another one.
    pub async fn is_standby(&self) -> Result<bool> {
        Ok(self.execute(SUPERUSER, "SELECT pg_is_in_recovery()").await? == "t")
    }
}

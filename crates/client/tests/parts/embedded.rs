//! The embedded broker on a free port.

use std::{fs, net::Ipv4Addr, sync::Arc};

use anyhow::Result;
use bugbrother_broker::{Config, Door, Health, Limits};
use bugbrother_mosquitto_compat::{PasswordFile, conf};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

/// It stops with this value.
pub struct Embedded {
    port: u16,
    _folder: tempfile::TempDir,
    _stop: DropGuard,
}

impl Embedded {
    /// One with these users, whose password is `secret`, and this access file.
    pub async fn start(users: &[&str], acl: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (passwords, acl_file) = (folder.path().join("passwords"), folder.path().join("acl"));
        let mut file = PasswordFile::default();
        for user in users {
            file.set_with(user, "secret", 1)?;
        }
        file.save(&passwords)?;
        fs::write(&acl_file, acl)?;
        let access = conf::Access { password_file: Some(passwords), acl_file: Some(acl_file), allow_anonymous: false };
        let door = Door::open(conf::Listener::at((Ipv4Addr::LOCALHOST, 0).into(), access)).await?;
        let port = door.sockets[0].local_addr()?.port();
        let config = Config {
            doors: vec![door],
            limits: Limits::default(),
            persistence: None,
            health: Health::default(),
            sys_interval: None,
            reload: Arc::new(Notify::new()),
        };
        let stop = CancellationToken::new();
        tokio::spawn(bugbrother_broker::run(config, stop.clone()));
        Ok(Embedded { port, _folder: folder, _stop: stop.drop_guard() })
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

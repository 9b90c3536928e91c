//! Certificates of the demo's cars with cameras: got as a vehicle gets its own, with a code, from the dashboard.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use bugbrother_agent::enrol::{Folder, Server, enrol};
use bugbrother_store::Store;
use bugbrother_wire::Vin;
use tokio::task::spawn_blocking;

use crate::services::now_ms;

/// A certificate that ends within so long is replaced.
const SOON_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Where a car's certificate is, and who gives codes for new ones.
pub struct Papers {
    pub folder: PathBuf,
    pub store: Store,
}

impl Papers {
    /// Has an agent sign in at the dashboard.
    pub async fn give(self, vin: Vin, http: SocketAddr, agent: &mut bugbrother_agent::Config) -> Result<()> {
        let address = format!("http://{http}");
        let folder = Folder::new(self.folder);
        let known = folder.identity()?;
        if known.as_ref().is_none_or(|identity| identity.not_after < now_ms() + SOON_MS) {
            let (code, _) = bugbrother_dashboard::issue_code(&self.store, vin, now_ms()).await?;
            let (server, at, again) = (Server::new(&address, None)?, folder.clone(), known.is_some());
            let enrolled = spawn_blocking(move || enrol(&server, &code.to_string(), &at, again)).await;
            enrolled.context("enrolment")??;
        }
        agent.server = Some(address);
        agent.certificate = Some(folder.identity_file());
        agent.key = Some(folder.identity_file());
        Ok(())
    }
}

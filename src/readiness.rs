//! Whether this process can be given work: the database is open and of this version, it answers, and every service of this
//! process is connected to the broker.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bugbrother_client::Standing;
use bugbrother_dashboard::Trouble;
use bugbrother_store::Store;
use tokio::time::timeout;

/// Longest that the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
const AWAY: &str = "not connected to the broker";

/// What has been started so far, and how that is. Clones tell the same.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// `Some(None)` once it is known that none is needed.
    store: OnceLock<Option<Store>>,
    sessions: Mutex<Vec<(&'static str, Standing)>>,
}

impl Readiness {
    /// The database is open and its schema is this version's; a broker alone has none.
    pub fn opened(&self, store: Option<&Store>) {
        self.0.store.get_or_init(|| store.cloned());
    }

    /// A service has a session with the broker.
    pub fn watch(&self, service: &'static str, standing: Standing) {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner).push((service, standing));
    }

    /// What the sessions of other services than the dashboard, which watches its own, are short of.
    pub fn sessions(&self) -> Vec<(&'static str, Trouble)> {
        let sessions = self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let troubles = sessions.iter().map(|(service, standing)| {
            let standing = standing.clone();
            let trouble: Trouble = Arc::new(move || (!standing.is_up()).then(|| AWAY.to_owned()));
            (*service, trouble)
        });
        troubles.collect()
    }

    /// Part → what is wrong with it, or `ok`.
    pub async fn parts(&self) -> BTreeMap<String, String> {
        let store = match self.0.store.get() {
            None => Some("the database is not open yet"),
            Some(None) => None,
            Some(Some(store)) => match timeout(PATIENCE, store.ping()).await {
                Ok(Ok(())) => Some("ok"),
                Ok(Err(_)) => Some("the database does not answer"),
                Err(_) => Some("the database takes longer than 2 s"),
            },
        };
        let mut parts: BTreeMap<String, String> =
            store.into_iter().map(|state| ("store".to_owned(), state.to_owned())).collect();
        for (service, trouble) in self.sessions() {
            parts.insert(service.to_owned(), trouble().unwrap_or_else(|| "ok".to_owned()));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_ready_before_the_database_is_open_and_the_broker_is_there() {
        let readiness = Readiness::default();
        assert_eq!(readiness.parts().await["store"], "the database is not open yet");
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/fleet.db", dir.path().display())).await.unwrap();
        readiness.opened(Some(&store));
        readiness.watch("ingest", Standing::default());
        let parts = readiness.parts().await;
        assert_eq!((parts["store"].as_str(), parts["ingest"].as_str()), ("ok", AWAY));
        store.close().await;
        assert_eq!(readiness.parts().await["store"], "the database does not answer");
    }

    #[tokio::test]
    async fn a_broker_alone_needs_no_database() {
        let readiness = Readiness::default();
        readiness.opened(None);
        assert!(readiness.parts().await.is_empty());
    }
}

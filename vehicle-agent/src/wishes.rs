//! What fleet and driver want of the vehicle, for all parts to follow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bugbrother_wire::message::Config;
use tokio::sync::watch;
use tracing::info;

use crate::outbox::{Outbox, OutboxError, Wanted};

/// What is wanted. Cloning gives another handle to the same wishes.
#[derive(Clone)]
pub struct Wishes(Arc<Shared>);

struct Shared {
    /// What is wanted, and whether the disk has it.
    state: Mutex<(Wanted, bool)>,
    config: watch::Sender<Option<Arc<Config>>>,
    private: watch::Sender<bool>,
}

/// The driver's button has no say in this vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the fleet does not let the driver switch privacy")]
pub struct NotForDrivers;

impl Wishes {
    /// Begins with what was wanted before.
    pub fn new(wanted: Wanted) -> Self {
        let config = watch::Sender::new(wanted.config.clone().map(Arc::new));
        let private = watch::Sender::new(is_private(&wanted));
        Wishes(Arc::new(Shared { state: Mutex::new((wanted, true)), config, private }))
    }

    /// Settings of the fleet as they change; `None` until it has said something.
    pub fn config(&self) -> watch::Receiver<Option<Arc<Config>>> {
        self.0.config.subscribe()
    }

    /// Whether neither position nor pictures may leave the vehicle.
    pub fn private(&self) -> watch::Receiver<bool> {
        self.0.private.subscribe()
    }

    /// Takes settings of the fleet, unless they are older than those that are known.
    pub fn configure(&self, config: Config) {
        self.change(|wanted| {
            let known = wanted.config.as_ref().map(|known| known.revision);
            if known.is_some_and(|known| config.revision <= known) {
                return false;
            }
            info!(revision = config.revision, privacy = config.privacy, "settings of the fleet");
            wanted.config = Some(config);
            true
        });
    }

    /// Changes the settings that are in force, until the fleet says newer ones.
    pub fn adjust(&self, empty: impl FnOnce() -> Config, adjust: impl FnOnce(&mut Config)) {
        self.change(|wanted| {
            adjust(wanted.config.get_or_insert_with(empty));
            true
        });
    }

    /// The driver pressed the button for privacy; answers whether it is on now.
    pub fn press(&self) -> Result<bool, NotForDrivers> {
        let mut answer = Err(NotForDrivers);
        self.change(|wanted| {
            let may = wanted.config.as_ref().is_some_and(|config| config.driver_privacy);
            if may {
                wanted.driver_private = !wanted.driver_private;
                answer = Ok(is_private(wanted));
            }
            may
        });
        answer
    }

    /// Puts on disk what it does not have yet. What cannot be written counts all the same, and is written next time.
    pub async fn write(&self, outbox: &Outbox) -> Result<(), OutboxError> {
        let wanted = {
            let (wanted, is_written) = &mut *self.lock();
            if std::mem::replace(is_written, true) {
                return Ok(());
            }
            wanted.clone()
        };
        let written = outbox.note_wanted(&wanted).await;
        if written.is_err() {
            self.lock().1 = false;
        }
        written
    }

    fn change(&self, change: impl FnOnce(&mut Wanted) -> bool) {
        let (wanted, is_written) = &mut *self.lock();
        if !change(wanted) {
            return;
        }
        *is_written = false;
        self.0.config.send_replace(wanted.config.clone().map(Arc::new));
        let private = is_private(wanted);
        self.0.private.send_if_modified(|known| std::mem::replace(known, private) != private);
    }

    fn lock(&self) -> MutexGuard<'_, (Wanted, bool)> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_private(wanted: &Wanted) -> bool {
    wanted.config.as_ref().is_some_and(|config| config.privacy || (config.driver_privacy && wanted.driver_private))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(revision: u64, privacy: bool, driver_privacy: bool) -> Config {
        Config {
            v: 1,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            revision,
            periods_ms: Default::default(),
            thresholds: Default::default(),
            geofences: Vec::new(),
            privacy,
            driver_privacy,
            daily_bytes: None,
        }
    }

    #[test]
    fn older_settings_do_not_replace_newer_ones() {
        let wishes = Wishes::new(Wanted::default());
        let private = wishes.private();
        wishes.configure(config(3, true, false));
        wishes.configure(config(2, false, false));
        wishes.configure(config(3, false, false));
        assert!(*private.borrow());
        wishes.adjust(|| config(0, false, false), |config| config.privacy = false);
        assert!(!*private.borrow());
        assert_eq!(wishes.config().borrow().as_ref().unwrap().revision, 3);
        wishes.configure(config(4, true, false));
        assert!(*private.borrow());
    }

    #[test]
    fn the_driver_switches_privacy_only_where_he_may_and_never_against_the_fleet() {
        let wishes = Wishes::new(Wanted::default());
        assert_eq!(wishes.press(), Err(NotForDrivers));
        wishes.configure(config(1, false, false));
        assert_eq!(wishes.press(), Err(NotForDrivers));
        wishes.configure(config(2, false, true));
        assert_eq!(wishes.press(), Ok(true));
        assert!(*wishes.private().borrow());
        // The contract changes: the driver's word counts no more, but is remembered.
        wishes.configure(config(3, false, false));
        assert!(!*wishes.private().borrow());
        wishes.configure(config(4, false, true));
        assert!(*wishes.private().borrow());
        assert_eq!(wishes.press(), Ok(false));
        wishes.configure(config(5, true, true));
        assert_eq!(wishes.press(), Ok(true));
        assert_eq!(wishes.press(), Ok(true), "the fleet wants it");
    }

    #[tokio::test]
    async fn what_is_wanted_is_on_disk_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        let source = bugbrother_wire::message::VinSource::Configured;
        let outbox =
            Outbox::open(&dir.path().join("outbox.db"), 1 << 20, vin, source, 1_790_000_000_000).await.unwrap();
        assert_eq!(outbox.wanted().await.unwrap(), Wanted::default());
        let wishes = Wishes::new(Wanted::default());
        wishes.configure(config(7, false, true));
        wishes.press().unwrap();
        outbox.refuse_writes(true).await;
        wishes.write(&outbox).await.unwrap_err();
        outbox.refuse_writes(false).await;
        wishes.write(&outbox).await.unwrap();
        let wanted = outbox.wanted().await.unwrap();
        assert_eq!(wanted, Wanted { config: Some(config(7, false, true)), driver_private: true });
        assert!(*Wishes::new(wanted).private().borrow());
    }
}

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// Whether the broker can write its file. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Option<Trouble>>>);

#[derive(Debug)]
struct Trouble {
    what: String,
    since: Instant,
}

impl Health {
    /// What is wrong, in words; `None` when nothing is.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().map(|Trouble { what, since }| {
            format!(
                "its file cannot be written ({what}) for {} s; what is retained or waits for who is away is not acknowledged",
                since.elapsed().as_secs()
            )
        })
    }

    pub(crate) fn is_ill(&self, what: String) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = trouble.as_ref().map_or_else(Instant::now, |trouble| trouble.since);
        *trouble = Some(Trouble { what, since });
    }

    pub(crate) fn is_well(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

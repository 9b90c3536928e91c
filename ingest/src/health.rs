use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// Whether ingest does its work. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Option<Trouble>>>);

#[derive(Debug)]
struct Trouble {
    what: &'static str,
    since: Instant,
    messages: usize,
}

impl Health {
    /// What is wrong, in words; `None` when nothing is.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().map(|Trouble { what, since, messages }| {
            let seconds = since.elapsed().as_secs();
            format!(
                "the fleet database takes no records ({what}) for {seconds} s; {messages} messages wait here, nothing more is \
                 acknowledged and vehicles keep what they have"
            )
        })
    }

    /// The database refused to take so many messages.
    pub(crate) fn is_ill(&self, what: &'static str, messages: usize) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = trouble.as_ref().map_or_else(Instant::now, |trouble| trouble.since);
        *trouble = Some(Trouble { what, since, messages });
    }

    /// It took some.
    pub(crate) fn is_well(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_in_words_until_it_has_passed() {
        let health = Health::default();
        assert_eq!(health.trouble(), None);
        health.is_ill("disk full", 7);
        let told = health.clone().trouble().unwrap();
        assert!(told.contains("(disk full) for 0 s; 7 messages wait"), "{told}");
        health.is_well();
        assert_eq!(health.trouble(), None);
    }
}

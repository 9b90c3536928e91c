use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether a session is connected and has subscribed to all it wants, for those who watch over it from outside.
///
/// Cloning gives another handle to the same.
#[derive(Debug, Clone, Default)]
pub struct Standing(Arc<AtomicBool>);

impl Standing {
    /// Whether it is so now.
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, is_up: bool) {
        self.0.store(is_up, Ordering::Relaxed);
    }
}

//! Who may connect and who may say what, in Mosquitto's own files.
//!
//! Point a real Mosquitto at the same folder and the fleet works the same; `tests/mosquitto.rs` asks the real program.
//!
//! # Layout
//! - [`topic`]: MQTT's rules for topic names and topic filters
//! - [`password`]: [`PasswordFile`], the users and their salted hashes
//! - [`acl`]: [`AclFile`], which user may read and write which topics
//!
//! # Invariants
//! - No network, no clock and no state: what a file says is what is answered.
//! - What is not granted is denied.
//! - A password is never kept, printed or part of an error.
#![warn(missing_docs)]

pub mod acl;
pub mod conf;
pub mod password;
mod replace;
pub mod topic;

pub use acl::{AclError, AclFile};
pub use password::{PasswordError, PasswordFile};

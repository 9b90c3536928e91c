//! Who may connect and who may say what, in Mosquitto's own files.
//!
//! Point a real Mosquitto at the same files and the fleet works the same; `tests/mosquitto` asks the real program.
//!
//! # Layout
//! - [`conf`]: [`Conf`], where a broker listens, whom it lets in and what it bridges, read, checked and written
//! - [`password`]: [`PasswordFile`], the users and their salted hashes
//! - [`acl`]: [`AclFile`], which user may read and write which topics, and edits that leave the rest of the file
//! - [`topic`]: MQTT's rules for topic names and topic filters
//! - `replace`: files written complete or not at all
//!
//! # Invariants
//! - No network, no clock and no state: what a file says is what is answered.
//! - What is not granted is denied, and what a configuration asks for and would not get is refused or warned of.
//! - A configuration or an access file that is accepted here means in Mosquitto what it means here; where we are stricter
//!   or newer, `tests/mosquitto/conf.rs` has the list.
//! - A password is never kept, but for those of bridges, and never printed or part of an error.
#![warn(missing_docs)]

pub mod acl;
pub mod conf;
pub mod password;
mod replace;
pub mod topic;

pub use acl::{AclError, AclFile};
pub use conf::{Conf, ConfError};
pub use password::{PasswordError, PasswordFile};

//! The first user.

use bugbrother_store::{Store, StoreError, User};
use bugbrother_wire::api::Role;

use crate::{clock, password};

/// Name of the first user.
pub const ADMINISTRATOR: &str = "admin";

/// The password of a user that was just made, to be shown to a person once. It is nowhere else.
pub struct InitialPassword(String);

impl InitialPassword {
    /// The password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for InitialPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InitialPassword(..)")
    }
}

/// Makes user [`ADMINISTRATOR`] with a random password when nobody can sign in yet.
pub async fn ensure_administrator(store: &Store) -> Result<Option<InitialPassword>, StoreError> {
    if store.has_users().await? {
        return Ok(None);
    }
    let password = password::random();
    let user = User {
        name: ADMINISTRATOR.to_owned(),
        password_hash: password::hash(&password).await,
        role: Role::Administrator,
    };
    // Another process may have been faster; then the password in its hands is the one.
    let added = store.add_user(&user, clock::now()).await?;
    Ok(added.then_some(InitialPassword(password)))
}

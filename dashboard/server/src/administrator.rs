//! The first user, and users who lost their password.

use bugbrother_store::{Account, ClientId, Store, StoreError, User};
use bugbrother_wire::api::Role;

use crate::{clock, password};

/// Name of the first user.
pub const ADMINISTRATOR: &str = "admin";

/// A random password that was just given to a user, to be shown to a person once. It is nowhere else.
pub struct NewPassword(String);

impl NewPassword {
    /// The password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

/// Why a password was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The database failed.
    #[error("the user's password cannot be stored")]
    Store(#[from] StoreError),
    /// There is nobody of that name.
    #[error("there is no user `{0}`")]
    NoSuchUser(String),
}

/// Makes user [`ADMINISTRATOR`] with a random password when nobody can sign in yet.
pub async fn ensure_administrator(store: &Store) -> Result<Option<NewPassword>, StoreError> {
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
    Ok(added.then_some(NewPassword(password)))
}

/// Adds a user with a random password; nothing when the name is taken.
pub async fn add_user(
    store: &Store,
    name: &str,
    display_name: &str,
    role: Role,
    client: Option<ClientId>,
) -> Result<Option<NewPassword>, StoreError> {
    let password = password::random();
    let user = User { name: name.to_owned(), password_hash: password::hash(&password).await, role };
    if !store.add_user(&user, clock::now()).await? {
        return Ok(None);
    }
    if let Some(account) = store.account(name).await? {
        let account = Account { display_name: Some(display_name.to_owned()), client, ..account };
        store.update_account(&account, clock::now()).await?;
    }
    Ok(Some(NewPassword(password)))
}

/// Gives a user a new random password, and ends the sessions that are open.
pub async fn reset_password(store: &Store, name: &str) -> Result<NewPassword, ResetError> {
    let password = password::random();
    let hash = password::hash(&password).await;
    match store.set_password_hash(name, &hash, None, clock::now()).await? {
        Some(_) => Ok(NewPassword(password)),
        None => Err(ResetError::NoSuchUser(name.to_owned())),
    }
}

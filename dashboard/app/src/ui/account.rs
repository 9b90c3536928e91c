//! Who is signed in.

use bugbrother_wire::api::{Right, Session};
use yew::prelude::*;

/// The session and how to end it.
#[derive(Clone, PartialEq)]
pub struct Account {
    /// The session.
    pub session: Session,
    /// Signs out.
    pub sign_out: Callback<()>,
    /// The server says that the session has ended.
    pub ended: Callback<()>,
}

impl Account {
    /// Whether the account has the right: what one may not do is not offered.
    pub fn may(&self, right: Right) -> bool {
        self.session.rights.contains(&right)
    }
}

/// The account, below the sign-in page.
#[hook]
pub fn use_account() -> Account {
    use_context().expect("only who is signed in sees this")
}

//! Users, invitations, second factors, API tokens, and what people did.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{QrCode, Right, Role, Tongue};
use crate::{ApiTokenId, ClientId, UnixMs};

/// `GET /api/frontend/users`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserList {
    /// By name.
    pub users: Vec<UserSummary>,
    /// Give it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserSummary {
    /// User name.
    pub name: String,
    /// What people call the user.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Where to write.
    #[serde(default)]
    pub email: Option<String>,
    /// What the user may do.
    pub role: Role,
    /// Whose vehicles a user of role `client` sees.
    #[serde(default)]
    pub client: Option<ClientId>,
    /// Language of letters to the user.
    pub language: Tongue,
    /// When the user was added.
    pub created: UnixMs,
    /// Since when the user may not sign in.
    #[serde(default)]
    pub disabled: Option<UnixMs>,
    /// When the user signed in last.
    #[serde(default)]
    pub signed_in: Option<UnixMs>,
    /// Since when the user asks for a new password.
    #[serde(default)]
    pub asks: Option<UnixMs>,
    /// Whether the user has set a password.
    pub has_password: bool,
    /// Since when a second factor is asked for.
    #[serde(default)]
    pub second_factor: Option<UnixMs>,
    /// Until when an invitation is open.
    #[serde(default)]
    pub invited: Option<UnixMs>,
}

/// `POST /api/frontend/users`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewUser {
    /// User name: 2 to 64 of `a-z`, `0-9`, `.`, `_`, `-` and `@`.
    pub name: String,
    /// What the user is.
    #[serde(flatten)]
    pub details: UserDetails,
}

/// `PUT /api/frontend/users/{name}`: what of a user can be changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserDetails {
    /// What the user may do.
    pub role: Role,
    /// What people call the user.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Where to write.
    #[serde(default)]
    pub email: Option<String>,
    /// Whose vehicles a user of role `client` sees; needed for that role, and for no other.
    #[serde(default)]
    pub client: Option<ClientId>,
    /// Language of letters to the user.
    #[serde(default)]
    pub language: Tongue,
}

/// Answer to `POST /api/frontend/users`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddedUser {
    /// The user.
    pub user: UserSummary,
    /// By which the user sets a password.
    pub invitation: InvitationLink,
}

/// Answer to `POST /api/frontend/users/{name}/invitation`: a link that is good once, and shown once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvitationLink {
    /// Its path on this server, `/invitation/…`.
    pub path: String,
    /// Until when it is good.
    pub expires: UnixMs,
}

/// `GET /api/frontend/invitations/{token}`: whom a link is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenInvitation {
    /// User name.
    pub name: String,
    /// What people call the user.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Whether the user has set a password before, and this is about a new one.
    pub has_password: bool,
    /// Until when it is good.
    pub expires: UnixMs,
}

/// `POST /api/frontend/invitations/{token}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AcceptInvitation {
    /// The password to be.
    pub password: String,
}

/// `POST /api/frontend/password`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangePassword {
    /// The present one.
    pub old: String,
    /// The one to be.
    pub new: String,
}

/// `POST /api/frontend/password/forgotten`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ForgottenPassword {
    /// User name.
    pub name: String,
}

/// What only who knows the password may do: `POST /api/frontend/second-factor`, `…/recovery-codes` and `…/removal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WithPassword {
    /// The password.
    pub password: String,
}

/// `GET /api/frontend/second-factor`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecondFactorState {
    /// Since when it is asked for; it is not, if nothing is said.
    #[serde(default)]
    pub since: Option<UnixMs>,
    /// How many recovery codes are left.
    pub recovery_codes: u32,
}

/// Answer to `POST /api/frontend/second-factor`: what the app on the telephone is to know. It counts once it is confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecondFactorOffer {
    /// The secret in base32, to be typed in.
    pub secret: String,
    /// The same as `otpauth://` address.
    pub uri: String,
    /// The address as a picture.
    pub qr: QrCode,
}

/// `POST /api/frontend/second-factor/confirmation`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfirmSecondFactor {
    /// The code that the telephone shows.
    pub code: String,
}

/// Codes for when the telephone is lost, each good once; they are shown once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecoveryCodes {
    /// The codes.
    pub codes: Vec<String>,
}

/// `GET /api/frontend/tokens`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiTokenList {
    /// In the order in which they were made.
    pub tokens: Vec<ApiToken>,
}

/// A token for a third party's program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiToken {
    /// Its identity.
    pub id: ApiTokenId,
    /// What it is for.
    pub label: String,
    /// What it may, as long as its owner may it too.
    pub rights: Vec<Right>,
    /// When it was made.
    pub created: UnixMs,
    /// Until when it is good; for ever, if nothing is said.
    #[serde(default)]
    pub expires: Option<UnixMs>,
    /// When it was last used, to the minute.
    #[serde(default)]
    pub used: Option<UnixMs>,
}

/// `POST /api/frontend/tokens`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewApiToken {
    /// What it is for.
    pub label: String,
    /// What it may; nothing that its owner may not.
    pub rights: Vec<Right>,
    /// For how many days it is good; for ever, if nothing is said.
    #[serde(default)]
    pub days: Option<u32>,
}

/// Answer to `POST /api/frontend/tokens`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MadeApiToken {
    /// What is known of it from now on.
    pub token: ApiToken,
    /// The token itself, `bb_…`; it is shown once.
    pub secret: String,
}

/// `GET /api/frontend/roles`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoleList {
    /// Who may most comes first.
    pub roles: Vec<RoleRights>,
}

/// What a role permits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoleRights {
    /// The role.
    pub role: Role,
    /// What it permits.
    pub rights: Vec<Right>,
}

/// `GET /api/frontend/audit`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditList {
    /// Newest first.
    pub entries: Vec<Deed>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deed {
    /// When.
    pub at: UnixMs,
    /// Who: a user, a vehicle, or a program.
    pub who: String,
    /// What, in a word, such as `vehicle_named`.
    pub what: String,
    /// Kind of what it was done to, such as `vehicle`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Identity of that.
    #[serde(default)]
    pub id: Option<String>,
    /// How.
    #[serde(default)]
    pub detail: Map<String, Value>,
    /// From which address.
    #[serde(default)]
    pub address: Option<String>,
}

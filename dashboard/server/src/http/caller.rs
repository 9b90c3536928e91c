//! Who asks, and what of the fleet they may know of.

use std::{convert::Infallible, net::IpAddr};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};
use bugbrother_store::{AuditEntry, AuditId, AuditObject, ClientId, VehicleState};
use bugbrother_wire::{
    UnixMs, Vin,
    api::{Right, Role},
};
use serde_json::Value;
use uuid::Uuid;

use super::{App, Shared, address::Client, failure::Failure, signed::Signed};
use crate::{
    clock,
    pass::{Pass, PassKind},
};

/// What one must be to use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Anybody,
    /// Signed in.
    SignedIn,
    /// Signed in oneself, and not by a token that somebody made for a program: for what is about the account.
    InPerson,
    /// Signed in, with this right.
    May(Right),
    /// A vehicle, which shows a code or its certificate.
    Vehicle,
}

/// Whose vehicles one may know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All.
    Fleet,
    /// Those of the running contracts of this client.
    Client(ClientId),
    /// None.
    Nothing,
}

/// Who asks. Only behind the guard of a route that wants somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub name: String,
    pub role: Role,
    pub scope: Scope,
    pub address: IpAddr,
    /// What the caller came in by.
    pub pass: Pass,
    /// Until when the token is good that was shown.
    pub expires: UnixMs,
    rights: Vec<Right>,
}

impl Caller {
    /// Whoever the request says it is from.
    pub(super) async fn of(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Signed { pass, role, client, rights, expires } = Signed::from_request_parts(parts, app).await?;
        let Ok(Client { address, .. }) = Client::from_request_parts(parts, app).await;
        let scope = match role {
            Role::Administrator | Role::Operator => Scope::Fleet,
            Role::Client => client.map_or(Scope::Nothing, Scope::Client),
        };
        Ok(Caller { name: pass.account.clone(), role, scope, address, pass, expires, rights })
    }

    /// What the caller may do.
    pub fn rights(&self) -> &[Right] {
        &self.rights
    }

    /// Whether the caller has the right.
    pub fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// The vehicle, if the caller may know that there is one.
    pub async fn sees(&self, app: &App, vin: Vin) -> Result<VehicleState, Failure> {
        let store = &app.config.store;
        let sees = match self.scope {
            Scope::Fleet => true,
            Scope::Client(client) => store.client_sees(client, vin, clock::now()).await?,
            Scope::Nothing => false,
        };
        let vehicle = if sees { store.vehicle(vin).await? } else { None };
        vehicle.ok_or_else(|| Failure::not_found("no vehicle with that VIN is known"))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(caller.expect("the route's access is not `Anybody`, so its guard has put the caller there"))
    }
}

/// The one place where rights are checked.
pub(super) async fn guard(State((app, access)): State<(App, Access)>, request: Request, next: Next) -> Response {
    let needs = match access {
        Access::Anybody | Access::Vehicle => return next.run(request).await,
        Access::SignedIn | Access::InPerson => None,
        Access::May(right) => Some(right),
    };
    let (mut parts, body) = request.into_parts();
    let caller = match Caller::of(&mut parts, &app).await {
        Ok(caller) => caller,
        Err(failure) => return failure.into_response(),
    };
    if needs.is_some_and(|right| !caller.may(right)) {
        metrics::counter!("bugbrother_dashboard_rights_refused_total").increment(1);
        return Failure::forbidden("forbidden", "this account may not do that").into_response();
    }
    if access == Access::InPerson && !matches!(caller.pass.by, PassKind::Session(_)) {
        return Failure::forbidden("forbidden", "sign in for that: an API token does not do").into_response();
    }
    parts.extensions.insert(caller);
    next.run(Request::from_parts(parts, body)).await
}

impl Shared {
    /// Writes into the audit log that somebody did something. That the log cannot be written is an error of the request: what
    /// nobody could find out later is not to be done.
    pub async fn note(
        &self,
        caller: &Caller,
        what: &str,
        object: Option<(&str, &str)>,
        detail: Value,
    ) -> Result<(), Failure> {
        self.note_of(&caller.name, caller.address, what, object, detail).await
    }

    /// The same of somebody who is only about to come in.
    pub async fn note_of(
        &self,
        who: &str,
        address: IpAddr,
        what: &str,
        object: Option<(&str, &str)>,
        detail: Value,
    ) -> Result<(), Failure> {
        let entry = AuditEntry {
            id: AuditId(Uuid::now_v7()),
            at: clock::now(),
            who: who.to_owned(),
            what: what.to_owned(),
            object: object.map(|(kind, id)| AuditObject { kind: kind.to_owned(), id: id.to_owned() }),
            detail: match detail {
                Value::Object(fields) => fields,
                _ => serde_json::Map::new(),
            },
            address: Some(address),
        };
        Ok(self.config.store.append_audit(&entry).await?)
    }
}

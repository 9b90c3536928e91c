//! `/api/frontend/tokens`: tokens for third parties' programs.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use bugbrother_store::{ApiTokenRecord, MAX_API_TOKENS};
use bugbrother_wire::{
    ApiTokenId,
    api::{ApiToken, ApiTokenList, MadeApiToken, NewApiToken},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    App,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
    signed::API_TOKEN,
};
use crate::{clock, digest};

const MAX_LABEL_CHARS: usize = 80;
const MAX_DAYS: u32 = 3650;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes.get("/frontend/tokens", Access::InPerson, list).says("The own API tokens").gives::<ApiTokenList>();
    routes
        .post("/frontend/tokens", Access::InPerson, make)
        .says("Make an API token for a program; it is shown once")
        .takes::<NewApiToken>()
        .gives::<MadeApiToken>();
    routes.delete("/frontend/tokens/{id}", Access::InPerson, revoke).says("Revoke an API token");
}

async fn list(State(app): State<App>, caller: Caller) -> Result<Json<ApiTokenList>, Failure> {
    let records = app.config.store.api_tokens(&caller.name, MAX_API_TOKENS).await?;
    Ok(Json(ApiTokenList { tokens: records.into_iter().map(shown).collect() }))
}

async fn make(
    State(app): State<App>,
    caller: Caller,
    Body(wish): Body<NewApiToken>,
) -> Result<(StatusCode, Json<MadeApiToken>), Failure> {
    let label = wish.label.trim();
    if label.is_empty() || label.chars().count() > MAX_LABEL_CHARS || label.chars().any(char::is_control) {
        return Err(Failure::field("label", "say in 1 to 80 characters what it is for"));
    }
    let mut rights = wish.rights;
    rights.sort_unstable();
    rights.dedup();
    if rights.is_empty() || !rights.iter().all(|right| caller.may(*right)) {
        return Err(Failure::field("rights", "choose one right or more of those that you have"));
    }
    if wish.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
        return Err(Failure::field("days", "a token is good for 1 to 3650 days, or until it is revoked"));
    }
    let (secret, now) = (format!("{API_TOKEN}{}", digest::random()), clock::now());
    let record = ApiTokenRecord {
        id: ApiTokenId(Uuid::now_v7()),
        account: caller.name.clone(),
        label: label.to_owned(),
        rights,
        created: now,
        expires: wish.days.map(|days| now + i64::from(days) * DAY_MS),
        used: None,
    };
    if !app.config.store.add_api_token(&record, &digest::sha256(&secret)).await? {
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_tokens", "you have 50 tokens; revoke one first"));
    }
    let detail = json!({ "label": record.label, "rights": record.rights, "expires": record.expires });
    app.note(&caller, "api_token_made", Some(("api_token", &record.id.to_string())), detail).await?;
    Ok((StatusCode::CREATED, Json(MadeApiToken { token: shown(record), secret })))
}

async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let unknown = || Failure::not_found("you have no such token");
    let id: ApiTokenId = id.parse().map_err(|_| unknown())?;
    let now = clock::now();
    if !app.config.store.revoke_api_token(&caller.name, id, now).await? {
        return Err(unknown());
    }
    app.passes.end_token(id, now);
    app.note(&caller, "api_token_revoked", Some(("api_token", &id.to_string())), json!({})).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(record: ApiTokenRecord) -> ApiToken {
    ApiToken {
        id: record.id,
        label: record.label,
        rights: record.rights,
        created: record.created,
        expires: record.expires,
        used: record.used,
    }
}

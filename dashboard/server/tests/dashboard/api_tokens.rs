//! Tokens that people make for third parties' programs.

use anyhow::Result;
use bugbrother_store::Account;
use bugbrother_wire::api::{ApiTokenList, MadeApiToken, Role, Session};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    rig::{Rig, expect_refusal, now},
    viewer::Viewer,
};

const TOKENS: &str = "/api/frontend/tokens";

async fn make(rig: &Rig, token: &str, rights: &[&str]) -> Result<MadeApiToken> {
    let body = json!({ "label": " Excel ", "rights": rights, "days": 30 });
    Ok(rig.post(TOKENS, token, &body).await?.error_for_status()?.json().await?)
}

#[tokio::test]
async fn an_api_token_may_what_it_was_made_for_and_no_more() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    let made = make(&rig, &admin, &["watch", "audit", "watch"]).await?;
    assert!(made.secret.starts_with("bb_") && made.secret.len() == 46);
    assert_eq!((made.token.label.as_str(), made.token.rights.len(), made.token.used), ("Excel", 2, None));
    let get = |path| rig.get(path, &made.secret);
    get("/api/frontend/vehicles").await?.error_for_status()?;
    get("/api/frontend/audit").await?.error_for_status()?;
    expect_refusal(get("/api/frontend/users").await?, StatusCode::FORBIDDEN, "forbidden").await?;
    let session: Session = get("/api/frontend/session").await?.error_for_status()?.json().await?;
    assert_eq!((session.name.as_str(), session.rights.len()), ("admin", 2));
    // What is about the account is for the person, and above all no token makes another.
    for path in [TOKENS, "/api/frontend/sessions", "/api/frontend/second-factor", "/api/frontend/preferences"] {
        expect_refusal(get(path).await?, StatusCode::FORBIDDEN, "forbidden").await?;
    }
    let body = json!({ "label": "more", "rights": ["watch"] });
    expect_refusal(rig.post(TOKENS, &made.secret, &body).await?, StatusCode::FORBIDDEN, "forbidden").await?;
    // Only behind the word Bearer: a browser never has one.
    let cookie = format!("bugbrother_session={}", made.secret);
    let answer = rig.request(reqwest::Method::GET, "/api/frontend/vehicles").header("cookie", cookie).send().await?;
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    let list: ApiTokenList = rig.get(TOKENS, &admin).await?.error_for_status()?.json().await?;
    assert!(list.tokens[0].used.is_some());
    assert!(!serde_json::to_string(&list)?.contains("bb_"), "it is shown once");
    rig.stop().await
}

#[tokio::test]
async fn a_revoked_token_loses_the_api_and_the_live_feed_and_other_peoples_stay() -> Result<()> {
    let rig = Rig::start().await?;
    let (admin, ada) = (rig.token().await?, rig.user("ada", Role::Operator).await?);
    let (one, other) = (make(&rig, &admin, &["watch"]).await?, make(&rig, &ada, &["watch"]).await?);
    let viewer = Viewer::join(&rig, &one.secret).await?;
    let path = format!("{TOKENS}/{}", one.token.id);
    expect_refusal(rig.delete(&path, &ada).await?, StatusCode::NOT_FOUND, "not_found").await?;
    assert_eq!(rig.delete(&path, &admin).await?.status(), StatusCode::NO_CONTENT);
    assert_eq!(viewer.close_code().await?, 4401);
    let answer = rig.get("/api/frontend/vehicles", &one.secret).await?;
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    expect_refusal(rig.delete(&path, &admin).await?, StatusCode::NOT_FOUND, "not_found").await?;
    rig.get("/api/frontend/vehicles", &other.secret).await?.error_for_status()?;
    rig.stop().await
}

#[tokio::test]
async fn a_token_never_may_more_than_its_owner_may_by_now() -> Result<()> {
    let rig = Rig::start().await?;
    let ada = rig.user("ada", Role::Administrator).await?;
    let made = make(&rig, &ada, &["watch", "users"]).await?;
    rig.get("/api/frontend/users", &made.secret).await?.error_for_status()?;
    let viewer = Viewer::join(&rig, &made.secret).await?;
    let account = rig.store.account("ada").await?.expect("ada is there");
    rig.store.update_account(&Account { role: Role::Operator, ..account }, now()).await?;
    let answer = rig.get("/api/frontend/users", &made.secret).await?;
    expect_refusal(answer, StatusCode::FORBIDDEN, "forbidden").await?;
    assert_eq!(viewer.close_code().await?, 4401, "what it had open was opened with the role of before");
    rig.get("/api/frontend/vehicles", &made.secret).await?.error_for_status()?;
    rig.store.disable_account("ada", now()).await?;
    let answer = rig.get("/api/frontend/vehicles", &made.secret).await?;
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    rig.store.enable_account("ada").await?;
    let answer = rig.get("/api/frontend/vehicles", &made.secret).await?;
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    rig.stop().await
}

#[tokio::test]
async fn tokens_are_bounded_in_what_they_say_and_in_number() -> Result<()> {
    let rig = Rig::start().await?;
    let operator = rig.user("ada", Role::Operator).await?;
    for (field, body) in [
        ("label", json!({ "label": " ", "rights": ["watch"] })),
        ("label", json!({ "label": "x".repeat(81), "rights": ["watch"] })),
        ("rights", json!({ "label": "x", "rights": [] })),
        ("rights", json!({ "label": "x", "rights": ["watch", "users"] })),
        ("days", json!({ "label": "x", "rights": ["watch"], "days": 0 })),
        ("days", json!({ "label": "x", "rights": ["watch"], "days": 4_000_000_000_u32 })),
    ] {
        let answer = rig.post(TOKENS, &operator, &body).await?;
        let problem = expect_refusal(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
        assert!(problem.fields.contains_key(field), "{problem:?}");
    }
    let unknown = json!({ "label": "x", "rights": ["rule_the_world"] });
    let answer = rig.post(TOKENS, &operator, &unknown).await?;
    expect_refusal(answer, StatusCode::BAD_REQUEST, "invalid_body").await?;
    for _ in 0..50 {
        make(&rig, &operator, &["watch"]).await?;
    }
    let one_more = rig.post(TOKENS, &operator, &json!({ "label": "x", "rights": ["watch"] })).await?;
    expect_refusal(one_more, StatusCode::CONFLICT, "too_many_tokens").await?;
    rig.stop().await
}

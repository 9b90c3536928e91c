//! Sessions: how they go on, and how they end.

use std::time::Duration;

use anyhow::{Context, Result};
use bugbrother_kit::port;
use bugbrother_store::AuditFilter;
use bugbrother_wire::api::{Role, Session, SessionList};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::{
    rig::{Rig, expect_refusal, now},
    viewer::Viewer,
};

const SESSION: &str = "/api/frontend/session";

async fn refresh(rig: &Rig, token: &str) -> Result<Response> {
    let request = rig.request(Method::POST, "/api/frontend/session/refresh");
    Ok(request.json(&json!({ "refresh_token": token })).send().await?)
}

async fn refreshed(rig: &Rig, token: &str) -> Result<(String, String)> {
    let session: Session = refresh(rig, token).await?.error_for_status()?.json().await?;
    Ok((session.token.context("an access token")?, session.refresh_token.context("a refresh token")?))
}

async fn begin(rig: &Rig) -> Result<(String, String)> {
    let session = rig.sign_in("admin", &rig.password).await?;
    Ok((session.token.context("an access token")?, session.refresh_token.context("a refresh token")?))
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_two_who_have_it_lose_the_session() -> Result<()> {
    let rig = Rig::start().await?;
    let (access, first) = begin(&rig).await?;
    let viewer = Viewer::join(&rig, &access).await?;
    let (_, second) = refreshed(&rig, &first).await?;
    assert_ne!(first, second);
    // Two tabs at once, or an answer that was lost: the same token follows.
    let (again, same) = refreshed(&rig, &first).await?;
    assert_eq!(same, second);
    rig.get(SESSION, &again).await?.error_for_status()?;
    let (newest, third) = refreshed(&rig, &second).await?;
    // The first one was used up two turns ago: whoever shows it now has stolen it, or it was stolen.
    expect_refusal(refresh(&rig, &first).await?, StatusCode::UNAUTHORIZED, "session_over").await?;
    expect_refusal(refresh(&rig, &third).await?, StatusCode::UNAUTHORIZED, "session_over").await?;
    for token in [&access, &again, &newest] {
        expect_refusal(rig.get(SESSION, token).await?, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    }
    assert_eq!(viewer.close_code().await?, 4401);
    let deeds = rig.store.audit(AuditFilter::default(), None, 10).await?;
    assert!(deeds.iter().any(|deed| deed.what == "session_token_reused" && deed.who == "admin"), "{deeds:?}");
    let (other, _) = begin(&rig).await?;
    rig.get(SESSION, &other).await?.error_for_status()?;
    rig.stop().await
}

#[tokio::test]
async fn a_browser_refreshes_by_its_cookie_alone() -> Result<()> {
    let rig = Rig::start().await?;
    let body = json!({ "name": "admin", "password": rig.password });
    let answer = rig.request(Method::POST, SESSION).json(&body).send().await?.error_for_status()?;
    let cookies = pairs(&answer);
    let refresh = || {
        let request = rig.request(Method::POST, "/api/frontend/session/refresh");
        request.header("cookie", cookies[1].as_str()).header("origin", rig.url("")).send()
    };
    let answer = refresh().await?.error_for_status()?;
    let renewed = pairs(&answer);
    assert_eq!(renewed.len(), 2);
    let session: Session = answer.json().await?;
    assert_eq!((session.token, session.refresh_token), (None, None));
    let again = pairs(&refresh().await?.error_for_status()?);
    assert_eq!(again[1], renewed[1], "both tabs have the same");
    // Signing out with a cookie of before, as after a long sleep.
    let out = rig.request(Method::DELETE, SESSION).header("cookie", cookies[1].as_str()).send().await?;
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    let answer = refresh().await?;
    assert!(pairs(&answer).iter().all(|pair| pair.ends_with('=')), "the cookies are taken back");
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "session_over").await?;
    let shown = rig.request(Method::GET, SESSION).header("cookie", renewed[0].as_str()).send().await?;
    expect_refusal(shown, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    rig.stop().await
}

fn pairs(answer: &Response) -> Vec<String> {
    let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    cookies.filter_map(|cookie| cookie.split(';').next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() -> Result<()> {
    let rig = Rig::start().await?;
    let (access, token) = begin(&rig).await?;
    let cut = &token[..token.len() - 4];
    for bad in ["", "x", "é", cut, &access, &"A".repeat(64), &"A".repeat(30_000)] {
        expect_refusal(refresh(&rig, bad).await?, StatusCode::UNAUTHORIZED, "session_over").await?;
    }
    let nothing = rig.request(Method::POST, "/api/frontend/session/refresh").send().await?;
    expect_refusal(nothing, StatusCode::UNAUTHORIZED, "session_over").await?;
    let rubbish = rig.request(Method::POST, "/api/frontend/session/refresh").body("{").send().await?;
    expect_refusal(rubbish, StatusCode::BAD_REQUEST, "invalid_body").await?;
    refreshed(&rig, &token).await?;
    rig.stop().await
}

#[tokio::test]
async fn an_idle_session_ends_and_so_does_one_that_is_used_without_end() -> Result<()> {
    let rig = Rig::start_with(port::free()?, |config| {
        config.access_ttl = Duration::from_secs(1);
        config.session_idle = Duration::from_secs(3);
        config.session_longest = Duration::from_secs(6);
    })
    .await?;
    let (_, idle) = begin(&rig).await?;
    let (_, mut used) = begin(&rig).await?;
    let began = now();
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    let ended = loop {
        ticks.tick().await;
        let answer = refresh(&rig, &used).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            break now() - began;
        }
        used = answer.json::<Session>().await?.refresh_token.context("a refresh token")?;
        assert!(now() - began < 20_000, "it never ends");
    };
    assert!((4_500..8_000).contains(&ended), "{ended}");
    expect_refusal(refresh(&rig, &idle).await?, StatusCode::UNAUTHORIZED, "session_over").await?;
    rig.stop().await
}

#[tokio::test]
async fn sessions_are_listed_in_words_and_ended_one_by_one() -> Result<()> {
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
    let rig = Rig::start().await?;
    let (token, _) = begin(&rig).await?;
    let body = json!({ "name": "admin", "password": rig.password });
    let answer = rig.request(Method::POST, SESSION).header("user-agent", FIREFOX).json(&body).send().await?;
    let cookie = pairs(&answer.error_for_status()?).swap_remove(0);
    let list: SessionList = rig.get("/api/frontend/sessions", &token).await?.error_for_status()?.json().await?;
    assert_eq!(list.sessions.len(), 2);
    let browser = list.sessions.iter().find(|one| !one.program).context("the browser's")?;
    assert_eq!((browser.browser.as_deref(), browser.system.as_deref()), (Some("Firefox"), Some("Linux")));
    assert_eq!((browser.current, browser.address.as_deref()), (false, Some("127.0.0.1")));
    assert!(list.sessions.iter().any(|one| one.current && one.program));

    let stranger = rig.user("bob", Role::Operator).await?;
    let path = format!("/api/frontend/sessions/{}", browser.id);
    expect_refusal(rig.delete(&path, &stranger).await?, StatusCode::NOT_FOUND, "not_found").await?;
    assert_eq!(rig.delete(&path, &token).await?.status(), StatusCode::NO_CONTENT);
    let shown = rig.request(Method::GET, SESSION).header("cookie", cookie).send().await?;
    expect_refusal(shown, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    expect_refusal(rig.delete(&path, &token).await?, StatusCode::NOT_FOUND, "not_found").await?;
    for bad in ["x", "00000000-0000-0000-0000-000000000000"] {
        let answer = rig.delete(&format!("/api/frontend/sessions/{bad}"), &token).await?;
        expect_refusal(answer, StatusCode::NOT_FOUND, "not_found").await?;
    }

    let (other, _) = begin(&rig).await?;
    assert_eq!(rig.delete("/api/frontend/sessions", &token).await?.status(), StatusCode::NO_CONTENT);
    expect_refusal(rig.get(SESSION, &other).await?, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    rig.get(SESSION, &token).await?.error_for_status()?;
    rig.stop().await
}

#[tokio::test]
async fn another_password_ends_the_other_sessions_and_not_this_one() -> Result<()> {
    let rig = Rig::start().await?;
    let ((token, refresh), (other, _)) = (begin(&rig).await?, begin(&rig).await?);
    let viewer = Viewer::join(&rig, &other).await?;
    let change = |old: &str, new: &str| json!({ "old": old, "new": new });
    let path = "/api/frontend/password";
    let wrong = rig.post(path, &token, &change("wrong", "correct horse battery")).await?;
    let problem = expect_refusal(wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    assert!(problem.fields.contains_key("old"));
    let short = rig.post(path, &token, &change(&rig.password, "short")).await?;
    let problem = expect_refusal(short, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    assert!(problem.fields.contains_key("new"));
    let done = rig.post(path, &token, &change(&rig.password, "correct horse battery")).await?;
    assert_eq!(done.status(), StatusCode::NO_CONTENT);
    assert_eq!(viewer.close_code().await?, 4401);
    expect_refusal(rig.get(SESSION, &other).await?, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    rig.get(SESSION, &token).await?.error_for_status()?;
    refreshed(&rig, &refresh).await?;
    let old = rig.try_to_sign_in("admin", &rig.password).await?;
    expect_refusal(old, StatusCode::UNAUTHORIZED, "wrong_credentials").await?;
    rig.sign_in("admin", "correct horse battery").await?;
    rig.stop().await
}

#[tokio::test]
async fn what_another_server_ends_is_over_here_within_moments() -> Result<()> {
    let rig = Rig::start().await?;
    let (token, refresh_token) = begin(&rig).await?;
    let viewer = Viewer::join(&rig, &token).await?;
    // Not through this server: as another one that shares the database does.
    let session = rig.store.sessions("admin", now(), 1).await?.swap_remove(0);
    assert!(rig.store.end_session("admin", session.id, now()).await?);
    assert_eq!(viewer.close_code().await?, 4401);
    expect_refusal(rig.get(SESSION, &token).await?, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    expect_refusal(refresh(&rig, &refresh_token).await?, StatusCode::UNAUTHORIZED, "session_over").await?;
    rig.stop().await
}

#[tokio::test]
async fn refreshing_without_end_is_told_to_wait() -> Result<()> {
    let rig = Rig::start().await?;
    for _ in 0..400 {
        let answer = refresh(&rig, "guess").await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.headers().contains_key("retry-after"));
            return rig.stop().await;
        }
    }
    anyhow::bail!("400 refreshes were heard");
}

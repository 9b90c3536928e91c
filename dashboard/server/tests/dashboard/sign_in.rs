use anyhow::{Context, Result};
use bugbrother_dashboard::{ADMINISTRATOR, ResetError, ensure_administrator, reset_password};
use bugbrother_kit::wait;
use bugbrother_wire::api::{Role, Session};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::rig::{LIMIT, Rig, counted, expect_refusal};

const SESSION: &str = "/api/frontend/session";

#[tokio::test]
async fn the_first_administrator_signs_in_with_a_cookie_and_out_again() -> Result<()> {
    let rig = Rig::start().await?;
    assert!(ensure_administrator(&rig.store).await?.is_none());
    let body = json!({ "name": ADMINISTRATOR, "password": rig.password });
    let answer = rig
        .request(Method::POST, SESSION)
        .header("origin", rig.url(""))
        .json(&body)
        .send()
        .await?
        .error_for_status()?;
    let cookies = cookies(&answer)?;
    let (cookie, refresh) = (&cookies[0], &cookies[1]);
    for attribute in ["bugbrother_session=", "; HttpOnly", "; SameSite=Strict", "; Path=/;"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    for attribute in ["bugbrother_refresh=", "; HttpOnly", "; SameSite=Strict", "; Path=/api/frontend/session;"] {
        assert!(refresh.contains(attribute), "{refresh}");
    }
    assert!((880..=900).contains(&age(cookie)?) && (1_209_580..=1_209_600).contains(&age(refresh)?), "{cookies:?}");
    assert!(!cookie.contains("Secure"));
    let session: Session = answer.json().await?;
    assert_eq!((session.role, session.token), (Role::Administrator, None));

    let pair = cookie.split(';').next().context("a cookie has a value")?;
    let show = || rig.request(Method::GET, SESSION).header("cookie", pair);
    let shown: Session = show().send().await?.error_for_status()?.json().await?;
    assert_eq!((shown.name.as_str(), shown.expires), (ADMINISTRATOR, session.expires));
    let out = rig.request(Method::DELETE, SESSION).header("cookie", pair);
    let answer = out.send().await?;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    for cookie in self::cookies(&answer)? {
        assert!(cookie.contains("=; ") && cookie.contains("Max-Age=0"), "{cookie}");
    }
    expect_refusal(show().send().await?, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    let nobody = rig.request(Method::GET, SESSION).send().await?;
    expect_refusal(nobody, StatusCode::UNAUTHORIZED, "not_signed_in").await?;
    rig.stop().await
}

fn cookies(answer: &Response) -> Result<Vec<String>> {
    let cookies = answer.headers().get_all("set-cookie").iter();
    Ok(cookies.map(|cookie| cookie.to_str().map(str::to_owned)).collect::<Result<_, _>>()?)
}

/// How long a cookie is kept.
fn age(cookie: &str) -> Result<u64> {
    let text = cookie.split("Max-Age=").nth(1).context("a cookie says how long it is kept")?;
    Ok(text.split(';').next().unwrap_or_default().parse()?)
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_refused_alike_and_counted() -> Result<()> {
    const COUNTER: &str = "bugbrother_dashboard_sign_ins_refused_total{reason=\"wrong_credentials\"}";
    let rig = Rig::start().await?;
    let before = counted(COUNTER);
    let mut bodies = Vec::new();
    for name in [ADMINISTRATOR, "nobody"] {
        let answer = rig.try_to_sign_in(name, "wrong").await?;
        bodies.push(expect_refusal(answer, StatusCode::UNAUTHORIZED, "wrong_credentials").await?);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert!(counted(COUNTER) >= before + 2);
    rig.token().await?;
    rig.stop().await
}

#[tokio::test]
async fn a_flood_of_attempts_is_told_to_wait_and_another_name_is_not() -> Result<()> {
    let rig = Rig::start().await?;
    let mut refused = None;
    for _ in 0..21 {
        let answer = rig.try_to_sign_in("ann", "guess").await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.context("a flood is refused")?;
    let wait: u64 = refused.headers()["retry-after"].to_str()?.parse()?;
    assert!((1..=6).contains(&wait), "{wait}");
    expect_refusal(refused, StatusCode::TOO_MANY_REQUESTS, "too_many_attempts").await?;
    rig.token().await?;
    rig.stop().await
}

#[tokio::test]
async fn behind_tls_the_cookie_is_kept_from_plain_http() -> Result<()> {
    let rig = Rig::start_with(bugbrother_kit::port::free()?, |config| {
        config.secure_cookies = true;
        config.origins = vec!["https://fleet.example".to_owned()];
    })
    .await?;
    let sign_in = |origin: String| {
        let body = json!({ "name": ADMINISTRATOR, "password": rig.password });
        let request = rig.request(Method::POST, SESSION);
        request.header("origin", origin).json(&body).send()
    };
    let answer = sign_in("https://fleet.example".to_owned()).await?;
    let cookies = cookies(answer.error_for_status_ref()?)?;
    assert!(cookies.len() == 2 && cookies.iter().all(|cookie| cookie.contains("; Secure")), "{cookies:?}");
    assert!(answer.headers().contains_key("strict-transport-security"));
    let plain = sign_in(rig.url("")).await?;
    expect_refusal(plain, StatusCode::FORBIDDEN, "origin").await?;
    rig.stop().await
}

#[tokio::test]
async fn a_lost_password_is_replaced_by_a_new_one() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.token().await?;
    let new = reset_password(&rig.store, ADMINISTRATOR).await?;
    let old = rig.try_to_sign_in(ADMINISTRATOR, &rig.password).await?;
    expect_refusal(old, StatusCode::UNAUTHORIZED, "wrong_credentials").await?;
    let answer = rig.try_to_sign_in(ADMINISTRATOR, new.expose()).await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!format!("{new:?}").contains(new.expose()));
    // As another process has reset it, this one finds out from the database.
    wait::until("the session of before has ended", LIMIT, async || {
        let answer = rig.get(SESSION, &token).await.ok()?;
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await?;
    let nobody = reset_password(&rig.store, "nobody").await;
    assert!(matches!(nobody, Err(ResetError::NoSuchUser(name)) if name == "nobody"));
    rig.stop().await
}

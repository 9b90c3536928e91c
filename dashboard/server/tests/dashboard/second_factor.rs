//! The second factor: set up, asked for, lost.

use anyhow::{Context, Result};
use bugbrother_wire::api::{RecoveryCodes, Role, SecondFactorOffer, SecondFactorState, Session};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::rig::{Rig, expect_refusal, now};

const PATH: &str = "/api/frontend/second-factor";

/// What a telephone shows, so many steps from now.
fn telephone(secret: &str, steps: i64) -> Result<String> {
    let secret = Secret::try_from_base32(secret).ok().context("base32")?;
    let totp = Builder::new().with_secret(secret).build().ok().context("a secret of 160 bits")?;
    Ok(totp.generate(u64::try_from(now() / 1000 + steps * 30)?).to_string())
}

async fn sign_in(rig: &Rig, code: Option<&str>) -> Result<Response> {
    let body = json!({ "name": "ada", "password": rig.password, "code": code });
    let request = rig.request(Method::POST, "/api/frontend/session").header("x-bugbrother-client", "program");
    Ok(request.json(&body).send().await?)
}

fn password(rig: &Rig) -> Value {
    json!({ "password": rig.password })
}

/// Sets a second factor up for ada: the token, the secret and the recovery codes.
async fn set_up(rig: &Rig) -> Result<(String, String, Vec<String>)> {
    let token = rig.user("ada", Role::Operator).await?;
    let offer: SecondFactorOffer = rig.post(PATH, &token, &password(rig)).await?.error_for_status()?.json().await?;
    let code = json!({ "code": telephone(&offer.secret, 0)? });
    let answer = rig.post(&format!("{PATH}/confirmation"), &token, &code).await?.error_for_status()?;
    let codes: RecoveryCodes = answer.json().await?;
    Ok((token, offer.secret, codes.codes))
}

#[tokio::test]
async fn a_second_factor_counts_once_the_telephone_has_shown_that_it_knows_it() -> Result<()> {
    let rig = Rig::start().await?;
    let token = rig.user("ada", Role::Operator).await?;
    let confirm = format!("{PATH}/confirmation");
    let nothing = rig.post(&confirm, &token, &json!({ "code": "123456" })).await?;
    expect_refusal(nothing, StatusCode::CONFLICT, "nothing_to_confirm").await?;
    let wrong = rig.post(PATH, &token, &json!({ "password": "wrong" })).await?;
    expect_refusal(wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    let offer: SecondFactorOffer = rig.post(PATH, &token, &password(&rig)).await?.error_for_status()?.json().await?;
    assert!(offer.uri.starts_with("otpauth://totp/BugBrother:ada?") && offer.uri.contains(&offer.secret));
    assert!(offer.qr.path.starts_with('M') && offer.qr.size > 20);
    // Not confirmed yet, nobody is asked.
    assert_eq!(sign_in(&rig, None).await?.status(), StatusCode::OK);
    let stale = rig.post(&confirm, &token, &json!({ "code": telephone(&offer.secret, 10)? })).await?;
    expect_refusal(stale, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    let code = json!({ "code": telephone(&offer.secret, 0)? });
    let codes: RecoveryCodes = rig.post(&confirm, &token, &code).await?.error_for_status()?.json().await?;
    assert_eq!(codes.codes.len(), 10);
    let state: SecondFactorState = rig.get(PATH, &token).await?.error_for_status()?.json().await?;
    assert!(state.since.is_some() && state.recovery_codes == 10);
    expect_refusal(sign_in(&rig, None).await?, StatusCode::UNAUTHORIZED, "second_factor").await?;
    expect_refusal(sign_in(&rig, Some(" ")).await?, StatusCode::UNAUTHORIZED, "second_factor").await?;
    let twice = rig.post(PATH, &token, &password(&rig)).await?;
    expect_refusal(twice, StatusCode::CONFLICT, "second_factor_set").await?;
    rig.stop().await
}

#[tokio::test]
async fn a_code_is_good_once_also_the_one_that_confirmed() -> Result<()> {
    let rig = Rig::start().await?;
    let (_, secret, _) = set_up(&rig).await?;
    // The confirmation may have been in the step before this one, hardly in an earlier one.
    let (used, next) = (telephone(&secret, 0)?, telephone(&secret, 1)?);
    let confirmed = sign_in(&rig, Some(&used)).await?.status();
    let session: Session = sign_in(&rig, Some(&next)).await?.error_for_status()?.json().await?;
    assert!(session.token.is_some());
    for code in [&next, &used] {
        expect_refusal(sign_in(&rig, Some(code)).await?, StatusCode::UNAUTHORIZED, "wrong_code").await?;
    }
    assert!(confirmed == StatusCode::UNAUTHORIZED || telephone(&secret, 0)? == used, "{confirmed}");
    rig.stop().await
}

#[tokio::test]
async fn few_codes_may_be_guessed_and_none_without_the_password() -> Result<()> {
    let rig = Rig::start().await?;
    let (_, secret, _) = set_up(&rig).await?;
    let body = json!({ "name": "ada", "password": "wrong", "code": telephone(&secret, 1)? });
    let answer = rig.request(Method::POST, "/api/frontend/session").json(&body).send().await?;
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "wrong_credentials").await?;
    let mut guesses = 0;
    loop {
        let answer = sign_in(&rig, Some("000000")).await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        expect_refusal(answer, StatusCode::UNAUTHORIZED, "wrong_code").await?;
        guesses += 1;
        assert!(guesses < 20, "nobody counts the codes");
    }
    rig.stop().await
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_the_telephone_once() -> Result<()> {
    let rig = Rig::start().await?;
    let (token, _, codes) = set_up(&rig).await?;
    let typed = codes[3].to_uppercase().replace('-', " ");
    sign_in(&rig, Some(&typed)).await?.error_for_status()?;
    expect_refusal(sign_in(&rig, Some(&codes[3])).await?, StatusCode::UNAUTHORIZED, "wrong_code").await?;
    let state: SecondFactorState = rig.get(PATH, &token).await?.error_for_status()?.json().await?;
    assert_eq!(state.recovery_codes, 9);
    let renew = format!("{PATH}/recovery-codes");
    let answer = rig.post(&renew, &token, &password(&rig)).await?.error_for_status()?;
    let new: RecoveryCodes = answer.json().await?;
    expect_refusal(sign_in(&rig, Some(&codes[4])).await?, StatusCode::UNAUTHORIZED, "wrong_code").await?;
    sign_in(&rig, Some(&new.codes[0])).await?.error_for_status()?;
    rig.stop().await
}

#[tokio::test]
async fn a_second_factor_is_taken_off_with_the_password_or_by_an_administrator() -> Result<()> {
    let rig = Rig::start().await?;
    let (token, _, codes) = set_up(&rig).await?;
    let removal = format!("{PATH}/removal");
    let wrong = rig.post(&removal, &token, &json!({ "password": "wrong" })).await?;
    expect_refusal(wrong, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    assert_eq!(rig.post(&removal, &token, &password(&rig)).await?.status(), StatusCode::NO_CONTENT);
    sign_in(&rig, None).await?.error_for_status()?;
    let none = rig.post(&format!("{PATH}/recovery-codes"), &token, &password(&rig)).await?;
    expect_refusal(none, StatusCode::CONFLICT, "no_second_factor").await?;

    let offer: SecondFactorOffer = rig.post(PATH, &token, &password(&rig)).await?.error_for_status()?.json().await?;
    let code = json!({ "code": telephone(&offer.secret, 0)? });
    rig.post(&format!("{PATH}/confirmation"), &token, &code).await?.error_for_status()?;
    let old = sign_in(&rig, Some(&codes[0])).await?;
    expect_refusal(old, StatusCode::UNAUTHORIZED, "wrong_code").await?;
    let admin = rig.token().await?;
    let path = "/api/frontend/users/ada/second-factor";
    expect_refusal(rig.delete(path, &token).await?, StatusCode::FORBIDDEN, "forbidden").await?;
    assert_eq!(rig.delete(path, &admin).await?.status(), StatusCode::NO_CONTENT);
    sign_in(&rig, None).await?.error_for_status()?;
    rig.stop().await
}

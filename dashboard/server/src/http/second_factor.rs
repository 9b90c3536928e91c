//! `/api/frontend/second-factor`: codes of a telephone beside the password.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_wire::api::{ConfirmSecondFactor, RecoveryCodes, SecondFactorOffer, SecondFactorState, WithPassword};
use serde_json::json;

use super::{
    App,
    body::Body,
    caller::{Access, Caller},
    enrolment::picture,
    failure::Failure,
    passwords::confirm,
    routes::Routes,
    session::too_many,
};
use crate::{
    clock, digest,
    second_factor::{Code, Factor, SecretError, recovery_codes},
};

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/second-factor", Access::InPerson, show)
        .says("Whether a second factor is asked for")
        .gives::<SecondFactorState>();
    routes
        .post("/frontend/second-factor", Access::InPerson, offer)
        .says("A secret for the telephone; it counts once it is confirmed")
        .takes::<WithPassword>()
        .gives::<SecondFactorOffer>();
    routes
        .post("/frontend/second-factor/confirmation", Access::InPerson, confirm_offer)
        .says("Show that the telephone knows the secret; from now on its codes are asked for")
        .takes::<ConfirmSecondFactor>()
        .gives::<RecoveryCodes>();
    routes
        .post("/frontend/second-factor/recovery-codes", Access::InPerson, renew_codes)
        .says("Other recovery codes; those of before are void")
        .takes::<WithPassword>()
        .gives::<RecoveryCodes>();
    routes
        .post("/frontend/second-factor/removal", Access::InPerson, remove)
        .says("Ask for no second factor any more")
        .takes::<WithPassword>();
}

async fn show(State(app): State<App>, caller: Caller) -> Result<Json<SecondFactorState>, Failure> {
    let store = &app.config.store;
    let since = store.second_factor(&caller.name).await?.and_then(|factor| factor.since);
    let recovery_codes = store.recovery_codes_left(&caller.name).await?;
    Ok(Json(SecondFactorState { since, recovery_codes }))
}

async fn offer(
    State(app): State<App>,
    caller: Caller,
    Body(WithPassword { password }): Body<WithPassword>,
) -> Result<Json<SecondFactorOffer>, Failure> {
    confirm(&app, &caller, password, "password").await?;
    let secret = Factor::new_secret();
    let uri = Factor::of(&secret, &caller.name)?.uri()?;
    let qr = picture(&uri)?;
    if !app.config.store.propose_second_factor(&caller.name, &secret).await? {
        return Err(conflict("second_factor_set", "there is a second factor already; remove it first"));
    }
    Ok(Json(SecondFactorOffer { secret, uri, qr }))
}

async fn confirm_offer(
    State(app): State<App>,
    caller: Caller,
    Body(ConfirmSecondFactor { code }): Body<ConfirmSecondFactor>,
) -> Result<Json<RecoveryCodes>, Failure> {
    app.attempts.count_code(&caller.name).map_err(too_many)?;
    let store = &app.config.store;
    let factor = store.second_factor(&caller.name).await?.filter(|factor| factor.since.is_none());
    let Some(factor) = factor else {
        return Err(conflict("nothing_to_confirm", "there is no secret to confirm; begin anew"));
    };
    let step = match Code::parse(&code) {
        Some(Code::Telephone(code)) => Factor::of(&factor.secret, &caller.name)?.check(&code, clock::now()),
        _ => None,
    };
    let step = step.ok_or_else(|| Failure::field("code", "the code is wrong; is the telephone's clock right?"))?;
    let codes = recovery_codes();
    if !store.confirm_second_factor(&caller.name, &factor, step, &hashes(&codes), clock::now()).await? {
        return Err(conflict("nothing_to_confirm", "another secret was made meanwhile; begin anew"));
    }
    app.note(&caller, "second_factor_set", Some(("user", &caller.name)), json!({})).await?;
    Ok(Json(RecoveryCodes { codes }))
}

async fn renew_codes(
    State(app): State<App>,
    caller: Caller,
    Body(WithPassword { password }): Body<WithPassword>,
) -> Result<Json<RecoveryCodes>, Failure> {
    confirm(&app, &caller, password, "password").await?;
    let codes = recovery_codes();
    if !app.config.store.replace_recovery_codes(&caller.name, &hashes(&codes)).await? {
        return Err(conflict("no_second_factor", "there is no second factor"));
    }
    app.note(&caller, "recovery_codes_renewed", Some(("user", &caller.name)), json!({})).await?;
    Ok(Json(RecoveryCodes { codes }))
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    Body(WithPassword { password }): Body<WithPassword>,
) -> Result<StatusCode, Failure> {
    confirm(&app, &caller, password, "password").await?;
    if app.config.store.remove_second_factor(&caller.name).await? {
        app.note(&caller, "second_factor_removed", Some(("user", &caller.name)), json!({})).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// That whoever knows the password has the telephone too, if one is asked for.
pub(super) async fn check(app: &App, name: &str, code: Option<&str>) -> Result<(), Failure> {
    let store = &app.config.store;
    let factor = store.second_factor(name).await?.filter(|factor| factor.since.is_some());
    let Some(factor) = factor else { return Ok(()) };
    let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
        let message = "a code of the second factor is needed, too";
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "second_factor", message));
    };
    app.attempts.count_code(name).map_err(too_many)?;
    let fits = match Code::parse(code) {
        Some(Code::Telephone(code)) => match Factor::of(&factor.secret, name)?.check(&code, clock::now()) {
            // Once: who has looked over a shoulder comes too late.
            Some(step) => store.take_step(name, step).await?,
            None => false,
        },
        Some(Code::Recovery(sha256)) => store.take_recovery_code(name, &sha256).await?,
        None => false,
    };
    if fits {
        Ok(())
    } else {
        let message = "the code is wrong, was used before, or is too old";
        Err(Failure::new(StatusCode::UNAUTHORIZED, "wrong_code", message))
    }
}

fn hashes(codes: &[String]) -> Vec<String> {
    codes.iter().map(|code| digest::sha256(code.replace('-', ""))).collect()
}

fn conflict(error: &'static str, message: &str) -> Failure {
    Failure::new(StatusCode::CONFLICT, error, message)
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Failure::internal(&error, "the second factor cannot be read; the server's log says why")
    }
}

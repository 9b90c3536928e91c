//! `/api/embedded/challenge` and `/session`: how a vehicle signs in for its uploads and live pictures.

use std::time::SystemTime;

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use bugbrother_wire::embedded::{Challenge, SIGN_IN_DOMAIN, SignIn, VehicleSession};

use super::{App, body::Body, caller::Access, embedded::Desk, failure::Failure, routes::Routes, signed::bearer};
use crate::{
    clock,
    vehicle_pass::{Holder, PASS_MS},
};

/// A vehicle that has signed in, and whose certificate is not revoked.
pub(crate) struct Vehicle(pub Holder);

impl FromRequestParts<App> for Vehicle {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        // Where the pass may have been heard by others, it is not taken.
        Desk::from_request_parts(parts, app).await?;
        let now = clock::now();
        let pass = bearer(&parts.headers).and_then(|pass| app.vehicle_passes.check(pass, now));
        let holder = pass.ok_or_else(not_signed_in)?;
        let certificate = app.config.store.certificate(&holder.serial).await?;
        let is_good = certificate.is_some_and(|certificate| {
            certificate.vin == holder.vin && certificate.revoked.is_none() && certificate.not_after > now
        });
        if is_good { Ok(Vehicle(holder)) } else { Err(not_signed_in()) }
    }
}

fn not_signed_in() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first, as a vehicle does")
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let vehicle = Access::Vehicle;
    routes
        .get("/embedded/challenge", vehicle, challenge)
        .says("What a vehicle signs to sign in; good once, for a minute")
        .gives::<Challenge>();
    routes
        .post("/embedded/session", vehicle, sign_in)
        .says("A vehicle signs in with its certificate and a challenge that it has signed")
        .takes::<SignIn>()
        .gives::<VehicleSession>();
}

async fn challenge(State(app): State<App>, desk: Desk) -> Result<Json<Challenge>, Failure> {
    desk.count(&app.renewals)?;
    Ok(Json(Challenge { challenge: app.vehicle_passes.challenge(clock::now()) }))
}

async fn sign_in(
    State(app): State<App>,
    desk: Desk,
    Body(SignIn { certificate, challenge, signature }): Body<SignIn>,
) -> Result<Json<VehicleSession>, Failure> {
    desk.count(&app.renewals)?;
    let now = clock::now();
    if !app.vehicle_passes.take_challenge(&challenge, now) {
        return Err(Failure::forbidden("wrong_challenge", "the challenge is used, expired or none of ours"));
    }
    let (authority, moment) = (desk.authority(), SystemTime::now());
    let signed = [SIGN_IN_DOMAIN, challenge.as_bytes()].concat();
    let verify = move || authority.verify_holder(&certificate, &signed, &signature, moment);
    let holder = app.desk.run(verify).await??;
    let known = app.config.store.certificate(&holder.serial).await?;
    if known.is_none_or(|known| known.revoked.is_some() || known.vin != holder.vin) {
        return Err(Failure::forbidden(
            "certificate_revoked",
            "the certificate is revoked: the vehicle must enrol again",
        ));
    }
    metrics::counter!("bugbrother_dashboard_vehicle_sessions_total").increment(1);
    let token = app.vehicle_passes.issue(&Holder { vin: holder.vin, serial: holder.serial }, now);
    Ok(Json(VehicleSession { token, lasts_s: u32::try_from(PASS_MS / 1000).unwrap_or(u32::MAX) }))
}

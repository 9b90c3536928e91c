//! How vehicles come in and are kept out, for people: `/api/frontend/vehicles/{vin}/enrolment`, `/credential` and `/revoke`.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use bugbrother_wire::api::{CredentialState, EnrolmentCode, QrCode, RevokedKeys, Right};
use qrcode::{Color, EcLevel};
use serde_json::json;

use super::{
    App,
    body::PathVin,
    caller::{Access, Caller},
    failure::Failure,
    form::nothing_there,
    routes::Routes,
};
use crate::{clock, enrolment::issue_code};

/// The quiet modules around a code (ISO/IEC 18004).
const QUIET: usize = 4;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let access = Access::May(Right::Vehicles);
    routes
        .get("/frontend/vehicles/{vin}/credential", access, credential)
        .says("How a vehicle may come in")
        .gives::<CredentialState>();
    routes
        .post("/frontend/vehicles/{vin}/enrolment", access, enrol)
        .says("A new enrolment code for a vehicle; the one before is worth nothing any more")
        .gives::<EnrolmentCode>();
    routes
        .post("/frontend/vehicles/{vin}/revoke", access, revoke)
        .says("Take back everything that a vehicle can come in with")
        .gives::<RevokedKeys>();
}

async fn credential(
    State(app): State<App>,
    _: Caller,
    PathVin(vin): PathVin,
) -> Result<Json<CredentialState>, Failure> {
    let found = app.config.store.credential(vin).await?.ok_or_else(nothing_there)?;
    Ok(Json(CredentialState {
        serial: found.serial,
        not_after: found.not_after,
        revoked: found.revoked,
        code_expires: found.code_expires.filter(|end| *end > clock::now()),
        can_change: app.config.enrolment.is_some() && app.config.revoke.is_some(),
    }))
}

async fn enrol(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<EnrolmentCode>), Failure> {
    if app.config.enrolment.is_none() {
        return Err(Failure::not_found("this server enrols no vehicles"));
    }
    caller.sees(&app, vin).await?;
    let (code, expires) = issue_code(&app.config.store, vin, clock::now()).await?;
    app.note(&caller, "enrolment_code_made", Some(("vehicle", vin.as_str())), json!({ "expires": expires })).await?;
    let command = format!("bugbrother-agent enroll {} {code}", server(&app, &headers));
    let qr = picture(&command)?;
    Ok((StatusCode::CREATED, Json(EnrolmentCode { code: code.to_string(), expires, command, qr })))
}

async fn revoke(State(app): State<App>, caller: Caller, PathVin(vin): PathVin) -> Result<Json<RevokedKeys>, Failure> {
    let Some(revoke) = app.config.revoke.clone() else {
        return Err(Failure::not_found("this server takes nothing back from vehicles"));
    };
    caller.sees(&app, vin).await?;
    // Before: that it was done must be known even if half of it failed.
    app.note(&caller, "vehicle_revoked", Some(("vehicle", vin.as_str())), json!({})).await?;
    let lost = revoke(vin).await.map_err(|error| {
        Failure::internal(error.as_ref(), "not everything could be taken back: revoke again; the server's log says why")
    })?;
    Ok(Json(lost))
}

/// Where vehicles reach this server.
fn server(app: &App, headers: &HeaderMap) -> String {
    if let Some(origin) = app.config.origins.first() {
        return origin.clone();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

/// The dark modules, row by row, neighbours together.
pub(super) fn picture(text: &str) -> Result<QrCode, Failure> {
    let code = qrcode::QrCode::with_error_correction_level(text, EcLevel::M)
        .map_err(|error| Failure::internal(&error, "the QR code cannot be drawn"))?;
    let width = code.width();
    let colours = code.to_colors();
    let mut path = String::new();
    for (y, row) in colours.chunks(width).enumerate() {
        let mut x = 0;
        while x < width {
            let dark = row[x..].iter().take_while(|colour| **colour == Color::Dark).count();
            if dark > 0 {
                path += &format!("M{} {}h{dark}v1h-{dark}z", x + QUIET, y + QUIET);
            }
            x += dark.max(1);
        }
    }
    let size = u32::try_from(width + 2 * QUIET).unwrap_or(u32::MAX);
    Ok(QrCode { size, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_three_corners_and_quiet_around_it() {
        let text = "bugbrother-agent enroll https://fleet.example.org 7H2QK-AAAAA-AAAAA-AAAAA-AAAAA-A";
        let QrCode { size, path } = picture(text).unwrap();
        let width = size as usize - 2 * QUIET;
        assert_eq!((width - 21) % 4, 0, "a version of the standard");
        // The first row has the edges of two corners, each of seven dark modules.
        assert!(path.starts_with(&format!("M{QUIET} {QUIET}h7v1h-7z")), "{path}");
        assert!(path.contains(&format!("M{} {QUIET}h7v1h-7z", QUIET + width - 7)));
    }
}

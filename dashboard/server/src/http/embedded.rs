//! `/api/embedded/enroll` and `/renew`: certificates for vehicles.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use bugbrother_pki::{Authority, Code, Issued, PkiError, Request};
use bugbrother_store::{self as store, CertificateRecord, Renewed};
use bugbrother_wire::{
    Vin,
    embedded::{Enroll, Enrolled, Renew},
    unix_ms,
};
use tracing::{debug, info};

use super::{
    App,
    address::{Client, came_in_the_clear, is_for_this_machine},
    body::Body,
    caller::Access,
    failure::Failure,
    routes::Routes,
};
use crate::{attempts::Visits, config::Enrolment};

/// The authority, for somebody whom nobody in between can listen to.
pub(crate) struct Desk {
    enrolment: Enrolment,
    client: Client,
}

impl FromRequestParts<App> for Desk {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Some(enrolment) = app.config.enrolment.clone() else {
            return Err(Failure::not_found("this server enrols no vehicles"));
        };
        let Ok(client) = Client::from_request_parts(parts, app).await;
        let is_secure = if app.config.behind_proxy {
            !came_in_the_clear(&parts.headers)
        } else {
            // Past a proxy that is not known, or from another machine without one, the code may have gone in the clear.
            client.address.is_loopback() && !client.is_forwarded && is_for_this_machine(&parts.headers)
        };
        if !is_secure {
            return Err(Failure::forbidden("insecure", "vehicles enrol through TLS, or from this machine"));
        }
        Ok(Desk { enrolment, client })
    }
}

impl Desk {
    /// Counts a visit of this address.
    pub fn count(&self, visits: &Visits) -> Result<(), Failure> {
        visits.count(self.client.address).map_err(too_many)
    }

    /// Who signs vehicles' certificates.
    pub fn authority(&self) -> Arc<Authority> {
        Arc::clone(&self.enrolment.authority)
    }

    fn answer(&self, record: CertificateRecord) -> Json<Enrolled> {
        Json(Enrolled {
            vin: record.vin,
            certificate: record.pem,
            ca: self.enrolment.authority.certificate_pem().to_owned(),
            not_before: Some(record.not_before),
            not_after: record.not_after,
            broker: self.enrolment.broker.clone(),
        })
    }
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let vehicle = Access::Vehicle;
    routes
        .post("/embedded/enroll", vehicle, enroll)
        .says("A vehicle's first certificate, for a code")
        .takes::<Enroll>()
        .gives::<Enrolled>();
    routes
        .post("/embedded/renew", vehicle, renew)
        .says("A vehicle's next certificate")
        .takes::<Renew>()
        .gives::<Enrolled>();
}

pub(crate) async fn enroll(
    State(app): State<App>,
    desk: Desk,
    Body(Enroll { code, csr }): Body<Enroll>,
) -> Result<Json<Enrolled>, Failure> {
    let refuse = counter("bugbrother_dashboard_enrolments_refused_total");
    desk.count(&app.enrolments).inspect_err(|_| refuse("limited"))?;
    // Before the code, so that what is said of the request tells nothing of the code.
    let read = app.desk.run(move || Request::from_pem(&csr)).await.inspect_err(|_| refuse("busy"))?;
    let request = read.inspect_err(|_| refuse("request"))?;
    match certify(&app, &desk, &code, &request).await? {
        store::Enrolled::Issued(record) => {
            metrics::counter!("bugbrother_dashboard_enrolments_total").increment(1);
            info!(vin = %record.vin, serial = record.serial, "vehicle enrolled");
            Ok(desk.answer(record))
        }
        store::Enrolled::Refused => {
            refuse("wrong_code");
            // Strangers are many: they are counted, and not a flood in the log.
            debug!(address = %desk.client.address, "refused to enrol a vehicle");
            Err(Failure::forbidden("wrong_code", "the code is wrong, used or expired"))
        }
        store::Enrolled::Full => {
            refuse("full");
            Err(full("the vehicle has too many certificates: revoke it, then enrol it with a new code"))
        }
    }
}

/// The certificate for a code that is open to the request's key; the one of before if its answer was lost.
async fn certify(app: &App, desk: &Desk, code: &str, request: &Request) -> Result<store::Enrolled, Failure> {
    let refuse = counter("bugbrother_dashboard_enrolments_refused_total");
    let Ok(code) = code.parse::<Code>() else { return Ok(store::Enrolled::Refused) };
    let (code, now) = (code.sha256(), SystemTime::now());
    let store = &app.config.store;
    let enrolment = {
        let _turn = app.desk.take().await.inspect_err(|_| refuse("busy"))?;
        store.enrolment(&code, unix_ms(now)).await?
    };
    let Some(enrolment) = enrolment else { return Ok(store::Enrolled::Refused) };
    app.enrolments.count_vehicle().map_err(too_many).inspect_err(|_| refuse("limited"))?;
    if let Some(used) = enrolment.used {
        let is_same = used.key_sha256 == request.key_sha256() && used.revoked.is_none();
        return Ok(if is_same { store::Enrolled::Issued(used) } else { store::Enrolled::Refused });
    }
    let issued = desk.enrolment.authority.sign(request, enrolment.vin, now)?;
    Ok(store.enrol(&code, &record(enrolment.vin, issued), unix_ms(now)).await?)
}

pub(crate) async fn renew(
    State(app): State<App>,
    desk: Desk,
    Body(Renew { certificate, csr, signature }): Body<Renew>,
) -> Result<Json<Enrolled>, Failure> {
    let refuse = counter("bugbrother_dashboard_renewals_refused_total");
    desk.count(&app.renewals).inspect_err(|_| refuse("limited"))?;
    let now = SystemTime::now();
    let authority = Arc::clone(&desk.enrolment.authority);
    let verify = move || authority.verify_renewal(&certificate, &csr, &signature, now);
    let verified = app.desk.run(verify).await.inspect_err(|_| refuse("busy"))?;
    let renewal = verified.inspect_err(|_| refuse("not_verified"))?;
    app.renewals.count_vehicle().map_err(too_many).inspect_err(|_| refuse("limited"))?;
    let issued = desk.enrolment.authority.sign(&renewal.request, renewal.vin, now)?;
    let new = record(renewal.vin, issued);
    match app.config.store.renew(&renewal.serial, &new, unix_ms(now)).await? {
        Renewed::Issued(record) => {
            metrics::counter!("bugbrother_dashboard_renewals_total").increment(1);
            info!(vin = %record.vin, serial = record.serial, "vehicle's certificate renewed");
            Ok(desk.answer(record))
        }
        Renewed::Refused => {
            refuse("revoked");
            info!(vin = %renewal.vin, serial = renewal.serial, "refused to renew a revoked certificate");
            Err(Failure::forbidden("certificate_revoked", "the certificate is revoked: the vehicle must enrol again"))
        }
        Renewed::Full => {
            refuse("full");
            Err(full("the vehicle has too many certificates: wait until one ends, or revoke them and enrol it again"))
        }
    }
}

fn record(vin: Vin, issued: Issued) -> CertificateRecord {
    CertificateRecord {
        serial: issued.serial,
        vin,
        key_sha256: issued.key_sha256,
        not_before: issued.not_before,
        not_after: issued.not_after,
        revoked: None,
        pem: issued.pem,
    }
}

fn too_many(wait: Duration) -> Failure {
    Failure::too_many("too_many_attempts", "too many attempts; wait a little", wait)
}

fn full(message: &str) -> Failure {
    Failure::new(StatusCode::CONFLICT, "too_many_certificates", message)
}

fn counter(name: &'static str) -> impl Fn(&'static str) {
    move |reason| metrics::counter!(name, "reason" => reason).increment(1)
}

impl From<PkiError> for Failure {
    fn from(error: PkiError) -> Self {
        let (status, word) = match error {
            PkiError::Request(_) => (StatusCode::BAD_REQUEST, "invalid_csr"),
            PkiError::Certificate(_) => (StatusCode::BAD_REQUEST, "invalid_certificate"),
            PkiError::Foreign | PkiError::NotYetValid => (StatusCode::FORBIDDEN, "foreign_certificate"),
            PkiError::Expired => (StatusCode::FORBIDDEN, "certificate_expired"),
            PkiError::Signature => (StatusCode::FORBIDDEN, "wrong_signature"),
            error => return Failure::internal(&error, "no certificate can be signed; the server's log says why"),
        };
        Failure::new(status, word, error.to_string())
    }
}

//! A vehicle's certificate from the code to the revocation, with keys that OpenSSL makes.

use std::{
    fs,
    process::Command,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, ensure};
use bugbrother_dashboard::{Config, Enrolment};
use bugbrother_kit::{port, wait};
use bugbrother_pki::{Authority, Code, new_key_and_request, renewal_signature};
use bugbrother_store::MAX_CERTIFICATES;
use bugbrother_wire::{Vin, embedded::Enrolled};
use futures_util::{StreamExt, stream};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use crate::rig::{LIMIT, Rig, expect_refusal, now, vin};

const HOUR: i64 = 60 * 60 * 1000;
const BROKER: &str = "mqtts://fleet.example.org:8883";

struct Office {
    rig: Rig,
    authority: Arc<Authority>,
    dir: TempDir,
}

impl Office {
    async fn open() -> Result<Self> {
        Self::open_with(|_| {}).await
    }

    async fn open_with(change: impl FnOnce(&mut Config)) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        // Old enough to have signed what has expired.
        let founded = SystemTime::now() - Duration::from_secs(365 * 24 * 60 * 60);
        let authority = Arc::new(Authority::open_or_create(&dir.path().join("ca"), founded)?);
        let enrolment = Enrolment { authority: Arc::clone(&authority), broker: Some(BROKER.to_owned()) };
        let rig = Rig::start_with(port::free()?, |config| {
            config.enrolment = Some(enrolment);
            change(config);
        })
        .await?;
        Ok(Office { rig, authority, dir })
    }

    /// A code that was given `age` milliseconds ago for 24 hours.
    async fn code(&self, vin: Vin, age: i64) -> Result<String> {
        let (code, given) = (Code::new(), now() - age);
        self.rig.store.add_enrolment(vin, &code.sha256(), given, given + 24 * HOUR).await?;
        Ok(code.to_string())
    }

    async fn ask(&self, path: &str, body: serde_json::Value) -> Result<Response> {
        Ok(self.rig.request(Method::POST, &format!("/api/embedded/{path}")).json(&body).send().await?)
    }

    async fn enroll(&self, code: &str, csr: &str) -> Result<Response> {
        self.ask("enroll", json!({ "code": code, "csr": csr })).await
    }

    async fn renew(&self, certificate: &str, csr: &str, signature: &str) -> Result<Response> {
        self.ask("renew", json!({ "certificate": certificate, "csr": csr, "signature": signature })).await
    }

    /// Of a vehicle that has just enrolled.
    async fn enrolled(&self, vin: Vin) -> Result<(String, Enrolled)> {
        let (key, csr) = new_key_and_request("x")?;
        let code = self.code(vin, 0).await?;
        Ok((key, enrolled(self.enroll(&code, &csr).await?).await?))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(fs::write(self.dir.path().join(name), text)?)
    }

    fn read(&self, name: &str) -> Result<String> {
        Ok(fs::read_to_string(self.dir.path().join(name))?)
    }

    fn openssl(&self, arguments: &str) -> Result<String> {
        let mut command = Command::new("openssl");
        let output = command.args(arguments.split_whitespace()).current_dir(self.dir.path()).output()?;
        ensure!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

async fn enrolled(answer: Response) -> Result<Enrolled> {
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status == StatusCode::OK, "{status}: {text}");
    serde_json::from_str(&text).context("the answer is JSON")
}

#[tokio::test]
async fn a_vehicle_enrols_with_its_code_renews_and_is_revoked() -> Result<()> {
    let office = Office::open().await?;
    let code = office.code(vin(1), 0).await?;
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    // It asks to be another vehicle, and an authority; nobody listens to that.
    let wishes = format!("-subj /CN={} -addext basicConstraints=CA:TRUE", vin(2));
    office.openssl(&format!("req -new {key} -keyout old.key -out old.csr {wishes}"))?;
    let lower = code.to_lowercase().replace('-', " ");
    let first = enrolled(office.enroll(&lower, &office.read("old.csr")?).await?).await?;
    assert_eq!((first.vin, first.broker.as_deref()), (vin(1), Some(BROKER)));
    office.write("vehicle.crt", &first.certificate)?;
    office.write("ca.crt", &first.ca)?;
    office.openssl("verify -x509_strict -CAfile ca.crt -purpose sslclient vehicle.crt")?;
    let text = office.openssl("x509 -in vehicle.crt -noout -text")?;
    assert!(text.contains(&format!("CN = {}\n", vin(1))) && text.contains("CA:FALSE"), "{text}");
    let record = office.rig.store.credentials(None, 10).await?.remove(0);
    assert_eq!((record.vin, record.not_after, record.code_expires), (vin(1), Some(first.not_after), None));

    office.openssl(&format!("req -new {key} -keyout new.key -out new.csr -subj /CN=x"))?;
    office.openssl("req -in new.csr -outform DER -out new.der")?;
    let message = [b"bugbrother renew v1\n", fs::read(office.dir.path().join("new.der"))?.as_slice()].concat();
    fs::write(office.dir.path().join("message"), message)?;
    office.openssl("dgst -sha256 -sign old.key -out signature message")?;
    let signature = office.openssl("base64 -A -in signature")?;
    let csr = office.read("new.csr")?;
    let second = enrolled(office.renew(&first.certificate, &csr, &signature).await?).await?;
    assert_eq!(second.vin, vin(1));
    assert_ne!(second.certificate, first.certificate);
    office.write("vehicle.crt", &second.certificate)?;
    office.openssl("verify -x509_strict -CAfile ca.crt -purpose sslclient vehicle.crt")?;
    let again = enrolled(office.renew(&first.certificate, &csr, &signature).await?).await?;
    assert_eq!(again, second, "an answer that was lost is given again");

    assert_eq!(office.rig.store.revoke(vin(1), now()).await?, 2);
    for (certificate, key) in [(&first.certificate, "old.key"), (&second.certificate, "new.key")] {
        let (_, csr) = new_key_and_request("x")?;
        let signature = renewal_signature(&office.read(key)?, &csr)?;
        let refused = office.renew(certificate, &csr, &signature).await?;
        expect_refusal(refused, StatusCode::FORBIDDEN, "certificate_revoked").await?;
    }
    let refused = office.enroll(&code, &office.read("old.csr")?).await?;
    expect_refusal(refused, StatusCode::FORBIDDEN, "wrong_code").await?;
    office.rig.stop().await
}

#[tokio::test]
async fn a_wrong_a_used_and_an_expired_code_are_refused_alike() -> Result<()> {
    let office = Office::open().await?;
    let (_, csr) = new_key_and_request("x")?;
    let (_, thief) = new_key_and_request("x")?;
    let used = office.code(vin(1), 0).await?;
    let expired = office.code(vin(2), 25 * HOUR).await?;
    let first = enrolled(office.enroll(&used, &csr).await?).await?;
    let again = enrolled(office.enroll(&used, &csr).await?).await?;
    assert_eq!(again, first, "an answer that was lost is given again, to who has the key");
    let mut answers = Vec::new();
    for code in [&used, &expired, &Code::new().to_string(), "", "rubbish", "' OR 1=1 --"] {
        let answer = office.enroll(code, &thief).await?;
        answers.push(expect_refusal(answer, StatusCode::FORBIDDEN, "wrong_code").await?);
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]));
    assert_eq!(office.rig.store.credentials(None, 10).await?.len(), 2, "nobody has come in");
    office.rig.stop().await
}

#[tokio::test]
async fn a_code_survives_a_bad_request_and_is_good_for_one_of_many_at_once() -> Result<()> {
    let office = Office::open().await?;
    let code = office.code(vin(1), 0).await?;
    for csr in ["", "rubbish", &"x".repeat(20_000), office.authority.certificate_pem()] {
        expect_refusal(office.enroll(&code, csr).await?, StatusCode::BAD_REQUEST, "invalid_csr").await?;
    }
    office.openssl("req -new -newkey rsa:1024 -nodes -keyout weak.key -out weak.csr -subj /CN=x")?;
    let weak = office.enroll(&code, &office.read("weak.csr")?).await?;
    expect_refusal(weak, StatusCode::BAD_REQUEST, "invalid_csr").await?;
    let large = office.enroll(&code, &"x".repeat(100_000)).await?;
    expect_refusal(large, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large").await?;

    let attempts = stream::iter(0..8).map(|_| async {
        let (_, csr) = new_key_and_request("x")?;
        Ok::<_, anyhow::Error>(office.enroll(&code, &csr).await?.status())
    });
    let statuses: Vec<_> = attempts.buffer_unordered(8).collect().await;
    let let_in = statuses.iter().filter(|status| matches!(status, Ok(StatusCode::OK))).count();
    assert_eq!(let_in, 1, "{statuses:?}");
    office.rig.stop().await
}

#[tokio::test]
async fn a_renewal_that_is_not_the_vehicles_own_is_refused() -> Result<()> {
    let office = Office::open().await?;
    let (key, mine) = office.enrolled(vin(1)).await?;
    let (_, csr) = new_key_and_request(vin(2).as_str())?;
    let signature = renewal_signature(&key, &csr)?;
    let forbidden = StatusCode::FORBIDDEN;

    let dir = tempfile::tempdir()?;
    let other = Authority::open_or_create(dir.path(), SystemTime::now())?;
    let (their_key, their_csr) = new_key_and_request("x")?;
    let foreign = other.sign_vehicle(&their_csr, vin(1), SystemTime::now())?;
    let by_them = renewal_signature(&their_key, &csr)?;
    expect_refusal(office.renew(&foreign.pem, &csr, &by_them).await?, forbidden, "foreign_certificate").await?;
    expect_refusal(office.renew(&mine.certificate, &csr, &by_them).await?, forbidden, "wrong_signature").await?;
    expect_refusal(office.renew(&mine.certificate, &csr, "").await?, forbidden, "wrong_signature").await?;
    expect_refusal(office.renew(&mine.certificate, &their_csr, &signature).await?, forbidden, "wrong_signature")
        .await?;
    let bad = StatusCode::BAD_REQUEST;
    expect_refusal(office.renew("rubbish", &csr, &signature).await?, bad, "invalid_certificate").await?;
    expect_refusal(office.renew(&mine.certificate, "rubbish", &signature).await?, bad, "invalid_csr").await?;

    // Signed by the authority, once, and over; and signed by it, but unknown to this database.
    let (old_key, old_csr) = new_key_and_request("x")?;
    let long_ago = SystemTime::now() - Duration::from_secs(100 * 24 * 60 * 60);
    let expired = office.authority.sign_vehicle(&old_csr, vin(1), long_ago)?;
    let by_old = renewal_signature(&old_key, &csr)?;
    expect_refusal(office.renew(&expired.pem, &csr, &by_old).await?, forbidden, "certificate_expired").await?;
    let unknown = office.authority.sign_vehicle(&old_csr, vin(1), SystemTime::now())?;
    expect_refusal(office.renew(&unknown.pem, &csr, &by_old).await?, forbidden, "certificate_revoked").await?;

    // The request's name is another vehicle's: the certificate's counts.
    let renewed = enrolled(office.renew(&mine.certificate, &csr, &signature).await?).await?;
    office.write("renewed.crt", &renewed.certificate)?;
    assert!(office.openssl("x509 -in renewed.crt -noout -subject")?.contains(vin(1).as_str()));
    assert_eq!(renewed.vin, vin(1));
    office.rig.stop().await
}

#[tokio::test]
async fn ten_thousand_wrong_codes_are_refused_cheaply_and_a_right_one_gets_in() -> Result<()> {
    let office = Office::open().await?;
    let (_, csr) = new_key_and_request("x")?;
    let code = office.code(vin(1), 0).await?;
    let began = Instant::now();
    let guesses = stream::iter(0..10_000).map(|_| async {
        let answer = office.enroll(&Code::new().to_string(), &csr).await?;
        Ok::<_, anyhow::Error>(answer.status())
    });
    let statuses: Vec<_> = guesses.buffer_unordered(16).collect().await;
    let took = began.elapsed();
    let count = |wanted| statuses.iter().filter(|status| matches!(status, Ok(found) if *found == wanted)).count();
    let (heard, limited) = (count(StatusCode::FORBIDDEN), count(StatusCode::TOO_MANY_REQUESTS));
    println!("10,000 guesses in {took:?}: {heard} heard, {limited} told to wait");
    assert_eq!(heard + limited, 10_000);
    assert!(heard <= 31 + took.as_secs() as usize / 2, "{heard} in {took:?}");

    // Another address is not kept waiting by this one.
    let elsewhere = reqwest::Client::builder().local_address("127.0.0.2".parse().ok()).build()?;
    let url = office.rig.url("/api/embedded/enroll");
    let answer = elsewhere.post(url).json(&json!({ "code": code, "csr": csr })).send().await?;
    enrolled(answer).await?;
    // Nor is this one for ever.
    wait::until("the same address is heard again", LIMIT, || async {
        let answer = office.enroll(&code, &csr).await.ok()?;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await?;
    office.rig.stop().await
}

#[tokio::test]
async fn strangers_from_many_networks_keep_no_vehicle_from_enrolling_and_renewing() -> Result<()> {
    let office = Office::open_with(|config| config.behind_proxy = true).await?;
    let from = |path: &'static str, network: u16, body: serde_json::Value| {
        let request = office.rig.request(Method::POST, &format!("/api/embedded/{path}"));
        let from = format!("2001:db8:{network:x}::1");
        async move { Ok::<_, anyhow::Error>(request.header("x-forwarded-for", from).json(&body).send().await?) }
    };
    let (key, csr) = new_key_and_request("x")?;
    let code = office.code(vin(1), 0).await?;
    // More than all vehicles together may come at once.
    let guesses =
        stream::iter(0..600).map(|n| from("enroll", n, json!({ "code": Code::new().to_string(), "csr": csr })));
    let heard: Vec<_> = guesses.buffer_unordered(16).collect().await;
    for answer in heard {
        expect_refusal(answer?, StatusCode::FORBIDDEN, "wrong_code").await?;
    }
    let mine = enrolled(from("enroll", 1_000, json!({ "code": code, "csr": csr })).await?).await?;

    let (_, next) = new_key_and_request("x")?;
    let forged = json!({ "certificate": mine.certificate, "csr": next, "signature": "AAAA" });
    let forgeries = stream::iter(0..600).map(|n| from("renew", n, forged.clone()));
    let heard: Vec<_> = forgeries.buffer_unordered(16).collect().await;
    for answer in heard {
        expect_refusal(answer?, StatusCode::FORBIDDEN, "wrong_signature").await?;
    }
    let signature = renewal_signature(&key, &next)?;
    let right = json!({ "certificate": mine.certificate, "csr": next, "signature": signature });
    enrolled(from("renew", 1_000, right).await?).await?;
    office.rig.stop().await
}

#[tokio::test]
async fn a_vehicle_with_too_many_certificates_enrols_again_once_it_is_revoked() -> Result<()> {
    let office = Office::open().await?;
    for _ in 0..MAX_CERTIFICATES {
        office.enrolled(vin(1)).await?;
    }
    let (_, csr) = new_key_and_request("x")?;
    let code = office.code(vin(1), 0).await?;
    let refused =
        expect_refusal(office.enroll(&code, &csr).await?, StatusCode::CONFLICT, "too_many_certificates").await?;
    assert!(refused.detail.contains("revoke"), "{}", refused.detail);
    assert_eq!(office.rig.store.revoked(now()).await?, [], "nothing is revoked without the broker being told");
    assert_eq!(office.rig.store.revoke(vin(1), now()).await?, u64::from(MAX_CERTIFICATES));
    office.enrolled(vin(1)).await?;
    office.rig.stop().await
}

#[tokio::test]
async fn vehicles_enrol_through_tls_or_from_this_machine_and_where_there_is_an_authority() -> Result<()> {
    let office = Office::open().await?;
    for path in ["enroll", "renew"] {
        let request = office.rig.request(Method::POST, &format!("/api/embedded/{path}"));
        let answer = request.header("x-forwarded-for", "203.0.113.9").json(&json!({})).send().await?;
        expect_refusal(answer, StatusCode::FORBIDDEN, "insecure").await?;
        // A proxy that says nothing of itself passes on the name that the client asked for.
        let request = office.rig.request(Method::POST, &format!("/api/embedded/{path}"));
        let answer = request.header("host", "fleet.example.org").json(&json!({})).send().await?;
        expect_refusal(answer, StatusCode::FORBIDDEN, "insecure").await?;
        let empty = office.ask(path, json!({})).await?;
        expect_refusal(empty, StatusCode::BAD_REQUEST, "invalid_body").await?;
    }
    office.rig.stop().await?;

    let dir = tempfile::tempdir()?;
    let authority = Arc::new(Authority::open_or_create(dir.path(), SystemTime::now())?);
    let rig = Rig::start_with(port::free()?, |config| {
        config.behind_proxy = true;
        config.enrolment = Some(Enrolment { authority, broker: None });
    })
    .await?;
    let (_, csr) = new_key_and_request("x")?;
    for (scheme, error) in [(None, "wrong_code"), (Some("https"), "wrong_code"), (Some("http"), "insecure")] {
        let request = rig.request(Method::POST, "/api/embedded/enroll").header("host", "fleet.example.org");
        let request = request.header("x-forwarded-for", "203.0.113.9");
        let request = scheme.into_iter().fold(request, |request, scheme| request.header("x-forwarded-proto", scheme));
        let answer = request.json(&json!({ "code": Code::new().to_string(), "csr": csr })).send().await?;
        expect_refusal(answer, StatusCode::FORBIDDEN, error).await?;
    }
    rig.stop().await?;

    let none = Rig::start().await?;
    for path in ["/api/embedded/enroll", "/api/embedded/renew"] {
        let answer = none.request(Method::POST, path).json(&json!({})).send().await?;
        expect_refusal(answer, StatusCode::NOT_FOUND, "not_found").await?;
    }
    none.stop().await
}

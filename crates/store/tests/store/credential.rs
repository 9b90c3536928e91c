//! Enrolment codes, certificates, revocation.

use std::sync::Arc;

use bugbrother_store::{CertificateRecord, Enrolled, MAX_CERTIFICATES, Renewed, Store};
use bugbrother_wire::{UnixMs, Vin};

use crate::fleet::{NOW, fiesta, golf, open, store, url};

const HOUR: UnixMs = 60 * 60 * 1000;
const DAY: UnixMs = 24 * HOUR;

fn record(vin: Vin, n: u32, now: UnixMs) -> CertificateRecord {
    CertificateRecord {
        serial: format!("4f{n:030x}"),
        vin,
        key_sha256: format!("{n:064x}"),
        not_before: now - 300_000,
        not_after: now + 90 * DAY,
        revoked: None,
        pem: format!("certificate {n}"),
    }
}

async fn enrolled(store: &Store, vin: Vin, n: u32, now: UnixMs) -> CertificateRecord {
    let code = format!("code {vin} {n}");
    store.add_enrolment(vin, &code, now, now + DAY).await.unwrap();
    match store.enrol(&code, &record(vin, n, now), now).await.unwrap() {
        Enrolled::Issued(record) => record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_is_good_for_one_key_until_it_expires() {
    let (store, _home) = store().await;
    store.add_enrolment(golf(), "hash", NOW, NOW + DAY).await.unwrap();
    let open = store.enrolment("hash", NOW).await.unwrap().unwrap();
    assert_eq!((open.vin, open.used), (golf(), None));
    assert_eq!(store.enrolment("other", NOW).await.unwrap(), None);
    assert_eq!(store.enrolment("hash", NOW + DAY).await.unwrap(), None);
    let first = record(golf(), 1, NOW);
    assert_eq!(store.enrol("other", &first, NOW).await.unwrap(), Enrolled::Refused);
    assert_eq!(
        store.enrol("hash", &record(fiesta(), 9, NOW), NOW).await.unwrap(),
        Enrolled::Refused,
        "it is another vehicle's"
    );
    assert_eq!(store.enrol("hash", &first, NOW + DAY).await.unwrap(), Enrolled::Refused);

    store.add_enrolment(golf(), "hash", NOW, NOW + DAY).await.unwrap();
    assert_eq!(store.enrol("hash", &first, NOW).await.unwrap(), Enrolled::Issued(first.clone()));
    assert_eq!(store.enrolment("hash", NOW).await.unwrap().unwrap().used, Some(first.clone()));
    let again = CertificateRecord { serial: "4e".to_owned(), ..first.clone() };
    assert_eq!(
        store.enrol("hash", &again, NOW + HOUR).await.unwrap(),
        Enrolled::Issued(first.clone()),
        "the answer was lost"
    );
    assert_eq!(store.enrol("hash", &record(golf(), 2, NOW), NOW).await.unwrap(), Enrolled::Refused);
    assert_eq!(store.enrol("hash", &first, NOW + DAY).await.unwrap(), Enrolled::Refused);
    assert_eq!(store.certificate("4e").await.unwrap(), None);
    assert_eq!(store.certificate(&first.serial).await.unwrap(), Some(first));
}

#[tokio::test]
async fn of_many_who_use_a_code_at_once_one_gets_in() {
    let (store, home) = store().await;
    let home = Arc::new(home);
    store.add_enrolment(golf(), "hash", NOW, NOW + DAY).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let home = home.clone();
            tokio::spawn(async move {
                let store = open(&home).await;
                store.enrol("hash", &record(golf(), n, NOW), NOW).await.unwrap() != Enrolled::Refused
            })
        })
        .collect();
    let mut let_in = 0;
    for task in tasks {
        let_in += u32::from(task.await.unwrap());
    }
    assert_eq!(let_in, 1);
}

#[tokio::test]
async fn a_new_code_takes_the_place_of_the_last_one_and_old_ones_are_forgotten() {
    let (store, home) = store().await;
    store.add_enrolment(golf(), "first", NOW, NOW + DAY).await.unwrap();
    store.add_enrolment(golf(), "second", NOW, NOW + DAY).await.unwrap();
    assert_eq!(store.enrolment("first", NOW).await.unwrap(), None);
    assert!(store.enrolment("second", NOW).await.unwrap().is_some());
    store.add_enrolment(fiesta(), "third", NOW + DAY, NOW + 2 * DAY).await.unwrap();
    let pool = sqlx::AnyPool::connect(&url(&home)).await.unwrap();
    let codes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM enrolment").fetch_one(&pool).await.unwrap();
    assert_eq!(codes, 1);
    let first = enrolled(&store, golf(), 1, NOW).await;
    enrolled(&store, fiesta(), 2, NOW + 181 * DAY).await;
    assert_eq!(store.certificate(&first.serial).await.unwrap(), None, "it ended three months ago");
}

#[tokio::test]
async fn renewals_overlap_and_the_same_key_gets_the_same_answer() {
    let (store, _home) = store().await;
    let first = enrolled(&store, golf(), 1, NOW).await;
    let later = NOW + 60 * DAY;
    let second = record(golf(), 2, later);
    assert_eq!(store.renew(&first.serial, &second, later).await.unwrap(), Renewed::Issued(second.clone()));
    let again = CertificateRecord { serial: "4e".to_owned(), ..second.clone() };
    assert_eq!(store.renew(&first.serial, &again, later + HOUR).await.unwrap(), Renewed::Issued(second.clone()));
    assert_eq!(store.certificate(&first.serial).await.unwrap().unwrap().revoked, None, "it stays good until its end");
    // A key in a chip cannot be changed: when it is time, it gets its next certificate.
    let same_key = CertificateRecord { serial: "4d".to_owned(), ..second.clone() };
    let at = later + 60 * DAY;
    assert_eq!(store.renew(&second.serial, &same_key, at).await.unwrap(), Renewed::Issued(same_key));

    for (serial, vin, now) in [
        ("4f", golf(), later),
        (first.serial.as_str(), fiesta(), later),
        (first.serial.as_str(), golf(), NOW + 91 * DAY),
    ] {
        assert_eq!(store.renew(serial, &record(vin, 9, now), now).await.unwrap(), Renewed::Refused);
    }
}

#[tokio::test]
async fn what_is_revoked_cannot_be_renewed_and_is_listed_until_it_expires() {
    let (store, _home) = store().await;
    let first = enrolled(&store, golf(), 1, NOW).await;
    let second = record(golf(), 2, NOW);
    store.renew(&first.serial, &second, NOW).await.unwrap();
    let other = enrolled(&store, fiesta(), 3, NOW).await;
    assert_eq!(store.revoked(NOW).await.unwrap(), []);

    assert_eq!(store.revoke(golf(), NOW + 5).await.unwrap(), 2);
    assert_eq!(store.revoke(golf(), NOW + 6).await.unwrap(), 0);
    let listed = [(first.serial.clone(), NOW + 5), (second.serial.clone(), NOW + 5)];
    assert_eq!(store.revoked(NOW + 7).await.unwrap(), listed);
    assert_eq!(store.revoked(NOW + 90 * DAY).await.unwrap(), []);
    assert_eq!(store.renew(&second.serial, &record(golf(), 4, NOW), NOW + 8).await.unwrap(), Renewed::Refused);
    let code = format!("code {} 1", golf());
    assert_eq!(
        store.enrol(&code, &first, NOW + 8).await.unwrap(),
        Enrolled::Refused,
        "the answer of before is no way back in"
    );
    assert_eq!(store.certificate(&other.serial).await.unwrap().unwrap().revoked, None);
    let back = enrolled(&store, golf(), 5, NOW + 10).await;
    assert_eq!(store.certificate(&back.serial).await.unwrap().unwrap().revoked, None);
}

#[tokio::test]
async fn a_vehicle_has_so_many_certificates_until_they_are_revoked_or_end() {
    let (store, _home) = store().await;
    let first = enrolled(&store, golf(), 0, NOW).await;
    for n in 1..MAX_CERTIFICATES {
        let now = NOW + i64::from(n);
        assert!(matches!(store.renew(&first.serial, &record(golf(), n, now), now).await.unwrap(), Renewed::Issued(_)));
    }
    let now = NOW + HOUR;
    assert_eq!(store.renew(&first.serial, &record(golf(), 99, now), now).await.unwrap(), Renewed::Full);
    assert_eq!(store.revoked(now).await.unwrap(), []);
    store.add_enrolment(golf(), "one more", now, now + DAY).await.unwrap();
    let more = record(golf(), 100, now);
    assert_eq!(store.enrol("one more", &more, now).await.unwrap(), Enrolled::Full);
    assert_eq!(store.revoked(now).await.unwrap(), [], "nothing is revoked without anybody being told");
    assert_eq!(store.enrolment("one more", now).await.unwrap().unwrap().used, None, "the code is still good");
    // Another vehicle is not concerned, nor this one once a person has revoked it.
    enrolled(&store, fiesta(), 200, now).await;
    assert_eq!(store.revoke(golf(), now).await.unwrap(), u64::from(MAX_CERTIFICATES));
    let mut newest = enrolled(&store, golf(), 100, now).await;
    for n in 101..100 + MAX_CERTIFICATES {
        let renewed = store.renew(&newest.serial, &record(golf(), n, now + HOUR), now + HOUR).await.unwrap();
        let Renewed::Issued(record) = renewed else { panic!("{renewed:?}") };
        newest = record;
    }
    let refused = store.renew(&newest.serial, &record(golf(), 199, now + HOUR), now + HOUR).await.unwrap();
    assert_eq!(refused, Renewed::Full);
    // In time the first ones end and there is room again.
    let later = now + 90 * DAY + HOUR / 2;
    let renewed = store.renew(&newest.serial, &record(golf(), 300, later), later).await.unwrap();
    assert!(matches!(renewed, Renewed::Issued(_)));
}

#[tokio::test]
async fn credentials_are_listed_by_vehicle_with_the_newest_certificate() {
    let (store, _home) = store().await;
    let first = enrolled(&store, golf(), 1, NOW).await;
    let second = record(golf(), 2, NOW + 1);
    store.renew(&first.serial, &second, NOW + 1).await.unwrap();
    store.name_vehicle(fiesta(), "Van", None, NOW).await.unwrap();
    store.add_enrolment(fiesta(), "open", NOW, NOW + DAY).await.unwrap();
    let all = store.credentials(None, 10).await.unwrap();
    assert_eq!(all.iter().map(|one| one.vin).collect::<Vec<_>>(), [fiesta(), golf()]);
    assert_eq!((all[0].name.as_str(), &all[0].serial, all[0].code_expires), ("Van", &None, Some(NOW + DAY)));
    assert_eq!((&all[1].serial, all[1].not_after), (&Some(second.serial), Some(second.not_after)));
    assert_eq!((all[1].code_expires, all[1].revoked), (None, None), "the code is used up");
    store.revoke(golf(), NOW + 2).await.unwrap();
    let page = store.credentials(Some(fiesta()), 1).await.unwrap();
    assert_eq!((page.len(), page[0].revoked), (1, Some(NOW + 2)));
}

#[tokio::test]
async fn of_renewals_at_once_as_many_succeed_as_there_is_room_for() {
    let (store, home) = store().await;
    let other = open(&home).await;
    let first = enrolled(&store, golf(), 0, NOW).await;
    let mut renewals = tokio::task::JoinSet::new();
    for n in 1..MAX_CERTIFICATES + 8 {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        let old = first.serial.clone();
        renewals.spawn(async move { store.renew(&old, &record(golf(), n, NOW), NOW + 1).await.unwrap() });
    }
    let answers = renewals.join_all().await;
    let issued = answers.iter().filter(|answer| matches!(answer, Renewed::Issued(_))).count();
    let full = answers.iter().filter(|answer| **answer == Renewed::Full).count();
    assert_eq!((issued, full), (MAX_CERTIFICATES as usize - 1, 8));
}

#[tokio::test]
async fn a_certificate_that_is_renewed_while_it_is_revoked_is_no_way_back_in() {
    let (store, home) = store().await;
    let other = open(&home).await;
    for n in 0..20 {
        let now = NOW + i64::from(n);
        let first = enrolled(&store, golf(), 2 * n, now).await;
        let second = record(golf(), 2 * n + 1, now);
        let (renewed, revoked) = tokio::join!(store.renew(&first.serial, &second, now), other.revoke(golf(), now));
        match (renewed.unwrap(), revoked.unwrap()) {
            (Renewed::Issued(_), 2) => {
                let stored = store.certificate(&second.serial).await.unwrap().unwrap();
                assert_eq!(stored.revoked, Some(now));
            }
            (Renewed::Refused, 1) => assert_eq!(store.certificate(&second.serial).await.unwrap(), None),
            both => panic!("{both:?}"),
        }
    }
}

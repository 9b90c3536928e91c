//! The audit log.

use crate::fleet::{NOW, store};
use bugbrother_store::{AuditEntry, AuditFilter, AuditId, AuditObject};
use uuid::Uuid;

fn car(n: u128) -> AuditObject {
    AuditObject { kind: "vehicle".into(), id: format!("car {n}") }
}

fn entry(n: u128, who: &str, object: Option<AuditObject>) -> AuditEntry {
    AuditEntry {
        id: AuditId(Uuid::from_u128(n)),
        at: NOW + n as i64 / 2,
        who: who.into(),
        what: "vehicle_renamed".into(),
        object,
        detail: serde_json::from_str(r#"{"from": "Van", "to": ["Lorry", 7.5]}"#).unwrap(),
        address: Some("2001:db8::1".parse().unwrap()),
    }
}

#[tokio::test]
async fn what_people_do_is_written_down_as_it_was() {
    let (store, _home) = store().await;
    let full = entry(1, "ada", Some(car(1)));
    let bare = AuditEntry { detail: serde_json::Map::new(), address: None, ..entry(2, "system", None) };
    store.append_audit(&full).await.unwrap();
    store.append_audit(&bare).await.unwrap();
    assert_eq!(store.audit(AuditFilter::default(), None, 10).await.unwrap(), [bare, full.clone()]);
    let error = store.append_audit(&AuditEntry { what: "nothing".into(), ..full.clone() }).await.unwrap_err();
    assert!(error.is_about_content(), "an entry is not changed: {error:?}");
    assert_eq!(store.audit(AuditFilter::default(), None, 10).await.unwrap()[1], full);
}

#[tokio::test]
async fn the_log_is_read_in_pages_newest_first_by_who_and_by_what_it_was_done_to() {
    let (store, _home) = store().await;
    for n in 1..=12 {
        let who = if n % 3 == 0 { "bob" } else { "ada" };
        let object = match n % 4 {
            0 => None,
            1 => Some(AuditObject { kind: "client".into(), ..car(1) }),
            other => Some(car(other)),
        };
        store.append_audit(&entry(n, who, object)).await.unwrap();
    }
    let (ada, second) = (Some("ada"), car(2));
    for (filter, expected) in [
        (AuditFilter::default(), (1..=12).rev().collect::<Vec<_>>()),
        (AuditFilter { who: ada, object: None }, vec![11, 10, 8, 7, 5, 4, 2, 1]),
        (AuditFilter { who: None, object: Some(&second) }, vec![10, 6, 2]),
        (AuditFilter { who: ada, object: Some(&second) }, vec![10, 2]),
        (AuditFilter { who: Some("eve"), object: None }, vec![]),
        (AuditFilter { who: None, object: Some(&car(1)) }, vec![]),
    ] {
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.audit(filter, before, 2).await.unwrap();
            assert!(page.len() <= 2);
            let Some(last) = page.last() else { break };
            before = Some((last.at, last.id));
            seen.extend(page.iter().map(|entry| entry.id.0.as_u128()));
        }
        assert_eq!(seen, expected, "{filter:?}");
    }
}

//! Receipts for what was erased.

use crate::fleet::{NOW, store};
use bugbrother_store::{Receipt, ReceiptId, SubjectKind};
use uuid::Uuid;

fn receipt(n: u128, subject: &str) -> Receipt {
    Receipt {
        id: ReceiptId(Uuid::from_u128(n)),
        at: NOW + n as i64 / 2,
        by: "ada".into(),
        subject_kind: SubjectKind::Vehicle,
        subject_sha256: subject.into(),
        erased: [("trip".to_owned(), 12), ("chunk".to_owned(), u64::MAX)].into(),
        sha256: format!("{n:064x}"),
    }
}

#[tokio::test]
async fn receipts_are_kept_and_found_by_their_subject() {
    let (store, _home) = store().await;
    for n in 1..=5 {
        store.add_receipt(&receipt(n, if n == 2 { "b" } else { "a" })).await.unwrap();
    }
    assert_eq!(store.receipt(receipt(2, "b").id).await.unwrap(), Some(receipt(2, "b")));
    assert_eq!(store.receipt(receipt(6, "a").id).await.unwrap(), None);
    let page = store.receipts(None, 3).await.unwrap();
    assert_eq!(page, [receipt(5, "a"), receipt(4, "a"), receipt(3, "a")]);
    let rest = store.receipts(Some((page[2].at, page[2].id)), 3).await.unwrap();
    assert_eq!(rest, [receipt(2, "b"), receipt(1, "a")]);
    assert_eq!(store.subject_receipts("b", 9).await.unwrap(), [receipt(2, "b")]);
    assert_eq!(store.subject_receipts("a", 2).await.unwrap(), [receipt(5, "a"), receipt(4, "a")]);
    assert_eq!(store.subject_receipts("c", 9).await.unwrap(), []);
    assert!(store.add_receipt(&receipt(1, "a")).await.unwrap_err().is_about_content());
}

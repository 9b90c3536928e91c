//! Receipts for what was erased.

use std::collections::BTreeMap;

use bugbrother_wire::UnixMs;
use serde::{Deserialize, Serialize};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, id, id::ReceiptId, page, word};

/// That somebody's or a vehicle's data was erased. It does not say whose: who knows can compare the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its identity.
    pub id: ReceiptId,
    /// When.
    pub at: UnixMs,
    /// Who did it.
    pub by: String,
    /// Of what kind the subject was.
    pub subject_kind: SubjectKind,
    /// SHA-256 of the subject's identity, in hexadecimal digits.
    pub subject_sha256: String,
    /// Table → how many of its rows are gone.
    pub erased: BTreeMap<String, u64>,
    /// SHA-256 of the receipt's text, in hexadecimal digits.
    pub sha256: String,
}

/// Whose data can be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A vehicle's.
    Vehicle,
    /// A client's.
    Client,
    /// A user's.
    User,
}

impl Store {
    /// Keeps a receipt.
    pub async fn add_receipt(&self, receipt: &Receipt) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert(&mut tx, receipt).await?;
        Ok(tx.commit().await?)
    }

    /// One receipt.
    pub async fn receipt(&self, receipt: ReceiptId) -> Result<Option<Receipt>, StoreError> {
        let row = sqlx::query(
            "SELECT id, at_ts, by_user, subject_kind, subject_sha256, erased, sha256 FROM receipt WHERE id = $1",
        )
        .bind(receipt.to_string())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// All receipts, newest first, those before `before`: time and identity of the last one of the page before.
    pub async fn receipts(&self, before: Option<(UnixMs, ReceiptId)>, limit: u32) -> Result<Vec<Receipt>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at_ts, by_user, subject_kind, subject_sha256, erased, sha256 FROM receipt \
             WHERE (at_ts, id) < ($1, $2) ORDER BY at_ts DESC, id DESC LIMIT $3",
        )
        .bind(before.map_or(UnixMs::MAX, |(at, _)| at))
        .bind(before.map_or(String::new(), |(_, id)| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Receipts for a subject, newest first.
    pub async fn subject_receipts(&self, subject_sha256: &str, limit: u32) -> Result<Vec<Receipt>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at_ts, by_user, subject_kind, subject_sha256, erased, sha256 FROM receipt \
             WHERE subject_sha256 = $1 ORDER BY at_ts DESC, id DESC LIMIT $2",
        )
        .bind(subject_sha256)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }
}

/// Keeps a receipt, if the transaction succeeds.
pub(crate) async fn insert(tx: &mut Transaction<'_, Any>, receipt: &Receipt) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO receipt (id, at_ts, by_user, subject_kind, subject_sha256, erased, sha256) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(receipt.id.to_string())
    .bind(receipt.at)
    .bind(&receipt.by)
    .bind(word::of(&receipt.subject_kind))
    .bind(&receipt.subject_sha256)
    .bind(word::json(&receipt.erased))
    .bind(&receipt.sha256)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Receipt, StoreError> {
    Ok(Receipt {
        id: id::parse("receipt", row.try_get(0)?)?,
        at: row.try_get(1)?,
        by: row.try_get(2)?,
        subject_kind: word::read("receipt", row.try_get(3)?)?,
        subject_sha256: row.try_get(4)?,
        erased: word::from_json("receipt", row.try_get(5)?)?,
        sha256: row.try_get(6)?,
    })
}

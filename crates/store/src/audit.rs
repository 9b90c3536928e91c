//! The audit log: who did what, to what. Nothing in it is ever changed.

use std::net::IpAddr;

use bugbrother_wire::UnixMs;
use serde_json::{Map, Value};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, id, id::AuditId, page, word};

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its identity.
    pub id: AuditId,
    /// When.
    pub at: UnixMs,
    /// Who: a user, a vehicle, or a program.
    pub who: String,
    /// What, in a word, such as `vehicle_renamed`.
    pub what: String,
    /// To what.
    pub object: Option<AuditObject>,
    /// How. Never a secret.
    pub detail: Map<String, Value>,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditObject {
    /// Its kind, such as `vehicle`.
    pub kind: String,
    /// Its identity.
    pub id: String,
}

/// What of the audit log is wanted. Nothing said, everything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditFilter<'a> {
    /// By whom.
    pub who: Option<&'a str>,
    /// To what.
    pub object: Option<&'a AuditObject>,
}

/// One for each filter, so that each has its index. $1, $2: where to go on; $3: how many.
macro_rules! page_sql {
    ($filter:literal) => {
        concat!(
            "SELECT id, at_ts, who, what, object_kind, object_id, detail, address FROM audit WHERE ",
            $filter,
            "(at_ts, id) < ($1, $2) ORDER BY at_ts DESC, id DESC LIMIT $3"
        )
    };
}

impl Store {
    /// Adds to the audit log.
    pub async fn append_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        append(&mut tx, entry).await?;
        Ok(tx.commit().await?)
    }

    /// The audit log, newest first, what came before `before`: time and identity of the last entry of the page before.
    pub async fn audit(
        &self,
        filter: AuditFilter<'_>,
        before: Option<(UnixMs, AuditId)>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = match (filter.who, filter.object) {
            (None, None) => page_sql!(""),
            (Some(_), None) => page_sql!("who = $4 AND "),
            (None, Some(_)) => page_sql!("object_kind = $4 AND object_id = $5 AND "),
            (Some(_), Some(_)) => page_sql!("who = $4 AND object_kind = $5 AND object_id = $6 AND "),
        };
        let mut query = sqlx::query(sql)
            .bind(before.map_or(UnixMs::MAX, |(at, _)| at))
            .bind(before.map_or(String::new(), |(_, id)| id.to_string()))
            .bind(page(limit));
        if let Some(who) = filter.who {
            query = query.bind(who);
        }
        if let Some(object) = filter.object {
            query = query.bind(&object.kind).bind(&object.id);
        }
        query.fetch_all(&self.read).await?.iter().map(read).collect()
    }
}

/// Adds to the audit log, if the transaction succeeds.
async fn append(tx: &mut Transaction<'_, Any>, entry: &AuditEntry) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit (id, at_ts, who, what, object_kind, object_id, detail, address) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.id.to_string())
    .bind(entry.at)
    .bind(&entry.who)
    .bind(&entry.what)
    .bind(entry.object.as_ref().map(|object| object.kind.as_str()))
    .bind(entry.object.as_ref().map(|object| object.id.as_str()))
    .bind(word::json(&entry.detail))
    .bind(entry.address.map(|address| address.to_string()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    let kind: Option<String> = row.try_get(4)?;
    let object: Option<String> = row.try_get(5)?;
    Ok(AuditEntry {
        id: id::parse("audit", row.try_get(0)?)?,
        at: row.try_get(1)?,
        who: row.try_get(2)?,
        what: row.try_get(3)?,
        object: kind.zip(object).map(|(kind, id)| AuditObject { kind, id }),
        detail: word::from_json("audit", row.try_get(6)?)?,
        address: id::parse_some("audit", row.try_get(7)?)?,
    })
}

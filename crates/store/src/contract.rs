//! Contracts: from when until when the fleet serves a client, and on what terms.

use bugbrother_wire::UnixMs;
use serde_json::{Map, Value};
use sqlx::{Row, any::AnyRow};

use crate::{
    Store, StoreError, id,
    id::{ClientId, ContractId},
    number, page, word,
};

/// A contract with a client. It runs from `starts` until before `ends`.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Its identity.
    pub id: ContractId,
    /// With whom.
    pub client: ClientId,
    /// What it is called.
    pub title: String,
    /// When it begins.
    pub starts: UnixMs,
    /// When it ends, if that is known.
    pub ends: Option<UnixMs>,
    /// For so many days its vehicles' data is to be kept; without it the fleet's settings count.
    pub retention_days: Option<u32>,
    /// The same for photos and clips.
    pub media_retention_days: Option<u32>,
    /// Whether the client may see what the cameras see.
    pub video: bool,
    /// Whatever else was agreed on.
    pub options: Map<String, Value>,
    /// What else is worth knowing.
    pub note: Option<String>,
}

impl Store {
    /// Adds a contract; `false` when there is one of that identity, which changes nothing.
    pub async fn add_contract(&self, contract: &Contract) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO contract (id, client, title, starts_ts, ends_ts, retention_days, media_retention_days, video, \
             options, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
        )
        .bind(contract.id.to_string())
        .bind(contract.client.to_string())
        .bind(&contract.title)
        .bind(contract.starts)
        .bind(contract.ends)
        .bind(contract.retention_days.map(i64::from))
        .bind(contract.media_retention_days.map(i64::from))
        .bind(i64::from(contract.video))
        .bind(word::json(&contract.options))
        .bind(contract.note.as_deref())
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes everything about a contract but whose it is; `false` when there is no such contract.
    pub async fn update_contract(&self, contract: &Contract) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE contract SET title = $2, starts_ts = $3, ends_ts = $4, retention_days = $5, \
             media_retention_days = $6, video = $7, options = $8, note = $9 WHERE id = $1",
        )
        .bind(contract.id.to_string())
        .bind(&contract.title)
        .bind(contract.starts)
        .bind(contract.ends)
        .bind(contract.retention_days.map(i64::from))
        .bind(contract.media_retention_days.map(i64::from))
        .bind(i64::from(contract.video))
        .bind(word::json(&contract.options))
        .bind(contract.note.as_deref())
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a contract and takes its vehicles out of it; `false` when there is no such contract.
    ///
    /// One with documents stays, and the error [is about content](StoreError::is_about_content): their files are to be
    /// deleted first, see [`Store::delete_document`].
    pub async fn delete_contract(&self, contract: ContractId) -> Result<bool, StoreError> {
        let contract = contract.to_string();
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM contract_vehicle WHERE contract = $1").bind(&contract).execute(&mut *tx).await?;
        let done = sqlx::query("DELETE FROM contract WHERE id = $1").bind(&contract).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// One contract.
    pub async fn contract(&self, contract: ContractId) -> Result<Option<Contract>, StoreError> {
        let row = sqlx::query(
            "SELECT id, client, title, starts_ts, ends_ts, retention_days, media_retention_days, video, options, note \
             FROM contract WHERE id = $1",
        )
        .bind(contract.to_string())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Contracts of a client, those that begin last first, those before `before`: beginning and identity of the last one of
    /// the page before.
    pub async fn contracts(
        &self,
        client: ClientId,
        before: Option<(UnixMs, ContractId)>,
        limit: u32,
    ) -> Result<Vec<Contract>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, client, title, starts_ts, ends_ts, retention_days, media_retention_days, video, options, note \
             FROM contract WHERE client = $1 AND (starts_ts, id) < ($2, $3) ORDER BY starts_ts DESC, id DESC LIMIT $4",
        )
        .bind(client.to_string())
        .bind(before.map_or(UnixMs::MAX, |(starts, _)| starts))
        .bind(before.map_or(String::new(), |(_, id)| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Contract, StoreError> {
    const TABLE: &str = "contract";
    Ok(Contract {
        id: id::parse(TABLE, row.try_get(0)?)?,
        client: id::parse(TABLE, row.try_get(1)?)?,
        title: row.try_get(2)?,
        starts: row.try_get(3)?,
        ends: row.try_get(4)?,
        retention_days: number::count_some(TABLE, row.try_get(5)?)?,
        media_retention_days: number::count_some(TABLE, row.try_get(6)?)?,
        video: row.try_get::<i64, _>(7)? != 0,
        options: word::from_json(TABLE, row.try_get(8)?)?,
        note: row.try_get(9)?,
    })
}

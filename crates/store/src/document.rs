//! Documents of contracts: what is known of them. The files themselves are in the object store.

use bugbrother_wire::UnixMs;
use sqlx::{Row, any::AnyRow};

use crate::{
    Store, StoreError, id,
    id::{ContractId, DocumentId},
    page,
};

/// A document of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its identity.
    pub id: DocumentId,
    /// The contract.
    pub contract: ContractId,
    /// Its file name.
    pub name: String,
    /// What it is, such as `application/pdf`.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Where it is in the object store.
    pub object_key: String,
    /// When it was added.
    pub created: UnixMs,
}

impl Store {
    /// Adds a document; `false` when there is one of that identity, which changes nothing.
    pub async fn add_document(&self, document: &Document) -> Result<bool, StoreError> {
        let size = i64::try_from(document.size).map_err(|error| StoreError::refused("contract_document", error))?;
        let done = sqlx::query(
            "INSERT INTO contract_document (id, contract, name, media_type, size, sha256, object_key, created_ts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(document.id.to_string())
        .bind(document.contract.to_string())
        .bind(&document.name)
        .bind(&document.media_type)
        .bind(size)
        .bind(&document.sha256)
        .bind(&document.object_key)
        .bind(document.created)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// One document.
    pub async fn document(&self, document: DocumentId) -> Result<Option<Document>, StoreError> {
        let row = sqlx::query(
            "SELECT id, contract, name, media_type, size, sha256, object_key, created_ts FROM contract_document \
             WHERE id = $1",
        )
        .bind(document.to_string())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Documents of a contract, oldest first, those after `after`: time and identity of the last one of the page before.
    pub async fn documents(
        &self,
        contract: ContractId,
        after: Option<(UnixMs, DocumentId)>,
        limit: u32,
    ) -> Result<Vec<Document>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, contract, name, media_type, size, sha256, object_key, created_ts FROM contract_document \
             WHERE contract = $1 AND (created_ts, id) > ($2, $3) ORDER BY created_ts, id LIMIT $4",
        )
        .bind(contract.to_string())
        .bind(after.map_or(UnixMs::MIN, |(created, _)| created))
        .bind(after.map_or(String::new(), |(_, id)| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Forgets a document and tells what it was, so that its file can be deleted, too.
    pub async fn delete_document(&self, document: DocumentId) -> Result<Option<Document>, StoreError> {
        let row = sqlx::query(
            "DELETE FROM contract_document WHERE id = $1 \
             RETURNING id, contract, name, media_type, size, sha256, object_key, created_ts",
        )
        .bind(document.to_string())
        .fetch_optional(&self.write)
        .await?;
        row.as_ref().map(read).transpose()
    }
}

fn read(row: &AnyRow) -> Result<Document, StoreError> {
    const TABLE: &str = "contract_document";
    Ok(Document {
        id: id::parse(TABLE, row.try_get(0)?)?,
        contract: id::parse(TABLE, row.try_get(1)?)?,
        name: row.try_get(2)?,
        media_type: row.try_get(3)?,
        size: row.try_get::<i64, _>(4)?.try_into().map_err(|error| StoreError::corrupt(TABLE, error))?,
        sha256: row.try_get(5)?,
        object_key: row.try_get(6)?,
        created: row.try_get(7)?,
    })
}

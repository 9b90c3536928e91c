//! Lists with their filters as people want to see them again, each person's own.

use bugbrother_wire::UnixMs;
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, id, id::ViewId, page};

/// Most of one person for one page.
pub const MAX_VIEWS: u32 = 20;

/// A list with its filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// Its identity.
    pub id: ViewId,
    /// What it is called.
    pub name: String,
    /// Query of its address, without the `?`.
    pub query: String,
    /// When it was saved.
    pub created: UnixMs,
}

impl Store {
    /// Somebody's views of a page, the oldest first.
    pub async fn views(&self, account: &str, list: &str, limit: u32) -> Result<Vec<SavedView>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, query, created_ts FROM saved_view WHERE account = $1 AND page = $2 \
             ORDER BY created_ts, id LIMIT $3",
        )
        .bind(account)
        .bind(list)
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Saves a view for somebody; `false` when there are [`MAX_VIEWS`] of that page already.
    pub async fn add_view(&self, account: &str, list: &str, view: &SavedView) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Two at once could be one too many.
        sqlx::query("UPDATE account SET name = name WHERE name = $1").bind(account).execute(&mut *tx).await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM saved_view WHERE account = $1 AND page = $2")
            .bind(account)
            .bind(list)
            .fetch_one(&mut *tx)
            .await?;
        if count >= i64::from(MAX_VIEWS) {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO saved_view (id, account, page, name, query, created_ts) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(view.id.to_string())
        .bind(account)
        .bind(list)
        .bind(&view.name)
        .bind(&view.query)
        .bind(view.created)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes the name and the filters of somebody's view; `false` when that person has no such view.
    pub async fn update_view(&self, account: &str, view: ViewId, name: &str, query: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE saved_view SET name = $3, query = $4 WHERE id = $1 AND account = $2")
            .bind(view.to_string())
            .bind(account)
            .bind(name)
            .bind(query)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes somebody's view; `false` when that person has no such view.
    pub async fn delete_view(&self, account: &str, view: ViewId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM saved_view WHERE id = $1 AND account = $2")
            .bind(view.to_string())
            .bind(account)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> Result<SavedView, StoreError> {
    Ok(SavedView {
        id: id::parse("saved_view", row.try_get(0)?)?,
        name: row.try_get(1)?,
        query: row.try_get(2)?,
        created: row.try_get(3)?,
    })
}

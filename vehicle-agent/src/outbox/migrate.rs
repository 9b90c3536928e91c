use bugbrother_wire::{codec::decode_value, message::Telemetry, topic::Kind};
use sqlx::{Connection, Row, SqliteConnection};

use super::{from_kind, to_column};

/// Makes the tables, or brings those of an older version up to date: there are such files in vehicles.
pub(super) async fn migrate(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // The first write takes the file for this process alone, until the connection is closed.
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *tx).await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
    if version < 1 {
        sqlx::raw_sql(include_str!("gaps.sql")).execute(&mut *tx).await?;
        place_gaps(&mut tx).await?;
        sqlx::raw_sql("PRAGMA user_version = 1").execute(&mut *tx).await?;
    }
    if version < 2 {
        sqlx::raw_sql(include_str!("time.sql")).execute(&mut *tx).await?;
        sqlx::raw_sql("PRAGMA user_version = 2").execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Older versions kept what a gap record declares in its body alone.
async fn place_gaps(tx: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query("SELECT seq, body FROM record WHERE kind = $1 AND urgent = 1")
        .bind(from_kind(Kind::Telemetry))
        .fetch_all(&mut *tx)
        .await?;
    for row in rows {
        let Ok(Telemetry { gap: Some(gap), .. }) = decode_value(row.get(1)) else { continue };
        sqlx::query("UPDATE record SET gap_from = $1, gap_to = $2 WHERE seq = $3")
            .bind(to_column(gap.from.0))
            .bind(to_column(gap.to.0))
            .bind(row.get::<i64, _>(0))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

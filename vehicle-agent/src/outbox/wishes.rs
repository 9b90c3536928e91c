use std::collections::BTreeMap;

use bugbrother_wire::{SCHEMA_VERSION, codec::decode_value, encode, message::Config};
use sqlx::Row;
use tracing::warn;

use super::{Outbox, OutboxError, failed};

/// What fleet and driver wanted last. It counts from the start on, in reach or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// Settings of the fleet; `None` if it never said.
    pub config: Option<Config>,
    /// Whether the driver switched privacy on, which counts where the settings let him.
    pub driver_private: bool,
}

impl Outbox {
    /// What was wanted last.
    pub async fn wanted(&self) -> Result<Wanted, OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        let row = sqlx::query("SELECT config, driver_private FROM wish").fetch_optional(&mut *db).await;
        if let Some(row) = row.map_err(failed("read"))? {
            let config = row.get::<Option<&[u8]>, _>(0).and_then(|body| match decode_value(body) {
                Ok(config) => Some(config),
                Err(error) => {
                    // Of a newer agent, say. The fleet says it again at the next connection.
                    warn!(%error, "settings of the fleet cannot be read");
                    None
                }
            });
            return Ok(Wanted { config, driver_private: row.get(1) });
        }
        // As older versions kept it.
        let row = sqlx::query("SELECT revision, private FROM wanted").fetch_optional(&mut *db).await;
        let Some(row) = row.map_err(failed("read"))? else { return Ok(Wanted::default()) };
        let periods: Vec<(String, u32)> =
            sqlx::query_as("SELECT key, period_ms FROM wanted_period").fetch_all(db).await.map_err(failed("read"))?;
        let config = Config {
            v: SCHEMA_VERSION,
            vin: self.0.identity.vin,
            revision: row.get::<i64, _>(0).unsigned_abs(),
            periods_ms: periods.into_iter().collect(),
            thresholds: BTreeMap::new(),
            geofences: Vec::new(),
            privacy: row.get(1),
            driver_privacy: false,
            daily_bytes: None,
        };
        Ok(Wanted { config: Some(config), driver_private: false })
    }

    /// Keeps what is wanted, in place of what was before.
    pub async fn note_wanted(&self, wanted: &Wanted) -> Result<(), OutboxError> {
        let db = &mut self.0.file.lock().await.db;
        sqlx::query("INSERT OR REPLACE INTO wish (one, config, driver_private) VALUES (1, $1, $2)")
            .bind(wanted.config.as_ref().map(encode))
            .bind(wanted.driver_private)
            .execute(db)
            .await
            .map_err(failed("written"))?;
        Ok(())
    }
}

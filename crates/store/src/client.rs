//! Clients: whom the fleet serves.

use bugbrother_wire::UnixMs;
use sqlx::{Row, any::AnyRow};

use crate::{Store, StoreError, fold, id, id::ClientId, page};

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its identity.
    pub id: ClientId,
    /// What it is called.
    pub name: String,
    /// Whom to ask for.
    pub contact: Option<String>,
    /// Where to write.
    pub email: Option<String>,
    /// Where to call.
    pub phone: Option<String>,
    /// What else is worth knowing.
    pub note: Option<String>,
    /// When it was added.
    pub created: UnixMs,
    /// Since when it is a client no more. Whoever signs in for it sees no vehicle from then on.
    pub archived: Option<UnixMs>,
}

/// A client in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLine {
    /// The client.
    pub client: Client,
    /// How many of its contracts run.
    pub contracts: i64,
    /// How many vehicles are in them.
    pub vehicles: i64,
}

/// Clients that are looked at for one page of what is found.
const MAX_LOOKED_AT: u32 = 20_000;
const STEP: u32 = 500;

impl Store {
    /// Adds a client; `false` when there is one of that identity, which changes nothing.
    pub async fn add_client(&self, client: &Client) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO client (id, name, name_key, contact, email, phone, note, created_ts, archived_ts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
        )
        .bind(client.id.to_string())
        .bind(&client.name)
        .bind(fold::key(&client.name))
        .bind(client.contact.as_deref())
        .bind(client.email.as_deref())
        .bind(client.phone.as_deref())
        .bind(client.note.as_deref())
        .bind(client.created)
        .bind(client.archived)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes everything about a client but when it was added; `false` when there is no such client.
    pub async fn update_client(&self, client: &Client) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE client SET name = $2, name_key = $3, contact = $4, email = $5, phone = $6, note = $7, \
             archived_ts = $8 WHERE id = $1",
        )
        .bind(client.id.to_string())
        .bind(&client.name)
        .bind(fold::key(&client.name))
        .bind(client.contact.as_deref())
        .bind(client.email.as_deref())
        .bind(client.phone.as_deref())
        .bind(client.note.as_deref())
        .bind(client.archived)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a client; `false` when there is no such client. One that still has contracts, users or geofences stays, and
    /// the error [is about content](StoreError::is_about_content).
    pub async fn delete_client(&self, client: ClientId) -> Result<bool, StoreError> {
        let done =
            sqlx::query("DELETE FROM client WHERE id = $1").bind(client.to_string()).execute(&self.write).await?;
        Ok(done.rows_affected() == 1)
    }

    /// One client.
    pub async fn client(&self, client: ClientId) -> Result<Option<Client>, StoreError> {
        let row = sqlx::query(
            "SELECT id, name, contact, email, phone, note, created_ts, archived_ts FROM client WHERE id = $1",
        )
        .bind(client.to_string())
        .fetch_optional(&self.read)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Clients by name, those after `after`: name and identity of the last one of the page before.
    ///
    /// Only such whose names begin with `prefix`, where neither case nor accents count; archived ones only if asked for.
    pub async fn clients(
        &self,
        prefix: &str,
        archived: bool,
        after: Option<(&str, ClientId)>,
        limit: u32,
    ) -> Result<Vec<Client>, StoreError> {
        let sql = if archived {
            "SELECT id, name, contact, email, phone, note, created_ts, archived_ts FROM client \
             WHERE name_key >= $1 AND name_key < $2 AND (name_key, id) > ($3, $4) ORDER BY name_key, id LIMIT $5"
        } else {
            "SELECT id, name, contact, email, phone, note, created_ts, archived_ts FROM client \
             WHERE archived_ts IS NULL AND name_key >= $1 AND name_key < $2 AND (name_key, id) > ($3, $4) \
             ORDER BY name_key, id LIMIT $5"
        };
        let prefix = fold::key(prefix);
        let (key, id) = after.map(|(name, id)| (fold::key(name), id.to_string())).unwrap_or_default();
        let rows = sqlx::query(sql)
            .bind(prefix.clone().max(key.clone()))
            .bind(fold::end(prefix))
            .bind(key)
            .bind(id)
            .bind(page(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }
}

impl Store {
    /// Clients by name, those after `after`: name and identity of the last one of the page before. Only such in whose names
    /// `text` stands, where neither case nor accents count; archived ones only if asked for. With what runs at `at`.
    pub async fn find_clients(
        &self,
        text: &str,
        archived: bool,
        after: Option<(&str, ClientId)>,
        at: UnixMs,
        limit: u32,
    ) -> Result<Vec<ClientLine>, StoreError> {
        let needle = fold::key(text);
        let mut after = after.map(|(name, id)| (name.to_owned(), id));
        let (mut found, mut looked_at) = (Vec::new(), 0);
        while found.len() < limit as usize && looked_at < MAX_LOOKED_AT {
            let last = after.as_ref().map(|(name, id)| (name.as_str(), *id));
            let step = self.clients("", archived, last, STEP).await?;
            let is_last = step.len() < STEP as usize;
            looked_at += STEP;
            after = step.last().map(|client| (client.name.clone(), client.id));
            let fits = |name: &str| {
                let key = fold::key(name);
                needle.is_empty() || key.windows(needle.len()).any(|part| part == needle)
            };
            for client in step.into_iter().filter(|client| fits(&client.name)).take(limit as usize - found.len()) {
                let (contracts, vehicles) = self.running(client.id, at).await?;
                found.push(ClientLine { client, contracts, vehicles });
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// How many contracts of a client run at `at`, and how many vehicles are in them.
    pub async fn running(&self, client: ClientId, at: UnixMs) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(DISTINCT contract.id), COUNT(DISTINCT vin) FROM contract LEFT JOIN contract_vehicle \
             ON contract_vehicle.contract = contract.id AND from_ts <= $2 AND (to_ts IS NULL OR to_ts > $2) \
             WHERE client = $1 AND starts_ts <= $2 AND (ends_ts IS NULL OR ends_ts > $2) LIMIT 1",
        )
        .bind(client.to_string())
        .bind(at)
        .fetch_one(&self.read)
        .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }
}

fn read(row: &AnyRow) -> Result<Client, StoreError> {
    Ok(Client {
        id: id::parse("client", row.try_get(0)?)?,
        name: row.try_get(1)?,
        contact: row.try_get(2)?,
        email: row.try_get(3)?,
        phone: row.try_get(4)?,
        note: row.try_get(5)?,
        created: row.try_get(6)?,
        archived: row.try_get(7)?,
    })
}

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

/// Which contracts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContractFilter {
    /// All, the latest to begin first.
    All,
    /// Those that run, the latest to begin first.
    Running,
    /// Those that run and end before this moment, the first to end first.
    Ending(UnixMs),
    /// Those that have ended, the last to end first.
    Ended,
    /// Those that are to begin, the first to begin first.
    Coming,
}

/// A contract in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ContractLine {
    /// The contract.
    pub contract: Contract,
    /// Name of the client.
    pub client_name: String,
    /// How many vehicles are in it now.
    pub vehicles: i64,
}

impl ContractLine {
    /// Where the page after this line begins, in a list with that filter.
    pub fn place(&self, filter: ContractFilter) -> (UnixMs, ContractId) {
        let at = match filter {
            ContractFilter::Ending(_) | ContractFilter::Ended => self.contract.ends.unwrap_or(UnixMs::MAX),
            _ => self.contract.starts,
        };
        (at, self.contract.id)
    }
}

/// $1: now; $2, $3: place of the last one of the page before; $4: how many; $5: of which client, or nobody; $6: until when.
macro_rules! lines {
    ($whose:literal, $filter:literal) => {
        concat!(
            "SELECT contract.id, client, title, starts_ts, ends_ts, retention_days, media_retention_days, video, options, \
             contract.note, client.name, (SELECT COUNT(*) FROM contract_vehicle WHERE contract = contract.id \
             AND from_ts <= $1 AND (to_ts IS NULL OR to_ts > $1)) FROM contract JOIN client ON client.id = contract.client \
             WHERE ",
            $whose,
            $filter
        )
    };
}

/// For all clients, and for one.
macro_rules! of_each {
    ($filter:literal) => {
        [lines!("$5 = '' AND ", $filter), lines!("contract.client = $5 AND ", $filter)]
    };
}

const ALL: [&str; 2] =
    of_each!("$6 = 0 AND (starts_ts, contract.id) < ($2, $3) ORDER BY starts_ts DESC, contract.id DESC LIMIT $4");
const RUNNING: [&str; 2] = of_each!(
    "$6 = 0 AND starts_ts <= $1 AND (ends_ts IS NULL OR ends_ts > $1) AND (starts_ts, contract.id) < ($2, $3) \
     ORDER BY starts_ts DESC, contract.id DESC LIMIT $4"
);
const ENDING: [&str; 2] = of_each!(
    "starts_ts <= $1 AND ends_ts > $1 AND ends_ts < $6 AND (ends_ts, contract.id) > ($2, $3) \
     ORDER BY ends_ts, contract.id LIMIT $4"
);
const ENDED: [&str; 2] = of_each!(
    "$6 = 0 AND ends_ts <= $1 AND (ends_ts, contract.id) < ($2, $3) ORDER BY ends_ts DESC, contract.id DESC LIMIT $4"
);
const COMING: [&str; 2] = of_each!(
    "$6 = 0 AND starts_ts > $1 AND (starts_ts, contract.id) > ($2, $3) ORDER BY starts_ts, contract.id LIMIT $4"
);

impl Store {
    /// Contracts of all clients or of one, in the order of the filter, those after `after`: the
    /// [place](ContractLine::place) of the last one of the page before.
    pub async fn contract_lines(
        &self,
        filter: ContractFilter,
        client: Option<ClientId>,
        at: UnixMs,
        after: Option<(UnixMs, ContractId)>,
        limit: u32,
    ) -> Result<Vec<ContractLine>, StoreError> {
        let (statements, is_rising, until) = match filter {
            ContractFilter::All => (ALL, false, 0),
            ContractFilter::Running => (RUNNING, false, 0),
            ContractFilter::Ending(until) => (ENDING, true, until),
            ContractFilter::Ended => (ENDED, false, 0),
            ContractFilter::Coming => (COMING, true, 0),
        };
        let first = if is_rising { UnixMs::MIN } else { UnixMs::MAX };
        let rows = sqlx::query(statements[usize::from(client.is_some())])
            .bind(at)
            .bind(after.map_or(first, |(at, _)| at))
            .bind(after.map_or(String::new(), |(_, id)| id.to_string()))
            .bind(page(limit))
            .bind(client.map(|client| client.to_string()).unwrap_or_default())
            .bind(until)
            .fetch_all(&self.read)
            .await?;
        let line = |row: &AnyRow| {
            Ok(ContractLine { contract: read(row)?, client_name: row.try_get(10)?, vehicles: row.try_get(11)? })
        };
        rows.iter().map(line).collect()
    }

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

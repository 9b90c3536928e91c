//! Commands to vehicles, and how far they have come.

use std::collections::BTreeMap;

use bugbrother_wire::{
    CommandId, SCHEMA_VERSION, UnixMs, Vin,
    message::{Argument, Command, Reply, ReplyState},
};
use serde::{Deserialize, Serialize};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, id, page, word};

/// A command, and how far it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRecord {
    /// What was given.
    pub command: Command,
    /// How far it has come.
    pub state: CommandState,
    /// Since when: by the vehicle's clock once that has replied.
    pub state_ts: UnixMs,
    /// Result or reason, in the vehicle's words.
    pub detail: Option<String>,
    /// What programs can use of the result.
    pub result: BTreeMap<String, Argument>,
    /// A longer text that was asked for.
    pub text: Option<String>,
}

/// Life of a command. It only moves on: accepted, running, then one of the others, at which it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// The vehicle has not replied. From the command's `expires` on it will not carry it out any more.
    Issued,
    /// Understood and permitted.
    Accepted,
    /// Being carried out.
    Running,
    /// Carried out.
    Done,
    /// Could not be carried out.
    Failed,
    /// Came too late.
    Expired,
    /// Not permitted, or not known.
    Denied,
}

impl From<ReplyState> for CommandState {
    fn from(state: ReplyState) -> Self {
        match state {
            ReplyState::Accepted => CommandState::Accepted,
            ReplyState::Running => CommandState::Running,
            ReplyState::Done => CommandState::Done,
            ReplyState::Failed => CommandState::Failed,
            ReplyState::Expired => CommandState::Expired,
            ReplyState::Denied => CommandState::Denied,
        }
    }
}

impl CommandState {
    /// How far that is; as `advance` has it in SQL.
    fn step(self) -> i64 {
        match self {
            CommandState::Issued => 0,
            CommandState::Accepted => 1,
            CommandState::Running => 2,
            CommandState::Done | CommandState::Failed | CommandState::Expired | CommandState::Denied => 3,
        }
    }
}

/// A list of commands, see [`read`].
macro_rules! command_sql {
    ($rest:literal) => {
        concat!(
            "SELECT id, vin, name, arguments, issued, expires, by_user, state, state_ts, detail, result, text \
             FROM command ",
            $rest
        )
    };
}

impl Store {
    /// Keeps a command that is about to be sent; `false` when there is one of that identity, which changes nothing. The
    /// vehicle must be known.
    pub async fn add_command(&self, command: &Command) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO command (id, vin, name, arguments, issued, expires, by_user, state, state_ts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $5) ON CONFLICT (id) DO NOTHING",
        )
        .bind(command.id.to_string())
        .bind(command.vin.as_str())
        .bind(&command.name)
        .bind(word::checked_json("command", &command.arguments)?)
        .bind(command.issued)
        .bind(command.expires)
        .bind(&command.by)
        .bind(word::of(&CommandState::Issued))
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Moves a command on by what its vehicle replied. `false` when it has come as far before, or when the vehicle has no
    /// such command.
    pub async fn advance_command(&self, reply: &Reply) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let moved = advance(&mut tx, reply).await?;
        tx.commit().await?;
        Ok(moved)
    }

    /// One command.
    pub async fn command(&self, command: CommandId) -> Result<Option<CommandRecord>, StoreError> {
        let row =
            sqlx::query(command_sql!("WHERE id = $1")).bind(command.to_string()).fetch_optional(&self.read).await?;
        row.as_ref().map(read).transpose()
    }

    /// Commands to a vehicle, newest first, those before `before`: time and identity of the last one of the page before.
    pub async fn commands(
        &self,
        vin: Vin,
        before: Option<(UnixMs, CommandId)>,
        limit: u32,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let rows = sqlx::query(command_sql!(
            "WHERE vin = $1 AND (issued, id) < ($2, $3) ORDER BY issued DESC, id DESC LIMIT $4"
        ))
        .bind(vin.as_str())
        .bind(before.map_or(UnixMs::MAX, |(issued, _)| issued))
        .bind(before.map_or(String::new(), |(_, id)| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Commands to a vehicle that have not come to their end, oldest first, those after `after`: time and identity of the
    /// last one of the page before. Such as have expired without a reply are among them: the vehicle may have carried them
    /// out and be out of reach since.
    pub async fn open_commands(
        &self,
        vin: Vin,
        after: Option<(UnixMs, CommandId)>,
        limit: u32,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let rows = sqlx::query(command_sql!(
            "WHERE vin = $1 AND state IN ('issued', 'accepted', 'running') AND (issued, id) > ($2, $3) \
             ORDER BY issued, id LIMIT $4"
        ))
        .bind(vin.as_str())
        .bind(after.map_or(UnixMs::MIN, |(issued, _)| issued))
        .bind(after.map_or(String::new(), |(_, id)| id.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Commands that their vehicles have not replied to and that are not past their time at `now`, of one vehicle or of all,
    /// oldest first, those after `after`.
    pub async fn unheard_commands(
        &self,
        vin: Option<Vin>,
        now: UnixMs,
        after: Option<(UnixMs, CommandId)>,
        limit: u32,
    ) -> Result<Vec<Command>, StoreError> {
        let (issued, id) = after.map_or((UnixMs::MIN, String::new()), |(issued, id)| (issued, id.to_string()));
        let mut query = sqlx::query(if vin.is_some() {
            command_sql!(
                "WHERE state IN ('issued', 'accepted', 'running') AND state = 'issued' AND expires > $1 \
                 AND (issued, id) > ($2, $3) AND vin = $5 ORDER BY issued, id LIMIT $4"
            )
        } else {
            command_sql!(
                "WHERE state = 'issued' AND expires > $1 AND (issued, id) > ($2, $3) ORDER BY issued, id LIMIT $4"
            )
        })
        .bind(now)
        .bind(issued)
        .bind(id)
        .bind(page(limit));
        if let Some(vin) = &vin {
            query = query.bind(vin.as_str());
        }
        query.fetch_all(&self.read).await?.iter().map(|row| Ok(read(row)?.command)).collect()
    }
}

/// Moves a command on by what its vehicle replied, see [`Store::advance_command`]. Replies come in any order, and more than
/// once.
pub(crate) async fn advance(tx: &mut Transaction<'_, Any>, reply: &Reply) -> Result<bool, StoreError> {
    let state = CommandState::from(reply.state);
    let done = sqlx::query(
        "UPDATE command SET state = $3, state_ts = $4, detail = $5, result = $7, text = $8 WHERE id = $1 AND vin = $2 \
         AND CASE state WHEN 'issued' THEN 0 WHEN 'accepted' THEN 1 WHEN 'running' THEN 2 ELSE 3 END < $6",
    )
    .bind(reply.command.to_string())
    .bind(reply.vin.as_str())
    .bind(word::of(&state))
    .bind(reply.at)
    .bind(reply.detail.as_deref())
    .bind(state.step())
    .bind((!reply.result.is_empty()).then(|| word::json(&reply.result)))
    .bind(reply.text.as_deref())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<CommandRecord, StoreError> {
    Ok(CommandRecord {
        command: Command {
            v: SCHEMA_VERSION,
            id: id::parse("command", row.try_get(0)?)?,
            vin: id::parse("command", row.try_get(1)?)?,
            name: row.try_get(2)?,
            arguments: word::from_json("command", row.try_get(3)?)?,
            issued: row.try_get(4)?,
            expires: row.try_get(5)?,
            by: row.try_get(6)?,
        },
        state: word::read("command", row.try_get(7)?)?,
        state_ts: row.try_get(8)?,
        detail: row.try_get(9)?,
        result: match row.try_get::<Option<String>, _>(10)? {
            Some(json) => word::from_json("command", &json)?,
            None => BTreeMap::new(),
        },
        text: row.try_get(11)?,
    })
}

//! Ways to reach people, and when they want to be reached.

use bugbrother_wire::{
    AlertId, ChannelId, UnixMs,
    api::{Attention, ChannelKind, Role, Tongue},
    message::Severity,
};
use serde::{Deserialize, Serialize};
use sqlx::{Row, any::AnyRow};

use crate::{ClientId, Language, Store, StoreError, id, page, word};

/// Most of one person, and most of the fleet's own.
pub const MAX_CHANNELS: u32 = 20;

/// A way to reach somebody. What opens it is not in here, see [`Store::channel_secret`].
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its identity.
    pub id: ChannelId,
    /// Whose it is; nobody's for one that is the fleet's own.
    pub account: Option<String>,
    /// Its kind.
    pub kind: ChannelKind,
    /// What people call it.
    pub label: String,
    /// Where to, and for what.
    pub settings: ChannelSettings,
    /// Whether something opens it.
    pub has_secret: bool,
    /// Whether it is used.
    pub enabled: bool,
    /// When it was made.
    pub created: UnixMs,
    /// The alert that says that it does not work.
    pub failing: Option<AlertId>,
}

/// Where a channel goes, and for what. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelSettings {
    /// An address of mail or of the web, or a chat, by its kind.
    pub target: String,
    /// Of what severities it hears.
    pub severities: Vec<Severity>,
    /// In which language the fleet's own ones are spoken to.
    pub language: Tongue,
}

/// A channel that is used, and who hears by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// The channel.
    pub channel: ChannelId,
    /// Whose it is; nobody's for one that is the fleet's own.
    pub person: Option<Person>,
    /// Where to, and for what.
    pub settings: ChannelSettings,
}

/// Who hears by a channel of theirs.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// User name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whose vehicles they see if they sign in for a client.
    pub client: Option<ClientId>,
    /// When they want to hear.
    pub attention: Attention,
}

macro_rules! channel_sql {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, kind, label, settings, \
             CAST(CASE WHEN secret IS NULL THEN 0 ELSE 1 END AS BIGINT), enabled, created_ts, failing FROM channel ",
            $rest
        )
    };
}

impl Store {
    /// Somebody's channels, or the fleet's own, in the order in which they were made.
    pub async fn channels(&self, account: Option<&str>) -> Result<Vec<Channel>, StoreError> {
        let query = match account {
            Some(_) => sqlx::query(channel_sql!("WHERE account = $1 ORDER BY id LIMIT $2")),
            None => sqlx::query(channel_sql!("WHERE account IS NULL AND id > $1 ORDER BY id LIMIT $2")),
        };
        let rows = query.bind(account.unwrap_or_default()).bind(i64::from(MAX_CHANNELS)).fetch_all(&self.read).await?;
        rows.iter().map(read).collect()
    }

    /// One channel.
    pub async fn channel(&self, channel: ChannelId) -> Result<Option<Channel>, StoreError> {
        let row =
            sqlx::query(channel_sql!("WHERE id = $1")).bind(channel.to_string()).fetch_optional(&self.read).await?;
        row.as_ref().map(read).transpose()
    }

    /// What opens a channel, for whoever sends by it.
    pub async fn channel_secret(&self, channel: ChannelId) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT secret FROM channel WHERE id = $1")
            .bind(channel.to_string())
            .fetch_optional(&self.read)
            .await?;
        row.map_or(Ok(None), |row| Ok(row.try_get(0)?))
    }

    /// Adds a channel; `false` when its owner has [`MAX_CHANNELS`].
    pub async fn add_channel(&self, channel: &Channel, secret: Option<&str>) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Two at once could be one too many: the second one waits here.
        match &channel.account {
            Some(name) => sqlx::query("UPDATE account SET name = name WHERE name = $1").bind(name),
            None => sqlx::query("UPDATE counter SET value = value WHERE name = 'rule'"),
        }
        .execute(&mut *tx)
        .await?;
        let count: i64 = match &channel.account {
            Some(name) => sqlx::query_scalar("SELECT COUNT(*) FROM channel WHERE account = $1").bind(name),
            None => sqlx::query_scalar("SELECT COUNT(*) FROM channel WHERE account IS NULL AND id > ''"),
        }
        .fetch_one(&mut *tx)
        .await?;
        if count >= i64::from(MAX_CHANNELS) {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO channel (id, account, kind, label, settings, secret, enabled, created_ts) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(channel.id.to_string())
        .bind(channel.account.as_deref())
        .bind(word::of(&channel.kind))
        .bind(&channel.label)
        .bind(word::json(&channel.settings))
        .bind(secret)
        .bind(i64::from(channel.enabled))
        .bind(channel.created)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Changes what a channel is called, where it goes and whether it is used, and what opens it if that is given; `false`
    /// when its owner has no such channel.
    pub async fn update_channel(&self, channel: &Channel, secret: Option<&str>) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE channel SET label = $3, settings = $4, enabled = $5, secret = COALESCE($6, secret) \
             WHERE id = $1 AND COALESCE(account, '') = $2",
        )
        .bind(channel.id.to_string())
        .bind(channel.account.as_deref().unwrap_or_default())
        .bind(&channel.label)
        .bind(word::json(&channel.settings))
        .bind(i64::from(channel.enabled))
        .bind(secret)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a channel with what is on its way into it; `false` when its owner has no such channel.
    pub async fn delete_channel(&self, account: Option<&str>, channel: ChannelId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM channel WHERE id = $1 AND COALESCE(account, '') = $2")
            .bind(channel.to_string())
            .bind(account.unwrap_or_default())
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// When somebody wants to hear.
    pub async fn attention(&self, account: &str) -> Result<Attention, StoreError> {
        let row = sqlx::query("SELECT body FROM attention WHERE account = $1")
            .bind(account)
            .fetch_optional(&self.read)
            .await?;
        row.map_or(Ok(Attention::default()), |row| word::from_json("attention", row.try_get(0)?))
    }

    /// Keeps when somebody wants to hear. Who is to hear must be known.
    pub async fn save_attention(&self, account: &str, attention: &Attention, now: UnixMs) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO attention (account, body, updated_ts) VALUES ($1, $2, $3) \
             ON CONFLICT (account) DO UPDATE SET body = excluded.body, updated_ts = excluded.updated_ts",
        )
        .bind(account)
        .bind(word::json(attention))
        .bind(now)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Channels that are used, with who hears by them, those after `after`. Whoever may not sign in hears nothing.
    pub async fn listeners(&self, after: Option<ChannelId>, limit: u32) -> Result<Vec<Listener>, StoreError> {
        let rows = sqlx::query(
            "SELECT channel.id, channel.settings, account.name, account.role, account.client, attention.body \
             FROM channel LEFT JOIN account ON account.name = channel.account \
             LEFT JOIN attention ON attention.account = channel.account \
             WHERE channel.id > $1 AND enabled = 1 AND disabled_ts IS NULL ORDER BY channel.id LIMIT $2",
        )
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read_listener).collect()
    }

    /// The language in which somebody is written to.
    pub async fn language(&self, account: &str) -> Result<Language, StoreError> {
        let row = sqlx::query("SELECT language FROM account WHERE name = $1")
            .bind(account)
            .fetch_optional(&self.read)
            .await?;
        row.map_or(Ok(Language::default()), |row| word::read("account", row.try_get(0)?))
    }
}

fn read(row: &AnyRow) -> Result<Channel, StoreError> {
    Ok(Channel {
        id: id::parse("channel", row.try_get(0)?)?,
        account: row.try_get(1)?,
        kind: word::read("channel", row.try_get(2)?)?,
        label: row.try_get(3)?,
        settings: word::from_json("channel", row.try_get(4)?)?,
        has_secret: row.try_get::<i64, _>(5)? != 0,
        enabled: row.try_get::<i64, _>(6)? != 0,
        created: row.try_get(7)?,
        failing: id::parse_some("channel", row.try_get(8)?)?,
    })
}

fn read_listener(row: &AnyRow) -> Result<Listener, StoreError> {
    let person = match row.try_get::<Option<String>, _>(2)? {
        None => None,
        Some(name) => Some(Person {
            name,
            role: word::read("account", row.try_get(3)?)?,
            client: id::parse_some("account", row.try_get(4)?)?,
            attention: match row.try_get::<Option<String>, _>(5)? {
                Some(body) => word::from_json("attention", &body)?,
                None => Attention::default(),
            },
        }),
    };
    Ok(Listener {
        channel: id::parse("channel", row.try_get(0)?)?,
        person,
        settings: word::from_json("channel", row.try_get(1)?)?,
    })
}

//! Rules by which the notifier raises alerts.

use bugbrother_wire::message::Severity;
use serde::{Deserialize, Serialize};
use sqlx::{Any, Row, Transaction};

use crate::{MAX_PAGE, Store, StoreError, word};

/// When an alert is raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its identity, such as `fast`.
    pub id: String,
    /// What is the matter when it holds, for a person: the title of its alerts.
    pub title: String,
    /// How bad that is.
    pub severity: Severity,
    /// Whether it is looked at.
    pub enabled: bool,
    /// What it looks at.
    pub condition: Condition,
}

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A signal is above `on` for `for_ms` of the vehicle's time; it ends when it falls to `off` (below `on`: hysteresis).
    Above {
        /// The first of these that the vehicle sends counts.
        signals: Vec<String>,
        /// Above this it begins.
        on: f64,
        /// At or below this it ends.
        off: f64,
        /// For how long it has to be so.
        for_ms: u32,
    },
    /// The vehicle has said nothing for `after_ms` of the server's time.
    Silent {
        /// For how long.
        after_ms: u32,
    },
}

pub(crate) fn defaults() -> [Rule; 2] {
    [
        Rule {
            id: "fast".into(),
            title: "Faster than 130 km/h".into(),
            severity: Severity::Warning,
            enabled: true,
            condition: Condition::Above {
                signals: vec!["spd".into(), "gspd".into()],
                on: 130.0,
                off: 125.0,
                for_ms: 3_000,
            },
        },
        Rule {
            id: "silent".into(),
            title: "Silent for 5 minutes".into(),
            severity: Severity::Info,
            enabled: true,
            condition: Condition::Silent { after_ms: 300_000 },
        },
    ]
}

impl Store {
    /// All rules, by their identity.
    pub async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let rows = sqlx::query("SELECT id, title, severity, enabled, condition FROM rule ORDER BY id LIMIT $1")
            .bind(i64::from(MAX_PAGE))
            .fetch_all(&self.read)
            .await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Rule {
                id: row.try_get(0)?,
                title: row.try_get(1)?,
                severity: word::read("rule", row.try_get(2)?)?,
                enabled: row.try_get::<i64, _>(3)? != 0,
                condition: word::from_json("rule", row.try_get(4)?)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Makes a rule, or changes the one with that identity.
    pub async fn save_rule(&self, rule: &Rule) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        upsert(&mut tx, rule).await?;
        Ok(tx.commit().await?)
    }
}

pub(crate) async fn upsert(tx: &mut Transaction<'_, Any>, rule: &Rule) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rule (id, title, severity, enabled, condition) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET title = excluded.title, severity = excluded.severity, \
         enabled = excluded.enabled, condition = excluded.condition",
    )
    .bind(&rule.id)
    .bind(&rule.title)
    .bind(word::of(&rule.severity))
    .bind(i64::from(rule.enabled))
    .bind(word::json(&rule.condition))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

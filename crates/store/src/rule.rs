//! Rules by which the notifier raises alerts.

use bugbrother_wire::message::Severity;
use sqlx::{Any, Row, Transaction, any::AnyRow};

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
    /// Which vehicles it is about.
    pub scope: RuleScope,
    /// What it looks at.
    pub condition: Condition,
    /// Whether its alerts are to have a film of the moment.
    pub film: bool,
}

pub use bugbrother_wire::rule::{Condition, Scope as RuleScope};

pub(crate) fn defaults() -> [Rule; 2] {
    [
        Rule {
            id: "fast".into(),
            title: "Faster than 130 km/h".into(),
            severity: Severity::Warning,
            enabled: true,
            scope: RuleScope::All,
            condition: Condition::Above {
                signals: vec!["spd".into(), "gspd".into()],
                on: 130.0,
                off: 125.0,
                for_ms: 3_000,
            },
            film: false,
        },
        Rule {
            id: "silent".into(),
            title: "Silent for 5 minutes".into(),
            severity: Severity::Info,
            enabled: true,
            scope: RuleScope::All,
            condition: Condition::Silent { after_ms: 300_000 },
            film: false,
        },
    ]
}

impl Store {
    /// All rules, by their identity.
    pub async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let rows =
            sqlx::query("SELECT id, title, severity, enabled, condition, scope, film FROM rule ORDER BY id LIMIT $1")
                .bind(i64::from(MAX_PAGE))
                .fetch_all(&self.read)
                .await?;
        rows.iter().map(read).collect()
    }

    /// One rule.
    pub async fn rule(&self, rule: &str) -> Result<Option<Rule>, StoreError> {
        let row = sqlx::query("SELECT id, title, severity, enabled, condition, scope, film FROM rule WHERE id = $1")
            .bind(rule)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// How often the rules have changed: a number that is quick to look at, and rises.
    pub async fn rules_version(&self) -> Result<i64, StoreError> {
        let version = sqlx::query_scalar("SELECT value FROM counter WHERE name = 'rule'").fetch_optional(&self.read);
        Ok(version.await?.unwrap_or_default())
    }

    /// Makes a rule, or changes the one with that identity. One that would be more than `most` is not made: `false`.
    pub async fn save_rule_of(&self, rule: &Rule, most: u32) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // First of all: from here on nobody else changes rules before the transaction ends.
        count_change(&mut tx).await?;
        upsert(&mut tx, rule).await?;
        let rules: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM rule").fetch_one(&mut *tx).await?;
        if rules > i64::from(most) {
            return Ok(false);
        }
        tx.commit().await?;
        self.rules.notify_waiters();
        Ok(true)
    }

    /// Makes a rule, or changes the one with that identity.
    pub async fn save_rule(&self, rule: &Rule) -> Result<(), StoreError> {
        self.save_rule_of(rule, MAX_PAGE).await.map(drop)
    }

    /// Deletes a rule; `false` when there is no such rule.
    pub async fn delete_rule(&self, rule: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        count_change(&mut tx).await?;
        let done = sqlx::query("DELETE FROM rule WHERE id = $1").bind(rule).execute(&mut *tx).await?;
        tx.commit().await?;
        self.rules.notify_waiters();
        Ok(done.rows_affected() == 1)
    }

    /// Waits until somebody with the same store in this process changes the rules. Of others [`Store::rules_version`] tells.
    /// What is changed once this was called is not missed.
    pub fn rules_changed(&self) -> impl Future<Output = ()> + '_ {
        self.rules.notified()
    }
}

/// Counts a change of the rules, or of what they look at. From here on nobody else changes them before the transaction ends.
pub(crate) async fn count_change(tx: &mut Transaction<'_, Any>) -> Result<(), StoreError> {
    sqlx::query("UPDATE counter SET value = value + 1 WHERE name = 'rule'").execute(&mut **tx).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Rule, StoreError> {
    Ok(Rule {
        id: row.try_get(0)?,
        title: row.try_get(1)?,
        severity: word::read("rule", row.try_get(2)?)?,
        enabled: row.try_get::<i64, _>(3)? != 0,
        condition: word::from_json("rule", row.try_get(4)?)?,
        scope: word::from_json("rule", row.try_get(5)?)?,
        film: row.try_get::<i64, _>(6)? != 0,
    })
}

pub(crate) async fn upsert(tx: &mut Transaction<'_, Any>, rule: &Rule) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rule (id, title, severity, enabled, condition, scope, film) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (id) DO UPDATE SET title = excluded.title, severity = excluded.severity, \
         enabled = excluded.enabled, condition = excluded.condition, scope = excluded.scope, film = excluded.film",
    )
    .bind(&rule.id)
    .bind(&rule.title)
    .bind(word::of(&rule.severity))
    .bind(i64::from(rule.enabled))
    .bind(word::json(&rule.condition))
    .bind(word::json(&rule.scope))
    .bind(i64::from(rule.film))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

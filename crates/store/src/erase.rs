//! Erasing all that is known of a vehicle or a person, with a receipt of what it was.

use std::collections::BTreeMap;

use bugbrother_wire::{UnixMs, Vin};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{AccountChange, ClientId, EscalateTo, Receipt, ReceiptId, Store, StoreError, SubjectKind};

/// Rows that are removed at once.
const STEP: i64 = 500;

/// Tables of a vehicle's rows, in an order in which nothing is removed that others refer to, and what tells rows apart.
const OF_A_VEHICLE: &[(&str, &str)] = &[
    (
        "maintenance_entry",
        "DELETE FROM maintenance_entry WHERE id IN (SELECT id FROM maintenance_entry WHERE vin = $1 LIMIT $2)",
    ),
    (
        "maintenance_item",
        "DELETE FROM maintenance_item WHERE id IN (SELECT id FROM maintenance_item WHERE vin = $1 LIMIT $2)",
    ),
    ("trip", "DELETE FROM trip WHERE (vin, start_ts) IN (SELECT vin, start_ts FROM trip WHERE vin = $1 LIMIT $2)"),
    ("stop", "DELETE FROM stop WHERE (vin, start_ts) IN (SELECT vin, start_ts FROM stop WHERE vin = $1 LIMIT $2)"),
    ("trip_state", "DELETE FROM trip_state WHERE vin IN (SELECT vin FROM trip_state WHERE vin = $1 LIMIT $2)"),
    ("event", "DELETE FROM event WHERE (vin, id) IN (SELECT vin, id FROM event WHERE vin = $1 LIMIT $2)"),
    ("picture", "DELETE FROM picture WHERE (vin, at_ts) IN (SELECT vin, at_ts FROM picture WHERE vin = $1 LIMIT $2)"),
    ("diagnostics", "DELETE FROM diagnostics WHERE vin IN (SELECT vin FROM diagnostics WHERE vin = $1 LIMIT $2)"),
    (
        "dtc",
        "DELETE FROM dtc WHERE (vin, code, status, ecu) IN (SELECT vin, code, status, ecu FROM dtc WHERE vin = $1 LIMIT $2)",
    ),
    ("media", "DELETE FROM media WHERE (vin, id) IN (SELECT vin, id FROM media WHERE vin = $1 LIMIT $2)"),
    (
        "media_file",
        "DELETE FROM media_file WHERE (vin, id) IN (SELECT vin, id FROM media_file WHERE vin = $1 LIMIT $2)",
    ),
    (
        "reply",
        "DELETE FROM reply WHERE (vin, epoch, seq) IN (SELECT vin, epoch, seq FROM reply WHERE vin = $1 LIMIT $2)",
    ),
    ("eye", "DELETE FROM eye WHERE (vin, camera) IN (SELECT vin, camera FROM eye WHERE vin = $1 LIMIT $2)"),
    ("wish", "DELETE FROM wish WHERE vin IN (SELECT vin FROM wish WHERE vin = $1 LIMIT $2)"),
    ("command", "DELETE FROM command WHERE id IN (SELECT id FROM command WHERE vin = $1 LIMIT $2)"),
    ("rule_state", "DELETE FROM rule_state WHERE vin IN (SELECT vin FROM rule_state WHERE vin = $1 LIMIT $2)"),
    ("delivery", "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE vin = $1 LIMIT $2)"),
    ("alert", "DELETE FROM alert WHERE id IN (SELECT id FROM alert WHERE vin = $1 LIMIT $2)"),
    ("quarantine", "DELETE FROM quarantine WHERE number IN (SELECT number FROM quarantine WHERE vin = $1 LIMIT $2)"),
    (
        "gap",
        "DELETE FROM gap WHERE (vin, epoch, from_seq, to_seq) IN (SELECT vin, epoch, from_seq, to_seq FROM gap WHERE vin = $1 LIMIT $2)",
    ),
    ("birth", "DELETE FROM birth WHERE vin IN (SELECT vin FROM birth WHERE vin = $1 LIMIT $2)"),
    ("enrolment", "DELETE FROM enrolment WHERE vin IN (SELECT vin FROM enrolment WHERE vin = $1 LIMIT $2)"),
    (
        "contract_vehicle",
        "DELETE FROM contract_vehicle WHERE (contract, vin, from_ts) IN (SELECT contract, vin, from_ts FROM contract_vehicle WHERE vin = $1 LIMIT $2)",
    ),
    (
        "progress",
        "DELETE FROM progress WHERE (vin, epoch) IN (SELECT vin, epoch FROM progress WHERE vin = $1 LIMIT $2)",
    ),
];

impl Store {
    /// Removes all that is known of a vehicle and keeps a receipt that does not say whose data it was. Certificates that have
    /// not been revoked stand in the way ([`StoreError::StillTrusted`]): whoever still has one would be made anew.
    pub async fn erase_vehicle(&self, vin: Vin, by: &str, now: UnixMs) -> Result<Receipt, StoreError> {
        let trusted: Option<String> = sqlx::query_scalar(
            "SELECT serial FROM certificate WHERE vin = $1 AND revoked_ts IS NULL AND not_after > $2 LIMIT 1",
        )
        .bind(vin.as_str())
        .bind(now)
        .fetch_optional(&self.read)
        .await?;
        if trusted.is_some() {
            return Err(StoreError::StillTrusted(vin));
        }
        let mut erased = BTreeMap::from([("tail".to_owned(), self.erase_tail(vin).await?)]);
        for &(table, sql) in OF_A_VEHICLE {
            let gone = self
                .repeat(async || {
                    let done = sqlx::query(sql).bind(vin.as_str()).bind(STEP).execute(&self.write).await?;
                    Ok(done.rows_affected())
                })
                .await?;
            erased.insert(table.to_owned(), gone);
        }
        // Once more, for who has committed meanwhile.
        *erased.entry("tail".to_owned()).or_default() += self.erase_tail(vin).await?;
        // After `progress`: who was folding the tail has found out.
        erased.insert("hours of samples".to_owned(), self.series.erase(vin).await?);
        // What the dead letters say of it stands in their topics.
        let letters = sqlx::query("DELETE FROM dead_letter WHERE topic LIKE $1")
            .bind(format!("fleet/v1/{vin}/%"))
            .execute(&self.write)
            .await?;
        erased.insert("dead_letter".to_owned(), letters.rows_affected());
        let mut tx = self.begin().await?;
        for (table, sql) in [
            // Once more, for who was about to write them.
            ("trip", "DELETE FROM trip WHERE vin = $1"),
            ("stop", "DELETE FROM stop WHERE vin = $1"),
            ("trip_state", "DELETE FROM trip_state WHERE vin = $1"),
            ("certificate", "DELETE FROM certificate WHERE vin = $1"),
            (
                "certificate of a device",
                "UPDATE certificate SET device = NULL WHERE device IN (SELECT id FROM device WHERE vin = $1)",
            ),
            ("device", "DELETE FROM device WHERE vin = $1"),
            ("last_state", "DELETE FROM last_state WHERE vin = $1"),
            ("vehicle", "DELETE FROM vehicle WHERE vin = $1"),
        ] {
            let done = sqlx::query(sql).bind(vin.as_str()).execute(&mut *tx).await?;
            *erased.entry(table.to_owned()).or_default() += done.rows_affected();
        }
        tx.commit().await?;
        // What was known of it by heart is no longer so.
        *self.memory.lock().await = Default::default();
        self.certify(SubjectKind::Vehicle, vin.as_str(), erased, by, now).await
    }

    /// Removes a client: the person or company, its contracts and its users' accounts. Vehicles stay, each with its own data.
    pub async fn erase_client(&self, client: ClientId, by: &str, now: UnixMs) -> Result<Receipt, StoreError> {
        let id = client.to_string();
        let mut erased = BTreeMap::new();
        let mut tx = self.begin().await?;
        for (table, sql) in [
            (
                "session",
                "UPDATE session SET revoked_ts = COALESCE(revoked_ts, $2), address = NULL, user_agent = NULL \
                 WHERE account IN (SELECT name FROM account WHERE client = $1)",
            ),
            (
                "api_token",
                "UPDATE api_token SET revoked_ts = COALESCE(revoked_ts, $2) \
                 WHERE account IN (SELECT name FROM account WHERE client = $1)",
            ),
        ] {
            let done = sqlx::query(sql).bind(&id).bind(now).execute(&mut *tx).await?;
            erased.insert(table.to_owned(), done.rows_affected());
        }
        for (table, sql) in [
            (
                "contract_document",
                "DELETE FROM contract_document WHERE contract IN (SELECT id FROM contract WHERE client = $1)",
            ),
            (
                "contract_vehicle",
                "DELETE FROM contract_vehicle WHERE contract IN (SELECT id FROM contract WHERE client = $1)",
            ),
            ("contract", "DELETE FROM contract WHERE client = $1"),
            ("geofence", "DELETE FROM geofence WHERE client = $1"),
            ("account", "DELETE FROM account WHERE client = $1"),
            ("client", "DELETE FROM client WHERE id = $1"),
        ] {
            let done = sqlx::query(sql).bind(&id).execute(&mut *tx).await?;
            erased.insert(table.to_owned(), done.rows_affected());
        }
        tx.commit().await?;
        self.certify(SubjectKind::Client, &id, erased, by, now).await
    }

    /// Removes a user, and the name from what the user has done: the deeds stay, without it.
    pub async fn erase_user(&self, name: &str, by: &str, now: UnixMs) -> Result<Receipt, StoreError> {
        const NOBODY: &str = "(erased)";
        let mut erased = BTreeMap::new();
        let account = match self.delete_account(name, now).await? {
            AccountChange::LastAdministrator => return Err(StoreError::LastAdministrator),
            AccountChange::Done => 1,
            AccountChange::NoSuchUser => 0,
        };
        erased.insert("account".to_owned(), account);
        let mut tx = self.begin().await?;
        for (table, sql) in [
            ("audit", "UPDATE audit SET who = $2, address = NULL WHERE who = $1"),
            ("alert", "UPDATE alert SET acknowledged_by = $2 WHERE acknowledged_by = $1"),
            ("alert_event", "UPDATE alert_event SET by_user = $2 WHERE by_user = $1"),
            ("command", "UPDATE command SET by_user = $2 WHERE by_user = $1"),
            ("maintenance_entry", "UPDATE maintenance_entry SET by_user = $2 WHERE by_user = $1"),
            ("setting", "UPDATE setting SET updated_by = $2 WHERE updated_by = $1"),
            ("wish", "UPDATE wish SET updated_by = $2 WHERE updated_by = $1"),
            ("assigned alert", "UPDATE alert SET assigned_to = $2 WHERE assigned_to = $1"),
        ] {
            let done = sqlx::query(sql).bind(name).bind(NOBODY).execute(&mut *tx).await?;
            erased.insert(table.to_owned(), done.rows_affected());
        }
        tx.commit().await?;
        let EscalateTo { mut people } = self.setting().await?;
        if people.iter().any(|one| one == name) {
            people.retain(|one| one != name);
            self.save_setting(&EscalateTo { people }, Some(NOBODY), now).await?;
        }
        self.certify(SubjectKind::User, name, erased, by, now).await
    }

    /// Does a step again until there is nothing left to do; tells how much was.
    async fn repeat(&self, step: impl AsyncFn() -> Result<u64, StoreError>) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            match step().await? {
                0 => return Ok(all),
                done => all += done,
            }
        }
    }

    /// Whether a vehicle's data was erased at some time, as a receipt says.
    pub async fn was_erased(&self, vin: Vin) -> Result<bool, StoreError> {
        Ok(!self.subject_receipts(&sha256(vin.as_str()), 1).await?.is_empty())
    }

    async fn certify(
        &self,
        subject_kind: SubjectKind,
        subject: &str,
        erased: BTreeMap<String, u64>,
        by: &str,
        now: UnixMs,
    ) -> Result<Receipt, StoreError> {
        let mut receipt = Receipt {
            id: ReceiptId(Uuid::now_v7()),
            at: now,
            by: by.to_owned(),
            subject_kind,
            subject_sha256: sha256(subject),
            erased,
            sha256: String::new(),
        };
        receipt.sha256 = sha256(&receipt.text());
        self.add_receipt(&receipt).await?;
        Ok(receipt)
    }
}

impl Receipt {
    /// What its hash is of: a line for each thing that it says.
    pub fn text(&self) -> String {
        let mut text =
            format!("{}\n{}\n{}\n{:?}\n{}\n", self.id, self.at, self.by, self.subject_kind, self.subject_sha256);
        for (table, rows) in &self.erased {
            text += &format!("{table} {rows}\n");
        }
        text
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Which vehicle is in which contract, and what follows from it: who sees it, and how long its data is kept.

use bugbrother_wire::{UnixMs, Vin};
use sqlx::{Row, any::AnyRow};

use crate::{
    Store, StoreError, id,
    id::{ClientId, ContractId},
    number, page, vehicle,
};

/// A vehicle in a contract, from `from` until before `to`. It may leave and come back, and be in several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// The contract.
    pub contract: ContractId,
    /// The vehicle.
    pub vin: Vin,
    /// Since when.
    pub from: UnixMs,
    /// Until when, if that is known.
    pub to: Option<UnixMs>,
}

/// How long a vehicle's data is to be kept by the contracts that it is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContractRetention {
    /// In days; none of the contracts says without it.
    pub days: Option<u32>,
    /// The same for photos and clips.
    pub media_days: Option<u32>,
}

/// A vehicle in a contract, with what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// When it is in which contract.
    pub assignment: Assignment,
    /// What people call it.
    pub name: String,
    /// Registration plate, where it is known.
    pub plate: Option<String>,
}

impl Store {
    /// The same as [`Store::contract_vehicles`], with what the vehicles are called.
    pub async fn contract_fleet(
        &self,
        contract: ContractId,
        after: Option<(Vin, UnixMs)>,
        limit: u32,
    ) -> Result<Vec<Assigned>, StoreError> {
        let rows = sqlx::query(
            "SELECT contract, contract_vehicle.vin, from_ts, to_ts, name, plate FROM contract_vehicle \
             JOIN vehicle ON vehicle.vin = contract_vehicle.vin WHERE contract = $1 \
             AND (contract_vehicle.vin, from_ts) > ($2, $3) ORDER BY contract_vehicle.vin, from_ts LIMIT $4",
        )
        .bind(contract.to_string())
        .bind(after.as_ref().map_or("", |(vin, _)| vin.as_str()))
        .bind(after.map_or(UnixMs::MIN, |(_, from)| from))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        let assigned =
            |row: &AnyRow| Ok(Assigned { assignment: read(row)?, name: row.try_get(4)?, plate: row.try_get(5)? });
        rows.iter().map(assigned).collect()
    }

    /// Takes back that a vehicle came into a contract at a moment, as if it never had; `false` when it did not.
    pub async fn withdraw_vehicle(&self, contract: ContractId, vin: Vin, from: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM contract_vehicle WHERE contract = $1 AND vin = $2 AND from_ts = $3")
            .bind(contract.to_string())
            .bind(vin.as_str())
            .bind(from)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Puts a vehicle into a contract, or changes until when it is in it from that moment on. A vehicle that is not known is
    /// made.
    pub async fn assign_vehicle(&self, assignment: &Assignment, now: UnixMs) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        vehicle::make(&mut tx, assignment.vin, now).await?;
        sqlx::query(
            "INSERT INTO contract_vehicle (contract, vin, from_ts, to_ts) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (contract, vin, from_ts) DO UPDATE SET to_ts = excluded.to_ts",
        )
        .bind(assignment.contract.to_string())
        .bind(assignment.vin.as_str())
        .bind(assignment.from)
        .bind(assignment.to)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Takes a vehicle out of a contract that it is in at `at`, from then on; `false` when it is not.
    pub async fn release_vehicle(&self, contract: ContractId, vin: Vin, at: UnixMs) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE contract_vehicle SET to_ts = $3 WHERE contract = $1 AND vin = $2 AND from_ts <= $3 \
             AND (to_ts IS NULL OR to_ts > $3)",
        )
        .bind(contract.to_string())
        .bind(vin.as_str())
        .bind(at)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Vehicles of a contract, present and past, by VIN and beginning, those after `after`: VIN and beginning of the last
    /// one of the page before.
    pub async fn contract_vehicles(
        &self,
        contract: ContractId,
        after: Option<(Vin, UnixMs)>,
        limit: u32,
    ) -> Result<Vec<Assignment>, StoreError> {
        let rows = sqlx::query(
            "SELECT contract, vin, from_ts, to_ts FROM contract_vehicle WHERE contract = $1 \
             AND (vin, from_ts) > ($2, $3) ORDER BY vin, from_ts LIMIT $4",
        )
        .bind(contract.to_string())
        .bind(after.as_ref().map_or("", |(vin, _)| vin.as_str()))
        .bind(after.map_or(UnixMs::MIN, |(_, from)| from))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Contracts that a vehicle is and was in, those that it came into last first, those before `before`: beginning and
    /// contract of the last one of the page before.
    pub async fn vehicle_contracts(
        &self,
        vin: Vin,
        before: Option<(UnixMs, ContractId)>,
        limit: u32,
    ) -> Result<Vec<Assignment>, StoreError> {
        let rows = sqlx::query(
            "SELECT contract, vin, from_ts, to_ts FROM contract_vehicle WHERE vin = $1 \
             AND (from_ts, contract) < ($2, $3) ORDER BY from_ts DESC, contract DESC LIMIT $4",
        )
        .bind(vin.as_str())
        .bind(before.map_or(UnixMs::MAX, |(from, _)| from))
        .bind(before.map_or(String::new(), |(_, contract)| contract.to_string()))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// The vehicles that a client sees at `at`, those of its running contracts, by VIN, those after `after`. A client that
    /// is archived sees none.
    pub async fn client_vehicles(
        &self,
        client: ClientId,
        at: UnixMs,
        after: Option<Vin>,
        limit: u32,
    ) -> Result<Vec<Vin>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT contract_vehicle.vin FROM client JOIN contract ON contract.client = client.id \
             JOIN contract_vehicle ON contract_vehicle.contract = contract.id \
             WHERE client.id = $1 AND archived_ts IS NULL AND starts_ts <= $2 AND (ends_ts IS NULL OR ends_ts > $2) \
             AND from_ts <= $2 AND (to_ts IS NULL OR to_ts > $2) AND contract_vehicle.vin > $3 \
             ORDER BY contract_vehicle.vin LIMIT $4",
        )
        .bind(client.to_string())
        .bind(at)
        .bind(after.as_ref().map_or("", Vin::as_str))
        .bind(page(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| id::parse("contract_vehicle", row.try_get(0)?)).collect()
    }

    /// Whether a client sees a vehicle at `at`, see [`Store::client_vehicles`].
    pub async fn client_sees(&self, client: ClientId, vin: Vin, at: UnixMs) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT contract.id FROM contract_vehicle JOIN contract ON contract.id = contract_vehicle.contract \
             JOIN client ON client.id = contract.client \
             WHERE contract_vehicle.vin = $1 AND client.id = $2 AND archived_ts IS NULL \
             AND starts_ts <= $3 AND (ends_ts IS NULL OR ends_ts > $3) \
             AND from_ts <= $3 AND (to_ts IS NULL OR to_ts > $3) LIMIT 1",
        )
        .bind(vin.as_str())
        .bind(client.to_string())
        .bind(at)
        .fetch_optional(&self.read)
        .await?;
        Ok(row.is_some())
    }

    /// Whether a client may see at `at` what a vehicle's cameras see: one of the contracts by which it sees the vehicle says so.
    pub async fn client_sees_video(&self, client: ClientId, vin: Vin, at: UnixMs) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT contract.id FROM contract_vehicle JOIN contract ON contract.id = contract_vehicle.contract \
             JOIN client ON client.id = contract.client \
             WHERE contract_vehicle.vin = $1 AND client.id = $2 AND archived_ts IS NULL AND video = 1 \
             AND starts_ts <= $3 AND (ends_ts IS NULL OR ends_ts > $3) \
             AND from_ts <= $3 AND (to_ts IS NULL OR to_ts > $3) LIMIT 1",
        )
        .bind(vin.as_str())
        .bind(client.to_string())
        .bind(at)
        .fetch_optional(&self.read)
        .await?;
        Ok(row.is_some())
    }

    /// How long a vehicle's data is to be kept: the longest that a contract says which it is in at `at` and which runs then.
    pub async fn contract_retention(&self, vin: Vin, at: UnixMs) -> Result<ContractRetention, StoreError> {
        let row = sqlx::query(
            "SELECT MAX(retention_days), MAX(media_retention_days) FROM contract_vehicle \
             JOIN contract ON contract.id = contract_vehicle.contract \
             WHERE contract_vehicle.vin = $1 AND starts_ts <= $2 AND (ends_ts IS NULL OR ends_ts > $2) \
             AND from_ts <= $2 AND (to_ts IS NULL OR to_ts > $2)",
        )
        .bind(vin.as_str())
        .bind(at)
        .fetch_one(&self.read)
        .await?;
        Ok(ContractRetention {
            days: number::count_some("contract", row.try_get(0)?)?,
            media_days: number::count_some("contract", row.try_get(1)?)?,
        })
    }
}

fn read(row: &AnyRow) -> Result<Assignment, StoreError> {
    Ok(Assignment {
        contract: id::parse("contract_vehicle", row.try_get(0)?)?,
        vin: id::parse("contract_vehicle", row.try_get(1)?)?,
        from: row.try_get(2)?,
        to: row.try_get(3)?,
    })
}

//! What people know of a vehicle and it does not tell.

pub use bugbrother_wire::FuelKind;
use bugbrother_wire::{UnixMs, Vin};
use sqlx::Row;

use crate::{Store, StoreError, number::Real, vehicle, word};

/// What people know of a vehicle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VehicleFacts {
    /// What it burns.
    pub fuel: FuelKind,
    /// Size of its tank in litres (CNG: in kilograms).
    pub tank_l: Option<f64>,
    /// Usable size of its traction battery in kilowatt-hours.
    pub battery_kwh: Option<f64>,
    /// What kind of vehicle it is, such as `van`.
    pub class: Option<String>,
    /// What else is worth knowing.
    pub note: Option<String>,
    /// Since when it is in the fleet no more.
    pub archived: Option<UnixMs>,
}

impl Store {
    /// What people know of a vehicle; nothing when there is no such vehicle.
    pub async fn vehicle_facts(&self, vin: Vin) -> Result<Option<VehicleFacts>, StoreError> {
        let row =
            sqlx::query("SELECT fuel_kind, tank_l, battery_kwh, class, note, archived_ts FROM vehicle WHERE vin = $1")
                .bind(vin.as_str())
                .fetch_optional(&self.read)
                .await?;
        row.map(|row| {
            Ok(VehicleFacts {
                fuel: word::read("vehicle", row.try_get(0)?)?,
                tank_l: row.try_get(1)?,
                battery_kwh: row.try_get(2)?,
                class: row.try_get(3)?,
                note: row.try_get(4)?,
                archived: row.try_get(5)?,
            })
        })
        .transpose()
    }

    /// Writes what people know of a vehicle. One that is not known yet is made. A size that is no positive number is
    /// refused.
    pub async fn set_vehicle_facts(&self, vin: Vin, facts: &VehicleFacts, now: UnixMs) -> Result<(), StoreError> {
        for (name, size) in [("tank_l", facts.tank_l), ("battery_kwh", facts.battery_kwh)] {
            if size.is_some_and(|size| !size.is_finite() || size <= 0.0) {
                return Err(StoreError::refused("vehicle", format!("`{name}` is no positive number")));
            }
        }
        let mut tx = self.begin().await?;
        vehicle::make(&mut tx, vin, now).await?;
        sqlx::query(
            "UPDATE vehicle SET fuel_kind = $2, tank_l = $3, battery_kwh = $4, class = $5, note = $6, \
             archived_ts = $7 WHERE vin = $1",
        )
        .bind(vin.as_str())
        .bind(word::of(&facts.fuel))
        .bind(Real(facts.tank_l))
        .bind(Real(facts.battery_kwh))
        .bind(facts.class.as_deref())
        .bind(facts.note.as_deref())
        .bind(facts.archived)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

//! Which notifier looks after which vehicles.
//!
//! Vehicles fall into [`SHARDS`] shards. A notifier that lives says so by a number that rises; whoever sees it stand still for
//! long enough, by a clock of their own, takes its shards. Nobody compares clocks. Each change of hands raises the shard's
//! fence, and what is saved under an older number is refused: a notifier that was paused and has lost its shards changes
//! nothing when it wakes up.

use std::collections::BTreeMap;

use bugbrother_wire::Vin;
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{Store, StoreError, number};

/// Parts that the vehicles are divided into.
pub const SHARDS: u8 = 64;
/// Most notifiers that are told of.
const MAX_PEERS: i64 = 1_000;

/// The shard of a vehicle. It is the same in every version: notifiers of two versions may run at the same time.
pub fn shard_of(vin: Vin) -> u8 {
    // FNV-1a, and then its bits mixed once more: VINs of a fleet differ in their last digits alone.
    let hash = vin
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 58) as u8
}

/// A notifier that runs, or ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its identity, another one at each start.
    pub id: String,
    /// Rises while it lives.
    pub beat: i64,
}

/// Who looks after a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which one.
    pub shard: u8,
    /// Who, if anybody does.
    pub holder: Option<String>,
    /// Rises whenever it changes hands.
    pub fence: i64,
}

/// What a notifier holds: under which number each shard was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The notifier.
    pub holder: String,
    /// Shard → its fence.
    pub fences: BTreeMap<u8, i64>,
}

impl Held {
    /// Whether the vehicle is among them.
    pub fn has(&self, vin: Vin) -> bool {
        self.fences.contains_key(&shard_of(vin))
    }
}

impl Store {
    /// A notifier says that it lives. Returns all that run or ran, and who looks after which shard.
    pub async fn beat(&self, id: &str) -> Result<(Vec<Peer>, Vec<Lease>), StoreError> {
        sqlx::query(
            "INSERT INTO notifier (id, beat) VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET beat = notifier.beat + 1",
        )
        .bind(id)
        .execute(&self.write)
        .await?;
        // In this order: whoever holds something has beaten before, and is among those that are read then.
        let leases = sqlx::query("SELECT shard, holder, fence FROM lease ORDER BY shard LIMIT $1")
            .bind(i64::from(SHARDS))
            .fetch_all(&self.read)
            .await?;
        let peers = sqlx::query("SELECT id, beat FROM notifier ORDER BY id LIMIT $1")
            .bind(MAX_PEERS)
            .fetch_all(&self.read)
            .await?;
        let peers = peers.iter().map(|row| Ok(Peer { id: row.try_get(0)?, beat: row.try_get(1)? }));
        Ok((peers.collect::<Result<_, StoreError>>()?, leases.iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Takes shards over whose fence still is the one that was seen. Returns those that were taken, with their new fence.
    pub async fn take_leases(&self, id: &str, seen: &[(u8, i64)]) -> Result<BTreeMap<u8, i64>, StoreError> {
        let mut tx = self.begin().await?;
        let mut taken = BTreeMap::new();
        for (shard, fence) in in_order(seen) {
            let row = sqlx::query(
                "UPDATE lease SET holder = $1, fence = fence + 1 WHERE shard = $2 AND fence = $3 RETURNING fence",
            )
            .bind(id)
            .bind(i64::from(shard))
            .bind(fence)
            .fetch_optional(&mut *tx)
            .await?;
            if let Some(row) = row {
                taken.insert(shard, row.try_get(0)?);
            }
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Gives shards up, those that are still held.
    pub async fn give_leases(&self, held: &Held, shards: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (shard, fence) in held.fences.iter().filter(|(shard, _)| shards.contains(shard)) {
            sqlx::query(
                "UPDATE lease SET holder = NULL, fence = fence + 1 WHERE shard = $1 AND holder = $2 AND fence = $3",
            )
            .bind(i64::from(*shard))
            .bind(&held.holder)
            .bind(fence)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets a notifier that was last seen at that beat and has none of the shards any more. One that has meanwhile beaten
    /// stays.
    pub async fn forget_peer(&self, peer: &Peer) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM notifier WHERE id = $1 AND beat = $2 \
             AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.holder = notifier.id)",
        )
        .bind(&peer.id)
        .bind(peer.beat)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// A notifier leaves: it is forgotten, and others may have its shards at once.
    pub async fn leave(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE lease SET holder = NULL, fence = fence + 1 WHERE holder = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM notifier WHERE id = $1").bind(id).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }
}

impl Held {
    /// Which of the shards of these vehicles are still held. Those stay so until the transaction ends.
    pub(crate) async fn stand(
        &self,
        tx: &mut Transaction<'_, Any>,
        vins: impl Iterator<Item = Vin>,
    ) -> Result<BTreeMap<u8, bool>, StoreError> {
        let mut stands: BTreeMap<u8, bool> = vins.map(|vin| (shard_of(vin), false)).collect();
        // In rising order, as everybody does: nobody waits in a circle.
        for (shard, stands) in &mut stands {
            let Some(fence) = self.fences.get(shard) else { continue };
            // It changes nothing, and holds the row.
            let row = sqlx::query("UPDATE lease SET fence = fence WHERE shard = $1 AND holder = $2 AND fence = $3")
                .bind(i64::from(*shard))
                .bind(&self.holder)
                .bind(fence)
                .execute(&mut **tx)
                .await?;
            *stands = row.rows_affected() == 1;
        }
        Ok(stands)
    }
}

fn in_order(seen: &[(u8, i64)]) -> BTreeMap<u8, i64> {
    seen.iter().copied().collect()
}

fn read(row: &AnyRow) -> Result<Lease, StoreError> {
    let shard = number::count("lease", row.try_get(0)?)?;
    let shard = u8::try_from(shard).map_err(|error| StoreError::corrupt("lease", error))?;
    Ok(Lease { shard, holder: row.try_get(1)?, fence: row.try_get(2)? })
}

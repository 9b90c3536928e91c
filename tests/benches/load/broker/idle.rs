//! What connections cost that say nothing.

use anyhow::{Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::plant::{self, Plant};
use crate::usage;

/// Handshakes at a time.
const AT_ONCE: usize = 50;

/// Memory of the broker for each of so many connections, in bytes; `subscribed`: each has subscribed to what is meant for
/// it, as vehicles do.
pub async fn measure(plant: &Plant, connections: usize, subscribed: bool) -> Result<f64> {
    plant.is_up().await?;
    // What the first one makes it load is not the connections'.
    drop(plant.vehicle(0).await?);
    let before = usage::resident_bytes(&plant.process())?;
    let all: Vec<_> = stream::iter(0..connections)
        .map(|number| async move {
            let mut stream = plant.vehicle(number).await?;
            if subscribed {
                plant::subscribe(&mut stream, &format!("fleet/v1/{}/down/#", plant::vehicle(number)), 1).await?;
            }
            anyhow::Ok(stream)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let after = usage::resident_bytes(&plant.process())?;
    ensure!(all.len() == connections, "{} of {connections} are connected", all.len());
    Ok((after - before) / connections as f64)
}

//! What stands in for the rest of the fleet.

pub mod certificates;
pub mod database;
pub mod fleet;
pub mod recording;

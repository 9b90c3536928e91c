//! How much people may say of a vehicle, whichever way they say it.

/// Characters of what people call it.
pub(crate) const MAX_NAME: usize = 80;
/// Characters of its plate.
pub(crate) const MAX_PLATE: usize = 20;
/// Characters of what kind of vehicle it is.
pub(crate) const MAX_CLASS: usize = 40;
/// Characters of a note.
pub(crate) const MAX_NOTE: usize = 4_000;
/// Litres of a tank.
pub(crate) const MAX_TANK_L: f64 = 5_000.0;
/// Kilowatt-hours of a battery.
pub(crate) const MAX_BATTERY_KWH: f64 = 5_000.0;

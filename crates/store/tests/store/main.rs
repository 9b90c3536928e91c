//! The store on temporary files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod commit;
mod credential;
mod face;
mod fleet;
mod killed;
mod telemetry;
mod trip;
mod upgrade;

//! The store on temporary files.

mod commit;
mod face;
mod fleet;
mod killed;

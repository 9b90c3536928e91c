//! One kind of leaf in each file: what it is made of, what it remembers of a vehicle, and its step.

pub(crate) mod area;
pub(crate) mod books;
pub(crate) mod fuel;
pub(crate) mod happening;
pub(crate) mod hours;
pub(crate) mod limit;
pub(crate) mod silence;
pub(crate) mod speeding;
pub(crate) mod trouble;
pub(crate) mod unusual;

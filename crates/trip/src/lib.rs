//! Trips and stops, made from samples.

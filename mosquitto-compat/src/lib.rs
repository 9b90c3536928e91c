//! mosquitto-compat

//! Carries topics between an existing MQTT broker and this one.

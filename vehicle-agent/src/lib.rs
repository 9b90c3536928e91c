//! vehicle-agent

//! dashboard/server

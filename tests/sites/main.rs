//! Two sites: a database that fails over to its copy, and everything in pairs on hosts of the test's own.
//!
//! # Layout
//! - [`failover`]: PostgreSQL's primary is killed, and a copy of it that lagged behind is promoted
//! - [`namespaces`]: the link between two sites is cut, one of them is killed, and it comes back
//! - [`document`]: what stands in `docs/two-sites.md`, which is what they are set up by
//! - [`site`]: a site with its services
//! - [`drivers`]: vehicles whose receivers tell the time of day
//! - [`fleet`], [`sensors`], [`audit`]: as in `endurance`

#[path = "../endurance/audit.rs"]
mod audit;
mod document;
mod drivers;
mod failover;
#[path = "../endurance/fleet.rs"]
#[expect(dead_code, reason = "here nobody kills agents")]
mod fleet;
mod namespaces;
#[path = "../endurance/sensors.rs"]
mod sensors;
mod site;

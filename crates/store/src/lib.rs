//! The fleet database: users, vehicles, their last state and every batch that they sent, rules and alerts.
//!
//! # Layout
//! - [`Store`]: opening, schema, identity; [`look`]: what is at an address, changing nothing
//! - [`arrival`]: what ingest hands over; `commit`: the writer's door, one transaction for many messages; `records`,
//!   `refused`: the rows that it writes; `tail`: those that wait to be folded, `keep`: folding them
//! - [`progress`]: which records of an outbox are committed (pure)
//! - [`latest`]: the last known state of a vehicle (pure)
//! - [`account`], [`vehicle`], [`history`], [`rule`], [`alert`]: the readers' doors, by table; [`table`]: whole tables, for
//!   exports
//! - [`credential`]: enrolment codes and certificates of vehicles, and what is revoked; [`device`]: the boxes that hold them
//! - [`session`], [`second_factor`], [`invitation`], [`api_token`]: how people and their programs come in
//! - [`client`], [`contract`], [`contract_vehicle`], [`document`]: whom the fleet serves, and who sees which vehicle
//! - [`facts`], [`geofence`], [`command`], [`wish`]: what people say of vehicles and to them; [`picture`]: what these said of
//!   themselves last; [`media_file`]: files of their photos and clips; [`eye`]: cameras that the server reaches by itself
//! - [`alert_list`], [`alert_event`], [`audit`], [`receipt`]: what happened to alerts, what people did, what was erased
//! - [`roster`]: vehicles as the office sees them; [`maintenance`]: what is to be done to them and was, [`upkeep`]: when (pure)
//! - [`statistics`]: what trips amount to, by vehicle, client and day; [`view`]: lists that people look at again
//! - [`lease`]: which notifier looks after which vehicles; [`escalation`]: alerts that are told again
//! - [`channel`], [`mail`]: how people are reached; [`delivery`], [`delivery_log`]: what is on its way to them,
//!   and what became of it
//! - [`role`], [`setting`] with [`retention`] and [`prices`]: how the fleet is run
//! - [`id`]: identities; `number`, `word`, `fold`: how columns hold numbers, words and names
//! - `migrations/`: the schema
//!
//! # Invariants
//! - SQL stands in this crate alone, and only such as SQLite and PostgreSQL both understand.
//! - A record of an outbox is stored at most once, whatever is delivered how often: [`progress::Progress`] decides.
//! - "Latest" moves only forward in the vehicle's time, signal by signal; at the same time what was received last counts,
//!   and no time counts as more than a minute ahead of ours.
//! - No query without a limit and an index, but the list of what is revoked, which must be whole; every table that strangers can fill is bounded or holds authentic records.

#![warn(missing_docs)]

pub mod account;
pub mod alert;
pub mod alert_event;
pub mod alert_list;
pub mod api_token;
pub mod arrival;
pub mod audit;
mod backup;
mod bulk;
pub mod channel;
pub mod client;
pub mod command;
mod commit;
pub mod contract;
pub mod contract_vehicle;
pub mod credential;
pub mod delivery;
pub mod delivery_log;
pub mod device;
pub mod document;
mod engine;
mod erase;
mod error;
pub mod escalation;
mod expire;
pub mod eye;
pub mod facts;
mod fold;
pub mod geofence;
pub mod history;
pub mod id;
pub mod invitation;
mod keep;
pub mod latest;
pub mod lease;
mod look;
pub mod mail;
pub mod maintenance;
pub mod media_file;
mod memory;
mod number;
mod open;
pub mod picture;
pub mod prices;
pub mod progress;
pub mod receipt;
mod records;
mod refused;
mod release;
pub mod retention;
pub mod role;
pub mod roster;
pub mod rule;
mod rule_state;
pub mod second_factor;
pub mod session;
pub mod setting;
pub mod statistics;
pub mod table;
mod tail;
pub mod telemetry;
pub mod trip;
pub mod upkeep;
pub mod vehicle;
pub mod view;
pub mod wish;
mod word;

use std::sync::{Arc, atomic::AtomicU64};

use sqlx::AnyPool;
use tokio::sync::{Mutex, Notify};

use crate::{memory::Memory, telemetry::TimeSeries};

pub use account::{Account, AccountChange, Language, User};
pub use alert_event::{AlertEvent, AlertEventKind, Handling};
pub use alert_list::{AlertFilter, AlertRecord};
pub use api_token::{ApiTokenRecord, MAX_API_TOKENS, ShownToken};
pub use arrival::{Arrival, Committed, Lane, Place, Refusal};
pub use audit::{AuditEntry, AuditFilter, AuditObject};
pub use channel::{Channel, ChannelSettings, Listener, MAX_CHANNELS, Person};
pub use client::{Client, ClientLine};
pub use command::{CommandRecord, CommandState};
pub use contract::{Contract, ContractFilter, ContractLine};
pub use contract_vehicle::{Assigned, Assignment, ContractRetention};
pub use credential::{CertificateRecord, Credential, Enrolled, Enrolment, MAX_CERTIFICATES, Renewed};
pub use delivery::{Claim, Delivery, NewDelivery, Posting, Recent, Unposted};
pub use delivery_log::{DeliveryFilter, DeliveryRecord};
pub use device::{Device, Sighting};
pub use document::Document;
pub use engine::Engine;
pub use error::StoreError;
pub use escalation::Escalation;
pub use eye::{Eye, EyeAdded, MAX_ALL_EYES, MAX_EYES};
pub use facts::{FuelKind, VehicleFacts};
pub use geofence::GeofenceRecord;
pub use history::{DeadLetter, Position, Quarantined};
pub use id::{
    AuditId, ClientId, ContractId, DeviceId, DocumentId, GeofenceId, MaintenanceId, ReceiptId, ViewId, WorkId,
};
pub use invitation::Invitation;
pub use keep::Kept;
pub use latest::{Latest, Moved};
pub use lease::{Held, Lease, Peer, SHARDS, shard_of};
pub use look::{Schema, look, look_at_samples};
pub use mail::{EscalateTo, MailServer};
pub use maintenance::{MaintenanceItem, Upkeep, Work};
pub use media_file::{MediaFile, Offered, Still};
pub use picture::WithCameras;
pub use prices::Prices;
pub use receipt::{Receipt, SubjectKind};
pub use release::Released;
pub use retention::Retention;
pub use role::RoleDescription;
pub use roster::{Enlisted, RosterEntry};
pub use rule::{Condition, Rule, RuleScope};
pub use second_factor::SecondFactor;
pub use session::{Endings, MAX_SESSIONS, Refresh, RefreshHash, Refreshed, SessionRecord};
pub use setting::{Setting, SettingChange};
pub use statistics::{Scope, Sums, Zone};
pub use table::DtcRecord;
pub use tail::Swept;
pub use telemetry::{Bucket, Page, Question, Sample, Samples, Series};
pub use trip::{StopRecord, TripRecord, TripTotals};
pub use upkeep::{Due, DueState, Interval, Passed};
pub use vehicle::VehicleState;
pub use view::SavedView;
pub use wish::{WishRecord, Wishes};

/// Most rows that one call returns.
pub const MAX_PAGE: u32 = 10_000;

/// The fleet database. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    read: AnyPool,
    write: AnyPool,
    engine: Engine,
    identity: Arc<str>,
    series: Arc<dyn TimeSeries>,
    /// What the committer knows of outboxes and vehicles without asking.
    memory: Arc<Mutex<Memory>>,
    /// How many connections that write were made so far.
    connections: Arc<AtomicU64>,
    /// The rules were changed by somebody in this process.
    rules: Arc<Notify>,
}

impl Store {
    /// A UUID made when the database was. Another one at the same address is another database.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether the database answers, and the samples' store where that is another.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT value FROM meta WHERE key = 'identity'").fetch_one(&self.read).await?;
        self.series.ping().await
    }

    /// Waits for what is under way and closes every connection, of the clones too.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// The kind of database.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A transaction that writes.
    async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Any>, StoreError> {
        Ok(self.write.begin_with(self.engine.begin()).await?)
    }
}

fn page(limit: u32) -> i64 {
    i64::from(limit.min(MAX_PAGE))
}

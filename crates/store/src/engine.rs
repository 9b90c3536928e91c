//! What SQLite and PostgreSQL need to be told differently. Everything else is one text for both.

use std::fmt;

use crate::StoreError;

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        })
    }
}

impl Engine {
    /// By the beginning of its URL.
    pub fn of(url: &str) -> Result<Self, StoreError> {
        match url.split_once("://") {
            Some(("sqlite", _)) => Ok(Engine::Sqlite),
            Some(("postgres" | "postgresql", _)) => Ok(Engine::Postgres),
            _ => Err(StoreError::Url),
        }
    }

    /// Begins a transaction that writes. On SQLite it holds the writer's lock from its start: one that took it later could
    /// be refused in the middle.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        }
    }

    /// Begins a transaction all of whose queries see the same state.
    pub(crate) fn snapshot(self) -> &'static str {
        match self {
            Engine::Sqlite => "BEGIN",
            Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// What each connection is told first.
    pub(crate) fn settings(self, writes: bool) -> &'static str {
        match (self, writes) {
            // `synchronous=FULL` makes a commit survive a power cut, which is what an acknowledgement to a vehicle promises.
            (Engine::Sqlite, false) => "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
            // A large cache keeps the last states of a fleet, and with rare checkpoints what changes each second is written to its
            // place now and then; what a statement would have to undo stays in memory.
            (Engine::Sqlite, true) => {
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA cache_size = -131072; PRAGMA wal_autocheckpoint = 64000; PRAGMA temp_store = MEMORY"
            }
            // A server that is set to acknowledge before its disk has it would make us promise what it does not keep. Who
            // was cut off or paused in the middle of a transaction must not hold its locks for longer than others need to
            // find out that it is away.
            (Engine::Postgres, _) => {
                "SET synchronous_commit = on; SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
                 SET idle_in_transaction_session_timeout = '5s'; SET client_min_messages = warning"
            }
        }
    }
}

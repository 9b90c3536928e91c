/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names a database that this version cannot use.
    #[error("the store's url must start with `sqlite://` or `postgres://`")]
    Url,
    /// The address names no store of samples.
    #[error(
        "telemetry_url must start with sqlite://, postgres:// or influxdb://, and be the database's own unless it is an InfluxDB's"
    )]
    TelemetryUrl,
    /// The database refused a statement, is gone or is busy for longer than the time-out.
    #[error("the fleet database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the fleet database's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A later version of this program has been here: what it changed is unknown to this one.
    #[error(
        "the fleet database is of a later version of bugbrother (migration {0}): start that version, or restore a backup \
         of before"
    )]
    Newer(i64),
    /// Who could be made anew at any moment is not erased.
    #[error("vehicle {0} has certificates that are trusted: revoke it first")]
    StillTrusted(bugbrother_wire::Vin),
    /// Nobody would be left to manage the fleet.
    #[error("the last administrator cannot be erased")]
    LastAdministrator,
    /// It is no file.
    #[error("only a database that is a file can be copied; PostgreSQL has pg_dump")]
    NoFile,
    /// The database has not answered in time.
    #[error("the fleet database does not answer")]
    Silent,
    /// Others have changed the same rows again and again.
    #[error("other processes keep changing the same rows of the fleet database")]
    Conflict,
    /// The program is ending.
    #[error("the fleet database is being closed")]
    Closed,
    /// The samples' own store refused, is gone or is full.
    #[error("the samples' store failed: {0}")]
    Samples(String),
    /// A row holds what this version cannot have written.
    #[error("table `{table}` holds a row that cannot be read: {problem}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// What was to be stored could not be read back.
    #[error("table `{table}` does not take this: {problem}")]
    Refused {
        /// Where.
        table: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl StoreError {
    /// A deadlock or a state that could not be serialized counts as a conflict: who was chosen to give way tries again.
    pub(crate) fn or_conflict(self) -> Self {
        match &self {
            StoreError::Database(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("40P01" | "40001")) =>
            {
                StoreError::Conflict
            }
            _ => self,
        }
    }

    /// Whether the data broke a constraint of the schema, or is such as the database does not take (PostgreSQL has no text
    /// with a NUL in it): trying again cannot help, while any other failure may pass.
    pub fn is_about_content(&self) -> bool {
        use sqlx::error::ErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation};
        match self {
            StoreError::Database(sqlx::Error::Database(error)) => {
                let is_constraint =
                    matches!(error.kind(), CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation);
                // SQLSTATE class 22: data exception.
                let is_data = error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"));
                is_constraint || is_data
            }
            StoreError::Refused { .. } => true,
            _ => false,
        }
    }

    /// What a person can do something about, in a few words for a health page.
    pub fn word(&self) -> &'static str {
        match self {
            StoreError::Database(sqlx::Error::Database(error)) => match error.code().as_deref() {
                // SQLITE_FULL; PostgreSQL's disk_full.
                Some("13" | "53100") => "disk full",
                // SQLITE_IOERR and its kind; PostgreSQL's io_error.
                Some("10" | "778" | "1034" | "4874" | "58030") => "disk fails",
                // SQLITE_BUSY, SQLITE_LOCKED; PostgreSQL's lock_not_available.
                Some("5" | "6" | "261" | "517" | "55P03") => "locked by another process",
                _ => "refused a statement",
            },
            StoreError::Database(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) | StoreError::Silent => {
                "does not answer"
            }
            StoreError::Samples(_) => "the samples' store failed",
            StoreError::Corrupt { .. } => "holds a row that cannot be read",
            _ => "failed",
        }
    }

    pub(crate) fn refused(table: &'static str, problem: impl ToString) -> Self {
        StoreError::Refused { table, problem: problem.to_string() }
    }

    pub(crate) fn corrupt(table: &'static str, problem: impl ToString) -> Self {
        StoreError::Corrupt { table, problem: problem.to_string() }
    }
}

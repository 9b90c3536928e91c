/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names a database that this version cannot use.
    #[error("the store's url must start with `sqlite://`")]
    Url,
    /// The database refused a statement, is gone or is busy for longer than the time-out.
    #[error("the fleet database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the fleet database's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds what this version cannot have written.
    #[error("table `{table}` holds a row that cannot be read: {problem}")]
    Corrupt {
        /// Where.
        table: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl StoreError {
    /// Whether the data broke a constraint of the schema: trying again cannot help, while any other failure may pass.
    pub fn is_about_content(&self) -> bool {
        use sqlx::error::ErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation};
        match self {
            StoreError::Database(sqlx::Error::Database(error)) => {
                matches!(error.kind(), CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation)
            }
            _ => false,
        }
    }

    pub(crate) fn corrupt(table: &'static str, problem: impl ToString) -> Self {
        StoreError::Corrupt { table, problem: problem.to_string() }
    }
}

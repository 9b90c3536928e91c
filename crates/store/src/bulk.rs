//! Many rows with one statement.

use std::sync::OnceLock;

use sqlx::{Any, Transaction, any::AnyArguments, query::Query};

use crate::StoreError;

type Statement<'q> = Query<'q, Any, AnyArguments>;

/// A statement for one row costs as much in going to and fro as in writing. Few sizes, so that each is prepared once.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// An INSERT of any number of rows.
pub(crate) struct Bulk {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    sql: [[OnceLock<String>; SIZES.len()]; 2],
}

/// How a place is written. PostgreSQL knows numbered ones only. To bind one of those on SQLite sqlx asks for its name, which
/// SQLite looks for among those of all places: of 2,304 places that takes longer than to insert the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Places {
    Numbered,
    Nameless,
}

impl Bulk {
    /// `head`, then so many times a place for each column, then `tail`.
    pub const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Bulk { head, columns, tail, sql: [const { [const { OnceLock::new() }; SIZES.len()] }; 2] }
    }

    /// Inserts the rows; `bind` binds the columns of one. Tells how many rows were affected.
    pub async fn run<'q, T>(
        &'static self,
        tx: &mut Transaction<'static, Any>,
        mut rows: &'q [T],
        bind: impl Fn(Statement<'q>, &'q T) -> Statement<'q>,
    ) -> Result<u64, StoreError> {
        let places = if tx.backend_name() == "SQLite" { Places::Nameless } else { Places::Numbered };
        let mut next = || {
            let step = SIZES.iter().position(|size| *size <= rows.len())?;
            let (now, later) = rows.split_at(SIZES[step]);
            rows = later;
            let sql: &'static str = self.sql[places as usize][step].get_or_init(|| self.write(SIZES[step], places));
            Some(now.iter().fold(sqlx::query(sql), &bind))
        };
        let (mut affected, mut query) = (0, next());
        while let Some(statement) = query {
            // While the database is at one, the next is made ready.
            let (done, following) = tokio::join!(statement.execute(&mut **tx), async { next() });
            affected += done?.rows_affected();
            query = following;
        }
        Ok(affected)
    }

    fn write(&self, rows: usize, places: Places) -> String {
        let place = |place: usize| match places {
            Places::Numbered => format!("${place}"),
            Places::Nameless => "?".to_owned(),
        };
        let rows = (0..rows).map(|row| {
            let columns: Vec<_> = (1..=self.columns).map(|column| place(row * self.columns + column)).collect();
            format!("({})", columns.join(", "))
        });
        format!("{}{}{}", self.head, rows.collect::<Vec<_>>().join(", "), self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_places_of_its_own() {
        let bulk = Bulk::new("INSERT INTO t (a, b) VALUES ", 2, " ON CONFLICT DO NOTHING");
        let text = |places| bulk.write(2, places);
        assert_eq!(text(Places::Numbered), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING");
        assert_eq!(text(Places::Nameless), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING");
    }
}

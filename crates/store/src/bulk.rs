//! Many rows with one statement.

use std::sync::OnceLock;

use sqlx::{Any, Transaction, any::AnyArguments, query::Query};

use crate::StoreError;

type Statement<'q> = Query<'q, Any, AnyArguments>;

/// A statement for one row costs as much in going to and fro as in writing. Few sizes, so that each is prepared once.
const SIZES: [usize; 3] = [128, 16, 1];

/// An INSERT of any number of rows.
pub(crate) struct Bulk {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    sql: [OnceLock<String>; SIZES.len()],
}

impl Bulk {
    /// `head`, then so many times a place for each column, then `tail`.
    pub const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Bulk { head, columns, tail, sql: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// Inserts the rows; `bind` binds the columns of one. Tells how many rows were affected.
    pub async fn run<'q, T>(
        &'static self,
        tx: &mut Transaction<'static, Any>,
        mut rows: &'q [T],
        bind: impl Fn(Statement<'q>, &'q T) -> Statement<'q>,
    ) -> Result<u64, StoreError> {
        let mut affected = 0;
        while !rows.is_empty() {
            let step = SIZES.iter().position(|size| *size <= rows.len()).expect("one of the sizes is 1");
            let (now, later) = rows.split_at(SIZES[step]);
            let sql: &'static str = self.sql[step].get_or_init(|| self.write(SIZES[step]));
            let query = now.iter().fold(sqlx::query(sql), &bind);
            affected += query.execute(&mut **tx).await?.rows_affected();
            rows = later;
        }
        Ok(affected)
    }

    fn write(&self, rows: usize) -> String {
        let places = (0..rows).map(|row| {
            let columns: Vec<_> =
                (1..=self.columns).map(|column| format!("${}", row * self.columns + column)).collect();
            format!("({})", columns.join(", "))
        });
        format!("{}{}{}", self.head, places.collect::<Vec<_>>().join(", "), self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_places_of_its_own() {
        let bulk = Bulk::new("INSERT INTO t (a, b) VALUES ", 2, " ON CONFLICT DO NOTHING");
        assert_eq!(bulk.write(2), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING");
    }
}

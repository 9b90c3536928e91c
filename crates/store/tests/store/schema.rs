//! `docs/schema.md` shows the schema as it is.

use std::collections::BTreeSet;

use sqlx::Row;

use crate::fleet::{store, url};
use bugbrother_store::Engine;

const DOCUMENT: &str = include_str!("../../../../docs/schema.md");

/// `table.column` of each column that the migrations make.
async fn columns() -> BTreeSet<String> {
    let (store, home) = store().await;
    let sql = match store.engine() {
        Engine::Sqlite => {
            "SELECT sqlite_master.name || '.' || columns.name FROM sqlite_master \
             JOIN pragma_table_info(sqlite_master.name) AS columns \
             WHERE sqlite_master.type = 'table' AND sqlite_master.name NOT LIKE 'sqlite%'"
        }
        Engine::Postgres => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
        }
    };
    let pool = sqlx::AnyPool::connect(&url(&home)).await.unwrap();
    let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).filter(|column| !column.starts_with("_sqlx")).collect()
}

/// The same as the diagram has them.
fn drawn() -> BTreeSet<String> {
    let diagram = DOCUMENT.split("```mermaid").nth(1).unwrap().split("```").next().unwrap();
    let mut found = BTreeSet::new();
    let mut table = None;
    for line in diagram.lines().map(str::trim) {
        match (table, line.strip_suffix(" {")) {
            (None, Some(name)) => table = Some(name),
            (Some(_), None) if line == "}" => table = None,
            (Some(name), None) => {
                let column = line.split_whitespace().nth(1).unwrap();
                assert!(found.insert(format!("{name}.{column}")), "the diagram has `{name}.{column}` twice");
            }
            _ => {}
        }
    }
    found
}

fn tables(columns: &BTreeSet<String>) -> BTreeSet<&str> {
    columns.iter().map(|column| column.split('.').next().unwrap()).collect()
}

#[tokio::test]
async fn the_diagram_has_every_table_and_column_and_no_other() {
    let (made, drawn) = (columns().await, drawn());
    assert!(made.contains("vehicle.vin"), "{made:?}");
    let missing: Vec<_> = made.difference(&drawn).collect();
    assert!(missing.is_empty(), "docs/schema.md does not draw {missing:?}");
    let stale: Vec<_> = drawn.difference(&made).collect();
    assert!(stale.is_empty(), "docs/schema.md draws {stale:?}, which are not there");
}

#[tokio::test]
async fn every_table_is_explained_once_and_tied_to_tables_that_are_there() {
    let made = columns().await;
    let tables = tables(&made);
    let explained: Vec<_> = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(explained.iter().copied().collect::<BTreeSet<_>>(), tables);
    assert_eq!(explained.len(), tables.len(), "one is explained twice");
    let ties: Vec<_> = DOCUMENT.lines().filter(|line| line.contains("--") || line.contains("..")).collect();
    let ties: Vec<_> = ties.iter().filter_map(|line| line.trim().split_once(" : ")).collect();
    assert!(ties.len() > 20, "{ties:?}");
    for (tie, _) in ties {
        let mut words = tie.split_whitespace();
        for table in [words.next(), words.nth(1)].into_iter().flatten() {
            assert!(tables.contains(table), "docs/schema.md ties `{table}`, which is not there: {tie}");
        }
    }
}

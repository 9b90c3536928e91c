//! What a database says about how it would carry out a statement.

use bugbrother_store::Engine;
use sqlx::{Any, AssertSqlSafe, Column, Row, pool::PoolConnection, raw_sql};

/// Statements that sort what is bounded otherwise: what of a vehicle waits to be folded, the vehicles of one client, and
/// statistics, which are sums over a span; and the list of what is revoked, which must be whole and has no end.
const EXEMPT: [&str; 9] = [
    "WITH RECURSIVE chain",
    "SELECT DISTINCT contract_vehicle.vin",
    "SELECT serial, revoked_ts FROM certificate",
    "SELECT COUNT(trip.vin), COUNT(DISTINCT",
    "SELECT ((trip.start_ts + CASE",
    "SELECT trip.vin, COUNT(trip.vin)",
    "SELECT contract.client, COUNT(trip.vin)",
    "SELECT COUNT(DISTINCT contract_vehicle.vin)",
    "SELECT COUNT(DISTINCT contract.id)",
];

/// Makes PostgreSQL plan as for any arguments, and read whole tables or sort only where there is no other way: with a few rows
/// in a table it would always.
pub async fn prepare(engine: Engine, connection: &mut PoolConnection<Any>) {
    if engine == Engine::Postgres {
        let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_sort = off; \
                        SET enable_bitmapscan = off";
        raw_sql(settings).execute(&mut **connection).await.unwrap();
    }
}

/// What is wrong with the plan of a statement, if anything is.
pub async fn judge(engine: Engine, connection: &mut PoolConnection<Any>, sql: &str) -> Option<String> {
    let is_exempt = EXEMPT.iter().any(|exempt| sql.starts_with(exempt));
    let plan = match engine {
        Engine::Sqlite => explain(connection, format!("EXPLAIN QUERY PLAN {sql}")).await,
        Engine::Postgres => {
            raw_sql(AssertSqlSafe(format!("PREPARE asked AS {sql}"))).execute(&mut **connection).await.unwrap();
            let places: Vec<_> = (1..).take_while(|n| sql.contains(&format!("${n}"))).map(|_| "NULL").collect();
            let arguments = if places.is_empty() { String::new() } else { format!("({})", places.join(", ")) };
            let plan = explain(connection, format!("EXPLAIN EXECUTE asked{arguments}")).await;
            raw_sql("DEALLOCATE asked").execute(&mut **connection).await.unwrap();
            plan
        }
    };
    let reads_all = |step: &&String| match engine {
        Engine::Sqlite => {
            let is_made =
                ["INDEX", "VALUES", "SCAN chain", "SCAN oldest", "SCAN chosen", "SCAN next", "SCAN (subquery"];
            step.starts_with("SCAN") && !is_made.iter().any(|made| step.contains(made))
        }
        Engine::Postgres => step.contains("Seq Scan"),
    };
    if let Some(step) = plan.iter().find(reads_all) {
        return Some(format!("reads a whole table: {step}"));
    }
    let sorts = |step: &&String| match engine {
        Engine::Sqlite => step.contains("TEMP B-TREE"),
        Engine::Postgres => step.contains("Sort "),
    };
    if let Some(step) = plan.iter().find(sorts).filter(|_| !is_exempt) {
        return Some(format!("sorts what an index would have in order: {step}"));
    }
    let words = sql.to_uppercase();
    let has_end = words.contains("LIMIT") || ["COUNT(*)", "SELECT MAX("].iter().any(|one| words.contains(one));
    let finds_one = match engine {
        Engine::Sqlite => plan.iter().any(|step| step.contains("=?)") && !step.contains('>') && !step.contains('<')),
        // SQLite has told.
        Engine::Postgres => true,
    };
    if words.starts_with("SELECT") && !has_end && !finds_one && !is_exempt {
        return Some("has no end".to_owned());
    }
    None
}

async fn explain(connection: &mut PoolConnection<Any>, sql: String) -> Vec<String> {
    let rows = raw_sql(AssertSqlSafe(sql)).fetch_all(&mut **connection).await.unwrap();
    // The last column tells it in words.
    let last = |row: &sqlx::any::AnyRow| row.columns().iter().map(Column::ordinal).max().unwrap();
    rows.iter().map(|row| row.get(last(row))).collect()
}

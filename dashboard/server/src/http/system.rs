//! `/api/frontend/system`: how the system is, for people.

use axum::{Json, extract::State};
use bugbrother_wire::api::{DeadLetter, Figure, MediaRoom, Quarantined, Right, System};

use super::{App, caller::Access, failure::Failure, health, routes::Routes};
use crate::{clock, room::last_eviction};

/// Figures at most; a process has some hundred.
const MOST_FIGURES: usize = 1_000;
/// Letters and records that are shown.
const SHOWN: u32 = 50;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/system", Access::May(Right::Settings), show)
        .says("How the system is: parts, figures, and what could not be taken")
        .gives::<System>();
}

async fn show(State(app): State<App>) -> Result<Json<System>, Failure> {
    let store = &app.config.store;
    let dead_letters = store.dead_letters(SHOWN).await?.into_iter();
    let quarantine = store.quarantine(0, SHOWN).await?.into_iter();
    let media = match &app.config.library {
        Some(_) => Some(MediaRoom {
            bytes: store.media_bytes().await?,
            most_bytes: app.room.most_bytes(),
            evicted: last_eviction(store).await?,
        }),
        None => None,
    };
    Ok(Json(System {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: app.started,
        now: clock::now(),
        store: format!("{} {}", store.engine(), store.identity()),
        parts: health::of(&app).await.parts,
        figures: app.config.metrics.as_ref().map(|metrics| figures(&metrics.render())).unwrap_or_default(),
        dead_letters: dead_letters
            .map(|letter| DeadLetter {
                topic: letter.topic,
                reason: letter.reason,
                size: letter.size,
                received: letter.received_ts,
            })
            .collect(),
        quarantine: quarantine
            .map(|record| Quarantined {
                vin: record.vin,
                topic: record.topic,
                reason: record.reason,
                received: record.received_ts,
            })
            .collect(),
        media,
    }))
}

/// Counters and gauges of a page in Prometheus' text format; of histograms and summaries their sum and count.
fn figures(page: &str) -> Vec<Figure> {
    let ours = page.lines().filter(|line| line.starts_with("bugbrother_"));
    let read = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let (name, labels) = name.split_once('{').map_or((name, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
        let of_a_part = labels.contains("quantile=") || labels.contains("le=");
        let value = value.parse::<f64>().ok().filter(|value| value.is_finite() && !of_a_part)?;
        Some(Figure { name: name.to_owned(), labels: labels.to_owned(), value })
    };
    let mut figures: Vec<Figure> = ours.filter_map(read).take(MOST_FIGURES).collect();
    figures.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_with_their_labels_and_parts_of_summaries_are_not() {
        let page = "# TYPE bugbrother_b counter\nbugbrother_b{reason=\"expired\"} 3\nbugbrother_a 1.5\n\
                    bugbrother_c{quantile=\"0.5\"} 7\nbugbrother_c_count 9\nprocess_cpu 4\nbugbrother_d NaN\n";
        let figure = |name: &str, labels: &str, value| Figure { name: name.into(), labels: labels.into(), value };
        let expected = [
            figure("bugbrother_a", "", 1.5),
            figure("bugbrother_b", "reason=\"expired\"", 3.0),
            figure("bugbrother_c_count", "", 9.0),
        ];
        assert_eq!(figures(page), expected);
    }
}

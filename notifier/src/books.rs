use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use bugbrother_rule::{Books, Item};
use bugbrother_store::{Assignment, ContractFilter, ContractId, DueState, Store, StoreError, upkeep};
use bugbrother_wire::{UnixMs, Vin, unix_ms};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

/// Nothing in the books changes faster than people do.
const EVERY: Duration = Duration::from_secs(60);
const PAGE: u32 = 500;
/// Contracts that end later interest no rule.
const YEAR_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// Most contracts that are looked at: those that end first.
const MAX_CONTRACTS: usize = 2_000;

/// Looks into the books from time to time until `stop`, and hands over what they say of vehicles.
pub fn follow(store: Store, tasks: &TaskTracker, stop: CancellationToken) -> mpsc::Receiver<BTreeMap<Vin, Books>> {
    let (read, receiver) = mpsc::channel(1);
    tasks.spawn(async move {
        let mut is_silent = false;
        loop {
            match look(&store, unix_ms(SystemTime::now())).await {
                Ok(books) => {
                    is_silent = false;
                    tokio::select! {
                        sent = read.send(books) => if sent.is_err() { return },
                        () = stop.cancelled() => return,
                    }
                }
                Err(error) if is_silent => drop(error),
                Err(error) => {
                    is_silent = true;
                    let error: &dyn std::error::Error = &error;
                    warn!(error, "the books of maintenance and contracts cannot be read");
                }
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    });
    receiver
}

/// What the books say of vehicles at a moment; of those of which they say nothing there is no entry.
pub async fn look(store: &Store, now: UnixMs) -> Result<BTreeMap<Vin, Books>, StoreError> {
    let mut books: BTreeMap<Vin, Books> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = store.upkeep(after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|one| (one.item.vin, one.item.id));
        for one in page {
            let Some(due) = upkeep::next(&one.item.interval, &one.passed, now) else { continue };
            let item = Item { title: one.item.title, due: due.at.or(due.expected) };
            match due.state {
                DueState::Overdue => books.entry(one.item.vin).or_default().overdue.push(item),
                DueState::Soon => books.entry(one.item.vin).or_default().soon.push(item),
                DueState::Later => {}
            }
        }
        if is_last {
            break;
        }
    }
    let filter = ContractFilter::Ending(now + YEAR_MS);
    let mut after = None;
    let mut seen = 0;
    loop {
        let page = store.contract_lines(filter, None, now, after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|line| line.place(filter));
        seen += page.len();
        for line in page {
            // Of its vehicles one tells, so that it is told once.
            let Some(vin) = first_vehicle(store, line.contract.id, now).await? else { continue };
            let title = format!("{} · {}", line.client_name, line.contract.title);
            books.entry(vin).or_default().contracts.push(Item { title, due: line.contract.ends });
        }
        if is_last || seen >= MAX_CONTRACTS {
            break;
        }
    }
    Ok(books)
}

/// The first vehicle in the order of VINs that is in a contract at a moment, of as many as are read at a time.
async fn first_vehicle(store: &Store, contract: ContractId, now: UnixMs) -> Result<Option<Vin>, StoreError> {
    let fleet = store.contract_vehicles(contract, None, PAGE).await?;
    let is_in = |one: &Assignment| one.from <= now && one.to.is_none_or(|to| to > now);
    Ok(fleet.iter().find(|one| is_in(one)).map(|one| one.vin))
}

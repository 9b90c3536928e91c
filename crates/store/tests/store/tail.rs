//! What waits to be folded, and goes when it is.

use bugbrother_store::{Store, Swept};

use crate::fleet::{Home, batch, everything, fiesta, golf, late, live, open, store, url};

async fn in_tail(home: &Home) -> i64 {
    let pool = sqlx::AnyPool::connect(&url(home)).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM tail").fetch_one(&pool).await.unwrap()
}

/// Goes through all of it; tells how many batches were removed, and how many were left.
async fn sweep(store: &Store) -> (u64, u64) {
    let (mut after, mut removed, mut left) = (0, 0, 0);
    while let Some(Swept { upto, removed: gone, left: still }) = store.sweep(after).await.unwrap() {
        assert!(upto > after, "it gets on");
        (after, removed, left) = (upto, removed + gone, left + still);
    }
    (removed, left)
}

#[tokio::test]
async fn what_is_folded_is_removed_and_what_waits_is_not() {
    let (store, home) = store().await;
    assert_eq!(sweep(&store).await, (0, 0));
    for seq in 1..=10 {
        store.commit(&[live(batch(golf(), 1, seq)), live(batch(fiesta(), 1, seq))]).await.unwrap();
    }
    assert_eq!(sweep(&store).await, (0, 20));
    store.keep(&[golf()]).await.unwrap();
    store.commit(&[live(batch(golf(), 1, 11))]).await.unwrap();
    assert_eq!(store.waiting(None, 10).await.unwrap(), [fiesta(), golf()]);
    assert_eq!(everything(&store, golf()).await.rows.len(), 110);
    assert_eq!(sweep(&store).await, (10, 11));
    for vin in [golf(), fiesta()] {
        assert_eq!(everything(&store, vin).await.rows.len(), if vin == golf() { 110 } else { 100 });
        store.keep(&[vin]).await.unwrap();
    }
    assert_eq!(store.waiting(None, 10).await.unwrap(), []);
    assert_eq!(sweep(&store).await, (11, 0));
    assert_eq!(in_tail(&home).await, 0);
    assert_eq!(everything(&store, golf()).await.rows.len(), 110);
}

#[tokio::test]
async fn numbers_rise_whoever_commits_and_after_the_tail_was_empty() {
    let (first, home) = store().await;
    let second = open(&home).await;
    // Each takes numbers of its own, and then they commit in turn to the same outboxes.
    first.commit(&[live(batch(fiesta(), 1, 1))]).await.unwrap();
    second.commit(&[live(batch(fiesta(), 1, 2))]).await.unwrap();
    for seq in 1..=12 {
        let store = if seq % 3 == 0 { &first } else { &second };
        store.commit(&[live(batch(golf(), 1, seq)), late(batch(golf(), 2, 100 + seq))]).await.unwrap();
        if seq == 5 {
            second.keep(&[golf()]).await.unwrap();
            sweep(&first).await;
        }
    }
    assert_eq!(everything(&first, golf()).await.rows.len(), 240);
    assert_eq!(first.keep(&[golf()]).await.unwrap()[0].batches, 14);
    second.keep(&[fiesta()]).await.unwrap();
    assert_eq!(sweep(&second).await.1, 0);

    // Who comes now must not be given what somebody has been told is folded.
    let third = open(&home).await;
    for (store, seq) in [(&third, 13), (&first, 14), (&second, 15)] {
        store.commit(&[live(batch(golf(), 1, seq))]).await.unwrap();
    }
    assert_eq!(third.waiting(None, 10).await.unwrap(), [golf()]);
    assert_eq!(everything(&third, golf()).await.rows.len(), 270);
    assert_eq!(third.keep(&[golf()]).await.unwrap()[0].batches, 3);
    assert_eq!(everything(&third, golf()).await.rows.len(), 270);
}

#[tokio::test]
async fn a_fold_that_another_was_quicker_with_is_done_once() {
    let (first, home) = store().await;
    let second = open(&home).await;
    for seq in 1..=50 {
        first.commit(&[live(batch(golf(), 1, seq))]).await.unwrap();
    }
    let both = [golf()];
    let (one, other) = tokio::join!(first.keep(&both), second.keep(&both));
    let batches = |kept: Result<Vec<bugbrother_store::Kept>, _>| kept.map_or(0, |kept| kept[0].batches);
    assert_eq!(batches(one) + batches(other), 50);
    assert_eq!(everything(&first, golf()).await.rows.len(), 500);
}

#[tokio::test]
async fn an_erased_vehicle_leaves_nothing_in_the_tail_whether_it_was_folded_or_not() {
    let (store, home) = store().await;
    for seq in 1..=6 {
        store.commit(&[live(batch(golf(), 1, seq)), live(batch(fiesta(), 1, seq))]).await.unwrap();
        if seq == 4 {
            store.keep(&[golf()]).await.unwrap();
        }
    }
    let receipt = store.erase_vehicle(golf(), "ada", 0).await.unwrap();
    assert_eq!(receipt.erased["tail"], 6);
    assert_eq!(in_tail(&home).await, 6);
    assert_eq!(everything(&store, fiesta()).await.rows.len(), 60);
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    assert_eq!(everything(&store, golf()).await.rows.len(), 10);
}

#[tokio::test]
async fn as_much_as_is_folded_at_once_leaves_nothing_and_one_more_does() {
    const AT_ONCE: u64 = 4096;
    let (store, _home) = store().await;
    let arrivals: Vec<_> = (1..=AT_ONCE).map(|seq| live(batch(golf(), 1, seq))).collect();
    store.commit(&arrivals).await.unwrap();
    let arrivals: Vec<_> = (1..=AT_ONCE + 1).map(|seq| live(batch(fiesta(), 1, seq))).collect();
    store.commit(&arrivals).await.unwrap();
    let kept = store.keep(&[fiesta(), golf()]).await.unwrap();
    assert_eq!(
        kept.iter().map(|kept| (kept.batches, kept.more)).collect::<Vec<_>>(),
        [(AT_ONCE, true), (AT_ONCE, false)]
    );
    assert_eq!(store.keep(&[fiesta()]).await.unwrap()[0].batches, 1);
}

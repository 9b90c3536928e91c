//! What people want of vehicles.

use bugbrother_store::{Store, Wishes};
use bugbrother_wire::message::{Geofence, Shape};

use crate::fleet::{NOW, golf, store};

fn yard() -> Geofence {
    let shape = Shape::Circle { centre: (46.5, 6.6), radius_m: 100.0 };
    Geofence { id: "yard".into(), name: "Yard".into(), shape }
}

fn private() -> Wishes {
    Wishes { privacy: true, thresholds: [("harsh_braking".to_owned(), 3.5)].into(), ..Wishes::default() }
}

async fn known(store: &Store) {
    store.name_vehicle(golf(), "Golf", None, NOW).await.unwrap();
}

#[tokio::test]
async fn a_revision_rises_with_each_change_and_with_nothing_else() {
    let (store, _home) = store().await;
    known(&store).await;
    assert_eq!(store.wishes(golf()).await.unwrap(), None);
    assert_eq!(store.wish(golf(), None, Vec::new(), NOW).await.unwrap(), None, "nobody has wished anything");
    let first = store.wish(golf(), Some((&private(), "ada")), Vec::new(), NOW).await.unwrap().unwrap();
    assert!(first.privacy && first.revision >= NOW as u64);
    assert_eq!(store.wish(golf(), Some((&private(), "bob")), Vec::new(), NOW + 1).await.unwrap(), None);
    assert_eq!(store.wish(golf(), None, Vec::new(), NOW + 1).await.unwrap(), None);

    let fenced = store.wish(golf(), None, vec![yard()], NOW - 5).await.unwrap().unwrap();
    assert_eq!((fenced.privacy, fenced.geofences.as_slice()), (true, &[yard()][..]));
    assert!(fenced.revision > first.revision, "though the clock went back");
    let record = store.wishes(golf()).await.unwrap().unwrap();
    assert_eq!((record.wishes, record.said, record.updated_by), (private(), fenced, Some("bob".into())));
    assert_eq!(store.all_wishes(None, 10).await.unwrap().len(), 1);
    assert_eq!(store.all_wishes(Some(golf()), 10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_vehicle_that_only_has_geofences_is_told_of_them() {
    let (store, _home) = store().await;
    known(&store).await;
    let said = store.wish(golf(), None, vec![yard()], NOW).await.unwrap().unwrap();
    assert_eq!((said.privacy, said.geofences.len()), (false, 1));
    let none = store.wish(golf(), None, Vec::new(), NOW).await.unwrap().unwrap();
    assert!(none.geofences.is_empty() && none.revision > said.revision);
}

#[tokio::test]
async fn wishes_at_once_get_revisions_of_their_own() {
    let (store, _home) = store().await;
    known(&store).await;
    let mut voices = tokio::task::JoinSet::new();
    for n in 0..12u32 {
        let store = store.clone();
        voices.spawn(async move {
            let wishes = Wishes { periods_ms: [("spd".to_owned(), 100 + n)].into(), ..Wishes::default() };
            store.wish(golf(), Some((&wishes, "ada")), Vec::new(), NOW).await.unwrap().unwrap().revision
        });
    }
    let mut revisions = voices.join_all().await;
    revisions.sort_unstable();
    revisions.dedup();
    assert_eq!(revisions.len(), 12);
    let last = store.wishes(golf()).await.unwrap().unwrap().said.revision;
    assert_eq!(Some(&last), revisions.last());
}

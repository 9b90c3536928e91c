//! Contracts, the vehicles in them, and their documents.

use crate::{
    fleet::{Home, NOW, fiesta, golf, store},
    office::{client, contract},
};
use bugbrother_store::{Assignment, Client, Contract, ContractId, ContractRetention, Document, DocumentId, Store};
use bugbrother_wire::{UnixMs, Vin};
use uuid::Uuid;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A client with one contract that runs.
async fn served() -> (Store, Home, Client, Contract) {
    let (store, home) = store().await;
    let client = client(1, "Taxi");
    store.add_client(&client).await.unwrap();
    let contract = contract(1, client.id);
    assert!(store.add_contract(&contract).await.unwrap());
    (store, home, client, contract)
}

async fn assign(store: &Store, contract: ContractId, vin: Vin, from: UnixMs, to: Option<UnixMs>) {
    store.assign_vehicle(&Assignment { contract, vin, from, to }, NOW).await.unwrap();
}

#[tokio::test]
async fn a_contract_is_added_once_changed_and_deleted_with_its_vehicles() {
    let (store, _home, _, first) = served().await;
    assert!(!store.add_contract(&Contract { title: "other".into(), ..first.clone() }).await.unwrap());
    assert_eq!(store.contract(first.id).await.unwrap(), Some(first.clone()));

    let changed = Contract {
        title: "Winter".into(),
        ends: Some(NOW + DAY),
        retention_days: Some(u32::MAX),
        media_retention_days: None,
        video: !first.video,
        options: serde_json::from_str(r#"{"reports": ["monthly"], "seats": 5}"#).unwrap(),
        note: Some("by hand".into()),
        ..first.clone()
    };
    assert!(store.update_contract(&changed).await.unwrap());
    assert_eq!(store.contract(first.id).await.unwrap(), Some(changed.clone()));

    assign(&store, first.id, golf(), NOW, None).await;
    assert!(store.delete_contract(first.id).await.unwrap());
    assert_eq!(store.contract(first.id).await.unwrap(), None);
    assert_eq!(store.vehicle_contracts(golf(), None, 10).await.unwrap(), []);
    assert!(!store.delete_contract(first.id).await.unwrap());
    assert!(!store.update_contract(&changed).await.unwrap());
}

#[tokio::test]
async fn a_contract_needs_a_client() {
    let (store, _home) = store().await;
    let error = store.add_contract(&contract(1, client(1, "nobody").id)).await.unwrap_err();
    assert!(error.is_about_content(), "{error:?}");
}

#[tokio::test]
async fn contracts_of_a_client_come_in_pages_the_latest_first() {
    let (store, _home, client, first) = served().await;
    let other = crate::office::client(2, "Bus");
    store.add_client(&other).await.unwrap();
    store.add_contract(&contract(9, other.id)).await.unwrap();
    for n in 2..=4 {
        let starts = first.starts + DAY * (n as i64 / 2);
        store.add_contract(&Contract { starts, ..contract(n, client.id) }).await.unwrap();
    }
    let page = store.contracts(client.id, None, 3).await.unwrap();
    assert_eq!(page.iter().map(|c| c.id.0.as_u128()).collect::<Vec<_>>(), [4, 3, 2]);
    let rest = store.contracts(client.id, Some((page[2].starts, page[2].id)), 3).await.unwrap();
    assert_eq!(rest, [first]);
}

#[tokio::test]
async fn a_client_sees_the_vehicles_of_its_contracts_while_both_run() {
    let (store, _home, client, runs) = served().await;
    let ended = Contract { ends: Some(NOW), ..contract(2, client.id) };
    let future = Contract { starts: NOW + DAY, ..contract(3, client.id) };
    for contract in [&ended, &future] {
        store.add_contract(contract).await.unwrap();
    }
    let other = crate::office::client(2, "Bus");
    store.add_client(&other).await.unwrap();
    store.add_contract(&contract(4, other.id)).await.unwrap();

    assign(&store, ended.id, golf(), NOW - DAY, None).await;
    assign(&store, future.id, golf(), NOW - DAY, None).await;
    assert_eq!(store.client_vehicles(client.id, NOW - 1, None, 10).await.unwrap(), [golf()]);
    assert_eq!(store.client_vehicles(client.id, NOW, None, 10).await.unwrap(), [], "one has ended, one is to come");
    assert_eq!(store.client_vehicles(client.id, NOW + DAY, None, 10).await.unwrap(), [golf()]);

    assign(&store, runs.id, fiesta(), NOW + 10, Some(NOW + 20)).await;
    for (at, seen) in [(NOW + 9, false), (NOW + 10, true), (NOW + 19, true), (NOW + 20, false)] {
        assert_eq!(store.client_sees(client.id, fiesta(), at).await.unwrap(), seen, "{at}");
        let listed = store.client_vehicles(client.id, at, None, 10).await.unwrap().contains(&fiesta());
        assert_eq!(listed, seen, "{at}");
        assert!(!store.client_sees(other.id, fiesta(), at).await.unwrap(), "it is another client's");
    }
}

#[tokio::test]
async fn a_client_sees_a_vehicle_of_two_contracts_once_and_pages_go_by_vin() {
    let (store, _home, client, first) = served().await;
    let second = contract(2, client.id);
    store.add_contract(&second).await.unwrap();
    for contract in [first.id, second.id] {
        assign(&store, contract, golf(), NOW, None).await;
        assign(&store, contract, fiesta(), NOW, None).await;
    }
    assert_eq!(store.client_vehicles(client.id, NOW, None, 10).await.unwrap(), [fiesta(), golf()]);
    assert_eq!(store.client_vehicles(client.id, NOW, None, 1).await.unwrap(), [fiesta()]);
    assert_eq!(store.client_vehicles(client.id, NOW, Some(fiesta()), 1).await.unwrap(), [golf()]);
}

#[tokio::test]
async fn an_archived_client_sees_nothing() {
    let (store, _home, client, contract) = served().await;
    assign(&store, contract.id, golf(), NOW, None).await;
    assert!(store.client_sees(client.id, golf(), NOW).await.unwrap());
    store.update_client(&Client { archived: Some(NOW), ..client.clone() }).await.unwrap();
    assert!(!store.client_sees(client.id, golf(), NOW).await.unwrap());
    assert_eq!(store.client_vehicles(client.id, NOW, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_vehicle_leaves_a_contract_and_comes_back() {
    let (store, _home, client, contract) = served().await;
    assign(&store, contract.id, golf(), NOW, None).await;
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().name, "Volkswagen", "it is made");
    assert!(store.release_vehicle(contract.id, golf(), NOW + 10).await.unwrap());
    assert!(!store.release_vehicle(contract.id, golf(), NOW + 11).await.unwrap(), "it is out already");
    assert!(!store.release_vehicle(contract.id, fiesta(), NOW + 11).await.unwrap());
    assign(&store, contract.id, golf(), NOW + 20, None).await;
    for (at, seen) in [(NOW + 9, true), (NOW + 15, false), (NOW + 20, true)] {
        assert_eq!(store.client_sees(client.id, golf(), at).await.unwrap(), seen, "{at}");
    }
    let of = |from, to| Assignment { contract: contract.id, vin: golf(), from, to };
    let (first, second) = (of(NOW, Some(NOW + 10)), of(NOW + 20, None));
    assert_eq!(store.contract_vehicles(contract.id, None, 10).await.unwrap(), [first, second]);
    assert_eq!(store.contract_vehicles(contract.id, Some((golf(), NOW)), 10).await.unwrap(), [second]);
    assert_eq!(store.vehicle_contracts(golf(), None, 1).await.unwrap(), [second]);
    let rest = store.vehicle_contracts(golf(), Some((second.from, contract.id)), 1).await.unwrap();
    assert_eq!(rest, [first]);
    // Said again, the end of a stay changes.
    assign(&store, contract.id, golf(), NOW + 20, Some(NOW + 30)).await;
    assert!(!store.client_sees(client.id, golf(), NOW + 30).await.unwrap());
}

#[tokio::test]
async fn data_is_kept_for_the_longest_that_a_running_contract_says() {
    let (store, _home, client, short) = served().await;
    let long = Contract { retention_days: Some(900), media_retention_days: Some(3), ..contract(2, client.id) };
    let silent = Contract { retention_days: None, media_retention_days: None, ..contract(3, client.id) };
    let over = Contract { ends: Some(NOW), retention_days: Some(9_999), ..contract(4, client.id) };
    for contract in [&long, &silent, &over] {
        store.add_contract(contract).await.unwrap();
    }
    assert_eq!(store.contract_retention(golf(), NOW).await.unwrap(), ContractRetention::default());
    assign(&store, silent.id, golf(), NOW, None).await;
    assign(&store, over.id, golf(), NOW - DAY, None).await;
    assert_eq!(store.contract_retention(golf(), NOW).await.unwrap(), ContractRetention::default());
    assign(&store, short.id, golf(), NOW, None).await;
    assign(&store, long.id, golf(), NOW, Some(NOW + 10)).await;
    let kept = |days, media_days| ContractRetention { days: Some(days), media_days: Some(media_days) };
    assert_eq!(store.contract_retention(golf(), NOW).await.unwrap(), kept(900, 30));
    assert_eq!(store.contract_retention(golf(), NOW + 10).await.unwrap(), kept(100, 30));
    assert_eq!(store.contract_retention(fiesta(), NOW).await.unwrap(), ContractRetention::default());
}

#[tokio::test]
async fn documents_are_kept_until_they_are_deleted_and_keep_their_contract() {
    let (store, _home, _, contract) = served().await;
    let document = |n: u128| Document {
        id: DocumentId(Uuid::from_u128(n)),
        contract: contract.id,
        name: format!("signed-{n}.pdf"),
        media_type: "application/pdf".into(),
        size: 5_000_000_000,
        sha256: "ab".repeat(32),
        object_key: format!("contracts/{n}"),
        created: NOW + n as i64 / 2,
    };
    for n in 1..=3 {
        assert!(store.add_document(&document(n)).await.unwrap());
    }
    assert!(!store.add_document(&document(1)).await.unwrap());
    assert_eq!(store.document(document(2).id).await.unwrap(), Some(document(2)));
    assert_eq!(store.documents(contract.id, None, 2).await.unwrap(), [document(1), document(2)]);
    let after = Some((document(2).created, document(2).id));
    assert_eq!(store.documents(contract.id, after, 2).await.unwrap(), [document(3)]);

    let error = store.delete_contract(contract.id).await.unwrap_err();
    assert!(error.is_about_content(), "{error:?}");
    for n in 1..=3 {
        assert_eq!(store.delete_document(document(n).id).await.unwrap(), Some(document(n)));
    }
    assert_eq!(store.delete_document(document(1).id).await.unwrap(), None);
    assert!(store.delete_contract(contract.id).await.unwrap());

    let huge = Document { size: u64::MAX, ..document(4) };
    assert!(store.add_document(&huge).await.unwrap_err().is_about_content());
}

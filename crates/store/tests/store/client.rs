//! Clients.

use crate::{
    fleet::{NOW, store},
    office::{client, contract},
};
use bugbrother_store::{Account, Client, ClientId, StoreError};
use bugbrother_wire::api::Role;
use uuid::Uuid;

fn names(clients: &[Client]) -> Vec<&str> {
    clients.iter().map(|client| client.name.as_str()).collect()
}

#[tokio::test]
async fn a_client_is_added_once_changed_and_deleted() {
    let (store, _home) = store().await;
    let full = Client {
        contact: Some("Ada".into()),
        email: Some("ada@example.org".into()),
        phone: Some("+41 44 000 00 00".into()),
        note: Some("pays late".into()),
        ..client(1, "Müller Taxi")
    };
    assert!(store.add_client(&full).await.unwrap());
    assert!(!store.add_client(&client(1, "Somebody else")).await.unwrap());
    assert_eq!(store.client(full.id).await.unwrap(), Some(full.clone()));

    let changed = Client { name: "Muller Cabs".into(), note: None, archived: Some(NOW + 9), ..full.clone() };
    assert!(store.update_client(&Client { created: 0, ..changed.clone() }).await.unwrap());
    assert_eq!(store.client(full.id).await.unwrap(), Some(changed), "when it was added stays");

    assert!(store.delete_client(full.id).await.unwrap());
    assert!(!store.delete_client(full.id).await.unwrap());
    assert!(!store.update_client(&full).await.unwrap());
    assert_eq!(store.client(full.id).await.unwrap(), None);
}

#[tokio::test]
async fn clients_are_found_by_the_beginning_of_their_names_whatever_the_case_and_the_accents() {
    let (store, _home) = store().await;
    for (n, name) in ["Zebra", "müller taxi", "École", "Muller, A.", "mule", "Échelle", "MULLER"].iter().enumerate()
    {
        store.add_client(&client(n as u128, name)).await.unwrap();
    }
    let all = store.clients("", false, None, 10).await.unwrap();
    assert_eq!(names(&all), ["Échelle", "École", "mule", "MULLER", "müller taxi", "Muller, A.", "Zebra"]);
    for (prefix, found) in [
        ("mull", vec!["MULLER", "müller taxi", "Muller, A."]),
        ("MÜLLER T", vec!["müller taxi"]),
        ("éc", vec!["Échelle", "École"]),
        ("muller%", vec![]),
        ("uller", vec![]),
    ] {
        assert_eq!(names(&store.clients(prefix, false, None, 10).await.unwrap()), found, "{prefix}");
    }
}

#[tokio::test]
async fn pages_of_clients_go_on_after_the_last_one_also_between_two_of_the_same_name() {
    let (store, _home) = store().await;
    for n in 1..=5 {
        store.add_client(&client(n, "Taxi")).await.unwrap();
    }
    store.add_client(&client(6, "Bus")).await.unwrap();
    let mut seen = Vec::new();
    let mut after: Option<Client> = None;
    loop {
        let place = after.as_ref().map(|last| (last.name.as_str(), last.id));
        let page = store.clients("t", false, place, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        seen.extend(page.iter().map(|client| client.id.0.as_u128()));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn an_archived_client_is_listed_only_if_it_is_asked_for() {
    let (store, _home) = store().await;
    store.add_client(&client(1, "Old")).await.unwrap();
    store.add_client(&client(2, "New")).await.unwrap();
    store.update_client(&Client { archived: Some(NOW), ..client(1, "Old") }).await.unwrap();
    assert_eq!(names(&store.clients("", false, None, 10).await.unwrap()), ["New"]);
    assert_eq!(names(&store.clients("", true, None, 10).await.unwrap()), ["New", "Old"]);
}

#[tokio::test]
async fn a_client_with_a_contract_or_a_user_is_not_deleted() {
    let (store, _home) = store().await;
    let client = client(1, "Taxi");
    store.add_client(&client).await.unwrap();
    let contract = contract(1, client.id);
    store.add_contract(&contract).await.unwrap();
    let error = store.delete_client(client.id).await.unwrap_err();
    assert!(error.is_about_content(), "{error:?}");
    store.delete_contract(contract.id).await.unwrap();

    let user = bugbrother_store::User { name: "bob".into(), password_hash: "x".into(), role: Role::Client };
    store.add_user(&user, NOW).await.unwrap();
    let bob = store.account("bob").await.unwrap().unwrap();
    store.update_account(&Account { client: Some(client.id), ..bob.clone() }, NOW).await.unwrap();
    assert!(matches!(store.delete_client(client.id).await, Err(StoreError::Database(_))));
    store.update_account(&bob, NOW).await.unwrap();
    assert!(store.delete_client(client.id).await.unwrap());
    assert!(!store.delete_client(ClientId(Uuid::nil())).await.unwrap());
}

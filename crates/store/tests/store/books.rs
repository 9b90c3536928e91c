//! Lists of the office: clients, contracts and vehicles as people look for them, and what they look at again.

use bugbrother_store::{
    Assignment, Client, Contract, ContractFilter, Enlisted, FuelKind, RosterEntry, SavedView, User, VehicleFacts,
    ViewId, view::MAX_VIEWS,
};
use bugbrother_wire::{Vin, api::Role};
use uuid::Uuid;

use crate::{
    fleet::{NOW, batch, fiesta, golf, live, store},
    office::{client, contract},
};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn clients_are_found_by_any_part_of_their_names_with_what_runs() {
    let (store, _home) = store().await;
    for (n, name) in [(1, "Alpine Taxi"), (2, "Boulangerie Müller"), (3, "Zweirad Müller"), (4, "Alt")] {
        store.add_client(&client(n, name)).await.unwrap();
    }
    store.update_client(&Client { archived: Some(NOW), ..client(4, "Alt") }).await.unwrap();
    let terms = contract(1, client(2, "").id);
    let over = Contract { ends: Some(NOW - DAY), ..contract(2, client(2, "").id) };
    for contract in [&terms, &over] {
        store.add_contract(contract).await.unwrap();
    }
    for vin in [golf(), fiesta()] {
        store.assign_vehicle(&Assignment { contract: terms.id, vin, from: NOW, to: None }, NOW).await.unwrap();
    }
    store.release_vehicle(terms.id, fiesta(), NOW + 1).await.unwrap();

    let names = |found: Vec<bugbrother_store::ClientLine>| found.into_iter().map(|l| l.client.name).collect::<Vec<_>>();
    let all = store.find_clients("", false, None, NOW + 2, 10).await.unwrap();
    assert_eq!((all[1].contracts, all[1].vehicles), (1, 1));
    assert_eq!((all[0].contracts, all[0].vehicles), (0, 0));
    assert_eq!(names(all), ["Alpine Taxi", "Boulangerie Müller", "Zweirad Müller"]);
    assert_eq!(names(store.find_clients("muller", false, None, NOW, 10).await.unwrap()).len(), 2);
    let after = Some(("Boulangerie Müller", client(2, "").id));
    assert_eq!(names(store.find_clients("MÜLL", false, after, NOW, 10).await.unwrap()), ["Zweirad Müller"]);
    assert_eq!(names(store.find_clients("alt", true, None, NOW, 10).await.unwrap()), ["Alt"]);
    assert_eq!(names(store.find_clients("", true, None, NOW, 2).await.unwrap()), ["Alpine Taxi", "Alt"]);
}

#[tokio::test]
async fn contracts_of_all_clients_are_listed_by_what_becomes_of_them() {
    let (store, _home) = store().await;
    let (taxi, bus) = (client(1, "Taxi"), client(2, "Bus"));
    for client in [&taxi, &bus] {
        store.add_client(client).await.unwrap();
    }
    let endless = contract(1, taxi.id);
    let ending = Contract { ends: Some(NOW + 20 * DAY), ..contract(2, bus.id) };
    let later = Contract { ends: Some(NOW + 50 * DAY), ..contract(3, taxi.id) };
    let ended = Contract { ends: Some(NOW), ..contract(4, taxi.id) };
    let coming = Contract { starts: NOW + DAY, ..contract(5, taxi.id) };
    for contract in [&endless, &ending, &later, &ended, &coming] {
        store.add_contract(contract).await.unwrap();
    }
    store.assign_vehicle(&Assignment { contract: ending.id, vin: golf(), from: NOW, to: None }, NOW).await.unwrap();
    let soon = ContractFilter::Ending(NOW + 60 * DAY);
    for (filter, client, wanted) in [
        (ContractFilter::All, None, vec![5, 4, 3, 2, 1]),
        (ContractFilter::Running, None, vec![3, 2, 1]),
        (ContractFilter::Running, Some(taxi.id), vec![3, 1]),
        (soon, None, vec![2, 3]),
        (soon, Some(bus.id), vec![2]),
        (ContractFilter::Ended, None, vec![4]),
        (ContractFilter::Ended, Some(bus.id), vec![]),
        (ContractFilter::Coming, Some(taxi.id), vec![5]),
    ] {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            // One at a time: pages follow one another without a hole.
            let page = store.contract_lines(filter, client, NOW, after, 1).await.unwrap();
            let Some(line) = page.into_iter().next() else { break };
            after = Some(line.place(filter));
            found.push(line);
        }
        let numbers: Vec<_> = found.iter().map(|line| line.contract.id.0.as_u128()).collect();
        assert_eq!(numbers, wanted, "{filter:?}");
    }
    let line = &store.contract_lines(soon, None, NOW, None, 1).await.unwrap()[0];
    assert_eq!((line.client_name.as_str(), line.vehicles, &line.contract), ("Bus", 1, &ending));
    let assigned = store.contract_fleet(ending.id, None, 10).await.unwrap();
    assert_eq!((assigned[0].name.as_str(), assigned[0].assignment.vin), ("Volkswagen", golf()));
    assert!(store.withdraw_vehicle(ending.id, golf(), NOW).await.unwrap());
    assert!(!store.withdraw_vehicle(ending.id, golf(), NOW).await.unwrap());
    assert_eq!(store.contract_fleet(ending.id, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn the_roster_tells_whose_a_vehicle_is_and_a_client_finds_its_own_alone() {
    let (store, _home) = store().await;
    let (taxi, bus) = (client(1, "Taxi"), client(2, "Bus"));
    for (n, client) in [(1, &taxi), (2, &bus)] {
        store.add_client(client).await.unwrap();
        store.add_contract(&contract(n, client.id)).await.unwrap();
    }
    store.name_vehicle(golf(), "Golf", Some("VD 1"), NOW).await.unwrap();
    store.name_vehicle(fiesta(), "Fiesta", None, NOW).await.unwrap();
    let facts = VehicleFacts { class: Some("van".into()), fuel: FuelKind::Diesel, ..VehicleFacts::default() };
    store.set_vehicle_facts(golf(), &facts, NOW).await.unwrap();
    let assign = |n, vin, from, to| {
        let assignment = Assignment { contract: contract(n, taxi.id).id, vin, from, to };
        let store = store.clone();
        async move { store.assign_vehicle(&assignment, NOW).await.unwrap() }
    };
    assign(1, golf(), NOW, None).await;
    assign(2, golf(), NOW + 10, Some(NOW + 20)).await;
    let entry = |client| RosterEntry {
        vin: golf(),
        name: "Golf".into(),
        plate: Some("VD 1".into()),
        facts: facts.clone(),
        client,
    };
    assert_eq!(store.roster_entry(golf(), NOW).await.unwrap(), Some(entry(Some(taxi.id))));
    assert_eq!(store.roster_entry(golf(), NOW + 15).await.unwrap(), Some(entry(Some(bus.id))), "it came there last");
    assert_eq!(store.roster_entry(golf(), NOW - 1).await.unwrap(), Some(entry(None)));
    let served = async |at| store.served_clients(None, 10, at).await.unwrap();
    assert_eq!(served(NOW).await, [(fiesta(), None), (golf(), Some("Taxi".to_owned()))]);
    assert_eq!(served(NOW + 15).await, [(fiesta(), None), (golf(), Some("Bus".to_owned()))]);
    assert_eq!(store.served_clients(Some(fiesta()), 10, NOW - 1).await.unwrap(), [(golf(), None)]);
    let vins = |roster: Vec<RosterEntry>| roster.into_iter().map(|entry| entry.vin).collect::<Vec<_>>();
    assert_eq!(vins(store.roster(None, NOW, None, 10).await.unwrap()), [fiesta(), golf()]);
    assert_eq!(vins(store.roster(None, NOW, Some(fiesta()), 10).await.unwrap()), [golf()]);
    assert_eq!(vins(store.roster(Some(bus.id), NOW + 15, None, 10).await.unwrap()), [golf()]);
    assert_eq!(vins(store.roster(Some(bus.id), NOW + 20, None, 10).await.unwrap()), []);
}

fn enlisted(n: usize) -> Enlisted {
    let vin: Vin = format!("WVWZZZ1JZ3W{n:06}").parse().unwrap();
    let facts = VehicleFacts { tank_l: n.is_multiple_of(2).then_some(55.5), ..VehicleFacts::default() };
    Enlisted { vin, name: format!("Car {n}"), plate: None, facts }
}

#[tokio::test]
async fn many_vehicles_are_enlisted_at_once_and_what_they_said_stays() {
    let (store, _home) = store().await;
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    let before = store.vehicle(golf()).await.unwrap().unwrap();
    let mut all: Vec<_> = (0..700).map(enlisted).collect();
    all.push(Enlisted { vin: golf(), name: "Golf".into(), ..enlisted(0) });
    store.enlist(&all, NOW).await.unwrap();
    store.enlist(&all, NOW + 1).await.unwrap();
    let after = store.vehicle(golf()).await.unwrap().unwrap();
    assert_eq!((after.name.as_str(), &after.latest), ("Golf", &before.latest));
    assert_eq!(store.vehicles(None, 10_000).await.unwrap().len(), 701);
    assert_eq!(store.vehicle_facts(enlisted(4).vin).await.unwrap().unwrap().tank_l, Some(55.5));
    // One that has just been enlisted may speak.
    store.commit(&[live(batch(enlisted(1).vin, 1, 1))]).await.unwrap();
    assert!(store.vehicle(enlisted(1).vin).await.unwrap().unwrap().latest.received_ts > 0);

    let wrong = Enlisted { facts: VehicleFacts { tank_l: Some(-1.0), ..VehicleFacts::default() }, ..enlisted(900) };
    assert!(store.enlist(&[enlisted(901), wrong], NOW).await.unwrap_err().is_about_content());
    assert_eq!(store.vehicle(enlisted(901).vin).await.unwrap(), None, "all or none");
}

#[tokio::test]
async fn views_are_each_persons_own_and_have_an_end() {
    let (store, _home) = store().await;
    for name in ["ada", "bob"] {
        let user = User { name: name.into(), password_hash: "hash".into(), role: Role::Administrator };
        store.add_user(&user, NOW).await.unwrap();
    }
    let view = |n: u32| SavedView {
        id: ViewId(Uuid::from_u128(n.into())),
        name: format!("View {n}"),
        query: "f=moving".into(),
        created: NOW + i64::from(n),
    };
    for n in 0..MAX_VIEWS {
        assert!(store.add_view("ada", "vehicles", &view(n)).await.unwrap());
    }
    assert!(!store.add_view("ada", "vehicles", &view(MAX_VIEWS)).await.unwrap());
    assert!(store.add_view("ada", "contracts", &view(MAX_VIEWS)).await.unwrap());
    assert!(store.add_view("bob", "vehicles", &view(100)).await.unwrap());
    assert_eq!(store.views("ada", "vehicles", 100).await.unwrap().len(), MAX_VIEWS as usize);
    assert_eq!(store.views("bob", "vehicles", 100).await.unwrap(), [view(100)]);
    assert!(!store.update_view("bob", view(0).id, "mine", "").await.unwrap());
    assert!(store.update_view("bob", view(100).id, "mine", "c=1").await.unwrap());
    assert_eq!(store.views("bob", "vehicles", 1).await.unwrap()[0].name, "mine");
    assert!(!store.delete_view("bob", view(0).id).await.unwrap());
    assert!(store.delete_view("ada", view(0).id).await.unwrap());
    store.delete_account("ada", NOW).await.unwrap();
    assert_eq!(store.views("ada", "vehicles", 100).await.unwrap(), [], "they go with the person");
}

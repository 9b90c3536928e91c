//! Users and roles.

use crate::{
    fleet::{NOW, open, store},
    office::client,
};
use bugbrother_store::{Account, AccountChange, Language, Store, User};
use bugbrother_wire::api::{Preferences, Role};

fn user(name: &str, role: Role) -> User {
    User { name: name.into(), password_hash: "$argon2id$secret".into(), role }
}

async fn added(store: &Store, name: &str, role: Role) -> Account {
    assert!(store.add_user(&user(name, role), NOW).await.unwrap());
    store.account(name).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_new_user_speaks_english_and_everything_about_it_can_be_changed() {
    let (store, _home) = store().await;
    added(&store, "root", Role::Administrator).await;
    let new = added(&store, "ada", Role::Operator).await;
    let expected = Account {
        name: "ada".into(),
        role: Role::Operator,
        display_name: None,
        email: None,
        language: Language::En,
        client: None,
        created: NOW,
        disabled: None,
        sessions_after: 0,
        signed_in: None,
        asks: None,
        has_password: true,
        second_factor: None,
        invited: None,
    };
    assert_eq!(new, expected);
    store.add_client(&client(1, "Taxi")).await.unwrap();
    let changed = Account {
        role: Role::Client,
        display_name: Some("Ada L.".into()),
        email: Some("ada@example.org".into()),
        language: Language::Fr,
        client: Some(client(1, "Taxi").id),
        ..new
    };
    assert_eq!(store.update_account(&changed, NOW + 5).await.unwrap(), AccountChange::Done);
    let changed = Account { sessions_after: NOW + 5, ..changed };
    assert_eq!(store.account("ada").await.unwrap(), Some(changed));
    let nobody = Account { name: "eve".into(), ..expected };
    assert_eq!(store.update_account(&nobody, NOW).await.unwrap(), AccountChange::NoSuchUser);
    assert_eq!(store.account("eve").await.unwrap(), None);
}

#[tokio::test]
async fn another_role_or_client_ends_the_sessions_and_another_name_does_not() {
    let (store, _home) = store().await;
    store.add_client(&client(1, "Taxi")).await.unwrap();
    let ada = added(&store, "ada", Role::Client).await;
    let mut at = NOW;
    let mut change = async |account: &Account| {
        at += 1;
        store.update_account(account, at).await.unwrap();
        store.account("ada").await.unwrap().unwrap().sessions_after == at
    };
    let named = Account { display_name: Some("Ada".into()), email: Some("a@b".into()), language: Language::Fr, ..ada };
    assert!(!change(&named).await);
    let moved = Account { client: Some(client(1, "Taxi").id), ..named.clone() };
    assert!(change(&moved).await);
    assert!(!change(&moved).await);
    assert!(change(&Account { role: Role::Operator, ..moved.clone() }).await);
    assert!(change(&Account { role: Role::Operator, ..named }).await);
}

#[tokio::test]
async fn a_disabled_user_cannot_sign_in_until_enabled_again() {
    let (store, _home) = store().await;
    added(&store, "root", Role::Administrator).await;
    let ada = added(&store, "ada", Role::Operator).await;
    assert_eq!(store.disable_account("ada", NOW + 1).await.unwrap(), AccountChange::Done);
    assert_eq!(store.user("ada").await.unwrap(), None);
    assert_eq!(store.disable_account("ada", NOW + 2).await.unwrap(), AccountChange::Done);
    let disabled = store.account("ada").await.unwrap().unwrap();
    assert_eq!(disabled, Account { disabled: Some(NOW + 1), sessions_after: NOW + 2, ..ada.clone() });
    assert!(store.enable_account("ada").await.unwrap());
    assert_eq!(store.user("ada").await.unwrap(), Some(user("ada", Role::Operator)));
    let enabled = store.account("ada").await.unwrap().unwrap();
    assert_eq!(enabled, Account { disabled: None, ..disabled }, "tokens of before stay void");
    assert!(store.end_sessions("ada", NOW + 9).await.unwrap());
    assert_eq!(store.account("ada").await.unwrap().unwrap().sessions_after, NOW + 9);
    assert!(!store.enable_account("eve").await.unwrap());
    assert!(!store.end_sessions("eve", NOW).await.unwrap());
    assert_eq!(store.disable_account("eve", NOW).await.unwrap(), AccountChange::NoSuchUser);
}

#[tokio::test]
async fn the_last_administrator_who_may_sign_in_stays_one() {
    let (store, _home) = store().await;
    let ada = added(&store, "ada", Role::Administrator).await;
    added(&store, "bob", Role::Operator).await;
    added(&store, "cyd", Role::Administrator).await;
    assert_eq!(store.disable_account("cyd", NOW).await.unwrap(), AccountChange::Done);

    let demoted = Account { role: Role::Operator, ..ada.clone() };
    assert_eq!(store.disable_account("ada", NOW).await.unwrap(), AccountChange::LastAdministrator);
    assert_eq!(store.delete_account("ada", NOW).await.unwrap(), AccountChange::LastAdministrator);
    assert_eq!(store.update_account(&demoted, NOW).await.unwrap(), AccountChange::LastAdministrator);
    assert_eq!(store.account("ada").await.unwrap(), Some(ada));

    store.enable_account("cyd").await.unwrap();
    assert_eq!(store.update_account(&demoted, NOW).await.unwrap(), AccountChange::Done);
    assert_eq!(store.delete_account("cyd", NOW).await.unwrap(), AccountChange::LastAdministrator);
    assert_eq!(store.delete_account("bob", NOW).await.unwrap(), AccountChange::Done);
    assert_eq!(store.delete_account("bob", NOW).await.unwrap(), AccountChange::NoSuchUser);
}

#[tokio::test]
async fn of_administrators_who_disable_each_other_at_once_one_is_left() {
    let (store, home) = store().await;
    let other = open(&home).await;
    let mut left = "admin-0".to_owned();
    added(&store, &left, Role::Administrator).await;
    for round in 1..=10 {
        let new = format!("admin-{round}");
        added(&store, &new, Role::Administrator).await;
        let (first, second) = tokio::join!(store.disable_account(&left, NOW), other.disable_account(&new, NOW));
        match (first.unwrap(), second.unwrap()) {
            (AccountChange::Done, AccountChange::LastAdministrator) => left = new,
            (AccountChange::LastAdministrator, AccountChange::Done) => {}
            both => panic!("{both:?}"),
        }
        assert!(store.user(&left).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn users_are_listed_by_name_and_by_client() {
    let (store, _home) = store().await;
    let taxi = client(1, "Taxi");
    store.add_client(&taxi).await.unwrap();
    for name in ["dora", "ada", "cyd", "bob"] {
        let account = added(&store, name, Role::Client).await;
        if name != "cyd" {
            store.update_account(&Account { client: Some(taxi.id), ..account }, NOW).await.unwrap();
        }
    }
    let names = |accounts: Vec<Account>| accounts.into_iter().map(|account| account.name).collect::<Vec<_>>();
    assert_eq!(names(store.accounts(None, 3).await.unwrap()), ["ada", "bob", "cyd"]);
    assert_eq!(names(store.accounts(Some("cyd"), 3).await.unwrap()), ["dora"]);
    assert_eq!(names(store.client_accounts(taxi.id, None, 2).await.unwrap()), ["ada", "bob"]);
    assert_eq!(names(store.client_accounts(taxi.id, Some("bob"), 2).await.unwrap()), ["dora"]);
}

#[tokio::test]
async fn the_roles_of_a_new_database_are_those_that_the_programs_know() {
    let (store, _home) = store().await;
    let roles = store.roles(10).await.unwrap();
    assert_eq!(
        roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(),
        ["administrator", "client", "operator"]
    );
    for (role, known) in roles.iter().zip([Role::Administrator, Role::Client, Role::Operator]) {
        let word = serde_json::to_value(known).unwrap();
        assert_eq!(word, role.name.as_str());
        assert!(role.builtin && !role.label.is_empty() && !role.permissions.is_empty(), "{role:?}");
    }
    let may = |n: usize, what: &str| roles[n].permissions.iter().any(|permission| permission == what);
    assert!(may(0, "users") && !may(1, "users") && !may(2, "users"));
    assert!(may(2, "watch") && !may(1, "watch"), "a client watches its own alone");
}

#[tokio::test]
async fn what_a_user_prefers_is_kept_as_it_was_said() {
    let (store, _home) = store().await;
    added(&store, "ada", Role::Operator).await;
    assert_eq!(store.preferences::<Preferences>("ada").await.unwrap(), None);
    let wish = Preferences { time_zone: Some("Europe/Zurich".into()), ..Preferences::default() };
    assert!(store.set_preferences("ada", &wish, Language::Fr).await.unwrap());
    assert_eq!(store.preferences("ada").await.unwrap(), Some(wish.clone()));
    assert_eq!(store.account("ada").await.unwrap().unwrap().language, Language::Fr);
    assert!(!store.set_preferences("eve", &wish, Language::Fr).await.unwrap());
    assert_eq!(store.preferences::<Preferences>("eve").await.unwrap(), None);
}

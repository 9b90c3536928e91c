//! The readers' doors: people, vehicles, rules, alerts.

use bugbrother_store::{Condition, Engine, Rule, Store, StoreError, User};
use bugbrother_wire::{
    AlertId, SCHEMA_VERSION,
    api::Role,
    message::{Alert, AlertState, Presence, Severity},
};
use uuid::Uuid;

use crate::fleet::{NOW, batch, fiesta, golf, live, open, store, url};

pub fn alert(n: u128, opened: i64) -> Alert {
    Alert {
        v: SCHEMA_VERSION,
        vin: golf(),
        id: AlertId(Uuid::from_u128(n)),
        rule: format!("fast {n}"),
        title: "Faster than 130 km/h".into(),
        severity: Severity::Warning,
        state: AlertState::Open,
        opened,
        updated: opened,
        resolved: None,
        count: 1,
        value: Some(141.25),
        signal: None,
        limit: None,
        lat: None,
        lon: None,
        acknowledged_by: None,
        late: false,
        detail: None,
    }
}

#[tokio::test]
async fn a_user_is_added_once_and_found_by_name() {
    let (store, _home) = store().await;
    assert!(!store.has_users().await.unwrap());
    let ada = User { name: "ada".into(), password_hash: "$argon2id$secret".into(), role: Role::Administrator };
    assert!(store.add_user(&ada, NOW).await.unwrap());
    let thief = User { password_hash: "$argon2id$other".into(), role: Role::Client, ..ada.clone() };
    assert!(!store.add_user(&thief, NOW).await.unwrap());
    assert_eq!(store.user("ada").await.unwrap(), Some(ada.clone()));
    assert_eq!(store.user("bob").await.unwrap(), None);
    assert!(store.has_users().await.unwrap());
    assert!(!format!("{ada:?}").contains("secret"), "a hash must not get into a log");
}

#[tokio::test]
async fn a_vehicle_is_called_by_its_maker_until_somebody_names_it() {
    let (store, _home) = store().await;
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    let made = store.vehicle(golf()).await.unwrap().unwrap();
    assert_eq!(made.name, "Volkswagen");
    store.name_vehicle(golf(), "Pool car 7", Some("ZH 123456"), NOW).await.unwrap();
    let named = store.vehicle(golf()).await.unwrap().unwrap();
    assert_eq!((named.name.as_str(), named.plate.as_deref()), ("Pool car 7", Some("ZH 123456")));
    assert_eq!(named.latest, made.latest);
    store.name_vehicle(golf(), "Pool car 7", None, NOW).await.unwrap();
    assert_eq!(store.vehicle(golf()).await.unwrap().unwrap().plate, None);
}

#[tokio::test]
async fn vehicles_come_in_pages_by_vin_and_one_that_is_only_named_is_among_them() {
    let (store, _home) = store().await;
    store.name_vehicle(fiesta(), "Van", None, NOW).await.unwrap();
    store.commit(&[live(batch(golf(), 1, 1))]).await.unwrap();
    let first = store.vehicles(None, 1).await.unwrap();
    assert_eq!((first.len(), first[0].vin, first[0].latest.presence), (1, fiesta(), Presence::Offline));
    assert_eq!((first[0].latest.source_ts, first[0].latest.signals.len()), (0, 0));
    let rest = store.vehicles(Some(fiesta()), 10).await.unwrap();
    assert_eq!(rest.iter().map(|v| v.vin).collect::<Vec<_>>(), [golf()]);
    assert_eq!(store.vehicle("1M8GDM9AXKP042788".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn alerts_are_listed_newest_first_and_active_until_they_are_resolved() {
    let (store, _home) = store().await;
    store.name_vehicle(golf(), "Golf", None, NOW).await.unwrap();
    let (early, late) = (alert(1, NOW), alert(2, NOW + 10));
    store.save_alert(&early).await.unwrap();
    store.save_alert(&late).await.unwrap();
    assert_eq!(store.active_alerts(10).await.unwrap(), [early.clone(), late.clone()]);
    assert_eq!(store.alerts(None, 10).await.unwrap(), [late.clone(), early.clone()]);
    assert_eq!(store.alerts(Some(NOW + 10), 10).await.unwrap(), std::slice::from_ref(&early));

    let acknowledged = Alert { state: AlertState::Acknowledged, acknowledged_by: Some("ada".into()), ..early.clone() };
    store.save_alert(&acknowledged).await.unwrap();
    let resolved = Alert { state: AlertState::Resolved, resolved: Some(NOW + 5), count: 3, ..early };
    store.save_alert(&resolved).await.unwrap();
    assert_eq!(store.active_alerts(10).await.unwrap(), std::slice::from_ref(&late));
    let stored = &store.alerts(Some(NOW + 1), 1).await.unwrap()[0];
    assert_eq!(stored, &Alert { acknowledged_by: Some("ada".into()), ..resolved });
}

#[tokio::test]
async fn who_saves_an_alert_without_knowing_that_it_is_acknowledged_leaves_it_so() {
    let (store, _home) = store().await;
    let open = alert(1, NOW);
    store.save_alert(&open).await.unwrap();
    let acknowledged = Alert { state: AlertState::Acknowledged, acknowledged_by: Some("ada".into()), ..open.clone() };
    store.save_alert(&acknowledged).await.unwrap();

    let stored = store.save_alert(&Alert { count: 2, ..open.clone() }).await.unwrap();
    assert_eq!(stored, Alert { count: 2, ..acknowledged });
    assert_eq!(store.active_alerts(10).await.unwrap(), [stored]);

    // Nor does its count fall.
    let resolved = Alert { state: AlertState::Resolved, resolved: Some(NOW + 5), ..open };
    let stored = store.save_alert(&resolved).await.unwrap();
    assert_eq!(stored, Alert { count: 2, acknowledged_by: Some("ada".into()), ..resolved });
    assert_eq!(store.alerts(None, 10).await.unwrap(), [stored]);
}

#[tokio::test]
async fn alerts_that_are_saved_together_are_stored_together_or_not_at_all() {
    let (store, home) = store().await;
    let alerts: Vec<_> = (1..=64).map(|n| alert(n, NOW + n as i64)).collect();
    let pool = sqlx::AnyPool::connect(&url(&home)).await.unwrap();
    let (fill, drain) = match store.engine() {
        Engine::Sqlite => (
            "CREATE TRIGGER full BEFORE INSERT ON alert WHEN NEW.opened % 64 = 0 BEGIN SELECT RAISE(ABORT, 'full'); END",
            "DROP TRIGGER full",
        ),
        Engine::Postgres => (
            "ALTER TABLE alert ADD CONSTRAINT has_room CHECK (opened % 64 <> 0)",
            "ALTER TABLE alert DROP CONSTRAINT has_room",
        ),
    };
    sqlx::raw_sql(fill).execute(&pool).await.unwrap();
    store.save_alerts(&alerts).await.unwrap_err();
    assert_eq!(store.active_alerts(100).await.unwrap(), []);
    sqlx::raw_sql(drain).execute(&pool).await.unwrap();
    assert_eq!(store.save_alerts(&alerts).await.unwrap(), alerts);
    assert_eq!(store.active_alerts(100).await.unwrap(), alerts);
}

#[tokio::test]
async fn a_new_database_has_two_rules_and_what_people_change_in_them_stays() {
    let (store, home) = store().await;
    let rules = store.rules().await.unwrap();
    assert_eq!(rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["fast", "silent"]);
    assert!(matches!(rules[1].condition, Condition::Silent { after_ms: 300_000 }));
    let slower = Rule { enabled: false, title: "Faster than 50 km/h".into(), ..rules[0].clone() };
    store.save_rule(&slower).await.unwrap();
    let again = open(&home).await;
    assert_eq!(again.rules().await.unwrap()[0], slower);
}

#[tokio::test]
async fn the_identity_stays_and_differs_between_databases() {
    let (store, home) = store().await;
    store.ping().await.unwrap();
    let again = open(&home).await;
    assert_eq!(again.identity(), store.identity());
    let (other, _home) = crate::fleet::store().await;
    assert_ne!(other.identity(), store.identity());
}

#[tokio::test]
async fn an_address_of_an_unknown_kind_is_refused_in_words() {
    let error = Store::open("mysql://fleet").await.unwrap_err();
    assert!(matches!(error, StoreError::Url));
    assert_eq!(error.to_string(), "the store's url must start with `sqlite://` or `postgres://`");
    assert!(Store::open("sqlite:///no/such/folder/fleet.db").await.is_err());
}

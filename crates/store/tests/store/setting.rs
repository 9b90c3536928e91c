//! Settings of the fleet.

use crate::fleet::{NOW, open, store};
use bugbrother_store::{FuelKind, Prices, Retention, Setting, SettingChange, StoreError};
use serde::{Deserialize, Serialize};

#[tokio::test]
async fn defaults_count_until_somebody_says_otherwise() {
    let (store, home) = store().await;
    assert_eq!(store.setting::<Retention>().await.unwrap(), Retention::default());
    assert_eq!(store.setting_change::<Retention>().await.unwrap(), None);
    let longer = Retention { telemetry_days: None, media_days: Some(7), ..Retention::default() };
    store.save_setting(&longer, Some("ada"), NOW).await.unwrap();
    assert_eq!(store.setting::<Retention>().await.unwrap(), longer);
    let change = SettingChange { at: NOW, by: Some("ada".into()) };
    assert_eq!(store.setting_change::<Retention>().await.unwrap(), Some(change));
    assert_eq!(store.setting::<Prices>().await.unwrap(), Prices::default(), "each is for itself");

    let again = open(&home).await;
    again.save_setting(&Retention::default(), None, NOW + 1).await.unwrap();
    assert_eq!(store.setting::<Retention>().await.unwrap(), Retention::default());
    let change = SettingChange { at: NOW + 1, by: None };
    assert_eq!(store.setting_change::<Retention>().await.unwrap(), Some(change));
}

#[tokio::test]
async fn prices_come_back_as_exactly_what_they_were_and_nonsense_is_refused() {
    let (store, _home) = store().await;
    let prices = Prices {
        currency: "CHF".into(),
        fuel_per_l: [(FuelKind::Petrol, 1.849), (FuelKind::Diesel, 0.1 + 0.2), (FuelKind::Cng, 0.0)].into(),
        electricity_per_kwh: Some(0.32),
    };
    store.save_setting(&prices, None, NOW).await.unwrap();
    assert_eq!(store.setting::<Prices>().await.unwrap(), prices);
    for wrong in [
        Prices { currency: "francs".into(), ..prices.clone() },
        Prices { electricity_per_kwh: Some(f64::NAN), ..prices.clone() },
        Prices { fuel_per_l: [(FuelKind::Lpg, -0.01)].into(), ..prices.clone() },
        Prices { fuel_per_l: [(FuelKind::Lpg, f64::INFINITY)].into(), ..prices.clone() },
    ] {
        let error = store.save_setting(&wrong, None, NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { table: "setting", .. }), "{wrong:?}: {error:?}");
    }
    assert_eq!(store.setting::<Prices>().await.unwrap(), prices);
}

/// What a version before had under the same key.
#[derive(Serialize, Deserialize, Default)]
struct Early {
    telemetry_days: Option<u32>,
    no_longer_known: bool,
}

impl Setting for Early {
    const KEY: &'static str = Retention::KEY;
}

#[tokio::test]
async fn what_an_older_version_stored_is_read_and_what_it_did_not_know_has_its_default() {
    let (store, _home) = store().await;
    let early = Early { telemetry_days: Some(30), no_longer_known: true };
    store.save_setting(&early, None, NOW).await.unwrap();
    let read = store.setting::<Retention>().await.unwrap();
    assert_eq!(read, Retention { telemetry_days: Some(30), ..Retention::default() });
}

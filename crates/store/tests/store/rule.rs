//! Rules.

use bugbrother_store::{Condition, Rule, RuleScope};
use bugbrother_wire::message::Severity;

use crate::fleet::store;

fn flat() -> Rule {
    Rule {
        id: "flat".into(),
        title: "Battery below 11.8 V".into(),
        severity: Severity::Critical,
        enabled: true,
        scope: RuleScope::All,
        condition: Condition::Below { signals: vec!["vbat".into()], on: 11.8, off: 12.2, for_ms: 60_000 },
    }
}

#[tokio::test]
async fn a_rule_is_made_changed_and_deleted_and_each_change_is_counted() {
    let (store, _home) = store().await;
    let mut before = store.rules_version().await.unwrap();
    let mut has_risen = async || {
        let now = store.rules_version().await.unwrap();
        std::mem::replace(&mut before, now) < now
    };
    assert!(store.save_rule_of(&flat(), 10).await.unwrap() && has_risen().await);
    assert_eq!(store.rule("flat").await.unwrap(), Some(flat()));
    let off = Rule { enabled: false, ..flat() };
    assert!(store.save_rule_of(&off, 10).await.unwrap() && has_risen().await);
    assert_eq!(store.rule("flat").await.unwrap(), Some(off));
    assert!(store.delete_rule("flat").await.unwrap() && has_risen().await);
    assert!(!store.delete_rule("flat").await.unwrap());
    assert_eq!(store.rule("flat").await.unwrap(), None);
}

#[tokio::test]
async fn there_are_no_more_rules_than_there_may_be_but_those_that_are_there_can_change() {
    let (store, _home) = store().await;
    assert!(!store.save_rule_of(&flat(), 2).await.unwrap(), "a new fleet has two");
    assert_eq!(store.rule("flat").await.unwrap(), None);
    let mut fast = store.rule("fast").await.unwrap().unwrap();
    fast.title = "Too fast".into();
    assert!(store.save_rule_of(&fast, 2).await.unwrap());
    assert_eq!(store.rule("fast").await.unwrap(), Some(fast));
}

//! Sessions, invitations, second factors and API tokens.

use bugbrother_store::{
    Account, AccountChange, ApiTokenRecord, Invitation, MAX_API_TOKENS, MAX_SESSIONS, Refresh, RefreshHash, Refreshed,
    SessionRecord, Store, User,
};
use bugbrother_wire::{
    ApiTokenId, SessionId, UnixMs,
    api::{Right, Role},
};
use uuid::Uuid;

use crate::{
    fleet::{NOW, open, store},
    office::client,
};

const DAY: i64 = 86_400_000;

async fn with_ada() -> (Store, crate::fleet::Home) {
    let (store, home) = store().await;
    for (name, role) in [("root", Role::Administrator), ("ada", Role::Operator)] {
        let user = User { name: name.into(), password_hash: "hash".into(), role };
        assert!(store.add_user(&user, NOW).await.unwrap());
    }
    (store, home)
}

fn session(n: u32) -> SessionRecord {
    SessionRecord {
        id: SessionId(Uuid::from_u128(n.into())),
        account: "ada".into(),
        is_program: false,
        created: NOW + i64::from(n),
        used: NOW + i64::from(n),
        expires: NOW + 14 * DAY,
        address: "192.0.2.7".parse().ok(),
        user_agent: Some("curl/8".into()),
    }
}

async fn begin(store: &Store, n: u32) -> SessionRecord {
    let session = session(n);
    let (family, token) = (format!("family {n}"), format!("{n}.1"));
    store.add_session(&session, RefreshHash { family: &family, token: &token }).await.unwrap();
    session
}

fn refresh<'a>(family: &'a str, token: &'a str, next: &'a str, now: UnixMs) -> Refresh<'a> {
    Refresh {
        shown: RefreshHash { family, token },
        next,
        now,
        idle_ms: 14 * DAY,
        longest_ms: 20 * DAY,
        grace_ms: 10_000,
        address: None,
        user_agent: None,
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_moment_longer() {
    let (store, _home) = with_ada().await;
    let first = begin(&store, 1).await;
    let ask = async |token, next, now| store.refresh_session(&refresh("family 1", token, next, now)).await.unwrap();
    let at = NOW + DAY;
    let expected = SessionRecord { used: at, expires: at + 14 * DAY, address: None, user_agent: None, ..first.clone() };
    assert_eq!(ask("1.1", "1.2", at).await, Refreshed::Rotated(expected.clone()));
    assert_eq!(ask("1.1", "1.2", at + 10_000).await, Refreshed::Again(expected));
    let at = NOW + 10 * DAY;
    let Refreshed::Rotated(last) = ask("1.2", "1.3", at).await else { panic!("1.2 is the one that is good") };
    assert_eq!(last.expires, first.created + 20 * DAY, "not even who comes back every day stays for ever");
    assert!(matches!(ask("1.2", "1.3", at + 10_001).await, Refreshed::Reused(_)));
    for token in ["1.3", "1.2", "1.1"] {
        assert_eq!(ask(token, "1.4", at + 10_002).await, Refreshed::Ended, "{token}");
    }
    assert_eq!(store.refresh_session(&refresh("no family", "1.1", "x", at)).await.unwrap(), Refreshed::Ended);
    begin(&store, 2).await;
    let late = store.refresh_session(&refresh("family 2", "2.1", "2.2", NOW + 14 * DAY)).await.unwrap();
    assert_eq!(late, Refreshed::Ended, "it was idle for too long");
}

#[tokio::test]
async fn of_two_at_once_one_turns_the_token_and_the_other_gets_the_same() {
    let (store, home) = with_ada().await;
    let other = open(&home).await;
    for n in 1..=10 {
        begin(&store, n).await;
        let (family, token, next) = (format!("family {n}"), format!("{n}.1"), format!("{n}.2"));
        let turn = refresh(&family, &token, &next, NOW + 100);
        let (one, two) = tokio::join!(store.refresh_session(&turn), other.refresh_session(&turn));
        let outcomes = [one.unwrap(), two.unwrap()];
        let rotated = outcomes.iter().filter(|one| matches!(one, Refreshed::Rotated(_))).count();
        let again = outcomes.iter().filter(|one| matches!(one, Refreshed::Again(_))).count();
        assert_eq!((rotated, again), (1, 1), "{outcomes:?}");
    }
}

#[tokio::test]
async fn sessions_are_listed_ended_and_forgotten() {
    let (store, _home) = with_ada().await;
    let sessions = [begin(&store, 1).await, begin(&store, 2).await, begin(&store, 3).await];
    let open = async || store.sessions("ada", NOW + 10, 10).await.unwrap();
    assert_eq!(open().await, [sessions[2].clone(), sessions[1].clone(), sessions[0].clone()]);
    assert!(!store.end_session("root", sessions[0].id, NOW + 10).await.unwrap(), "it is another's");
    assert!(store.end_session("ada", sessions[0].id, NOW + 10).await.unwrap());
    assert!(!store.end_session("ada", sessions[0].id, NOW + 10).await.unwrap());
    assert_eq!(store.end_session_of("family 2", NOW + 11).await.unwrap().map(|one| one.id), Some(sessions[1].id));
    assert_eq!(store.end_session_of("family 2", NOW + 11).await.unwrap(), None);
    let endings = store.endings(NOW + 11, 10).await.unwrap();
    assert_eq!(endings.sessions, [(sessions[1].id, NOW + 11)]);
    assert_eq!(store.end_other_sessions("ada", Some(sessions[2].id), NOW + 12).await.unwrap(), []);
    assert_eq!(store.end_other_sessions("ada", None, NOW + 12).await.unwrap(), [sessions[2].id]);
    assert!(open().await.is_empty());
    assert_eq!(store.expire(NOW + DAY).await.unwrap(), 0, "it is known for a day that they were ended");
    assert_eq!(store.expire(NOW + DAY + 1_000).await.unwrap(), 3);
    assert_eq!(store.account("ada").await.unwrap().unwrap().signed_in, Some(NOW + 3));
}

#[tokio::test]
async fn one_session_too_many_ends_the_one_that_was_used_least_lately() {
    let (store, _home) = with_ada().await;
    let program = SessionRecord { is_program: true, ..session(999) };
    store.add_session(&program, RefreshHash { family: "program", token: "p" }).await.unwrap();
    for n in 1..=MAX_SESSIONS + 2 {
        begin(&store, n).await;
    }
    let open = store.sessions("ada", NOW, 1_000).await.unwrap();
    assert_eq!(open.len(), MAX_SESSIONS as usize + 1, "programs are counted apart");
    assert!(!open.iter().any(|one| one.id == session(1).id || one.id == session(2).id));
    assert!(open.iter().any(|one| one.id == program.id));
}

#[tokio::test]
async fn whatever_ends_an_account_ends_its_sessions_and_tokens() {
    let (store, _home) = with_ada().await;
    store.add_client(&client(1, "Taxi")).await.unwrap();
    let ended = async |what: &str| {
        assert!(store.sessions("ada", NOW, 10).await.unwrap().is_empty(), "{what}");
    };
    let ada = store.account("ada").await.unwrap().unwrap();
    begin(&store, 1).await;
    let named = Account { display_name: Some("Ada".into()), ..ada.clone() };
    store.update_account(&named, NOW + 10).await.unwrap();
    assert_eq!(store.sessions("ada", NOW, 10).await.unwrap().len(), 1, "another name ends nothing");
    store.update_account(&Account { role: Role::Client, ..ada }, NOW + 11).await.unwrap();
    ended("another role").await;
    begin(&store, 20).await;
    store.end_sessions("ada", NOW + 21).await.unwrap();
    ended("signed out everywhere").await;
    begin(&store, 30).await;
    let kept = begin(&store, 31).await;
    let gone = store.set_password_hash("ada", "new", Some(kept.id), NOW + 32).await.unwrap();
    assert_eq!(gone, Some(vec![session(30).id]));
    assert_eq!(store.set_password_hash("eve", "new", None, NOW).await.unwrap(), None);
    assert!(store.add_api_token(&token(1), "t1").await.unwrap());
    store.disable_account("ada", NOW + 40).await.unwrap();
    ended("disabled").await;
    assert!(store.api_tokens("ada", 10).await.unwrap().is_empty());
    store.enable_account("ada").await.unwrap();
    begin(&store, 50).await;
    assert!(store.add_api_token(&token(2), "t2").await.unwrap());
    assert_eq!(store.delete_account("ada", NOW + 51).await.unwrap(), AccountChange::Done);
    ended("deleted").await;
    let endings = store.endings(NOW + 51, 10).await.unwrap();
    assert_eq!((endings.sessions.len(), endings.tokens.len()), (1, 1), "others can still find out");
    let again = User { name: "ada".into(), password_hash: "hash".into(), role: Role::Operator };
    assert!(store.add_user(&again, NOW + 60).await.unwrap());
    ended("somebody else of that name").await;
    assert_eq!(store.show_api_token("t2", NOW + 60).await.unwrap(), None);
}

#[tokio::test]
async fn an_erased_client_takes_its_peoples_sessions_along() {
    let (store, _home) = with_ada().await;
    let taxi = client(1, "Taxi");
    store.add_client(&taxi).await.unwrap();
    let ada = store.account("ada").await.unwrap().unwrap();
    store.update_account(&Account { role: Role::Client, client: Some(taxi.id), ..ada }, NOW).await.unwrap();
    begin(&store, 1).await;
    store.erase_client(taxi.id, "root", NOW + 5).await.unwrap();
    assert_eq!(store.endings(NOW + 5, 10).await.unwrap().sessions, [(session(1).id, NOW + 5)]);
}

fn invitation() -> Invitation {
    Invitation { account: "ada".into(), created: NOW, expires: NOW + DAY, by: "root".into() }
}

#[tokio::test]
async fn an_invitation_is_good_once_and_the_newest_alone() {
    let (store, _home) = with_ada().await;
    assert!(store.ask_for_password("ada", NOW).await.unwrap());
    assert!(!store.ask_for_password("eve", NOW).await.unwrap());
    assert_eq!(store.account("ada").await.unwrap().unwrap().asks, Some(NOW));
    assert!(store.invite(&invitation(), "one").await.unwrap());
    assert!(store.invite(&invitation(), "two").await.unwrap());
    let invited = store.account("ada").await.unwrap().unwrap();
    assert_eq!((invited.asks, invited.invited), (None, Some(NOW + DAY)));
    begin(&store, 1).await;
    assert_eq!(store.invitation("one", NOW).await.unwrap(), None);
    assert_eq!(store.invitation("two", NOW).await.unwrap(), Some(invitation()));
    assert_eq!(store.invitation("two", NOW + DAY).await.unwrap(), None);
    assert_eq!(store.accept_invitation("two", "new", NOW + DAY).await.unwrap(), None, "it has expired");
    assert_eq!(store.accept_invitation("two", "new", NOW + 5).await.unwrap().as_deref(), Some("ada"));
    assert_eq!(store.accept_invitation("two", "newer", NOW + 5).await.unwrap(), None);
    assert_eq!(store.user("ada").await.unwrap().unwrap().password_hash, "new");
    assert!(store.sessions("ada", NOW, 10).await.unwrap().is_empty(), "what the old password opened is over");
    store.invite(&invitation(), "three").await.unwrap();
    assert!(store.withdraw_invitation("ada").await.unwrap() && !store.withdraw_invitation("ada").await.unwrap());
    store.invite(&invitation(), "four").await.unwrap();
    store.disable_account("ada", NOW).await.unwrap();
    assert_eq!(store.invitation("four", NOW).await.unwrap(), None);
    assert_eq!(store.accept_invitation("four", "x", NOW).await.unwrap(), None);
    assert!(!store.invite(&invitation(), "five").await.unwrap());
}

#[tokio::test]
async fn a_second_factor_counts_once_confirmed_and_its_codes_once_each() {
    let (store, _home) = with_ada().await;
    assert_eq!(store.second_factor("ada").await.unwrap(), None);
    assert!(store.propose_second_factor("ada", "AAAA").await.unwrap());
    let stale = store.second_factor("ada").await.unwrap().unwrap();
    assert!(store.propose_second_factor("ada", "BBBB").await.unwrap());
    let codes = ["a".to_owned(), "b".to_owned()];
    assert!(!store.confirm_second_factor("ada", &stale, 7, &codes, NOW).await.unwrap(), "another was proposed");
    assert!(!store.take_step("ada", 7).await.unwrap(), "it does not count yet");
    assert!(!store.replace_recovery_codes("ada", &codes).await.unwrap());
    let proposed = store.second_factor("ada").await.unwrap().unwrap();
    assert!(store.confirm_second_factor("ada", &proposed, 7, &codes, NOW).await.unwrap());
    assert!(!store.propose_second_factor("ada", "CCCC").await.unwrap());
    assert_eq!(store.account("ada").await.unwrap().unwrap().second_factor, Some(NOW));
    let taken: Vec<_> = [7, 8, 8, 6, 10, 9].to_vec();
    let mut good = Vec::new();
    for step in taken {
        good.push(store.take_step("ada", step).await.unwrap());
    }
    assert_eq!(good, [false, true, false, false, true, false]);
    assert!(
        store.take_recovery_code("ada", "a").await.unwrap() && !store.take_recovery_code("ada", "a").await.unwrap()
    );
    assert!(!store.take_recovery_code("root", "b").await.unwrap());
    assert_eq!(store.recovery_codes_left("ada").await.unwrap(), 1);
    assert!(store.remove_second_factor("ada").await.unwrap() && !store.remove_second_factor("ada").await.unwrap());
    assert_eq!(store.recovery_codes_left("ada").await.unwrap(), 0);
}

fn token(n: u32) -> ApiTokenRecord {
    ApiTokenRecord {
        id: ApiTokenId(Uuid::from_u128(n.into())),
        account: "ada".into(),
        label: format!("Excel {n}"),
        rights: vec![Right::Watch, Right::Export],
        created: NOW,
        expires: Some(NOW + DAY),
        used: None,
    }
}

#[tokio::test]
async fn an_api_token_is_shown_with_what_its_owner_is_now() {
    let (store, _home) = with_ada().await;
    assert!(store.add_api_token(&token(1), "one").await.unwrap());
    let shown = store.show_api_token("one", NOW + 1).await.unwrap().unwrap();
    assert_eq!((shown.token, shown.role, shown.client), (token(1), Role::Operator, None));
    let used = async || store.api_tokens("ada", 10).await.unwrap()[0].used;
    assert_eq!(used().await, Some(NOW + 1));
    store.show_api_token("one", NOW + 60_000).await.unwrap();
    assert_eq!(used().await, Some(NOW + 1), "to the minute");
    store.show_api_token("one", NOW + 60_001).await.unwrap();
    assert_eq!(used().await, Some(NOW + 60_001));
    assert_eq!(store.show_api_token("one", NOW + DAY).await.unwrap(), None, "it has expired");
    assert!(!store.revoke_api_token("root", token(1).id, NOW + 2).await.unwrap());
    assert!(store.revoke_api_token("ada", token(1).id, NOW + 2).await.unwrap());
    assert_eq!(store.show_api_token("one", NOW + 3).await.unwrap(), None);
    assert_eq!(store.endings(NOW + 2, 10).await.unwrap().tokens, [(token(1).id, NOW + 2)]);
    for n in 2..2 + MAX_API_TOKENS {
        assert!(store.add_api_token(&token(n), &n.to_string()).await.unwrap());
    }
    assert!(!store.add_api_token(&token(999), "999").await.unwrap());
    assert_eq!(store.api_tokens("ada", 2).await.unwrap(), [token(2), token(3)]);
}

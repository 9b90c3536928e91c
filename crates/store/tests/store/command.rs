//! Commands and the replies to them.

use crate::fleet::{NOW, fiesta, golf, store};
use bugbrother_store::{CommandRecord, CommandState, Store};
use bugbrother_wire::{
    CommandId, Epoch, SCHEMA_VERSION, Seq, UnixMs,
    message::{Argument, Command, Reply, ReplyState},
};
use uuid::Uuid;

fn command(n: u128) -> Command {
    Command {
        v: SCHEMA_VERSION,
        vin: golf(),
        id: CommandId(Uuid::from_u128(n)),
        name: "take_photo".into(),
        arguments: [
            ("camera".to_owned(), Argument::Text("dash-1".into())),
            ("flash".to_owned(), Argument::Bool(false)),
            ("quality".to_owned(), Argument::Number(0.75)),
            ("width".to_owned(), Argument::Integer(1280)),
        ]
        .into(),
        issued: NOW + n as i64 / 2,
        expires: NOW + 60_000,
        by: "ada".into(),
    }
}

fn reply(n: u128, state: ReplyState, at: UnixMs, detail: &str) -> Reply {
    Reply {
        v: SCHEMA_VERSION,
        vin: golf(),
        epoch: Epoch(1),
        seq: Seq(1),
        command: command(n).id,
        state,
        at,
        detail: Some(detail.into()),
        result: [("code".to_owned(), Argument::Text(detail.into()))].into(),
        text: Some(format!("all of {detail}")),
    }
}

async fn sent(store: &Store, n: u128) {
    store.name_vehicle(golf(), "Golf", None, NOW).await.unwrap();
    assert!(store.add_command(&command(n)).await.unwrap());
}

#[tokio::test]
async fn a_command_is_kept_once_and_waits_for_a_reply() {
    let (store, _home) = store().await;
    sent(&store, 1).await;
    assert!(!store.add_command(&Command { name: "other".into(), ..command(1) }).await.unwrap());
    let stored = store.command(command(1).id).await.unwrap().unwrap();
    let expected = CommandRecord {
        command: command(1),
        state: CommandState::Issued,
        state_ts: command(1).issued,
        detail: None,
        result: Default::default(),
        text: None,
    };
    assert_eq!(stored, expected);
    assert_eq!(store.command(command(2).id).await.unwrap(), None);

    let stray = Command { vin: fiesta(), ..command(2) };
    assert!(store.add_command(&stray).await.unwrap_err().is_about_content(), "there is no such vehicle");
    let odd = Command { arguments: [("x".to_owned(), Argument::Number(f64::NAN))].into(), ..command(2) };
    assert!(store.add_command(&odd).await.unwrap_err().is_about_content());
}

#[tokio::test]
async fn replies_move_a_command_on_and_never_back() {
    use ReplyState::{Accepted, Denied, Done, Expired, Failed, Running};
    let (store, _home) = store().await;
    // What comes, and which of it counts.
    let cases: [&[(ReplyState, bool)]; 6] = [
        &[(Accepted, true), (Accepted, false), (Running, true), (Accepted, false), (Done, true), (Failed, false)],
        &[(Done, true), (Running, false), (Accepted, false), (Done, false)],
        &[(Running, true), (Failed, true), (Done, false)],
        &[(Denied, true), (Accepted, false), (Done, false)],
        &[(Expired, true), (Done, false)],
        &[(Accepted, true), (Done, true), (Running, false)],
    ];
    for (n, replies) in cases.iter().enumerate() {
        let n = n as u128;
        sent(&store, n).await;
        let mut last = None;
        for (step, (state, counts)) in replies.iter().enumerate() {
            let reply = reply(n, *state, NOW + step as i64, &format!("step {step}"));
            assert_eq!(store.advance_command(&reply).await.unwrap(), *counts, "{n} {step}");
            if *counts {
                last = Some(reply);
            }
            let last = last.clone().unwrap();
            let stored = store.command(command(n).id).await.unwrap().unwrap();
            assert_eq!((stored.state, stored.state_ts), (last.state.into(), last.at), "{n} {step}");
            assert_eq!((stored.detail, stored.result, stored.text), (last.detail, last.result, last.text));
        }
    }
}

#[tokio::test]
async fn a_vehicle_moves_no_command_of_another() {
    let (store, _home) = store().await;
    sent(&store, 1).await;
    store.name_vehicle(fiesta(), "Van", None, NOW).await.unwrap();
    let foreign = Reply { vin: fiesta(), ..reply(1, ReplyState::Done, NOW, "mine") };
    assert!(!store.advance_command(&foreign).await.unwrap());
    assert!(!store.advance_command(&reply(2, ReplyState::Done, NOW, "unknown")).await.unwrap());
    assert_eq!(store.command(command(1).id).await.unwrap().unwrap().state, CommandState::Issued);
}

#[tokio::test]
async fn commands_are_listed_newest_first_and_the_open_ones_oldest_first() {
    let (store, _home) = store().await;
    for n in 1..=5 {
        sent(&store, n).await;
    }
    store.advance_command(&reply(1, ReplyState::Done, NOW, "")).await.unwrap();
    store.advance_command(&reply(2, ReplyState::Running, NOW, "")).await.unwrap();
    store.advance_command(&reply(4, ReplyState::Denied, NOW, "")).await.unwrap();
    let numbers = |list: &[CommandRecord]| list.iter().map(|one| one.command.id.0.as_u128()).collect::<Vec<_>>();
    let place = |list: &[CommandRecord]| list.last().map(|one| (one.command.issued, one.command.id));

    let first = store.commands(golf(), None, 3).await.unwrap();
    assert_eq!(numbers(&first), [5, 4, 3]);
    assert_eq!(numbers(&store.commands(golf(), place(&first), 3).await.unwrap()), [2, 1]);
    let open = store.open_commands(golf(), None, 2).await.unwrap();
    assert_eq!(numbers(&open), [2, 3]);
    assert_eq!(numbers(&store.open_commands(golf(), place(&open), 2).await.unwrap()), [5]);
    assert_eq!(store.commands(fiesta(), None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_vehicle_has_not_heard_is_found_until_its_time_is_over() {
    let (store, _home) = store().await;
    for n in 1..=4 {
        sent(&store, n).await;
    }
    store.advance_command(&reply(2, ReplyState::Accepted, NOW, "yes")).await.unwrap();
    let numbers = |commands: Vec<Command>| commands.iter().map(|one| one.id.0.as_u128()).collect::<Vec<_>>();
    for vin in [None, Some(golf())] {
        assert_eq!(numbers(store.unheard_commands(vin, NOW, None, 2).await.unwrap()), [1, 3]);
        let after = Some((command(3).issued, command(3).id));
        assert_eq!(numbers(store.unheard_commands(vin, NOW, after, 2).await.unwrap()), [4]);
        assert_eq!(numbers(store.unheard_commands(vin, NOW + 60_000, None, 9).await.unwrap()), [0u128; 0]);
    }
    assert_eq!(store.unheard_commands(Some(fiesta()), NOW, None, 9).await.unwrap(), []);
}

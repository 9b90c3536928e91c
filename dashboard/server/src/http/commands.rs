//! `/api/frontend/vehicles/{vin}/commands`: what vehicles are to do once, and how far that has come.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{CommandRecord, CommandState};
use bugbrother_wire::{
    CameraId, CommandId, SCHEMA_VERSION, UnixMs, Vin,
    api::{CommandEntry, CommandList, CommandProgress, NewCommand, Right},
    live::News,
    message::{Argument, Command, HELD_MS},
    signal::is_key,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{
    App,
    body::{Body, Params, PathVin},
    caller::{Access, Caller},
    failure::Failure,
    form::PathIds,
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;
/// Commands of a vehicle that have not come to their end and are not past their time.
const MAX_OPEN: u32 = 16;
const DEFAULT_EXPIRY_S: u32 = 600;
/// From when to when a command may wait: long enough to be heard, and no longer than a week.
const EXPIRY_S: std::ops::RangeInclusive<u32> = 10..=7 * 24 * 60 * 60;
/// Longest log that can be asked for.
const MAX_LOG_LINES: i64 = 2_000;
/// Longest word that confirms.
const MAX_WORD: usize = 32;
/// A clock that tells when a button was pressed may be ahead of ours by so much; the vehicle takes what lies ahead for now.
const AHEAD_MS: i64 = 5_000;
/// Intervals of one command.
const MAX_RATES: usize = 64;
/// Shortest and longest interval, in ms.
pub(super) const PERIOD_MS: std::ops::RangeInclusive<i64> = 50..=3_600_000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// `next` of the page before.
    before: Option<String>,
    /// How many at most.
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let may = Access::May(Right::Command);
    routes
        .get("/frontend/vehicles/{vin}/commands", may, list)
        .says("Commands to a vehicle, newest first")
        .asks::<Page>()
        .gives::<CommandList>();
    routes
        .post("/frontend/vehicles/{vin}/commands", may, give)
        .says("Gives a vehicle a command; once for each id")
        .takes::<NewCommand>()
        .gives::<CommandEntry>();
    routes
        .get("/frontend/vehicles/{vin}/commands/{id}", may, show)
        .says("A command, and how far it has come")
        .gives::<CommandEntry>();
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(page): Params<Page>,
) -> Result<Json<CommandList>, Failure> {
    caller.sees(&app, vin).await?;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let before = page.before.as_deref().map(cursor).transpose()?;
    let mut records = app.config.store.commands(vin, before, limit + 1).await?;
    let has_more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records.last().filter(|_| has_more).map(|last| format!("{}_{}", last.command.issued, last.command.id));
    let now = clock::now();
    Ok(Json(CommandList { commands: records.into_iter().map(|record| entry(record, now)).collect(), next }))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathIds(vin, id): PathIds<Vin, CommandId>,
) -> Result<Json<CommandEntry>, Failure> {
    let not_found = || Failure::not_found("no such command of this vehicle is known");
    caller.sees(&app, vin).await?;
    let record = app.config.store.command(id).await?.filter(|record| record.command.vin == vin);
    Ok(Json(entry(record.ok_or_else(not_found)?, clock::now())))
}

async fn give(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Body(new): Body<NewCommand>,
) -> Result<Json<CommandEntry>, Failure> {
    caller.sees(&app, vin).await?;
    let (store, now) = (&app.config.store, clock::now());
    if let Some(known) = store.command(new.id).await? {
        return same(known, &new, vin, now);
    }
    let expires_in_s = new.expires_in_s.unwrap_or(DEFAULT_EXPIRY_S);
    let mut wrong = check(&new.name, &new.arguments, now);
    if !EXPIRY_S.contains(&expires_in_s) {
        wrong.push(("expires_in_s".to_owned(), "10 seconds to a week".to_owned()));
    }
    if new.id.0.is_nil() {
        wrong.push(("id".to_owned(), "an id is made anew for each command".to_owned()));
    }
    if !wrong.is_empty() {
        return Err(Failure::fields(wrong));
    }
    let waiting = store.unheard_commands(Some(vin), now, None, MAX_OPEN).await?;
    if waiting.len() >= MAX_OPEN as usize {
        let message = "so many commands wait for this vehicle already that it would not take another one";
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_commands", message));
    }
    let command = Command {
        v: SCHEMA_VERSION,
        vin,
        id: new.id,
        name: new.name.clone(),
        arguments: new.arguments.clone(),
        issued: now,
        expires: now + i64::from(expires_in_s) * 1000,
        by: caller.name.clone(),
    };
    // First into the log: what nobody could find out later is not to be done.
    let detail = json!({ "command": command.name, "id": command.id.to_string(), "expires": command.expires });
    app.note(&caller, "command_given", Some(("vehicle", vin.as_str())), detail).await?;
    let is_new = store.add_command(&command).await?;
    let missing = || Failure::not_found("the command is gone again");
    let record = store.command(new.id).await?.ok_or_else(missing)?;
    if !is_new {
        return same(record, &new, vin, now);
    }
    app.downlink.tell_commands(vin);
    app.feed.change(|fleet| fleet.notice(vin, News::Command));
    Ok(Json(entry(record, now)))
}

/// The answer to a command that came before.
fn same(known: CommandRecord, new: &NewCommand, vin: Vin, now: UnixMs) -> Result<Json<CommandEntry>, Failure> {
    let command = &known.command;
    if command.vin == vin && command.name == new.name && command.arguments == new.arguments {
        return Ok(Json(entry(known, now)));
    }
    Err(Failure::new(StatusCode::CONFLICT, "id_is_taken", "another command has that id; make a new one"))
}

/// What is wrong with a command that is given `now`, field by field.
fn check(name: &str, arguments: &BTreeMap<String, Argument>, now: UnixMs) -> Vec<(String, String)> {
    let allowed: &[&str] = match name {
        "read_dtcs" | "resync" | "restart" => &[],
        "clear_dtcs" => &["confirm"],
        "privacy" => &["on"],
        "send_log" => &["lines"],
        "photo" | "stream_stop" => &["camera"],
        "clip" => &["camera", "at", "before_s", "after_s"],
        "stream_start" => &["camera", "seconds", "ticket"],
        "set_rates" => return check_rates(arguments),
        _ => {
            let message = "one of read_dtcs, clear_dtcs, resync, set_rates, privacy, restart, send_log, photo, clip, \
                           stream_start and stream_stop";
            return vec![("name".to_owned(), message.to_owned())];
        }
    };
    let mut wrong = Vec::new();
    for (key, value) in arguments {
        let problem = match (key.as_str(), value) {
            (key, _) if !allowed.contains(&key) => Some("this command has no such argument"),
            ("confirm", Argument::Text(word)) if (1..=MAX_WORD).contains(&word.len()) => None,
            ("confirm", _) => Some("the word that the first step was answered with"),
            ("on", Argument::Bool(_)) => None,
            ("on", _) => Some("true or false"),
            ("camera", Argument::Text(name)) if CameraId::try_from(name.clone()).is_ok() => None,
            ("camera", _) => Some("the name of a camera"),
            ("at", Argument::Integer(at)) if (now - HELD_MS..=now + AHEAD_MS).contains(at) => None,
            ("at", _) => Some("a moment of the last 42 seconds, in ms since 1970"),
            ("before_s", Argument::Integer(0..=30)) | ("after_s", Argument::Integer(0..=60)) => None,
            ("before_s", _) => Some("seconds from 0 to 30"),
            ("after_s", _) => Some("seconds from 0 to 60"),
            ("seconds", Argument::Integer(5..=600)) => None,
            ("seconds", _) => Some("seconds from 5 to 600"),
            ("ticket", Argument::Text(ticket)) if is_ticket(ticket) => None,
            ("ticket", _) => Some("1 to 128 letters, digits, `-` and `_`"),
            ("lines", Argument::Integer(1..=MAX_LOG_LINES)) => None,
            _ => Some("a whole number from 1 to 2,000"),
        };
        wrong.extend(problem.map(|problem| (shown(key), problem.to_owned())));
    }
    if name == "privacy" && !arguments.contains_key("on") {
        wrong.push(("on".to_owned(), "true or false".to_owned()));
    }
    wrong
}

fn is_ticket(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn check_rates(rates: &BTreeMap<String, Argument>) -> Vec<(String, String)> {
    if !(1..=MAX_RATES).contains(&rates.len()) {
        return vec![("arguments".to_owned(), "name 1 to 64 signals, each with its interval in ms".to_owned())];
    }
    let wrong = rates.iter().filter(|(key, value)| {
        let fits = matches!(value, Argument::Integer(ms) if PERIOD_MS.contains(ms));
        !is_key(key) || !fits
    });
    wrong.map(|(key, _)| (shown(key), "an interval from 50 to 3,600,000 ms".to_owned())).collect()
}

/// What came from outside may be long.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

fn cursor(text: &str) -> Result<(UnixMs, CommandId), Failure> {
    let parts = text.split_once('_').and_then(|(issued, id)| Some((issued.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| Failure::new(StatusCode::BAD_REQUEST, "invalid_query", "`before` is `next` of the page before"))
}

fn entry(record: CommandRecord, now: UnixMs) -> CommandEntry {
    let CommandRecord { command, state, state_ts, detail, result, text } = record;
    // Whether a vehicle that was not heard of again has heard it, nobody knows; it will not do it any more.
    let unheard = state == CommandState::Issued && command.expires <= now;
    CommandEntry {
        id: command.id,
        name: command.name,
        arguments: command.arguments,
        issued: command.issued,
        expires: command.expires,
        by: command.by,
        state: match state {
            CommandState::Issued if unheard => CommandProgress::Expired,
            CommandState::Issued => CommandProgress::Issued,
            CommandState::Accepted => CommandProgress::Accepted,
            CommandState::Running => CommandProgress::Running,
            CommandState::Done => CommandProgress::Done,
            CommandState::Failed => CommandProgress::Failed,
            CommandState::Expired => CommandProgress::Expired,
            CommandState::Denied => CommandProgress::Denied,
        },
        state_ts: if unheard { command.expires } else { state_ts },
        detail,
        result,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn fields(name: &str, arguments: &[(&str, Argument)]) -> Vec<String> {
        let arguments = arguments.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        check(name, &arguments, NOW).into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn each_command_takes_its_own_arguments_and_no_other() {
        use Argument::{Bool, Integer, Text};
        for (name, arguments) in [
            ("read_dtcs", vec![]),
            ("clear_dtcs", vec![]),
            ("clear_dtcs", vec![("confirm", Text("K7Q2".into()))]),
            ("privacy", vec![("on", Bool(true))]),
            ("send_log", vec![("lines", Integer(20))]),
            ("set_rates", vec![("spd", Integer(1000)), ("x.own", Integer(50))]),
            ("photo", vec![("camera", Text("dash-1".into()))]),
            ("clip", vec![("before_s", Integer(30)), ("after_s", Integer(60))]),
            ("clip", vec![("at", Integer(NOW - 42_000))]),
            ("clip", vec![("at", Integer(NOW + 5_000))]),
            ("stream_start", vec![("seconds", Integer(60)), ("ticket", Text("a_B-1".into()))]),
            ("stream_stop", vec![]),
        ] {
            assert_eq!(fields(name, &arguments), [""; 0], "{name}");
        }
        for (name, arguments, field) in [
            ("selfdestruct", vec![], "name"),
            ("photo", vec![("camera", Text("Dash 1".into()))], "camera"),
            ("clip", vec![("after_s", Integer(61))], "after_s"),
            ("clip", vec![("seconds", Integer(10))], "seconds"),
            ("clip", vec![("at", Integer(NOW - 42_001))], "at"),
            ("clip", vec![("at", Integer(NOW + 5_001))], "at"),
            ("clip", vec![("at", Integer(i64::MIN))], "at"),
            ("clip", vec![("at", Text("now".into()))], "at"),
            ("photo", vec![("at", Integer(NOW))], "at"),
            ("stream_start", vec![("ticket", Text("a/b".into()))], "ticket"),
            ("restart", vec![("now", Bool(true))], "now"),
            ("clear_dtcs", vec![("confirm", Bool(true))], "confirm"),
            ("clear_dtcs", vec![("confirm", Text(String::new()))], "confirm"),
            ("privacy", vec![], "on"),
            ("privacy", vec![("on", Text("yes".into()))], "on"),
            ("send_log", vec![("lines", Integer(2001))], "lines"),
            ("set_rates", vec![], "arguments"),
            ("set_rates", vec![("spd", Integer(0))], "spd"),
            ("set_rates", vec![("Speed", Integer(100))], "Speed"),
        ] {
            assert_eq!(fields(name, &arguments), [field], "{name}");
        }
    }
}

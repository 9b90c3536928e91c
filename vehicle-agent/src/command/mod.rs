//! What the fleet has the vehicle do once: `down/command` → `up/reply`.
//!
//! # Layout
//! - [`order`]: what a command wants, or why it is none
//! - `confirmation`: the word between the two steps of a command that cannot be undone
//! - `Desk`: carries commands out, one after the other
//!
//! # Invariants
//! - A command is on disk before it is carried out, and is never carried out twice, whatever is delivered twice and
//!   wherever the agent is cut off. Each gets a last reply, if need be after the next start.
//! - What is past its time is not carried out.

mod confirmation;
pub mod order;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bugbrother_wire::{
    MediaId, SCHEMA_VERSION,
    codec::{MAX_LONG_TEXT, MAX_TEXT},
    message::{Argument, Command, Config, ReplyState},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use self::{confirmation::Confirmation, order::Order};
use crate::{
    camera::{Cameras, HELD},
    clock::{Time, is_provisional},
    log::Log,
    obd::{Task, Troubles},
    outbox::{Answer, Draft, Outbox, OutboxError},
    wishes::Wishes,
};

/// Most commands that wait for their turn.
pub const WAITING: usize = 16;
/// The slowest buses take a quarter of a minute to begin with.
const CAR_ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// By what commands are carried out.
pub(crate) struct Means {
    /// What fleet and driver want.
    pub wishes: Wishes,
    /// The car, where there is an adapter.
    pub car: Option<mpsc::Sender<Task>>,
    /// The cameras, where there are any.
    pub cameras: Option<Cameras>,
    /// Has the uplink say everything again.
    pub resync: mpsc::Sender<()>,
    /// Has the agent begin anew.
    pub restart: CancellationToken,
    /// What was logged.
    pub log: Log,
}

/// Carries commands out, one after the other.
pub(crate) struct Desk {
    outbox: Outbox,
    time: Time,
    means: Means,
    confirmation: Confirmation,
}

/// What became of an order.
struct Outcome {
    state: ReplyState,
    detail: String,
    result: BTreeMap<String, Argument>,
    text: Option<String>,
}

impl Outcome {
    fn new(state: ReplyState, detail: impl Into<String>) -> Self {
        Outcome { state, detail: detail.into(), result: BTreeMap::new(), text: None }
    }

    fn done(detail: impl Into<String>) -> Self {
        Outcome::new(ReplyState::Done, detail)
    }
}

impl Desk {
    /// A desk that has answered for what was cut off when the agent ended last.
    pub async fn open(outbox: Outbox, time: Time, means: Means) -> Result<Self, OutboxError> {
        for unfinished in outbox.unfinished_commands().await? {
            let (state, detail) = match &*unfinished.name {
                "restart" => (ReplyState::Done, "restarted"),
                _ => (ReplyState::Failed, "the agent was restarted meanwhile"),
            };
            let answer =
                Answer { detail: Some(detail.to_owned()), ..Answer::new(unfinished.id, state, time.estimate()) };
            outbox.append(&[Draft::Reply(answer)], time.estimate()).await?;
        }
        Ok(Desk { outbox, time, means, confirmation: Confirmation::default() })
    }

    /// Carries out what comes in, which `take` has noted, until nobody is left to send anything or `stop`.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        while let Some(Some(command)) = stop.run_until_cancelled(commands.recv()).await {
            let restarts = command.name == "restart";
            let Some(outcome) = stop.run_until_cancelled(self.carry_out(&command)).await else { return };
            if restarts && outcome.state == ReplyState::Accepted {
                // The last reply is given after the start.
                self.reply(&command, outcome).await;
                self.means.restart.cancel();
                return;
            }
            info!(command = command.name, by = command.by, state = ?outcome.state, "command");
            self.reply(&command, outcome).await;
        }
    }

    async fn carry_out(&mut self, command: &Command) -> Outcome {
        let now = self.time.now();
        // Without a good time nobody can tell. The broker hands over what was just said: it keeps no commands.
        if command.expires < now && !is_provisional(now) {
            return Outcome::new(ReplyState::Expired, "it came after its time");
        }
        let order = match order::read(command) {
            Ok(order) => order,
            Err(refusal) => return Outcome::new(ReplyState::Denied, refusal),
        };
        if matches!(order, Order::ReadDtcs | Order::ClearDtcs { .. }) && self.means.car.is_some() {
            // It takes its time; who waits is told.
            self.reply(command, Outcome::new(ReplyState::Running, "asking the car")).await;
        }
        self.obey(order, command).await.unwrap_or_else(|failure| Outcome::new(ReplyState::Failed, failure))
    }

    async fn obey(&mut self, order: Order, command: &Command) -> Result<Outcome, String> {
        Ok(match order {
            Order::ReadDtcs => told(&self.read_codes().await?),
            Order::ClearDtcs { confirm: None } => {
                let troubles = self.read_codes().await?;
                let word = self.confirmation.ask(Instant::now(), &mut rand::rng());
                let asked = format!(
                    "{}. To have the car forget them, and its freeze frames and self tests, send `clear_dtcs` with \
                     confirm = {word} within {} seconds",
                    troubles.in_words(),
                    confirmation::GOOD_FOR.as_secs()
                );
                Outcome { result: [("confirm".to_owned(), Argument::Text(word))].into(), ..Outcome::done(asked) }
            }
            Order::ClearDtcs { confirm: Some(word) } if self.confirmation.take(&word, Instant::now()) => {
                let left = self.ask_car(Task::ClearCodes).await??;
                Outcome::done(format!("the car has forgotten its trouble codes, and tells now: {}", left.in_words()))
            }
            Order::ClearDtcs { .. } => {
                let wrong = "`confirm` is not the word of a `clear_dtcs` of the last two minutes";
                Outcome::new(ReplyState::Denied, wrong)
            }
            Order::Resync => {
                if self.means.resync.try_send(()).is_err() {
                    debug!("one that waits already does as well");
                }
                Outcome::done("everything that the fleet has not acknowledged is sent again")
            }
            Order::Photo { .. } | Order::Clip { .. } | Order::StreamStart { .. } | Order::StreamStop { .. } => {
                let Some(cameras) = self.means.cameras.clone() else {
                    return Ok(Outcome::new(ReplyState::Denied, "this vehicle has no camera"));
                };
                self.look(order, &cameras, command).await?
            }
            Order::SetRates(rates) => {
                let said = rates.len();
                self.adjust(command, |config| config.periods_ms.extend(rates)).await?;
                Outcome::done(format!("{said} intervals set, until the fleet's settings change"))
            }
            Order::Privacy { on } => {
                self.adjust(command, |config| config.privacy = on).await?;
                Outcome::done(if *self.means.wishes.private().borrow() {
                    "position and pictures stay in the vehicle"
                } else {
                    "position and pictures leave the vehicle"
                })
            }
            Order::Restart => Outcome::new(ReplyState::Accepted, "restarting"),
            Order::SendLog { lines } => {
                let text = self.means.log.newest(lines, MAX_LONG_TEXT);
                let said = text.lines().count();
                Outcome { text: Some(text), ..Outcome::done(format!("the newest {said} lines")) }
            }
        })
    }

    /// What cameras are for.
    async fn look(&self, order: Order, cameras: &Cameras, command: &Command) -> Result<Outcome, String> {
        let cause = command.id.to_string();
        let named = |id: MediaId, detail: &str| {
            let result = [("media".to_owned(), Argument::Text(id.to_string()))].into();
            Outcome { result, ..Outcome::done(detail) }
        };
        if *self.means.wishes.private().borrow() && !matches!(order, Order::StreamStop { .. }) {
            return Ok(Outcome::new(ReplyState::Denied, "privacy is on: no pictures are taken"));
        }
        Ok(match order {
            Order::Photo { camera } => {
                named(cameras.photo(camera.as_ref(), cause).await?, "the photo is taken; `media` is its identity")
            }
            Order::Clip { camera, at, before, after } => {
                let at = match at {
                    Some(ts) => self.time.moment(ts, HELD).ok_or_else(too_long_ago)?,
                    None => Instant::now(),
                };
                let id = cameras.film(camera.as_ref(), cause, at, before, after).await?;
                named(id, "the clip is being recorded; `media` is its identity")
            }
            Order::StreamStart { camera, lasts, ticket } => {
                cameras.live(camera.as_ref(), lasts, ticket).await?;
                Outcome::done(format!("live pictures are sent for {} seconds", lasts.as_secs()))
            }
            Order::StreamStop { camera } => {
                cameras.end_live(camera.as_ref()).await?;
                Outcome::done("no live pictures are sent")
            }
            _ => Outcome::new(ReplyState::Denied, "that is nothing for a camera"),
        })
    }

    async fn adjust(&self, command: &Command, adjust: impl FnOnce(&mut Config)) -> Result<(), String> {
        let vin = command.vin;
        let empty = || Config {
            v: SCHEMA_VERSION,
            vin,
            revision: 0,
            periods_ms: BTreeMap::new(),
            thresholds: BTreeMap::new(),
            geofences: Vec::new(),
            privacy: false,
            driver_privacy: false,
            daily_bytes: None,
        };
        self.means.wishes.adjust(empty, adjust);
        let written = self.means.wishes.write(&self.outbox).await;
        written.map_err(|error| format!("it counts, but not after a restart: {error}"))
    }

    async fn read_codes(&self) -> Result<Troubles, String> {
        self.ask_car(Task::ReadCodes).await?
    }

    async fn ask_car<T>(&self, task: impl FnOnce(oneshot::Sender<T>) -> Task) -> Result<T, String> {
        let car = self.means.car.as_ref().ok_or("this vehicle has no OBD-II adapter")?;
        let (answer, answered) = oneshot::channel();
        let asked = async {
            car.send(task(answer)).await.ok()?;
            answered.await.ok()
        };
        match timeout(CAR_ANSWERS_WITHIN, asked).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err("the agent ends".to_owned()),
            Err(_) => Err("the car does not answer: is the ignition on?".to_owned()),
        }
    }

    async fn reply(&self, command: &Command, outcome: Outcome) {
        let Outcome { state, mut detail, result, text } = outcome;
        detail.truncate(detail.floor_char_boundary(MAX_TEXT));
        // Somebody waits for it: it is sent with a guess rather than held back.
        let now = self.time.estimate();
        let answer = Answer { detail: Some(detail), result, text, ..Answer::new(command.id, state, now) };
        if let Err(error) = self.outbox.append(&[Draft::Reply(answer)], now).await {
            count_failure(&error);
        }
    }
}

fn too_long_ago() -> String {
    format!("`at` is too long ago: the last {} seconds are held", HELD.as_secs())
}

fn told(troubles: &Troubles) -> Outcome {
    let codes = i64::try_from(troubles.dtcs.len()).unwrap_or(i64::MAX);
    Outcome { result: [("codes".to_owned(), Argument::Integer(codes))].into(), ..Outcome::done(troubles.in_words()) }
}

fn count_failure(error: &OutboxError) {
    metrics::counter!("bugbrother_agent_outbox_failures_total").increment(1);
    error!(error = error as &dyn std::error::Error, "reply to a command cannot be noted");
}

/// Notes a command and has it wait for its turn; one that came before is left alone.
pub(crate) async fn take(
    command: Command,
    outbox: &Outbox,
    desk: &mpsc::Sender<Command>,
    time: &Time,
) -> Result<(), OutboxError> {
    let now = time.estimate();
    let (id, name): (_, String) = (command.id, command.name.chars().take(64).collect());
    if !outbox.take_command(id, &name, now).await? {
        return Ok(());
    }
    if desk.try_send(command).is_ok() {
        return Ok(());
    }
    let detail = Some(format!("{WAITING} commands wait already"));
    let answer = Answer { detail, ..Answer::new(id, ReplyState::Denied, now) };
    outbox.append(&[Draft::Reply(answer)], now).await
}

//! Films of alerts: which photos and clips belong to one, and vehicles that are asked for a clip where the rule wants one and none
//! is begun.
//!
//! A vehicle that films what happens by itself has begun to when its alert is raised, and says so a moment later. So the server
//! waits for a moment before it asks. What it asks for has an identity that follows from alert and camera: however many servers
//! hear of the alert, and however often, the vehicle is asked once.

use std::{collections::VecDeque, time::Duration};

use bugbrother_store::{AuditEntry, AuditId, AuditObject, Store, StoreError};
use bugbrother_wire::{
    AlertId, CameraId, CommandId, SCHEMA_VERSION, UnixMs, Vin,
    api::{FILM_AFTER_MS, FILM_BEFORE_MS},
    live::News,
    message::{Alert, AlertState, Argument, Command, HELD_MS, Media, MediaKind, MediaState},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{clock, downlink::Downlink, feed::Feed};

/// Alerts that wait for being looked at; of what is more, nobody asks for films.
const MAX_WAITING: usize = 256;
/// So long a vehicle has to say that it films by itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of an older alert, its vehicle has no pictures any more.
const FRESH_MS: i64 = 30_000;
/// A vehicle that hears only later that a film is wanted has nothing to make it of; nor has one that hears it when what led to the
/// alert is not held any more.
const EXPIRES_MS: i64 = 30_000;
const BEFORE_S: i64 = 30;
const AFTER_S: i64 = 10;
/// Longest clip that a vehicle makes.
const LONGEST_MS: i64 = 240_000;
/// Photos and clips that are looked through for an alert.
const MAX_MEDIA: u32 = 100;

/// The end to which alerts are given.
pub(crate) type Ear = mpsc::Sender<Alert>;

/// An alert for the ear, if it is one whose vehicle may be asked for a film.
pub(crate) fn is_fresh(alert: &Alert, now: UnixMs) -> bool {
    alert.state == AlertState::Open && !alert.late && (now - alert.opened).abs() < FRESH_MS
}

/// Has vehicles film what alerts are about.
pub(crate) struct Films {
    store: Store,
    alerts: mpsc::Receiver<Alert>,
    waiting: VecDeque<(Instant, Alert)>,
}

impl Films {
    pub fn new(store: Store) -> (Ear, Self) {
        let (ear, alerts) = mpsc::channel(MAX_WAITING);
        (ear, Films { store, alerts, waiting: VecDeque::new() })
    }

    /// Until `stop`. Vehicles are told by `downlink`, and viewers by `feed`.
    pub async fn run(mut self, downlink: &Downlink, feed: &Feed, stop: CancellationToken) {
        loop {
            let due = self.waiting.front().map(|(due, _)| *due);
            let next = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Some(alert) = self.alerts.recv(), if self.waiting.len() < MAX_WAITING => {
                    self.waiting.push_back((Instant::now() + PATIENCE, alert));
                }
                () = next => {
                    let Some((_, alert)) = self.waiting.pop_front() else { continue };
                    match ask(&self.store, &alert, clock::now()).await {
                        Ok(0) => {}
                        Ok(cameras) => {
                            info!(vin = %alert.vin, alert = %alert.id, cameras, "the vehicle is asked for a film of an alert");
                            metrics::counter!("bugbrother_dashboard_films_asked_total").increment(cameras);
                            downlink.tell_commands(alert.vin);
                            feed.change(|fleet| fleet.notice(alert.vin, News::Command));
                        }
                        Err(error) => {
                            warn!(error = &error as &dyn std::error::Error, "no film of an alert is asked for");
                        }
                    }
                }
            }
        }
    }
}

/// Notes what is wanted of the vehicle of an alert; of how many cameras.
async fn ask(store: &Store, alert: &Alert, now: UnixMs) -> Result<u64, StoreError> {
    if !store.rule(&alert.rule).await?.is_some_and(|rule| rule.film) {
        return Ok(0);
    }
    let Some(birth) = store.birth(alert.vin).await? else { return Ok(0) };
    let seen = of_alert(store, alert).await?;
    let has_film = |camera: &CameraId| {
        seen.iter()
            .any(|media| media.camera == *camera && media.kind == MediaKind::Clip && media.state != MediaState::Failed)
    };
    let mut asked = 0;
    for camera in birth.cameras.into_iter().filter(|camera| !has_film(&camera.id)) {
        let command = command(alert, &camera.id, now);
        if store.add_command(&command).await? {
            store.append_audit(&note(alert, &command, now)).await?;
            asked += 1;
        }
    }
    Ok(asked)
}

fn command(alert: &Alert, camera: &CameraId, now: UnixMs) -> Command {
    let arguments = [
        ("camera", Argument::Text(camera.to_string())),
        ("at", Argument::Integer(alert.opened)),
        ("before_s", Argument::Integer(BEFORE_S)),
        ("after_s", Argument::Integer(AFTER_S)),
    ];
    Command {
        v: SCHEMA_VERSION,
        vin: alert.vin,
        id: command_id(alert.id, camera),
        name: "clip".to_owned(),
        arguments: arguments.map(|(name, value)| (name.to_owned(), value)).into(),
        issued: now,
        expires: (now + EXPIRES_MS).min(alert.opened + HELD_MS).max(now),
        by: by(alert),
    }
}

fn by(alert: &Alert) -> String {
    format!("rule:{}", alert.rule)
}

fn note(alert: &Alert, command: &Command, now: UnixMs) -> AuditEntry {
    let detail = json!({ "command": command.name, "id": command.id, "alert": alert.id, "expires": command.expires });
    AuditEntry {
        id: AuditId(Uuid::now_v7()),
        at: now,
        who: by(alert),
        what: "command_given".to_owned(),
        object: Some(AuditObject { kind: "vehicle".to_owned(), id: alert.vin.to_string() }),
        detail: detail.as_object().cloned().unwrap_or_default(),
        address: None,
    }
}

/// The command by which a film of an alert is asked for.
pub(crate) fn command_id(alert: AlertId, camera: &CameraId) -> CommandId {
    let mut sum = Sha256::new();
    sum.update(b"bugbrother film of an alert\n");
    sum.update(alert.0.as_bytes());
    sum.update(camera.as_str());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sum.finalize()[..16]);
    CommandId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// The photos and clips that belong to an alert: those of the half minute before it and what begins right after.
pub(crate) async fn of_alert(store: &Store, alert: &Alert) -> Result<Vec<Media>, StoreError> {
    let (from, to) = (alert.opened - FILM_BEFORE_MS, alert.opened + FILM_AFTER_MS);
    let mut media = store.media(alert.vin, from - LONGEST_MS, to, MAX_MEDIA).await?;
    media.retain(|media| media.to >= from);
    Ok(media)
}

/// Whether something that was seen from `from` to `to` belongs to an alert whose cause is not gone.
pub(crate) async fn is_held(store: &Store, vin: Vin, from: UnixMs, to: UnixMs) -> Result<bool, StoreError> {
    store.has_open_alert(vin, from - FILM_AFTER_MS, to + FILM_BEFORE_MS).await
}

#[cfg(test)]
mod tests {
    use bugbrother_store::{Arrival, Rule};
    use bugbrother_wire::{
        Epoch, MediaId, Message, Seq, Topic,
        message::{Birth, CameraDeclaration, Severity, VinSource},
        topic::Kind,
    };

    use super::*;

    const NOW: UnixMs = 1_790_000_000_000;

    fn vin() -> Vin {
        "WVWZZZ1JZ3W386752".parse().unwrap()
    }

    fn camera(name: &str) -> CameraId {
        name.to_owned().try_into().unwrap()
    }

    fn alert(n: u128) -> Alert {
        Alert {
            v: SCHEMA_VERSION,
            vin: vin(),
            id: AlertId(Uuid::from_u128(n)),
            rule: "fast".to_owned(),
            title: "Faster than 130 km/h".to_owned(),
            severity: Severity::Warning,
            state: AlertState::Open,
            opened: NOW,
            updated: NOW,
            resolved: None,
            count: 1,
            value: None,
            signal: None,
            limit: None,
            lat: None,
            lon: None,
            acknowledged_by: None,
            late: false,
            detail: None,
        }
    }

    async fn say(store: &Store, message: Message, kind: Kind) {
        let topic = Topic::new(vin(), kind).to_string();
        let arrival = Arrival { received_ts: NOW, topic, payload: Default::default(), content: Ok(message) };
        store.commit(&[arrival]).await.unwrap();
    }

    async fn store_with_cameras(dir: &tempfile::TempDir) -> Store {
        let store = Store::open(&format!("sqlite://{}", dir.path().join("fleet.db").display())).await.unwrap();
        let declare = |id: &str| CameraDeclaration { id: camera(id), label: id.to_owned() };
        let birth = Birth {
            v: SCHEMA_VERSION,
            vin: vin(),
            epoch: Epoch(7),
            agent: "1".to_owned(),
            vin_source: VinSource::Configured,
            started: NOW,
            signals: Vec::new(),
            cameras: vec![declare("front"), declare("rear")],
            car: None,
        };
        say(&store, Message::Birth(birth), Kind::Birth).await;
        store
    }

    fn clip(n: u128, camera_id: &str, from: UnixMs, to: UnixMs) -> Media {
        Media {
            v: SCHEMA_VERSION,
            vin: vin(),
            epoch: Epoch(7),
            seq: Seq(n as u64),
            id: MediaId(Uuid::from_u128(n)),
            camera: camera(camera_id),
            kind: MediaKind::Clip,
            state: MediaState::Recording,
            at: from,
            from,
            to,
            cause: None,
            bytes: None,
            sha256: None,
            codec: None,
            reason: None,
        }
    }

    #[tokio::test]
    async fn a_vehicle_is_asked_once_for_what_it_does_not_film_by_itself_where_the_rule_wants_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_with_cameras(&dir).await;
        assert_eq!(ask(&store, &alert(1), NOW).await.unwrap(), 0, "the rule wants none");
        let rule = store.rule("fast").await.unwrap().unwrap();
        store.save_rule(&Rule { film: true, ..rule }).await.unwrap();
        say(&store, Message::Media(clip(1, "front", NOW - 28_000, NOW + 12_000)), Kind::Media).await;
        say(&store, Message::Media(clip(2, "rear", NOW - 100_000, NOW - 60_000)), Kind::Media).await;
        let seen = of_alert(&store, &alert(1)).await.unwrap();
        assert_eq!(seen.iter().map(|media| media.id.0.as_u128()).collect::<Vec<_>>(), [1]);

        assert_eq!(ask(&store, &alert(1), NOW).await.unwrap(), 1, "the rear one");
        assert_eq!(ask(&store, &alert(1), NOW + 1).await.unwrap(), 0, "it was asked before");
        let id = command_id(alert(1).id, &camera("rear"));
        let record = store.command(id).await.unwrap().unwrap();
        assert_eq!((record.command.name.as_str(), record.command.by.as_str()), ("clip", "rule:fast"));
        assert_eq!(record.command.arguments["camera"], Argument::Text("rear".to_owned()));
        assert_eq!(record.command.arguments["at"], Argument::Integer(NOW), "of the alert, however long it took to ask");
        let asked_late = command(&alert(3), &camera("rear"), NOW + 20_000);
        assert_eq!(asked_late.expires, NOW + HELD_MS, "what the vehicle does not hold any more is not asked for");
        assert!(store.command(command_id(alert(1).id, &camera("front"))).await.unwrap().is_none());
        assert_ne!(command_id(alert(2).id, &camera("rear")), id);
    }

    #[tokio::test]
    async fn what_belongs_to_an_alert_is_held_until_its_cause_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = store_with_cameras(&dir).await;
        store.save_alert(&alert(1)).await.unwrap();
        let held = async |from, to| is_held(&store, vin(), from, to).await.unwrap();
        assert!(held(NOW - 60_000, NOW - 30_000).await && held(NOW + 15_000, NOW + 20_000).await);
        assert!(!held(NOW - 60_000, NOW - 30_001).await && !held(NOW + 15_001, NOW + 20_000).await);
        let over = Alert { state: AlertState::Resolved, resolved: Some(NOW + 5), ..alert(1) };
        store.save_alert(&over).await.unwrap();
        assert!(!held(NOW - 10_000, NOW).await);
    }

    #[test]
    fn only_what_has_just_happened_is_filmed() {
        assert!(is_fresh(&alert(1), NOW + 1_000));
        assert!(!is_fresh(&alert(1), NOW + 31_000) && !is_fresh(&alert(1), NOW - 31_000));
        assert!(!is_fresh(&Alert { late: true, ..alert(1) }, NOW));
        assert!(!is_fresh(&Alert { state: AlertState::Acknowledged, ..alert(1) }, NOW));
    }
}

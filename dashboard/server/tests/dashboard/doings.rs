//! What people do to vehicles, alerts, rules and geofences, and what of it goes over a real broker.

use anyhow::{Context, Result, bail, ensure};
use bugbrother_client::{Event, Events, Options, Publisher, Qos, connect};
use bugbrother_kit::{mosquitto::Mosquitto, wait};
use bugbrother_store::Arrival;
use bugbrother_wire::{
    AlertId, CommandId, Epoch, Message, SCHEMA_VERSION, Seq, Topic, Vin,
    api::{
        AlertDetail, AlertList, AlertStepKind, CommandEntry, CommandList, CommandProgress, DiagnosticsReport,
        EventList, GeofenceEntry, GeofenceList, MediaList, Problem, RuleEntry, RuleList, TrialReport, VehicleCard,
        WishesState,
    },
    decode, encode,
    live::{Frame, News, Notice},
    message::{
        Alert, AlertCause, AlertState, Command, Config, Diagnostics, Dtc, DtcStatus, Event as Happening, EventKind,
        FreezeFrame, Monitor, Presence, Reply, ReplyState, Severity, Status,
    },
    topic::Kind,
};
use reqwest::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sqlx::Executor as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    drive::{DAY, HOUR, START, two_days},
    rig::{LIMIT, Rig, counted, now, vin},
    viewer::Viewer,
};

/// Somebody who is signed in.
pub struct Person<'a> {
    pub rig: &'a Rig,
    pub token: String,
}

impl<'a> Person<'a> {
    pub async fn admin(rig: &'a Rig) -> Result<Self> {
        Ok(Person { token: rig.token().await?, rig })
    }

    pub async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.rig.get(&format!("/api/frontend{path}"), &self.token).await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    pub async fn status(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(StatusCode, Value)> {
        let request = self.rig.request(method, &format!("/api/frontend{path}")).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await?;
        Ok((answer.status(), answer.json().await.unwrap_or(Value::Null)))
    }

    pub async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: &impl Serialize) -> Result<T> {
        let (status, answer) = self.status(method, path, Some(&serde_json::to_value(body)?)).await?;
        ensure!(status.is_success(), "{path}: {status} {answer}");
        Ok(serde_json::from_value(answer)?)
    }

    /// The fields of a form that are wrong.
    pub async fn wrong(&self, method: Method, path: &str, body: Value) -> Result<Vec<String>> {
        let (status, answer) = self.status(method, path, Some(&body)).await?;
        ensure!(status == StatusCode::UNPROCESSABLE_ENTITY, "{path}: {status} {answer}");
        let problem: Problem = serde_json::from_value(answer)?;
        Ok(problem.fields.into_keys().collect())
    }
}

/// A vehicle, and all that is said to it and of its alerts.
struct Car {
    publisher: Publisher,
    events: Events,
    _stop: tokio_util::sync::DropGuard,
}

impl Car {
    async fn connect(broker: &Mosquitto) -> Result<Self> {
        let stop = CancellationToken::new();
        let options = Options {
            subscriptions: ["fleet/v1/+/down/#", "fleet/v1/+/alert/+"]
                .map(|filter| (filter.to_owned(), Qos::AtLeastOnce))
                .into(),
            ..Options::new("127.0.0.1", broker.port(), "the-car", "car", "")
        };
        let (publisher, mut events) = connect(options, stop.clone());
        while !matches!(timeout(LIMIT, events.recv()).await?, Some(Event::Up)) {}
        Ok(Car { publisher, events, _stop: stop.drop_guard() })
    }

    async fn say(&self, vin: Vin, kind: Kind, payload: Vec<u8>) -> Result<()> {
        let topic = Topic::new(vin, kind).to_string();
        Ok(self.publisher.publish(topic, payload, Qos::AtLeastOnce, kind.retained()).await?.await?)
    }

    async fn is_online(&self, vin: Vin) -> Result<()> {
        let status =
            Status { v: SCHEMA_VERSION, vin, epoch: Epoch(1), status: Presence::Online, since: now(), reason: None };
        self.say(vin, Kind::Status, encode(&status)).await
    }

    /// The next message that is wanted.
    async fn hear<T>(&mut self, want: impl Fn(Message) -> Option<T>) -> Result<T> {
        loop {
            let event = timeout(LIMIT, self.events.recv()).await.context("nothing was said")?;
            let Event::Message(delivery) = event.context("the session has ended")? else { continue };
            let message = decode(&delivery.topic.parse()?, &delivery.payload)?;
            delivery.ack();
            if let Some(wanted) = want(message) {
                return Ok(wanted);
            }
        }
    }

    async fn command(&mut self) -> Result<Command> {
        self.hear(|message| if let Message::Command(command) = message { Some(command) } else { None }).await
    }

    async fn config(&mut self) -> Result<Config> {
        self.hear(|message| if let Message::Config(config) = message { Some(config) } else { None }).await
    }
}

async fn rig_on(broker: &Mosquitto) -> Result<Rig> {
    let rig = Rig::start_with(broker.port(), |_| {}).await?;
    rig.store.name_vehicle(vin(1), "Van 1", Some("ZH 123"), now()).await?;
    rig.until_healthy().await?;
    Ok(rig)
}

pub fn arrival(message: Message, kind: Kind) -> Arrival {
    Arrival {
        received_ts: now(),
        topic: Topic::new(vin(1), kind).to_string(),
        payload: Default::default(),
        content: Ok(message),
    }
}

fn of_vehicle(what: &str) -> String {
    format!("/vehicles/{}/{what}", vin(1))
}

#[tokio::test]
async fn a_command_is_said_again_until_its_vehicle_has_replied() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let person = Person::admin(&rig).await?;
    let mut car = Car::connect(&broker).await?;
    let id = CommandId(Uuid::new_v4());
    let order = json!({ "id": id, "name": "send_log", "arguments": { "lines": 20 }, "expires_in_s": 60 });
    let given: CommandEntry = person.send(Method::POST, &of_vehicle("commands"), &order).await?;
    assert_eq!(
        (given.state, given.by.as_str(), given.expires - given.issued),
        (CommandProgress::Issued, "admin", 60_000)
    );
    let heard = car.command().await?;
    assert_eq!((heard.id, heard.vin, heard.name.as_str()), (id, vin(1), "send_log"));

    // It was away and comes back: the same again, as often as it comes without having replied.
    for _ in 0..2 {
        car.is_online(vin(1)).await?;
        assert_eq!(car.command().await?, heard);
    }
    // The same id again is the same command, and another one with it is none.
    let again: CommandEntry = person.send(Method::POST, &of_vehicle("commands"), &order).await?;
    assert_eq!(again.id, id);
    let other = json!({ "id": id, "name": "restart" });
    let (status, problem) = person.status(Method::POST, &of_vehicle("commands"), Some(&other)).await?;
    assert_eq!((status, problem["error"].as_str()), (StatusCode::CONFLICT, Some("id_is_taken")));

    let reply = Reply {
        v: SCHEMA_VERSION,
        vin: vin(1),
        epoch: Epoch(1),
        seq: Seq(1),
        command: id,
        state: ReplyState::Done,
        at: now(),
        detail: Some("the newest 20 lines".into()),
        result: Default::default(),
        text: Some("a line".into()),
    };
    rig.store.commit(&[arrival(Message::Reply(reply), Kind::Reply)]).await?;
    let done: CommandEntry = person.ask(&of_vehicle(&format!("commands/{id}"))).await?;
    assert_eq!((done.state, done.text.as_deref()), (CommandProgress::Done, Some("a line")));
    // What has been replied to is not said again: the next thing heard is the next command.
    car.is_online(vin(1)).await?;
    let next = CommandId(Uuid::new_v4());
    let order = json!({ "id": next, "name": "resync" });
    let _: CommandEntry = person.send(Method::POST, &of_vehicle("commands"), &order).await?;
    assert_eq!(car.command().await?.id, next);
    let list: CommandList = person.ask(&of_vehicle("commands?limit=1")).await?;
    assert_eq!((list.commands.len(), list.commands[0].id), (1, next));
    let before = list.next.context("there is another page")?;
    let rest: CommandList = person.ask(&of_vehicle(&format!("commands?before={before}"))).await?;
    assert_eq!((rest.commands.len(), rest.next), (1, None));
    let log = rig.store.audit(bugbrother_store::AuditFilter::default(), None, 50).await?;
    assert_eq!(log.iter().filter(|entry| entry.what == "command_given").count(), 2);
    rig.stop().await
}

#[tokio::test]
async fn a_command_that_was_given_without_a_broker_is_said_when_there_is_one() -> Result<()> {
    let port = bugbrother_kit::port::free()?;
    let rig = Rig::start_with(port, |_| {}).await?;
    rig.store.name_vehicle(vin(1), "Van 1", None, now()).await?;
    let person = Person::admin(&rig).await?;
    let id = CommandId(Uuid::new_v4());
    let order = json!({ "id": id, "name": "read_dtcs" });
    let _: CommandEntry = person.send(Method::POST, &of_vehicle("commands"), &order).await?;
    let _: WishesState = person.send(Method::PUT, &of_vehicle("wishes"), &json!({ "privacy": true })).await?;
    let broker = Mosquitto::open_to_all_on(port)?;
    let mut car = Car::connect(&broker).await?;
    car.is_online(vin(1)).await?;
    let (mut command, mut config) = (None, None);
    while command.is_none() || config.is_none() {
        car.hear(|message| match message {
            Message::Command(said) => Some((Some(said), None)),
            Message::Config(said) => Some((None, Some(said))),
            _ => None,
        })
        .await
        .map(|(said, wanted)| {
            command = said.or(command.take());
            config = wanted.or(config.take());
        })?;
    }
    assert_eq!(command.map(|command| command.id), Some(id));
    assert!(config.is_some_and(|config| config.privacy));
    rig.stop().await
}

#[tokio::test]
async fn a_command_that_could_not_be_read_is_said_when_it_can() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let person = Person::admin(&rig).await?;
    let mut car = Car::connect(&broker).await?;
    let id = CommandId(Uuid::new_v4());
    let order = json!({ "id": id, "name": "read_dtcs" });
    let _: CommandEntry = person.send(Method::POST, &of_vehicle("commands"), &order).await?;
    let heard = car.command().await?;

    let failures = || counted("bugbrother_dashboard_downlink_failures_total ");
    let before = failures();
    let mut database = rig.database().await?;
    database.execute("ALTER TABLE command RENAME TO away").await?;
    car.is_online(vin(1)).await?;
    wait::until("it could not be read", LIMIT, async || (failures() > before).then_some(())).await?;
    database.execute("ALTER TABLE away RENAME TO command").await?;
    assert_eq!(car.command().await?, heard, "without another connection, and without the vehicle coming again");
    rig.stop().await
}

#[tokio::test]
async fn what_no_vehicle_would_do_is_refused_with_its_fields() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let person = Person::admin(&rig).await?;
    let id = Uuid::new_v4();
    for (order, field) in [
        (json!({ "id": id, "name": "selfdestruct" }), "name"),
        (json!({ "id": id, "name": "restart", "arguments": { "now": true } }), "now"),
        (json!({ "id": id, "name": "privacy" }), "on"),
        (json!({ "id": id, "name": "set_rates", "arguments": { "spd": 1 } }), "spd"),
        (json!({ "id": id, "name": "resync", "expires_in_s": 1 }), "expires_in_s"),
        (json!({ "id": Uuid::nil(), "name": "resync" }), "id"),
    ] {
        assert_eq!(person.wrong(Method::POST, &of_vehicle("commands"), order.clone()).await?, [field], "{order}");
    }
    for (wishes, field) in [
        (json!({ "periods_ms": { "spd": 1 } }), "periods_ms.spd"),
        (json!({ "thresholds": { "crash": 1.0 } }), "thresholds.crash"),
        (json!({ "daily_bytes": 5 }), "daily_bytes"),
    ] {
        assert_eq!(person.wrong(Method::PUT, &of_vehicle("wishes"), wishes.clone()).await?, [field], "{wishes}");
    }
    assert_eq!(rig.store.commands(vin(1), None, 10).await?, []);
    // As many as its agent has places for, and no more.
    for n in 0..17 {
        let order = json!({ "id": Uuid::new_v4(), "name": "resync" });
        let (status, _) = person.status(Method::POST, &of_vehicle("commands"), Some(&order)).await?;
        assert_eq!(status, if n < 16 { StatusCode::OK } else { StatusCode::CONFLICT });
    }
    let unknown = format!("/vehicles/{}/commands", vin(9));
    let order = json!({ "id": id, "name": "resync" });
    assert_eq!(person.status(Method::POST, &unknown, Some(&order)).await?.0, StatusCode::NOT_FOUND);
    rig.stop().await
}

#[tokio::test]
async fn wishes_and_geofences_are_told_to_the_vehicles_that_they_concern() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    rig.store.name_vehicle(vin(2), "Van 2", None, now()).await?;
    let client = Person { token: rig.client_with(&[vin(2)]).await?, rig: &rig };
    let of_client = rig.store.accounts(None, 10).await?.into_iter().find_map(|account| account.client);
    let of_client = of_client.context("the client has an account")?.to_string();
    let person = Person::admin(&rig).await?;
    let mut car = Car::connect(&broker).await?;

    let wishes =
        json!({ "periods_ms": { "spd": 500 }, "thresholds": { "harsh_braking": 4.0 }, "driver_privacy": true });
    let state: WishesState = person.send(Method::PUT, &of_vehicle("wishes"), &wishes).await?;
    let first = car.config().await?;
    assert_eq!((first.vin, first.revision, first.driver_privacy), (vin(1), state.revision, true));
    assert_eq!(first.periods_ms, [("spd".to_owned(), 500)].into());

    let circle = json!({ "circle": { "centre": [46.5, 6.6], "radius_m": 200.0 } });
    let yard = json!({ "name": " Yard ", "shape": circle, "colour": "#e66100" });
    let made: GeofenceEntry = person.send(Method::POST, "/geofences", &yard).await?;
    assert_eq!(made.geofence.name, "Yard");
    let mut told = [car.config().await?, car.config().await?];
    told.sort_by_key(|config| config.vin);
    assert_eq!([told[0].vin, told[1].vin], [vin(1), vin(2)], "it is the whole fleet's");
    assert!(told[0].revision > first.revision && told[0].driver_privacy, "the wishes stay");
    assert!(told.iter().all(|config| config.geofences.iter().any(|fence| fence.id == made.id)));

    let own = json!({ "name": "Depot", "shape": circle, "client": of_client });
    let own: GeofenceEntry = person.send(Method::POST, "/geofences", &own).await?;
    let of_two = car.config().await?;
    assert_eq!((of_two.vin, of_two.geofences.len()), (vin(2), 2), "the other vehicle is not the client's");
    let seen: GeofenceList = client.ask("/geofences").await?;
    assert_eq!(seen.geofences.iter().map(|fence| fence.id.as_str()).collect::<Vec<_>>(), [own.id.as_str()]);
    let fleets = client.status(Method::GET, &format!("/geofences/{}", made.id), None).await?;
    assert_eq!(fleets.0, StatusCode::NOT_FOUND);

    let (status, deleted) = person.status(Method::DELETE, &format!("/geofences/{}", made.id), None).await?;
    assert_eq!((status, deleted["name"].as_str()), (StatusCode::OK, Some("Yard")));
    let mut told = [car.config().await?, car.config().await?];
    told.sort_by_key(|config| config.vin);
    assert_eq!([told[0].geofences.len(), told[1].geofences.len()], [0, 1]);
    // Put back under the same identity: that is what undoing is.
    let back: GeofenceEntry = person.send(Method::PUT, &format!("/geofences/{}", made.id), &yard).await?;
    assert_eq!(back.id, made.id);
    for (body, field) in [
        (json!({ "name": "", "shape": circle }), "name"),
        (json!({ "name": "x", "shape": { "polygon": [[1.0, 2.0], [1.0, 3.0]] } }), "shape"),
        (json!({ "name": "x", "shape": circle, "colour": "red" }), "colour"),
        (json!({ "name": "x", "shape": circle, "client": Uuid::new_v4() }), "client"),
    ] {
        assert_eq!(person.wrong(Method::POST, "/geofences", body.clone()).await?, [field], "{body}");
    }
    rig.stop().await
}

fn alert(n: u128, at: i64) -> Alert {
    Alert {
        v: SCHEMA_VERSION,
        vin: vin(1),
        id: AlertId(Uuid::from_u128(n)),
        rule: "fast".to_owned(),
        title: "Faster than 130 km/h".to_owned(),
        severity: Severity::Warning,
        state: AlertState::Open,
        opened: at,
        updated: at,
        resolved: None,
        count: 1,
        value: Some(141.0),
        signal: Some("spd".to_owned()),
        limit: Some(130.0),
        lat: Some(46.52),
        lon: Some(6.63),
        acknowledged_by: None,
        late: false,
        detail: None,
    }
}

#[tokio::test]
async fn who_sees_to_an_alert_is_known_to_all_at_once_and_can_be_taken_back() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let person = Person::admin(&rig).await?;
    let open = alert(1, now());
    rig.store.save_alert(&open).await?;
    let mut car = Car::connect(&broker).await?;
    car.say(vin(1), Kind::Alert(open.id), encode(&open)).await?;
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    viewer.until(|viewer| viewer.alerts == [open.clone()]).await?;

    let path = format!("/alerts/{}", open.id);
    let said = async |car: &mut Car, state: AlertState| {
        car.hear(|message| match message {
            Message::Alert(alert) if alert.state == state => Some(alert),
            _ => None,
        })
        .await
    };
    let seen: AlertDetail = person.send(Method::POST, &format!("{path}/acknowledgement"), &json!({})).await?;
    assert_eq!(seen.alert.alert.acknowledged_by.as_deref(), Some("admin"));
    assert!(seen.place.as_deref().is_some_and(|place| place.contains("CH")), "{:?}", seen.place);
    viewer.until(|viewer| viewer.alerts[0].state == AlertState::Acknowledged).await?;
    assert_eq!(said(&mut car, AlertState::Acknowledged).await?.acknowledged_by.as_deref(), Some("admin"));
    let (status, back) = person.status(Method::DELETE, &format!("{path}/acknowledgement"), None).await?;
    assert_eq!((status, back["alert"]["state"].as_str()), (StatusCode::OK, Some("open")));
    viewer.until(|viewer| viewer.alerts[0].state == AlertState::Open).await?;
    said(&mut car, AlertState::Open).await?;

    let _: AlertDetail = person.send(Method::POST, &format!("{path}/comments"), &json!({ "text": " called " })).await?;
    let _: AlertDetail = person.send(Method::PUT, &format!("{path}/assignment"), &json!({ "to": "admin" })).await?;
    let until = now() + HOUR;
    let last: AlertDetail = person.send(Method::PUT, &format!("{path}/rest"), &json!({ "until": until })).await?;
    assert_eq!((last.alert.assigned_to.as_deref(), last.alert.snoozed_until), (Some("admin"), Some(until)));
    let kinds: Vec<_> = last.history.iter().map(|step| step.kind).collect();
    use AlertStepKind::{Acknowledged, Assigned, Commented, Opened, Snoozed};
    assert_eq!(kinds, [Opened, Acknowledged, Opened, Commented, Assigned, Snoozed]);
    assert_eq!(last.history[3].text.as_deref(), Some("called"));
    assert_eq!(person.wrong(Method::POST, &format!("{path}/comments"), json!({ "text": " " })).await?, ["text"]);
    assert_eq!(person.wrong(Method::PUT, &format!("{path}/assignment"), json!({ "to": "nobody" })).await?, ["to"]);
    assert_eq!(person.wrong(Method::PUT, &format!("{path}/rest"), json!({ "until": 5 })).await?, ["until"]);

    let end = Alert { state: AlertState::Resolved, resolved: Some(now()), updated: now(), ..open.clone() };
    rig.store.save_alert(&end).await?;
    let (status, problem) = person.status(Method::POST, &format!("{path}/acknowledgement"), Some(&json!({}))).await?;
    assert_eq!((status, problem["error"].as_str()), (StatusCode::CONFLICT, Some("alert_is_over")));
    rig.stop().await
}

#[tokio::test]
async fn a_client_sees_the_alerts_of_its_vehicles_and_learns_of_no_other() -> Result<()> {
    let rig = Rig::start().await?;
    for n in [1, 2] {
        rig.store.name_vehicle(vin(n), "Van", None, now()).await?;
        rig.store.save_alert(&Alert { vin: vin(n), ..alert(n as u128, now()) }).await?;
    }
    let client = Person { token: rig.client_with(&[vin(2)]).await?, rig: &rig };
    let list: AlertList = client.ask("/alerts?state=active").await?;
    assert_eq!(list.alerts.iter().map(|one| one.alert.vin).collect::<Vec<_>>(), [vin(2)]);
    let of = |n: u128| format!("/alerts/{}", AlertId(Uuid::from_u128(n)));
    let own: AlertDetail = client.ask(&of(2)).await?;
    assert_eq!(own.alert.alert.vin, vin(2));
    let [others, nobodys] =
        [client.status(Method::GET, &of(1), None).await?, client.status(Method::GET, &of(9), None).await?];
    assert_eq!(others, nobodys);
    assert_eq!(others.0, StatusCode::NOT_FOUND);

    let admin = Person::admin(&rig).await?;
    for (query, count) in
        [("", 2), ("?severity=critical", 0), ("?rule=fast", 2), ("?state=resolved", 0), ("?from=5&to=6", 0)]
    {
        let list: AlertList = admin.ask(&format!("/alerts{query}")).await?;
        assert_eq!(list.alerts.len(), count, "{query}");
    }
    let first: AlertList = admin.ask("/alerts?limit=1").await?;
    let next = first.next.context("there is another page")?;
    let second: AlertList = admin.ask(&format!("/alerts?limit=1&before={next}")).await?;
    assert!(second.next.is_none() && second.alerts[0].alert.id != first.alerts[0].alert.id);
    let bad = admin.status(Method::GET, "/alerts?before=never", None).await?;
    assert_eq!((bad.0, bad.1["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_query")));
    rig.stop().await
}

#[tokio::test]
async fn a_rule_is_made_tried_on_history_and_deleted() -> Result<()> {
    let rig = Rig::start().await?;
    two_days(&rig.store, vin(1)).await?;
    let person = Person::admin(&rig).await?;
    let condition = json!({ "above": { "signals": ["spd", "gspd"], "on": 70.0, "off": 60.0, "for_ms": 10_000 } });
    let rule = json!({ "title": "Quick", "severity": "info", "enabled": true, "condition": condition });
    let made: RuleEntry = person.send(Method::PUT, "/rules/quick", &rule).await?;
    let list: RuleList = person.ask("/rules").await?;
    assert!(list.rules.contains(&made) && list.rules.len() == 3);

    // Four drives of an hour, two of them folded and two of them not, on which the engine's speed rises over and over from
    // 1500 to 1598 in 100 s.
    let high = json!({ "above": { "signals": ["x.none", "rpm"], "on": 1590.0, "off": 1510.0, "for_ms": 0 } });
    let order = json!({ "condition": high, "from": START, "to": START + 2 * DAY });
    let all: TrialReport = person.send(Method::POST, "/rules/trial", &order).await?;
    let in_hour = |hour: i64| all.firings.iter().filter(|firing| (firing.opened - START) / HOUR == hour).count();
    assert_eq!((all.fired, [8, 17, 32, 41].map(in_hour), all.vehicles, all.next), (144, [36; 4], 1, None));
    assert!(all.samples >= 4 * 3600, "{}", all.samples);
    let first = &all.firings[0];
    assert_eq!((first.worst, first.position.is_some(), first.place.is_some()), (Some(1598.0), true, true));
    assert_eq!(first.resolved, Some(first.opened + 8_000));
    let day = json!({ "condition": high, "from": START, "to": START + DAY, "vin": vin(1) });
    let day: TrialReport = person.send(Method::POST, "/rules/trial", &day).await?;
    assert_eq!(day.fired, 72);
    let never = json!({ "above": { "signals": ["gspd"], "on": 100.0, "off": 90.0, "for_ms": 0 } });
    let never = json!({ "condition": never, "from": START, "to": START + 2 * DAY });
    let never: TrialReport = person.send(Method::POST, "/rules/trial", &never).await?;
    assert_eq!((never.fired, never.vehicles, never.samples), (0, 1, 0), "the hours' highest values say so");
    let silent = json!({ "condition": { "silent": { "after_ms": 3_600_000 } }, "from": START, "to": START + 2 * DAY });
    let silent: TrialReport = person.send(Method::POST, "/rules/trial", &silent).await?;
    assert_eq!(silent.fired, 4, "three pauses, and the rest of the second day");

    for (path, body, field) in [
        ("/rules/Bad%20id", rule.clone(), "id"),
        ("/rules/a", json!({ "title": " ", "severity": "info", "enabled": true, "condition": condition }), "title"),
    ] {
        assert_eq!(person.wrong(Method::PUT, path, body).await?, [field], "{path}");
    }
    for (condition, field) in [
        (json!({ "above": { "signals": ["spd"], "on": 1.0, "off": 2.0, "for_ms": 0 } }), "off"),
        (json!({ "below": { "signals": [], "on": 1.0, "off": 2.0, "for_ms": 0 } }), "signals"),
        (json!({ "silent": { "after_ms": 1 } }), "duration"),
    ] {
        let rule = json!({ "title": "x", "severity": "info", "enabled": true, "condition": condition });
        assert_eq!(person.wrong(Method::PUT, "/rules/a", rule).await?, [field]);
        let order = json!({ "condition": condition, "from": START, "to": START + 1 });
        assert_eq!(person.wrong(Method::POST, "/rules/trial", order).await?, [field]);
    }
    let lamp = json!({ "condition": "lamp", "from": START, "to": START + DAY });
    assert_eq!(person.wrong(Method::POST, "/rules/trial", lamp).await?, ["condition"], "there is no history of it");
    let nowhere = json!({ "all": ["lamp", { "outside_hours": {
        "zone": "Europe/Atlantis", "days": ["mon"], "from_min": 0, "to_min": 60 } }] });
    let rule = json!({ "title": "x", "severity": "info", "enabled": true, "condition": nowhere });
    assert_eq!(person.wrong(Method::PUT, "/rules/a", rule).await?, ["hours"]);
    let rule =
        json!({ "title": "x", "severity": "info", "enabled": true, "condition": "lamp", "scope": { "vehicles": [] } });
    assert_eq!(person.wrong(Method::PUT, "/rules/a", rule).await?, ["scope"]);
    let long = json!({ "condition": condition, "from": START, "to": START + 32 * DAY });
    assert_eq!(person.wrong(Method::POST, "/rules/trial", long).await?, ["to"]);

    let (status, deleted) = person.status(Method::DELETE, "/rules/quick", None).await?;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(serde_json::from_value::<RuleEntry>(deleted)?, made, "what was deleted can be put back");
    assert_eq!(person.status(Method::DELETE, "/rules/quick", None).await?.0, StatusCode::NOT_FOUND);
    rig.stop().await
}

#[tokio::test]
async fn a_vehicles_troubles_are_told_in_words_and_pages_are_told_when_they_are_stored() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let person = Person::admin(&rig).await?;
    let car = Car::connect(&broker).await?;
    let empty: DiagnosticsReport = person.ask(&of_vehicle("diagnostics")).await?;
    assert_eq!((empty.at, empty.codes.len()), (None, 0));
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    let told = Diagnostics {
        v: SCHEMA_VERSION,
        vin: vin(1),
        epoch: Epoch(1),
        seq: Seq(1),
        at: now(),
        mil: Some(true),
        dtcs: vec![
            Dtc { code: "P0302".into(), status: DtcStatus::Stored, ecu: Some("7E8".into()) },
            Dtc { code: "P0420".into(), status: DtcStatus::Pending, ecu: None },
        ],
        monitors: vec![Monitor { name: "catalyst".into(), complete: false }],
        freeze_frame: Some(FreezeFrame {
            code: "P0302".into(),
            values: [("rpm".to_owned(), 2100.0)].into(),
            ecu: None,
        }),
    };
    car.say(vin(1), Kind::Diagnostics, encode(&told)).await?;
    // A word of the vehicle comes through: the record itself has come before it.
    car.is_online(vin(1)).await?;
    viewer.until(|viewer| viewer.vehicles.values().any(|vehicle| vehicle.presence == Presence::Online)).await?;
    rig.store.commit(&[arrival(Message::Diagnostics(told), Kind::Diagnostics)]).await?;
    let noticed = async |viewer: &mut Viewer, news: News| -> Result<()> {
        loop {
            if let Frame::Delta(delta) = viewer.read().await?
                && delta.notices.contains(&Notice(0, news))
            {
                return Ok(());
            }
        }
    };
    noticed(&mut viewer, News::Diagnostics).await?;
    let report: DiagnosticsReport = person.ask(&of_vehicle("diagnostics")).await?;
    let words: Vec<_> = report.codes.iter().map(|code| (code.code.as_str(), code.severity, code.gone)).collect();
    assert!(words.contains(&("P0302", Severity::Critical, None)) && words.contains(&("P0420", Severity::Info, None)));
    assert_eq!((report.mil, report.monitors[0].label.as_str()), (Some(true), "Catalyst"));
    let frame = report.freeze_frame.context("a frame was told")?;
    assert_eq!((frame.values[0].label.as_str(), frame.values[0].unit.as_str()), ("Engine speed", "rpm"));
    let french: DiagnosticsReport = person.ask(&of_vehicle("diagnostics?lang=fr")).await?;
    assert_eq!(french.monitors[0].label, "Catalyseur");
    let misfire = french.codes.iter().find(|code| code.code == "P0302").context("it was told")?;
    assert_eq!(misfire.title, "Ratés dans le cylindre 2");
    assert!(misfire.advice.contains("clignote"), "{}", misfire.advice);

    let cause = AlertCause { codes: vec!["P0302".into()], ..AlertCause::default() };
    let alert = Alert { detail: Some(Box::new(cause)), ..alert(9, now()) };
    rig.store.save_alert(&alert).await?;
    for (lang, title) in [("en", "Misfire in cylinder 2"), ("fr", "Ratés dans le cylindre 2")] {
        let shown: AlertDetail = person.ask(&format!("/alerts/{}?lang={lang}", alert.id)).await?;
        let [trouble] = &shown.troubles[..] else { bail!("{:?}", shown.troubles) };
        assert_eq!((trouble.title.as_str(), trouble.severity), (title, Severity::Critical));
        assert!(trouble.advice.len() > 40);
    }

    let event = Happening {
        v: SCHEMA_VERSION,
        vin: vin(1),
        epoch: Epoch(1),
        seq: Seq(2),
        id: bugbrother_wire::EventId(Uuid::new_v4()),
        at: now(),
        kind: EventKind::HarshBraking,
        lat: None,
        lon: None,
        values: Default::default(),
        text: None,
    };
    rig.store.commit(&[arrival(Message::Event(event.clone()), Kind::Event)]).await?;
    car.say(vin(1), Kind::Event, encode(&event)).await?;
    noticed(&mut viewer, News::Event).await?;
    let events: EventList = person.ask(&of_vehicle(&format!("events?from={}", now() - HOUR))).await?;
    assert_eq!(events.events, [event]);
    let media: MediaList = person.ask(&of_vehicle("media")).await?;
    assert_eq!((media.media.len(), media.next), (0, None));
    let card: VehicleCard = person.ask(&of_vehicle("card")).await?;
    assert_eq!((card.name.as_str(), card.plate.as_deref(), card.driving_since), ("Van 1", Some("ZH 123"), None));
    rig.stop().await
}

#[tokio::test]
async fn trips_that_were_made_are_told_and_one_is_found_by_its_beginning() -> Result<()> {
    let broker = Mosquitto::open_to_all()?;
    let rig = rig_on(&broker).await?;
    let mut viewer = Viewer::join(&rig, &rig.token().await?).await?;
    two_days(&rig.store, vin(1)).await?;
    crate::drive::fold(&rig.store, vin(1)).await?;
    loop {
        if let Frame::Delta(delta) = viewer.read().await?
            && delta.notices.contains(&Notice(0, News::Trips))
        {
            break;
        }
    }
    let person = Person::admin(&rig).await?;
    let trips: bugbrother_wire::api::TripList = person.ask(&of_vehicle("trips")).await?;
    let one = &trips.trips[1];
    let found: bugbrother_wire::api::Trip = person.ask(&of_vehicle(&format!("trips/{}", one.start))).await?;
    assert_eq!(found, *one);
    for none in ["trips/5", "trips/yesterday"] {
        assert_eq!(person.status(Method::GET, &of_vehicle(none), None).await?.0, StatusCode::NOT_FOUND);
    }
    let card: VehicleCard = person.ask(&of_vehicle("card")).await?;
    // Nothing has been heard since, so that nobody knows that it has ended.
    assert_eq!((card.driving_since, card.standing_since), (Some(trips.trips[0].start), None));
    rig.stop().await
}

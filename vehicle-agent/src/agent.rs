use std::{collections::BTreeMap, io, panic::resume_unwind, pin::Pin, sync::Arc, time::Duration};

use bugbrother_client::Traffic;
use bugbrother_wire::{
    Vin,
    message::{EventKind, SignalDeclaration, VinSource},
    signal,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::{
    alive,
    budget::{self, Thinning},
    camera,
    clock::{ClockSettings, Time},
    command::{self, Desk, Means},
    config::{Config, ConfigError, GpsSource},
    enrol::{EnrolError, Folder, keep_renewed},
    event, gps,
    log::Log,
    microcontroller::{self, Press},
    obd::{self, CarVin},
    outbox::{self, Draft, Happening, Outbox, OutboxError, peek_vin},
    ports::Ports,
    recorder::{self, Inputs, Reading},
    rest,
    uplink::{self, Account, Ties, UplinkError},
    wishes::Wishes,
};

/// Why the agent ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The outbox cannot be used.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// There is no way to the fleet any more.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] gps::RecordingError),
    /// There is nowhere to keep photos and films.
    #[error(transparent)]
    Media(#[from] camera::FolderError),
    /// The fleet's server for photos, films and live pictures cannot be used.
    #[error("`server`")]
    Server(#[source] EnrolError),
    /// The car does not say which one it is.
    #[error("the car tells no VIN over OBD-II, as many before 2008: set `vin`")]
    NoVin,
    /// The adapter was put into another car.
    #[error(
        "outbox belongs to {outbox}, the adapter is in {car}: set `vin` if that is wrong, or give this car an outbox of its own"
    )]
    OtherCar {
        /// Whose outbox it is.
        outbox: Vin,
        /// What the car says.
        car: Vin,
    },
}

/// Some seconds of a fast receiver; more waits in the kernel, and then in the device.
const FIXES: usize = 256;
const READINGS: usize = 64;
/// Some seconds of an accelerometer.
const SENSED: usize = 256;
const HAPPENINGS: usize = 8;
const DRAFTS: usize = 256;
const TASKS: usize = 8;
const GPS_KEYS: [&str; 9] = ["lat", "lon", "hdg", "gspd", "alt", "hdop", "sats", "fixq", "acc"];
const GPS_PERIOD_MS: u32 = 1000;

/// Under this name the outbox keeps what is known of ignition and geofences.
const EVENTS: &str = "events";

/// What the agent wants when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing: it was told to end, or is done.
    Done,
    /// To be started anew: the fleet wants it.
    Restart,
}

/// A part of the agent, when it has ended.
#[derive(PartialEq)]
enum Part {
    Receiver,
    Other,
}

/// What becomes of the records.
type Uplink = Pin<Box<dyn Future<Output = Result<(), UplinkError>> + Send>>;

type Parts = JoinSet<Result<Part, Error>>;

/// Runs the agent until `shutdown`, or until its recording is replayed and stored where the settings say so.
///
/// Ends with an error when the settings, the outbox or the recording cannot be used. Devices and brokers that are away
/// are waited for.
pub async fn run(config: Config, log: Log, shutdown: CancellationToken) -> Result<Ended, Error> {
    config.check()?;
    let password = config.read_password()?;
    let tls = config.tls()?;
    let sensors = shutdown.child_token();
    let _sensors_end_with_this = sensors.clone().drop_guard();
    let mut parts = Parts::new();

    let time = Time::new(ClockSettings::of_this_system());
    time.look().await;
    let ports = Ports::new(&config.devices);
    let (drafts, drafts_in) = mpsc::channel(DRAFTS);
    let (readings, readings_in) = mpsc::channel(READINGS);
    let (fixes, fixes_in) = mpsc::channel(FIXES);
    let (signals, signals_in) = watch::channel(gps_signals(&config));
    let (periods, periods_in) = watch::channel(BTreeMap::new());
    let (daily_bytes, daily_bytes_in) = watch::channel(None);
    let (thinning, thinning_in) = watch::channel(Thinning::default());
    let (vin_out, mut car_vin) = watch::channel(CarVin::Unknown);
    let (car, car_in) = watch::channel(None);
    let (power, power_in) = watch::channel(obd::Power { phase: obd::Phase::Unknown, voltage: None });
    let (moving, moving_in) = watch::channel(false);
    let mut tasks = None;
    let controller = listen_to_controller(&config, &ports, signals.clone(), &sensors, &mut parts);
    if let Some(adapter) = config.obd.clone() {
        let (tasks_out, tasks_in) = mpsc::channel(TASKS);
        tasks = Some(tasks_out);
        let outputs =
            obd::Outputs { readings, drafts: drafts.clone(), signals, vin: vin_out, car, power, time: time.clone() };
        let inputs = obd::Inputs { periods: periods_in, moving: moving_in.clone(), tasks: tasks_in };
        let pace = obd::Pace::sleeping_after(config.obd_sleep_after_s);
        let plan = obd::Plan { adapter, ports: ports.clone(), pace };
        let stop = sensors.clone();
        parts.spawn_blocking(move || {
            obd::run(&plan, &outputs, inputs, &stop);
            Ok(Part::Other)
        });
    } else {
        // The recorder ends when nobody is left who could tell it anything.
        drop(readings);
    }

    let known = match config.vin {
        Some(vin) => Some((vin, VinSource::Configured)),
        None => peek_vin(&config.outbox).await?,
    };
    let known = match known {
        Some(known) => Some(known),
        // A car may stand for weeks before it says anything.
        None => alive::meanwhile(ask_vin(&mut car_vin, &shutdown)).await?,
    };
    let Some((vin, vin_source)) = known else {
        return Ok(Ended::Done);
    };
    info!(%vin, ?vin_source, "this vehicle");
    let (path, max_bytes) = (&config.outbox, config.outbox_max_bytes);
    let outbox = Outbox::open(path, max_bytes, vin, vin_source, time.estimate()).await?;
    if let Some(good) = outbox.enter(time.boot()).await? {
        time.remember(good.started);
    }
    let wishes = Wishes::new(outbox.wanted().await?);
    let restart = CancellationToken::new();
    let (commands, commands_in) = mpsc::channel(command::WAITING);
    let (resync, resync_in) = mpsc::channel(1);
    let (filmed, filmed_in) = mpsc::channel(camera::HAPPENINGS);
    let crew = camera::prepare(
        &config,
        camera::Means {
            outbox: outbox.clone(),
            time: time.clone(),
            drafts: drafts.clone(),
            private: wishes.private(),
            thinning: thinning_in.clone(),
            happenings: filmed_in,
        },
    )?;
    let cameras = crew.as_ref().map(camera::Crew::cameras);
    let means = Means { wishes: wishes.clone(), car: tasks, cameras, resync, restart: restart.clone(), log };
    if let Some(crew) = crew {
        let stop = sensors.clone();
        parts.spawn(async move {
            crew.run(stop).await;
            Ok(Part::Other)
        });
    }
    let desk = Desk::open(outbox.clone(), time.clone(), means).await?;
    let stop = sensors.clone();
    parts.spawn(async move {
        desk.run(commands_in, stop).await;
        Ok(Part::Other)
    });
    let followers = Followers { periods, daily_bytes, drafts: drafts.clone() };
    parts.spawn(follow(wishes.clone(), followers, time.clone(), sensors.clone()));

    let recording = match &config.gps {
        Some(GpsSource::Recording { path, .. }) => Some(path.clone()),
        _ => None,
    };
    let skip = match &recording {
        Some(recording) => outbox.resume_recording(recording).await?,
        None => 0,
    };
    if skip > 0 {
        info!(fixes = skip, "the recording goes on where it was");
    }
    let (rest, rest_in) = watch::channel(None);
    let resting = rest::follow(power_in, moving_in, rest, sensors.clone());
    parts.spawn(async move {
        resting.await;
        Ok(Part::Other)
    });
    let (seen_fixes, seen_fixes_in) = mpsc::channel(FIXES);
    let (seen_readings, seen_readings_in) = mpsc::channel(READINGS);
    let Controller { sensed, happenings, presses } = controller;
    let looking = event::Inputs {
        fixes: fixes_in,
        readings: readings_in,
        sensed,
        happenings,
        config: wishes.config(),
        private: wishes.private(),
        time: time.clone(),
        replays: recording.is_some(),
        known: outbox.noted(EVENTS).await?,
    };
    let (known_events, known_events_in) = watch::channel(None);
    parts.spawn(remember(known_events_in, outbox.clone()));
    let seen = event::Outputs {
        fixes: seen_fixes,
        readings: seen_readings,
        drafts: drafts.clone(),
        filmed,
        known: known_events,
    };
    parts.spawn(async move {
        event::look_out(looking, seen).await;
        Ok(Part::Other)
    });
    parts.spawn(heed(presses, wishes.clone(), outbox.clone()));
    let inputs = Inputs {
        fixes: seen_fixes_in,
        readings: seen_readings_in,
        private: wishes.private(),
        replays: recording.is_some(),
        time: time.clone(),
        moving,
        rest: rest_in.clone(),
        thinning: thinning_in,
        rhythm: config.rhythm(),
    };
    let recorded = drafts.clone();
    parts.spawn(async move {
        recorder::record(inputs, recorded).await;
        Ok(Part::Other)
    });
    let (grouping, pace) = (config.grouping(), config.pace());
    let keeping = outbox::keep(outbox.clone(), drafts_in, grouping, time.clone(), sensors.clone());
    parts.spawn(async move {
        keeping.await?;
        Ok(Part::Other)
    });
    if let Some(source) = config.gps {
        let plan = gps::Plan::new(source, ports);
        let outputs = gps::Outputs { fixes, drafts, time: time.clone() };
        let stop = sensors.clone();
        parts.spawn(async move {
            gps::run(&plan, skip, outputs, &stop).await?;
            Ok(Part::Receiver)
        });
    } else {
        drop((fixes, drafts));
    }
    let traffic = Traffic::default();
    let account = Account {
        pace,
        traffic: traffic.clone(),
        brokers: config.broker.addresses().cloned().collect(),
        return_after: Duration::from_secs(config.return_after_s.into()),
        tls,
        username: config.username.unwrap_or_else(|| vin.to_string()),
        password,
    };
    let leave = CancellationToken::new();
    let (online, online_in) = watch::channel(false);
    let releasing = outbox::release(outbox.clone(), time.clone(), online_in, leave.clone());
    let keeping_time = {
        let (time, stop) = (time.clone(), leave.clone());
        async move { time.keep(&stop).await }
    };
    let keeping_identity = {
        let (identity, time, stop) = (config.identity.clone().map(Folder::new), time.clone(), leave.clone());
        async move {
            if let Some(folder) = identity {
                keep_renewed(folder, time, stop).await;
            }
        }
    };
    let limit = budget::Limit { local: config.daily_bytes, of_fleet: daily_bytes_in };
    let counting = budget::keep(outbox.clone(), time.clone(), traffic, limit, thinning, leave.clone());
    let uplink_over = CancellationToken::new();
    let (pings, pings_in) = mpsc::channel(1);
    let watching = alive::watch(outbox.clone(), pings, leave.clone());
    let background = tokio::spawn(async move {
        tokio::join!(releasing, keeping_time, keeping_identity, counting, watching);
    });
    let ties = Ties {
        signals: signals_in,
        cameras: camera::declarations(&config.cameras),
        car: car_in,
        wishes,
        commands,
        resync: resync_in,
        rest: rest_in,
        pings: pings_in,
        online,
        time,
    };
    let uplink: Uplink = match config.dry_run {
        false => Box::pin(uplink::run(account, outbox.clone(), ties, leave.clone())),
        true => Box::pin(uplink::print(outbox.clone(), ties, io::stdout(), leave.clone())),
    };
    let over = uplink_over.clone().drop_guard();
    let uplink = tokio::spawn(async move {
        let _over = over;
        uplink.await
    });

    let mut watches_car = true;
    let mut outcome = loop {
        tokio::select! {
            () = shutdown.cancelled() => break Ok(()),
            () = uplink_over.cancelled() => break Ok(()),
            () = restart.cancelled() => break Ok(()),
            Some(ended) = parts.join_next() => match settle(ended) {
                Ok(Part::Receiver) if config.exit_when_done => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            },
            car = other_car(&mut car_vin, vin), if watches_car => match vin_source {
                VinSource::Obd => break Err(Error::OtherCar { outbox: vin, car }),
                VinSource::Configured => {
                    warn!(%vin, %car, "the car tells another VIN than the settings, which go before it");
                    watches_car = false;
                }
            },
        }
    };

    if shutdown.is_cancelled() {
        alive::stopping();
    }
    sensors.cancel();
    while let Some(ended) = parts.join_next().await {
        outcome = with(outcome, settle(ended).map(drop));
    }
    // A recording that the shutdown has cut goes on next time.
    if config.exit_when_done && outcome.is_ok() && !shutdown.is_cancelled() {
        let mut tally = outbox.tally();
        let mut stored = false;
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = uplink_over.cancelled() => {}
            Ok(tally) = tally.wait_for(|tally| tally.unstored == 0) => {
                info!(records = tally.top.0, "recording replayed, and the database has all of it");
                stored = true;
            }
        }
        if stored {
            outcome = outbox.finish_recording().await.map_err(Error::from);
        }
    }
    leave.cancel();
    let left = settle(uplink.await).map_err(Error::from);
    settle(background.await);
    let closed = outbox.close().await.map_err(Error::from);
    with(with(outcome, left), closed)?;
    Ok(if restart.is_cancelled() { Ended::Restart } else { Ended::Done })
}

/// What a microcontroller says; all of it ends at once where there is none.
struct Controller {
    sensed: mpsc::Receiver<Reading>,
    happenings: mpsc::Receiver<Happening>,
    presses: mpsc::Receiver<Press>,
}

fn listen_to_controller(
    config: &Config,
    ports: &Ports,
    signals: watch::Sender<Vec<SignalDeclaration>>,
    sensors: &CancellationToken,
    parts: &mut Parts,
) -> Controller {
    let (readings, sensed) = mpsc::channel(SENSED);
    let (happenings, happenings_in) = mpsc::channel(HAPPENINGS);
    let (presses, presses_in) = mpsc::channel(HAPPENINGS);
    if let Some(source) = config.microcontroller.clone() {
        let outputs = microcontroller::Outputs { readings, happenings, presses, signals };
        let (ports, stop) = (ports.clone(), sensors.clone());
        parts.spawn(async move {
            microcontroller::run(&source, &ports, outputs, &stop).await;
            Ok(Part::Other)
        });
    }
    Controller { sensed, happenings: happenings_in, presses: presses_in }
}

/// Does what the buttons in the car are for. The panic button is an event already.
async fn heed(mut presses: mpsc::Receiver<Press>, wishes: Wishes, outbox: Outbox) -> Result<Part, Error> {
    while let Some(press) = presses.recv().await {
        if press != Press::Privacy {
            continue;
        }
        match wishes.press() {
            Ok(_) => {
                if let Err(error) = wishes.write(&outbox).await {
                    warn!(error = &error as &dyn std::error::Error, "privacy is switched, but not noted on disk");
                }
            }
            Err(refused) => info!(reason = %refused, "the button for privacy was pressed"),
        }
    }
    Ok(Part::Other)
}

/// Keeps what the detectors of events know, so that a restart is no event.
async fn remember(mut known: watch::Receiver<Option<event::Snapshot>>, outbox: Outbox) -> Result<Part, Error> {
    while known.changed().await.is_ok() {
        let snapshot = known.borrow_and_update().clone();
        if let Some(snapshot) = snapshot
            && let Err(error) = outbox.note(EVENTS, &snapshot).await
        {
            // What is on disk is older: the worst is an event too many.
            debug!(error = &error as &dyn std::error::Error, "what is known of events is not kept");
        }
    }
    Ok(Part::Other)
}

/// Those who know only their part of what is wanted.
struct Followers {
    periods: watch::Sender<BTreeMap<String, u32>>,
    daily_bytes: watch::Sender<Option<u64>>,
    drafts: mpsc::Sender<Draft>,
}

/// Hands on what the fleet wants, and tells when privacy changes.
async fn follow(wishes: Wishes, to: Followers, time: Time, stop: CancellationToken) -> Result<Part, Error> {
    let (mut config, mut private) = (wishes.config(), wishes.private());
    let hand_on = |config: &Option<Arc<bugbrother_wire::message::Config>>| {
        let Some(config) = config else { return };
        to.periods.send_if_modified(|known| {
            let changes = *known != config.periods_ms;
            known.clone_from(&config.periods_ms);
            changes
        });
        to.daily_bytes.send_if_modified(|known| std::mem::replace(known, config.daily_bytes) != config.daily_bytes);
    };
    hand_on(&config.borrow_and_update());
    private.mark_unchanged();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(Part::Other),
            Ok(()) = config.changed() => hand_on(&config.borrow_and_update()),
            Ok(()) = private.changed() => {
                let on = *private.borrow_and_update();
                let kind = if on { EventKind::PrivacyOn } else { EventKind::PrivacyOff };
                info!(on, "privacy");
                drop(to.drafts.send(Draft::Event(Happening::new(kind, time.now()))).await);
            }
        }
    }
}

/// The first error is what the agent ends with; one that comes after it is only logged.
fn with(outcome: Result<(), Error>, next: Result<(), Error>) -> Result<(), Error> {
    if let (Err(_), Err(error)) = (&outcome, &next) {
        error!(error = error as &dyn std::error::Error, "another failure at the end");
    }
    outcome.and(next)
}

/// Waits for the car to say which one it is; `None` when the agent is to end before.
async fn ask_vin(
    car_vin: &mut watch::Receiver<CarVin>,
    shutdown: &CancellationToken,
) -> Result<Option<(Vin, VinSource)>, Error> {
    info!("no VIN is set: waiting for the car to tell its own");
    let told = car_vin.wait_for(|vin| *vin != CarVin::Unknown);
    match shutdown.run_until_cancelled(told).await {
        Some(Ok(vin)) => match *vin {
            CarVin::Told(vin) => Ok(Some((vin, VinSource::Obd))),
            CarVin::Untold | CarVin::Unknown => Err(Error::NoVin),
        },
        // The adapter's part ends before it has an answer only with the agent.
        Some(Err(_)) | None => Ok(None),
    }
}

/// Waits until the car says that it is another one.
async fn other_car(car_vin: &mut watch::Receiver<CarVin>, vin: Vin) -> Vin {
    let other = car_vin.wait_for(|told| matches!(told, CarVin::Told(car) if *car != vin));
    let told = other.await.map(|told| *told);
    match told {
        Ok(CarVin::Told(car)) => car,
        _ => std::future::pending().await,
    }
}

fn gps_signals(config: &Config) -> Vec<SignalDeclaration> {
    let keys = GPS_KEYS.into_iter().filter(|_| config.gps.is_some());
    keys.filter_map(signal::find).map(|signal| uplink::declaration(signal, GPS_PERIOD_MS)).collect()
}

/// What a part ended with; its panic is ours.
fn settle<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

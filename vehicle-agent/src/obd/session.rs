//! A conversation with a car: which one it is, what it can tell, and then value after value.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bugbrother_wire::{
    message::{Dtc, DtcStatus, Monitor},
    signal,
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    CarVin, Outputs,
    answer::{Fault, Reply},
    decode::{self, PARAMETERS, Parameter, Readiness},
    elm::Car,
    schedule::{Job, Schedule},
    task::{Task, Troubles},
};
use crate::{now_ms, outbox::Draft, recorder::Reading, uplink::declaration};

/// An engine that is off is asked so often whether it is on.
const SEARCH_EVERY: Duration = Duration::from_secs(5);
/// Without an answer for so long the engine is off.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// So many in a row that the adapter does not even refuse mean that it hangs.
const HUNG_AFTER: u32 = 3;
const VIN_ATTEMPTS: u32 = 3;
/// Values that are told within so short a time share a row.
const ROW: Duration = Duration::from_millis(200);
/// What is wrong is told again after so long, though nothing has changed.
const REFRESH: Duration = Duration::from_secs(15 * 60);

pub(super) struct Session<'a> {
    pub car: Car,
    pub outputs: &'a Outputs,
    pub periods: &'a mut watch::Receiver<BTreeMap<String, u32>>,
    pub tasks: &'a mut mpsc::Receiver<Task>,
    pub stop: &'a CancellationToken,
    pub told: &'a mut Told,
}

/// What was told of the car's troubles last, across sessions.
#[derive(Default)]
pub(super) struct Told(Option<(Picture, Instant)>);

#[derive(PartialEq)]
struct Picture {
    mil: Option<bool>,
    dtcs: Vec<Dtc>,
    monitors: Vec<Monitor>,
}

impl Session<'_> {
    /// Talks until the adapter is gone or the agent ends, which is a [`Fault`] either way.
    pub fn talk(&mut self) -> Fault {
        loop {
            let talked = match self.car.search() {
                Ok(masks) => self.poll(&masks),
                Err(fault) => Err(fault),
            };
            match talked {
                Err(fault @ (Fault::Gone(_) | Fault::Timeout)) => return fault,
                Err(fault) => debug!(%fault, "the car is silent"),
                Ok(()) => {}
            }
            self.refuse_tasks();
            if let Err(fault) = self.tell_voltage() {
                return fault;
            }
            if !self.wait(Instant::now() + SEARCH_EVERY) {
                return ended();
            }
        }
    }

    /// Asks for what is due until the engine is off.
    fn poll(&mut self, masks: &[Reply]) -> Result<(), Fault> {
        let parameters = self.find_parameters(masks)?;
        if *self.outputs.vin.borrow() == CarVin::Unknown {
            let vin = self.ask_vin()?;
            self.outputs.vin.send_replace(vin);
        }
        self.declare(&parameters);
        info!(signals = parameters.len(), "the car answers");
        let mut schedule = Schedule::new(parameters, Instant::now());
        schedule.set_periods(&self.periods.borrow_and_update(), Instant::now());
        let mut row = Row::default();
        let (mut heard, mut hung) = (Instant::now(), 0);
        loop {
            if self.periods.has_changed().unwrap_or(false) {
                schedule.set_periods(&self.periods.borrow_and_update(), Instant::now());
            }
            self.do_tasks()?;
            let job = match schedule.next(Instant::now()) {
                Ok(job) => job,
                Err(due) => {
                    self.send(row.take())?;
                    if !self.wait(due) {
                        return Err(ended());
                    }
                    continue;
                }
            };
            match self.do_job(job, &mut row) {
                Ok(()) => (heard, hung) = (Instant::now(), 0),
                Err(fault @ Fault::Gone(_)) => return Err(fault),
                Err(Fault::Timeout) => hung += 1,
                Err(Fault::NoData | Fault::NoBus | Fault::Bus) => hung = 0,
                Err(fault) => {
                    metrics::counter!("bugbrother_agent_obd_faults_total").increment(1);
                    debug!(%fault, "no value");
                    hung = 0;
                }
            }
            if hung >= HUNG_AFTER {
                return Err(Fault::Timeout);
            }
            if heard.elapsed() > SILENT_AFTER {
                self.send(row.take())?;
                return Ok(());
            }
            if row.is_old() {
                self.send(row.take())?;
            }
        }
    }

    /// What the fleet wants done between two values. Only what ends the session is a fault here.
    fn do_tasks(&mut self) -> Result<(), Fault> {
        while let Ok(task) = self.tasks.try_recv() {
            match task {
                Task::ReadCodes(answer) => {
                    let read = self.read_and_tell();
                    if let Err(fault @ Fault::Gone(_)) = &read {
                        return Err(fault.clone());
                    }
                    drop(answer.send(read.map_err(|fault| fault.to_string())));
                }
                Task::ClearCodes(answer) => {
                    let cleared = self.clear();
                    if let Err(Refused::Fault(fault @ Fault::Gone(_))) = &cleared {
                        return Err(fault.clone());
                    }
                    drop(answer.send(cleared.map_err(|refused| refused.to_string())));
                }
            }
        }
        Ok(())
    }

    fn refuse_tasks(&mut self) {
        while let Ok(task) = self.tasks.try_recv() {
            let silent = "the car is silent: is the ignition on?".to_owned();
            match task {
                Task::ReadCodes(answer) => drop(answer.send(Err(silent))),
                Task::ClearCodes(answer) => drop(answer.send(Err(silent))),
            }
        }
    }

    fn read_and_tell(&mut self) -> Result<Troubles, Fault> {
        let (picture, _) = self.read_troubles()?;
        let troubles = Troubles { mil: picture.mil, dtcs: picture.dtcs.clone() };
        self.told.0 = None;
        self.tell_troubles(picture)?;
        Ok(troubles)
    }

    /// Mode 04, which ECUs refuse or take ill while the engine runs.
    fn clear(&mut self) -> Result<(), Refused> {
        const RPM: u8 = 0x0C;
        let running = |reply: &Reply| reply.data.iter().any(|byte| *byte != 0);
        if self.car.ask(0x01, RPM).is_ok_and(|replies| replies.iter().any(running)) {
            return Err(Refused::EngineRuns);
        }
        self.car.ask_mode(0x04).map_err(Refused::Fault)?;
        self.read_and_tell().map_err(Refused::Fault)?;
        Ok(())
    }

    fn do_job(&mut self, job: Job, row: &mut Row) -> Result<(), Fault> {
        match job {
            Job::Parameter(parameter) => {
                let replies = self.car.ask(0x01, parameter.pid)?;
                let value = replies.iter().find_map(|reply| parameter.value(&reply.data));
                row.add(parameter.signal().key, value);
            }
            Job::Voltage => row.add("vbat", plausible("vbat", self.car.voltage()?)),
            Job::Trouble => {
                let (picture, count) = self.read_troubles()?;
                row.add("dtcs", count);
                self.tell_troubles(picture)?;
            }
        }
        Ok(())
    }

    /// The parameters that some ECU supports and that are of use here.
    fn find_parameters(&mut self, masks: &[Reply]) -> Result<Vec<&'static Parameter>, Fault> {
        let all = |base: u8, replies: &[Reply]| -> Vec<u8> {
            replies.iter().flat_map(|reply| decode::supported(base, &reply.data).collect::<Vec<_>>()).collect()
        };
        let mut pids = all(0x00, masks);
        for base in [0x20, 0x40, 0x60, 0x80, 0xA0] {
            if !pids.contains(&base) {
                break;
            }
            match self.car.ask(0x01, base) {
                Ok(replies) => pids.extend(all(base, &replies)),
                Err(fault @ (Fault::Gone(_) | Fault::Timeout)) => return Err(fault),
                Err(_) => break,
            }
        }
        let known = PARAMETERS.iter();
        Ok(known.filter(|known| pids.contains(&known.pid)).collect())
    }

    fn ask_vin(&mut self) -> Result<CarVin, Fault> {
        for _ in 0..VIN_ATTEMPTS {
            match self.car.ask(0x09, 0x02) {
                Ok(replies) => {
                    let answers = replies.iter().map(|reply| (reply.ecu, &reply.data[..]));
                    if let Some(vin) = decode::vin(answers) {
                        return Ok(CarVin::Told(vin));
                    }
                }
                Err(fault @ Fault::Gone(_)) => return Err(fault),
                Err(fault) => debug!(%fault, "no VIN"),
            }
        }
        Ok(CarVin::Untold)
    }

    fn declare(&self, parameters: &[&'static Parameter]) {
        let told = parameters.iter().map(|parameter| (parameter.signal(), parameter.period_ms));
        let rest = ["vbat", "dtcs"].into_iter().filter_map(signal::find);
        let rest = rest.filter(|signal| parameters.iter().all(|p| p.signal() != *signal));
        let declared = told.chain(rest.map(|signal| (signal, 60_000)));
        self.outputs.signals.send_modify(|signals| {
            for (signal, period_ms) in declared {
                if signals.iter().all(|known| known.key != signal.key) {
                    signals.push(declaration(signal, period_ms));
                }
            }
        });
    }

    /// Lamp, readiness and codes, and the number of codes that the car counts itself. Modes that an ECU does not know,
    /// as 0A before 2010, are left out.
    fn read_troubles(&mut self) -> Result<(Picture, Option<f64>), Fault> {
        let mut readiness = None;
        match self.car.ask(0x01, 0x01) {
            Ok(replies) => {
                let all = readiness.insert(Readiness::default());
                replies.iter().for_each(|reply| all.add(&reply.data));
            }
            Err(Fault::NoData | Fault::Negative { .. }) => {}
            Err(fault) => return Err(fault),
        }
        let mut dtcs = Vec::new();
        for (mode, status) in [(0x03, DtcStatus::Stored), (0x07, DtcStatus::Pending), (0x0A, DtcStatus::Permanent)] {
            match self.car.ask_mode(mode) {
                Ok(replies) => {
                    dtcs.extend(replies.iter().flat_map(|reply| decode::trouble_codes(&reply.data, status, reply.ecu)))
                }
                Err(Fault::NoData | Fault::Negative { .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        dtcs.sort();
        dtcs.dedup();
        let picture = Picture {
            mil: readiness.as_ref().map(|readiness| readiness.mil),
            dtcs,
            monitors: readiness.as_ref().map(Readiness::to_monitors).unwrap_or_default(),
        };
        let count = readiness.map(|readiness| f64::from(readiness.count));
        Ok((picture, plausible("dtcs", count)))
    }

    fn tell_troubles(&mut self, picture: Picture) -> Result<(), Fault> {
        if let Some((told, at)) = &self.told.0
            && *told == picture
            && at.elapsed() < REFRESH
        {
            return Ok(());
        }
        let draft = Draft::Diagnostics {
            at: now_ms(),
            mil: picture.mil,
            dtcs: picture.dtcs.clone(),
            monitors: picture.monitors.clone(),
            freeze_frame: None,
        };
        self.told.0 = Some((picture, Instant::now()));
        self.outputs.drafts.blocking_send(draft).map_err(|_| ended())
    }

    /// With the engine off the battery is all there is to tell.
    fn tell_voltage(&mut self) -> Result<(), Fault> {
        let mut row = Row::default();
        match self.car.voltage() {
            Ok(voltage) => row.add("vbat", plausible("vbat", voltage)),
            Err(fault @ (Fault::Gone(_) | Fault::Timeout)) => return Err(fault),
            Err(fault) => debug!(%fault, "no voltage"),
        }
        self.send(row.take())
    }

    fn send(&self, reading: Option<Reading>) -> Result<(), Fault> {
        match reading {
            Some(reading) => self.outputs.readings.blocking_send(reading).map_err(|_| ended()),
            None => Ok(()),
        }
    }

    /// False when the agent ends.
    fn wait(&self, until: Instant) -> bool {
        let waited = self.stop.run_until_cancelled(sleep_until(until.into()));
        tokio::runtime::Handle::current().block_on(waited).is_some()
    }
}

/// Why codes were not cleared.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the engine runs: codes are cleared with the ignition on and the engine off")]
    EngineRuns,
    #[error(transparent)]
    Fault(Fault),
}

pub(super) fn ended() -> Fault {
    Fault::Gone("the agent ends".to_owned())
}

fn plausible(key: &str, value: Option<f64>) -> Option<f64> {
    let signal = signal::find(key)?;
    value.filter(|value| signal.is_plausible(*value))
}

/// Values that are told shortly one after the other.
#[derive(Default)]
struct Row(Option<Reading>);

impl Row {
    fn add(&mut self, key: &'static str, value: Option<f64>) {
        let Some(value) = value else { return };
        let reading = self.0.get_or_insert_with(|| Reading { at: Instant::now(), values: Vec::new() });
        reading.values.push((key.into(), value));
    }

    fn is_old(&self) -> bool {
        self.0.as_ref().is_some_and(|reading| reading.at.elapsed() > ROW)
    }

    fn take(&mut self) -> Option<Reading> {
        self.0.take()
    }
}

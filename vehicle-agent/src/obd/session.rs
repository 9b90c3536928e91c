//! A conversation with a car: which one it is, what it can tell, and then value after value, until its engine is off and
//! its battery is to be left alone.

use std::time::{Duration, Instant};

use bugbrother_wire::signal;
use tracing::{debug, info};

use super::{
    CarVin, Pace, Phase, Task, Troubles, about,
    answer::{Fault, Reply},
    batch::Batches,
    decode::Parameter,
    desk::{Desk, Woken},
    elm::Car,
    protocol::Protocol,
    schedule::{Job, Schedule},
    sleep::{Engine, Wakes, Watch},
    supports::Supports,
    troubles::{self, Reader, Told},
};
use crate::uplink::declaration;

/// So many in a row that the adapter does not even refuse mean that it hangs.
const HUNG_AFTER: u32 = 3;
/// So many new starts in a row mean that the adapter has not enough power.
const MOST_RESETS: u32 = 5;
/// A protocol that is known is looked for anew after so many attempts in vain: the adapter may be in another car.
const SEARCH_AFTER: u32 = 4;
/// What it is after a wake-up: if nobody answers for so long, the car sleeps.
const WAKE_PATIENCE: Duration = Duration::from_secs(30);
/// A stop at a traffic light is not the end of a drive.
const OFF_AFTER: Duration = Duration::from_secs(30);
/// A voltage that does not change is told again after so long while the car sleeps.
const REFRESH: Duration = Duration::from_secs(15 * 60);
/// The adapter tells tenths of a volt.
const VOLTAGE_STEP: f64 = 0.05;

/// What is known of a car and its adapter, and what it was told of, across conversations.
#[derive(Default)]
pub(super) struct Memory {
    protocol: Option<Protocol>,
    told: Told,
    wakes: Wakes,
    /// While the car sleeps.
    watch: Option<Watch>,
}

pub(super) struct Session<'a, 'b> {
    pub car: Car,
    pub desk: &'a mut Desk<'b>,
    pub memory: &'a mut Memory,
    pub pace: &'a Pace,
    /// The voltage that was measured last.
    pub voltage: Option<f64>,
}

/// Why there is nothing more to ask.
enum Rest {
    /// Nobody answers.
    Silent,
    /// The engine has been off for so long that the battery is to be left alone.
    Idle,
}

impl<'a, 'b> Session<'a, 'b> {
    pub fn new(car: Car, desk: &'a mut Desk<'b>, memory: &'a mut Memory, pace: &'a Pace) -> Self {
        Session { car, desk, memory, pace, voltage: None }
    }

    /// Talks until the adapter is gone or the agent ends, which is a [`Fault`] either way.
    pub fn talk(&mut self) -> Fault {
        let (mut misses, mut resets, mut has_slept) = (0, 0, false);
        let mut silent_since = Instant::now();
        let mut patience = self.pace.sleep_after;
        if self.memory.watch.is_some() {
            (patience, has_slept) = (WAKE_PATIENCE.min(patience), true);
            if let Err(fault) = self.sleep() {
                return fault;
            }
            silent_since = Instant::now();
        }
        loop {
            self.desk.hold_task();
            let known = self.memory.protocol.filter(|_| misses % SEARCH_AFTER != SEARCH_AFTER - 1);
            let talked = self.car.find_bus(known).and_then(|masks| {
                (misses, has_slept, patience) = (0, false, self.pace.sleep_after);
                self.memory.protocol = self.car.protocol();
                self.memory.wakes.note(true, Instant::now());
                let rest = self.drive(&masks, &mut resets);
                silent_since = Instant::now();
                rest
            });
            let rest = match talked {
                Ok(rest) => rest,
                Err(fault) if fault.ends_talk() => match self.recover(fault, &mut resets) {
                    Ok(()) => continue,
                    Err(fault) => return fault,
                },
                Err(fault) => {
                    debug!(%fault, "the car is silent");
                    Rest::Silent
                }
            };
            misses += 1;
            self.desk.refuse_held("the car does not answer: is the ignition on?");
            let slept = match rest {
                Rest::Silent if silent_since.elapsed() < patience => self.wait_for_bus(),
                Rest::Silent | Rest::Idle => {
                    if has_slept {
                        self.memory.wakes.note(false, Instant::now());
                    }
                    patience = WAKE_PATIENCE.min(self.pace.sleep_after);
                    let slept = self.sleep();
                    silent_since = Instant::now();
                    (misses, has_slept) = (0, true);
                    slept
                }
            };
            if let Err(fault) = slept.or_else(|fault| self.recover(fault, &mut resets)) {
                return fault;
            }
        }
    }

    /// An adapter that has started anew by itself is set up again, but not for ever.
    fn recover(&mut self, fault: Fault, resets: &mut u32) -> Result<(), Fault> {
        if fault != Fault::Reset || *resets >= MOST_RESETS {
            return Err(fault);
        }
        *resets += 1;
        debug!("the adapter has started anew");
        self.car.set_up()
    }

    /// With the engine off the battery is all there is to tell.
    fn wait_for_bus(&mut self) -> Result<(), Fault> {
        self.desk.note_ignition(false)?;
        self.measure()?;
        self.desk.note_key("vbat", self.voltage);
        self.desk.send_row()?;
        self.desk.show(Phase::Off, self.voltage);
        self.desk.wait(Instant::now() + self.pace.search_every, true).map(drop)
    }

    fn measure(&mut self) -> Result<(), Fault> {
        match self.car.voltage() {
            Ok(voltage) => self.voltage = voltage,
            Err(fault) if fault.ends_talk() => return Err(fault),
            Err(fault) => debug!(%fault, "no voltage"),
        }
        Ok(())
    }

    /// Leaves the bus alone until the battery is charged, the vehicle moves or somebody wants something.
    fn sleep(&mut self) -> Result<(), Fault> {
        info!("the engine is off: the car is left alone");
        self.desk.note_ignition(false)?;
        self.car.leave_bus()?;
        let mut told: Option<(f64, Instant)> = None;
        let mut lies_down = true;
        loop {
            match self.measure() {
                // For want of power, perhaps; it has forgotten nothing that matters now.
                Err(Fault::Reset) => self.car.set_up()?,
                measured => measured?,
            }
            let now = Instant::now();
            // Kept when the adapter is lost meanwhile: a connection that comes and goes must not wake the car each time.
            let watch = self.memory.watch.get_or_insert_with(|| Watch::new(now));
            if watch.note_voltage(self.voltage, now) && self.memory.wakes.may_charge(now) {
                break;
            }
            self.desk.show(Phase::Asleep, self.voltage);
            if let Some(voltage) = self.voltage
                && told.is_none_or(|(old, at)| (old - voltage).abs() >= VOLTAGE_STEP || now - at >= REFRESH)
            {
                told = Some((voltage, now));
                self.desk.note_key("vbat", self.voltage);
                self.desk.send_row()?;
            }
            if lies_down {
                lies_down = self.car.lie_down()?;
            }
            let woken = self.desk.wait(now + self.pace.look_every, self.memory.wakes.may_wake(now))?;
            if lies_down {
                self.car.get_up()?;
            }
            if !matches!(woken, Woken::Due) || (self.desk.moves() && self.memory.wakes.may_wake(Instant::now())) {
                break;
            }
        }
        info!("the car wakes");
        self.memory.watch = None;
        self.car.set_up()
    }

    /// Asks for what is due until the engine is off.
    fn drive(&mut self, masks: &[Reply], resets: &mut u32) -> Result<Rest, Fault> {
        self.desk.note_ignition(true)?;
        self.desk.show(Phase::Running, self.voltage);
        let supports = Supports::ask(&mut self.car, masks)?;
        let parameters = supports.parameters();
        if *self.desk.outputs.vin.borrow() == CarVin::Unknown {
            let vin = about::ask_vin(&mut self.car)?;
            self.desk.outputs.vin.send_replace(vin);
        }
        let car = about::ask(&mut self.car, &supports)?;
        self.desk.outputs.car.send_if_modified(|told| told.replace(car.clone()) != Some(car));
        self.declare(&parameters);
        info!(signals = parameters.len(), "the car answers");
        let mut schedule = Schedule::new(&parameters, Instant::now());
        schedule.set_periods(&self.desk.periods(), Instant::now());
        let mut drive = Drive {
            batches: Batches::new(self.car.protocol()),
            engine: Engine::default(),
            reader: Reader::default(),
            silent_since: None,
            hung: 0,
            supports,
        };
        loop {
            if let Some(task) = self.desk.next_task() {
                self.carry_out(task, &mut drive)?;
            }
            if let Some(periods) = self.desk.new_periods() {
                schedule.set_periods(&periods, Instant::now());
            }
            match schedule.next(Instant::now()) {
                Ok(job) => {
                    self.do_next(job, &mut schedule, &mut drive)?;
                    if drive.hung == 0 && drive.silent_since.is_none() {
                        *resets = 0;
                    }
                }
                Err(due) => {
                    self.desk.send_row()?;
                    self.desk.wait(due, false)?;
                }
            }
            let now = Instant::now();
            if drive.silent_since.is_some_and(|since| now - since > self.pace.silent_after) {
                self.desk.send_row()?;
                return Ok(Rest::Silent);
            }
            drive.engine.note_movement(self.desk.moves(), now);
            let off_for = drive.engine.off_for(now);
            if off_for > self.pace.sleep_after {
                self.desk.send_row()?;
                return Ok(Rest::Idle);
            }
            let phase = if off_for > OFF_AFTER { Phase::Off } else { Phase::Running };
            self.desk.show(phase, self.voltage);
            self.desk.send_old_row()?;
        }
    }

    /// Does a job, with whatever can be asked for at once with it, and notes how it went.
    fn do_next(&mut self, job: Job, schedule: &mut Schedule, drive: &mut Drive) -> Result<(), Fault> {
        let began = Instant::now();
        let batch = match job {
            Job::Parameter(first) => drive.batches.gather(first, schedule, &drive.supports, began),
            _ => Vec::new(),
        };
        let done = match job {
            Job::Parameter(_) if batch.len() > 1 => self.ask_batch(&batch, drive),
            Job::Parameter(parameter) => self.ask_one(parameter, drive),
            Job::Voltage => self.tell_voltage(drive),
            Job::Trouble => self.look_for_troubles(drive).map(|_| true),
        };
        let now = Instant::now();
        let took = now - began;
        let worked = done.is_ok();
        if batch.len() > 1 {
            let share = took / u32::try_from(batch.len()).unwrap_or(1);
            // A batch that fails says nothing of its members: each is asked for alone before it is given up.
            batch.iter().filter(|_| worked).for_each(|p| schedule.done(Job::Parameter(p), share, true, now));
        } else {
            schedule.done(job, took, worked, now);
        }
        match done {
            Ok(true) => drive.silent_since = None,
            Ok(false) => {}
            Err(fault @ (Fault::Gone(_) | Fault::Reset)) => return Err(fault),
            // Says nothing of the car.
            Err(Fault::Timeout) => {
                drive.hung += 1;
                return if drive.hung >= HUNG_AFTER { Err(Fault::Timeout) } else { Ok(()) };
            }
            Err(Fault::NoData | Fault::NoBus | Fault::Bus) => {
                drive.silent_since.get_or_insert(began);
            }
            Err(fault) => {
                metrics::counter!("bugbrother_agent_obd_faults_total").increment(1);
                debug!(%fault, "no value");
                // Who refuses is awake.
                if matches!(fault, Fault::Negative { .. } | Fault::Pending) {
                    drive.silent_since = None;
                }
            }
        }
        drive.hung = 0;
        Ok(())
    }

    /// The adapter says this, not the car.
    fn tell_voltage(&mut self, drive: &mut Drive) -> Result<bool, Fault> {
        self.measure()?;
        let voltage = self.voltage.ok_or(Fault::NoData)?;
        self.desk.note_key("vbat", Some(voltage));
        drive.engine.note("vbat", voltage, Instant::now());
        Ok(false)
    }

    fn ask_one(&mut self, parameter: &'static Parameter, drive: &mut Drive) -> Result<bool, Fault> {
        let replies = self.car.ask(0x01, parameter.pid, drive.supports.answers(parameter))?;
        drive.batches.prove(parameter, &replies);
        let supports = &drive.supports;
        let read = |reply: &Reply| parameter.read_scaled(&reply.data, &supports.maxima(reply.ecu)).collect::<Vec<_>>();
        // Of several ECUs that have it the first one that tells a value counts.
        let values = replies.iter().map(read).find(|values| !values.is_empty()).unwrap_or_default();
        self.note(&values, drive);
        Ok(true)
    }

    fn ask_batch(&mut self, batch: &[&'static Parameter], drive: &mut Drive) -> Result<bool, Fault> {
        let values = drive.batches.ask(&mut self.car, batch, &drive.supports)?;
        self.note(&values, drive);
        Ok(true)
    }

    fn note(&mut self, values: &[(&'static signal::Signal, f64)], drive: &mut Drive) {
        for (signal, value) in values {
            self.desk.note(signal, *value);
            drive.engine.note(signal.key, *value, Instant::now());
            if signal.key == "vbat" {
                self.voltage = Some(*value);
            }
        }
    }

    fn look_for_troubles(&mut self, drive: &mut Drive) -> Result<Troubles, Fault> {
        let (troubles, count) = drive.reader.read(&mut self.car, &drive.supports)?;
        self.desk.note_key("dtcs", count);
        if self.memory.told.is_news(&troubles, Instant::now()) {
            self.desk.tell(troubles.to_draft(self.desk.outputs.time.now()))?;
        }
        Ok(troubles)
    }

    fn carry_out(&mut self, task: Task, drive: &mut Drive) -> Result<(), Fault> {
        let (troubles, reply) = match task {
            Task::ReadCodes(reply) => (self.read_anew(drive), reply),
            Task::ClearCodes(reply) => {
                let cleared = match troubles::clear(&mut self.car, &drive.supports) {
                    Ok(Ok(())) => self.read_anew(drive),
                    Ok(Err(refusal)) => Ok(Err(refusal)),
                    Err(fault) => Err(fault),
                };
                (cleared, reply)
            }
        };
        let (answer, fault) = match troubles {
            Ok(answer) => (answer, None),
            Err(fault) => (Err(fault.to_string()), Some(fault)),
        };
        // Who gave the task may have left meanwhile.
        drop(reply.send(answer));
        match fault {
            Some(fault) if fault.ends_talk() => Err(fault),
            _ => Ok(()),
        }
    }

    /// Reads and tells what is wrong, whether it is news or not.
    fn read_anew(&mut self, drive: &mut Drive) -> Result<Result<Troubles, String>, Fault> {
        self.memory.told = Told::default();
        drive.reader = Reader::default();
        match self.look_for_troubles(drive) {
            Ok(troubles) => Ok(Ok(troubles)),
            Err(fault) if fault.ends_talk() => Err(fault),
            Err(fault) => Ok(Err(format!("the codes cannot be read: {fault}"))),
        }
    }

    fn declare(&self, parameters: &[&'static Parameter]) {
        let told =
            parameters.iter().flat_map(|parameter| parameter.signals().map(|signal| (signal, parameter.period_ms)));
        let rest = ["vbat", "dtcs", "ign"].into_iter().filter_map(signal::find).map(|signal| (signal, 60_000));
        self.desk.outputs.signals.send_modify(|signals| {
            for (signal, period_ms) in told.chain(rest) {
                if signals.iter().all(|known| known.key != signal.key) {
                    signals.push(declaration(signal, period_ms));
                }
            }
        });
    }
}

/// What is known of a drive.
struct Drive {
    supports: Supports,
    batches: Batches,
    engine: Engine,
    reader: Reader,
    /// Since when the adapter says that nobody answers.
    silent_since: Option<Instant>,
    /// Questions in a row that the adapter did not even refuse.
    hung: u32,
}

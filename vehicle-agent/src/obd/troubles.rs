//! What the car says is wrong with it: lamp, readiness, trouble codes, freeze frame; and clearing it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bugbrother_wire::{
    UnixMs,
    message::{Dtc, DtcStatus, FreezeFrame},
};
use tracing::info;

use super::{
    Troubles,
    answer::Fault,
    decode::{self, PARAMETERS, Readiness},
    elm::Car,
    supports::Supports,
};
use crate::outbox::Draft;

/// What is wrong is told again after so long, though nothing has changed.
const REFRESH: Duration = Duration::from_secs(15 * 60);
/// A mode that nobody has answered so often is not there.
const ABSENT_AFTER: u8 = 2;
const PERMANENT: u8 = 0x0A;

impl Troubles {
    /// As it is sent.
    pub(super) fn to_draft(&self, at: UnixMs) -> Draft {
        Draft::Diagnostics {
            at,
            mil: self.mil,
            dtcs: self.dtcs.clone(),
            monitors: self.monitors.clone(),
            freeze_frame: self.freeze_frame.clone(),
        }
    }

    fn stored(&self) -> impl Iterator<Item = &Dtc> {
        self.dtcs.iter().filter(|dtc| dtc.status == DtcStatus::Stored)
    }
}

/// What was told last, across conversations.
#[derive(Default)]
pub(super) struct Told(Option<(Troubles, Instant)>);

impl Told {
    /// Whether that is to be told; from then on it has been.
    pub fn is_news(&mut self, troubles: &Troubles, now: Instant) -> bool {
        let old = self.0.as_ref().is_some_and(|(told, at)| told == troubles && now.duration_since(*at) < REFRESH);
        if !old {
            self.0 = Some((troubles.clone(), now));
        }
        !old
    }
}

/// Reads troubles of one car.
#[derive(Default)]
pub(super) struct Reader {
    unanswered: u8,
    /// The freeze frame that was read with these codes.
    frozen: Option<(BTreeSet<Dtc>, Option<FreezeFrame>)>,
}

impl Reader {
    /// Lamp, readiness and codes, and the number of codes that the car counts itself. Modes that an ECU does not know, as
    /// 0A before 2010, are left out.
    pub fn read(&mut self, car: &mut Car, supports: &Supports) -> Result<(Troubles, Option<f64>), Fault> {
        let readiness = if supports.ecus(0x01) > 0 { read_readiness(car)? } else { None };
        let counts = readiness.as_ref().is_some_and(|readiness| readiness.count > 0);
        let mut dtcs = Vec::new();
        for (mode, status) in [(0x03, DtcStatus::Stored), (0x07, DtcStatus::Pending), (PERMANENT, DtcStatus::Permanent)]
        {
            if mode == PERMANENT && self.unanswered >= ABSENT_AFTER {
                continue;
            }
            match car.ask_mode(mode) {
                Ok(replies) => {
                    if mode == PERMANENT {
                        self.unanswered = 0;
                    }
                    dtcs.extend(replies.iter().flat_map(|reply| decode::trouble_codes(&reply.data, status, reply.ecu)));
                }
                Err(Fault::NoData | Fault::Negative { .. }) if mode == PERMANENT => self.unanswered += 1,
                // A car that has none may say nothing; one that has some has just fallen silent.
                Err(fault @ Fault::NoData) if mode == 0x03 && counts => return Err(fault),
                Err(Fault::NoData | Fault::Negative { .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        dtcs.sort();
        dtcs.dedup();
        let mut troubles = Troubles {
            mil: readiness.as_ref().map(|readiness| readiness.mil),
            dtcs,
            monitors: readiness.as_ref().map(Readiness::to_monitors).unwrap_or_default(),
            freeze_frame: None,
        };
        troubles.freeze_frame = self.freeze_frame(car, supports, &troubles)?;
        Ok((troubles, readiness.map(|readiness| f64::from(readiness.count))))
    }

    /// Takes a dozen questions, so it is read when stored codes have come or gone.
    fn freeze_frame(
        &mut self,
        car: &mut Car,
        supports: &Supports,
        troubles: &Troubles,
    ) -> Result<Option<FreezeFrame>, Fault> {
        let stored: BTreeSet<Dtc> = troubles.stored().cloned().collect();
        if stored.is_empty() {
            self.frozen = None;
            return Ok(None);
        }
        if let Some((codes, frame)) = &self.frozen
            && *codes == stored
        {
            return Ok(frame.clone());
        }
        let frame = read_freeze_frame(car, supports)?;
        self.frozen = Some((stored, frame.clone()));
        Ok(frame)
    }
}

/// A car that says that it tells this, and does not, is silent: that is no word on its troubles.
fn read_readiness(car: &mut Car) -> Result<Option<Readiness>, Fault> {
    match car.ask_patiently(&[0x01, 0x01]) {
        Ok(replies) => {
            let mut all = Readiness::default();
            replies.iter().for_each(|reply| all.add(&reply.data));
            Ok(Some(all))
        }
        Err(Fault::Negative { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Freeze frame 0 of the first ECU that keeps one.
fn read_freeze_frame(car: &mut Car, supports: &Supports) -> Result<Option<FreezeFrame>, Fault> {
    // PID 02 is the code that caused it, 0000 for none.
    let causes = optional(car.ask_frozen(0x02))?;
    let cause = causes.iter().find_map(|reply| {
        let code = decode::trouble_codes(reply.data.get(..2)?, DtcStatus::Stored, None).into_iter().next()?;
        Some((reply.ecu, code.code))
    });
    let Some((ecu, code)) = cause else { return Ok(None) };
    let mut pids = BTreeSet::new();
    for base in [0x00, 0x20, 0x40, 0x60, 0x80, 0xA0] {
        if base > 0 && !pids.contains(&base) {
            break;
        }
        let masks = optional(car.ask_frozen(base))?;
        pids.extend(
            masks.iter().filter(|reply| reply.ecu == ecu).flat_map(|reply| decode::supported(base, &reply.data)),
        );
    }
    let mut frame = FreezeFrame { code, values: Default::default(), ecu: ecu.map(|ecu| format!("{ecu:X}")) };
    for parameter in PARAMETERS.iter().filter(|parameter| pids.contains(&parameter.pid)) {
        let replies = optional(car.ask_frozen(parameter.pid))?;
        for reply in replies.iter().filter(|reply| reply.ecu == ecu) {
            let values = parameter.read_scaled(&reply.data, &supports.maxima(ecu));
            frame.values.extend(values.map(|(signal, value)| (signal.key.to_owned(), value)));
        }
    }
    Ok(Some(frame))
}

/// What need not be there.
fn optional<T: Default>(asked: Result<T, Fault>) -> Result<T, Fault> {
    match asked {
        Err(fault) if fault.ends_talk() => Err(fault),
        asked => Ok(asked.unwrap_or_default()),
    }
}

/// Clears codes, freeze frame and readiness in all ECUs: mode 04. Only with the ignition on, which an answer shows, and
/// with the engine off, as SAE J1979 wants it; else it is refused in words.
pub(super) fn clear(car: &mut Car, supports: &Supports) -> Result<Result<(), String>, Fault> {
    for (pid, what) in [(0x0C, "the engine runs"), (0x0D, "the vehicle moves")] {
        if supports.ecus(pid) == 0 {
            continue;
        }
        match car.ask_patiently(&[0x01, pid]) {
            Ok(replies) if replies.iter().all(|reply| reply.data.iter().all(|byte| *byte == 0)) => {}
            Ok(_) => return Ok(Err(format!("{what}: stop and switch the engine off, and leave the ignition on"))),
            Err(fault) if fault.ends_talk() => return Err(fault),
            Err(fault) => return Ok(Err(format!("the car does not say whether {what}: {fault}"))),
        }
    }
    match car.ask_mode(0x04) {
        Ok(_) => {
            info!("trouble codes cleared");
            Ok(Ok(()))
        }
        Err(Fault::Negative { code: 0x22, .. }) => {
            Ok(Err("the car refuses: it wants the engine off and the ignition on".to_owned()))
        }
        Err(fault) if fault.ends_talk() => Err(fault),
        Err(fault) => Ok(Err(format!("the car does not clear them: {fault}"))),
    }
}

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Finding, for_device};
use crate::{
    clock::{ClockSettings, Time},
    config::Config,
    obd::{self, CarVin, Phase, Power, Task},
    ports::Ports,
};

const ADAPTER: &str = "adapter";
const CAR: &str = "car";
/// Speeds of a serial port and then the protocols are tried in turn.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what is known by now.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn look(config: &Config, ports: &Ports) -> Vec<Finding> {
    let Some(adapter) = config.obd.clone() else {
        return vec![Finding::note(ADAPTER, "none is wanted: `obd` is not set")];
    };
    let (readings, mut readings_in) = mpsc::channel(64);
    let (drafts, mut drafts_in) = mpsc::channel(64);
    let (signals, signals_in) = watch::channel(Vec::new());
    let (vin, vin_in) = watch::channel(CarVin::Unknown);
    let (car, car_in) = watch::channel(None);
    let (power, power_in) = watch::channel(Power { phase: Phase::Unknown, voltage: None });
    let (tasks, tasks_in) = mpsc::channel::<Task>(1);
    let (_periods, periods) = watch::channel(BTreeMap::new());
    let (_moving, moving) = watch::channel(false);
    let time = Time::new(ClockSettings::of_this_system());
    let outputs = obd::Outputs { readings, drafts, signals, vin, car, power, time };
    let inputs = obd::Inputs { periods, moving, tasks: tasks_in };
    let plan = obd::Plan { adapter: adapter.clone(), ports: ports.clone(), pace: obd::Pace::default() };
    let stop = CancellationToken::new();
    let talking = {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || obd::run(&plan, &outputs, inputs, &stop))
    };
    // What is told goes nowhere.
    let forget = async {
        let readings = async { while readings_in.recv().await.is_some() {} };
        let drafts = async { while drafts_in.recv().await.is_some() {} };
        tokio::join!(readings, drafts);
    };
    let look = async {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let answered = car_in.borrow().is_some() && *vin_in.borrow() != CarVin::Unknown;
            if answered || power_in.borrow().phase == Phase::Off {
                break;
            }
            sleep(LOOK).await;
        }
        let (answer, answered) = tokio::sync::oneshot::channel();
        let asked = car_in.borrow().is_some() && tasks.send(Task::ReadCodes(answer)).await.is_ok();
        let troubles = if asked { timeout(PATIENCE, answered).await.ok().and_then(Result::ok) } else { None };
        let known =
            (car_in.borrow().clone(), *vin_in.borrow(), *power_in.borrow(), signals_in.borrow().len(), troubles);
        stop.cancel();
        known
    };
    let ((car, vin, power, signals, troubles), ()) = tokio::join!(look, forget);
    drop(talking.await);
    let battery = power.voltage.map(|voltage| format!(", battery {voltage:.1} V")).unwrap_or_default();
    let Some(car) = car else {
        return vec![match power.phase {
            Phase::Unknown => Finding::bad(ADAPTER, format!("none answers at {adapter}"), for_device("")),
            _ => Finding::bad(
                ADAPTER,
                format!("{adapter}: it answers, the car does not{battery}"),
                "switch the ignition on; a car from before 2002 may have no OBD-II at all",
            ),
        }];
    };
    let ecus: Vec<String> = car
        .ecus
        .iter()
        .map(|ecu| match &ecu.name {
            Some(name) => format!("{} {name}", ecu.ecu),
            None => ecu.ecu.clone(),
        })
        .collect();
    let mut findings = vec![Finding::good(ADAPTER, format!("{adapter}: {}, {}{battery}", car.adapter, car.protocol))];
    findings.push(Finding::good(CAR, format!("{signals} signals, {} control units: {}", ecus.len(), ecus.join(", "))));
    findings.push(match vin {
        CarVin::Told(vin) => match config.vin {
            Some(set) if set != vin => Finding::bad(
                CAR,
                format!("it says that it is {vin}, the settings say {set}"),
                "correct `vin`, or enrol this vehicle with a code of its own",
            ),
            _ => Finding::good(CAR, format!("it says that it is {vin}")),
        },
        CarVin::Untold | CarVin::Unknown if config.vin.is_some() => {
            Finding::note(CAR, "it does not tell its VIN, as many before 2008; the settings do")
        }
        CarVin::Untold | CarVin::Unknown => {
            Finding::bad(CAR, "it does not tell its VIN, as many before 2008", "set `vin`, or enrol with a code")
        }
    });
    match troubles {
        Some(Ok(troubles)) => findings.push(Finding::note(CAR, troubles.in_words())),
        Some(Err(reason)) => findings.push(Finding::note(CAR, format!("trouble codes cannot be read: {reason}"))),
        None => {}
    }
    findings
}

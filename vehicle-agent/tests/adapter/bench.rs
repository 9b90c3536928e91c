//! A conversation with an adapter, as the agent leads it, and what comes of it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bugbrother_agent::{
    clock::{ClockSettings, Time},
    link::{Address, Link},
    obd::{self, Adapter, CarVin, Inputs, Outputs, Pace, Phase, Plan, Power, Task, Troubles},
    outbox::Draft,
    ports::Ports,
    recorder::{Key, Reading},
};
use bugbrother_wire::message::{CarDeclaration, DtcStatus, EventKind, FreezeFrame, SignalDeclaration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// What a test waits for at the longest.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The agent's end of the conversation.
pub struct Car {
    readings: mpsc::Receiver<Reading>,
    drafts: mpsc::Receiver<Draft>,
    pub vin: watch::Receiver<CarVin>,
    pub car: watch::Receiver<Option<CarDeclaration>>,
    pub power: watch::Receiver<Power>,
    pub signals: watch::Receiver<Vec<SignalDeclaration>>,
    pub periods: watch::Sender<BTreeMap<String, u32>>,
    pub moving: watch::Sender<bool>,
    tasks: mpsc::Sender<Task>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    pub seen: Arc<Mutex<Vec<(Key, f64)>>>,
}

impl Car {
    pub fn connect(adapter: impl Into<Adapter>) -> Self {
        Car::connect_with(adapter, Pace::default(), "/nowhere")
    }

    pub fn connect_with(adapter: impl Into<Adapter>, pace: Pace, ports: impl AsRef<Path>) -> Self {
        let plan = Plan { adapter: adapter.into(), ports: Ports::new(ports.as_ref()), pace };
        let (readings, readings_in) = mpsc::channel(64);
        let (drafts, drafts_in) = mpsc::channel(64);
        let (signals, signals_in) = watch::channel(Vec::new());
        let (vin, vin_in) = watch::channel(CarVin::Unknown);
        let (car, car_in) = watch::channel(None);
        let (power, power_in) = watch::channel(Power { phase: Phase::Unknown, voltage: None });
        let (periods, periods_in) = watch::channel(BTreeMap::new());
        let (moving, moving_in) = watch::channel(false);
        let (tasks, tasks_in) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let ending = stop.clone();
        let task = tokio::task::spawn_blocking(move || {
            let time = Time::new(ClockSettings::of_this_system());
            let outputs = Outputs { readings, drafts, signals, vin, car, power, time };
            let inputs = Inputs { periods: periods_in, moving: moving_in, tasks: tasks_in };
            obd::run(&plan, &outputs, inputs, &ending);
        });
        Car {
            readings: readings_in,
            drafts: drafts_in,
            vin: vin_in,
            car: car_in,
            power: power_in,
            signals: signals_in,
            periods,
            moving,
            tasks,
            stop,
            task,
            seen: Arc::default(),
        }
    }

    /// The next value of a signal; all values are noted.
    pub async fn value(&mut self, key: &str) -> f64 {
        let seen = self.seen.clone();
        let next = async {
            loop {
                let reading = self.readings.recv().await.expect("the adapter's task runs");
                seen.lock().unwrap().extend(reading.values.iter().cloned());
                if let Some((_, value)) = reading.values.iter().find(|(known, _)| *known == key) {
                    return *value;
                }
            }
        };
        timeout(LIMIT, next).await.unwrap_or_else(|_| panic!("no {key}"))
    }

    /// The value that was told last, or never.
    pub fn seen(&self, key: &str) -> Option<f64> {
        let seen = self.seen.lock().unwrap();
        seen.iter().rev().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    /// Values until all of these were told; what was told last of each.
    pub async fn values<const N: usize>(&mut self, keys: [&str; N]) -> [f64; N] {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let told = keys.map(|key| self.seen(key));
            if told.iter().all(Option::is_some) {
                return told.map(Option::unwrap);
            }
            let reading = timeout_at(deadline, self.readings.recv()).await;
            let missing: Vec<_> = keys.iter().filter(|key| self.seen(key).is_none()).collect();
            let reading = reading.unwrap_or_else(|_| panic!("no {missing:?}")).expect("the adapter's task runs");
            self.seen.lock().unwrap().extend(reading.values);
        }
    }

    pub async fn draft(&mut self) -> Draft {
        timeout(LIMIT, self.drafts.recv()).await.expect("a draft").expect("the adapter's task runs")
    }

    /// What the next diagnostics say.
    pub async fn troubles(&mut self) -> Troubles {
        loop {
            if let Draft::Diagnostics { mil, dtcs, monitors, freeze_frame, .. } = self.draft().await {
                return Troubles { mil, dtcs, monitors, freeze_frame };
            }
        }
    }

    pub async fn codes(&mut self) -> Vec<(String, DtcStatus, Option<String>)> {
        codes(&self.troubles().await)
    }

    pub async fn event(&mut self) -> EventKind {
        loop {
            if let Draft::Event(happening) = self.draft().await {
                return happening.kind;
            }
        }
    }

    pub async fn phase(&mut self, phase: Phase) -> Power {
        let power = timeout(LIMIT, self.power.wait_for(|power| power.phase == phase)).await;
        *power.unwrap_or_else(|_| panic!("not {phase:?}")).unwrap()
    }

    pub async fn told_vin(&mut self) -> CarVin {
        *timeout(LIMIT, self.vin.wait_for(|vin| *vin != CarVin::Unknown)).await.expect("it tells").unwrap()
    }

    pub async fn declared(&mut self) -> CarDeclaration {
        let told = timeout(LIMIT, self.car.wait_for(Option::is_some)).await.expect("it tells").unwrap();
        told.clone().unwrap()
    }

    pub async fn read_codes(&mut self) -> Result<Troubles, String> {
        self.give(Task::ReadCodes).await
    }

    pub async fn clear_codes(&mut self) -> Result<Troubles, String> {
        self.give(Task::ClearCodes).await
    }

    /// Gives a task and takes in what is told meanwhile.
    async fn give(
        &mut self,
        task: impl FnOnce(oneshot::Sender<Result<Troubles, String>>) -> Task,
    ) -> Result<Troubles, String> {
        let (answer, mut answered) = oneshot::channel();
        self.tasks.send(task(answer)).await.expect("the adapter's task runs");
        let seen = self.seen.clone();
        let drain = async {
            loop {
                tokio::select! {
                    answer = &mut answered => return answer.expect("every task is answered"),
                    Some(reading) = self.readings.recv() => seen.lock().unwrap().extend(reading.values),
                }
            }
        };
        timeout(LIMIT, drain).await.expect("an answer in time")
    }

    /// Gives a task whose answer nobody waits for.
    pub async fn give_up(&mut self) {
        let (answer, answered) = oneshot::channel();
        drop(answered);
        self.tasks.send(Task::ClearCodes(answer)).await.expect("the adapter's task runs");
    }

    /// A panic of the task is the test's.
    pub async fn end(self) {
        self.stop.cancel();
        let began = Instant::now();
        drop((self.readings, self.drafts));
        timeout(LIMIT, self.task).await.expect("it ends").expect("it did not panic");
        assert!(began.elapsed() < Duration::from_secs(5), "it ends soon");
    }
}

pub fn codes(troubles: &Troubles) -> Vec<(String, DtcStatus, Option<String>)> {
    troubles.dtcs.iter().map(|dtc| (dtc.code.clone(), dtc.status, dtc.ecu.clone())).collect()
}

/// What a freeze frame holds, rounded to thousandths.
pub fn frozen(frame: &FreezeFrame) -> Vec<(&str, i64)> {
    frame.values.iter().map(|(key, value)| (&key[..], (value * 1000.0).round() as i64)).collect()
}

/// The way to an adapter that listens there.
pub fn link(address: std::net::SocketAddr) -> Link {
    Link::Tcp(Address { host: address.ip().to_string(), port: address.port() })
}

//! A car behind two TCP ports: its GNSS receiver's and its ELM327's.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use bugbrother_wire::unix_ms;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::{car::Car, elm::Elm327, fleet::Profile, nmea::NmeaTalker};

/// How often the model moves on.
const MODEL_PERIOD: Duration = Duration::from_millis(50);
/// After a pause of the machine the car goes on where it was, and does not catch up for hours.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A client that does not read for so long is hung up on.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// After a failed accept, such as with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A running car. It drives until its token is cancelled, whether anybody listens or not.
#[derive(Debug)]
pub struct Simulator {
    tasks: TaskTracker,
}

impl Simulator {
    /// Starts the car in the running tokio runtime, `time_scale` times as fast as the clock (above 0, at most 1000).
    ///
    /// Each port serves one client at a time, as a serial line would; the next one waits until it has left.
    pub fn start(
        profile: Profile,
        gps: TcpListener,
        elm: TcpListener,
        time_scale: f64,
        shutdown: CancellationToken,
    ) -> Self {
        let tasks = TaskTracker::new();
        let shared = Shared(Arc::new(Mutex::new(Car::new(&profile))));
        let time_scale = if time_scale.is_finite() { time_scale.clamp(0.01, 1000.0) } else { 1.0 };
        let vin = profile.vin;
        let spawn = |part: &'static str, work: BoxedWork, stop: CancellationToken| {
            tasks.spawn(async move {
                stop.run_until_cancelled(work).await;
                debug!(%vin, part, "simulated car stopped");
            });
        };
        spawn("model", Box::pin(drive(shared.clone(), time_scale)), shutdown.clone());
        spawn("gnss", Box::pin(serve_gps(shared.clone(), gps, profile.gnss_hz)), shutdown.clone());
        spawn("elm327", Box::pin(serve_elm(shared, elm)), shutdown);
        tasks.close();
        Simulator { tasks }
    }

    /// Waits until everything has ended after the token was cancelled.
    pub async fn wait(self) {
        self.tasks.wait().await;
    }
}

type BoxedWork = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone)]
struct Shared(Arc<Mutex<Car>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Car> {
        self.0.lock().expect("nothing that holds the car panics")
    }
}

async fn drive(car: Shared, time_scale: f64) {
    let mut ticks = interval(MODEL_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        let now = ticks.tick().await;
        let passed = now.duration_since(last).min(LONGEST_PAUSE);
        last = now;
        car.lock().step(passed.mul_f64(time_scale));
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                warn!(%error, "simulated car cannot accept a client");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_gps(car: Shared, listener: TcpListener, rate_hz: u8) {
    let mut talker = NmeaTalker::new(&car.lock());
    let period_ms = 1000 / i64::from(rate_hz.clamp(1, 20));
    loop {
        let mut stream = accept(&listener).await;
        loop {
            // Fixes lie on whole multiples of the period, as a receiver's do.
            let now = unix_ms(SystemTime::now());
            let time = (now / period_ms + 1) * period_ms;
            sleep(Duration::from_millis((time - now) as u64)).await;
            let fix = talker.fix(&car.lock().reading(), time);
            let sentences = NmeaTalker::sentences(&fix);
            if !write(&mut stream, sentences.as_bytes()).await {
                break;
            }
        }
    }
}

async fn serve_elm(car: Shared, listener: TcpListener) {
    let mut buffer = [0; 512];
    // The adapter keeps its settings while it has power: a new client finds what the last one left.
    let mut adapter = Elm327::new();
    loop {
        let mut stream = accept(&listener).await;
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            let answer = adapter.receive(&buffer[..count], &mut *car.lock());
            if !write(&mut stream, &answer).await {
                break;
            }
        }
    }
}

/// Whether all of it was taken in time.
async fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    matches!(timeout(WRITE_DEADLINE, stream.write_all(bytes)).await, Ok(Ok(())))
}

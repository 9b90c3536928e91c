//! The streams that somebody looks at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bugbrother_guard::Guard;
use bugbrother_wire::{
    CameraId, CommandId, UnixMs, Vin,
    message::{Reply, ReplyState},
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    aim::Aim,
    channel::{Channel, Standing},
    pull::{Held, Pull},
};

/// Most streams at a time.
const MAX_STREAMS: usize = 500;
/// A vehicle is asked again so often: it streams for [`STREAM_FOR`] after it was asked last.
const ASK_EVERY: Duration = Duration::from_secs(20);
/// The same while it does not answer.
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// For how long a vehicle streams after it was asked.
pub(crate) const STREAM_FOR: Duration = Duration::from_secs(60);
/// A stream goes on for so long without a viewer: somebody who reloads a page comes back at once.
const LINGER: Duration = Duration::from_secs(5);

/// Most cameras that the server reaches by itself at a time.
const MAX_PULLS: usize = 64;

/// A camera of a vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The vehicle.
    pub vin: Vin,
    /// Its camera.
    pub camera: CameraId,
    /// Whether it is the smaller stream of a camera that the server reaches.
    pub is_small: bool,
}

impl Key {
    /// The stream that a vehicle brings, or a camera's main one.
    pub fn new(vin: Vin, camera: &CameraId) -> Self {
        Key { vin, camera: camera.clone(), is_small: false }
    }
}

/// Whose camera it is.
pub(crate) enum Found {
    /// The server reaches it, there.
    Here(Aim),
    /// The server reaches it, and nobody can.
    Nowhere(String),
    /// The vehicle's own.
    Vehicle,
    /// The database does not answer: it stays as it is.
    Unknown,
}

/// Finds out whose camera it is, and where.
pub(crate) type Find = Arc<dyn Fn(Key) -> BoxFuture<'static, Found> + Send + Sync>;

/// Asks a vehicle for a stream of a camera, for somebody; the command's identity. None without a way to it.
pub(crate) type Ask = Arc<dyn Fn(Vin, &CameraId, &str) -> BoxFuture<'static, Option<CommandId>> + Send + Sync>;

/// All streams.
pub(crate) struct Relay {
    streams: Mutex<HashMap<Key, Stream>>,
    ask: Ask,
    find: Find,
    guard: Guard,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Stream {
    channel: Arc<Channel>,
    /// Who opened it.
    by: String,
    looks: usize,
    /// Since when nobody looks.
    idle: Instant,
    asked: Option<CommandId>,
    push: Option<CancellationToken>,
    pull: Option<Pulling>,
    /// Something of it has changed.
    changed: Arc<Notify>,
    /// What is known of its camera has changed.
    is_doubtful: bool,
}

/// A camera that the server reaches, until this is dropped.
struct Pulling {
    version: UnixMs,
    held: Arc<Held>,
    _end: DropGuard,
}

impl Stream {
    fn has_source(&self) -> bool {
        self.push.is_some() || self.pull.is_some()
    }
}

impl Relay {
    /// Without a stream. Its tasks are tracked, and end with `stop`.
    pub fn new(ask: Ask, find: Find, guard: Guard, tasks: TaskTracker, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Relay { streams: Mutex::default(), ask, find, guard, tasks, stop })
    }

    /// Which addresses the server may reach cameras at.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Somebody looks at a camera; none when too many are looked at.
    pub fn look(self: &Arc<Self>, key: Key, by: &str) -> Option<Look> {
        let mut streams = self.lock();
        if !streams.contains_key(&key) && streams.len() >= MAX_STREAMS {
            return None;
        }
        let stream = streams.entry(key.clone()).or_insert_with(|| {
            let changed = Arc::new(Notify::new());
            self.tasks.spawn(Arc::clone(self).tend(key.clone(), Arc::clone(&changed)));
            Stream {
                channel: Arc::default(),
                by: by.to_owned(),
                looks: 0,
                idle: Instant::now(),
                asked: None,
                push: None,
                pull: None,
                changed,
                is_doubtful: false,
            }
        });
        stream.looks += 1;
        let channel = Arc::clone(&stream.channel);
        Some(Look { relay: Arc::clone(self), key, channel })
    }

    /// What is known of a camera that the server reaches has changed, or it is gone.
    pub fn doubt(&self, vin: Vin, camera: &CameraId) {
        for is_small in [false, true] {
            self.change(&Key { vin, camera: camera.clone(), is_small }, |stream| stream.is_doubtful = true);
        }
    }

    /// The last seconds of a camera that the server reaches; none where nobody looks at it.
    pub fn held(&self, vin: Vin, camera: &CameraId) -> Option<Arc<Held>> {
        let streams = self.lock();
        // On a wall the smaller stream alone may be looked at.
        [false, true].into_iter().find_map(|is_small| {
            let stream = streams.get(&Key { vin, camera: camera.clone(), is_small })?;
            stream.pull.as_ref().map(|pull| Arc::clone(&pull.held))
        })
    }

    /// A vehicle brings a stream; none where nobody looks. It takes the place of one that it brought before, whose connection
    /// may be dead without anybody knowing.
    pub fn push(self: &Arc<Self>, vin: Vin, camera: &CameraId) -> Option<Push> {
        let key = Key::new(vin, camera);
        let mut streams = self.lock();
        let stream = streams.get_mut(&key).filter(|stream| stream.pull.is_none())?;
        let unwanted = self.stop.child_token();
        if let Some(before) = stream.push.replace(unwanted.clone()) {
            before.cancel();
        }
        stream.changed.notify_one();
        let channel = Arc::clone(&stream.channel);
        Some(Push { relay: Arc::clone(self), key, channel, unwanted })
    }

    /// What a vehicle says of a command, which may be one of ours.
    pub fn hear(&self, reply: &Reply) {
        let why = match reply.state {
            ReplyState::Accepted | ReplyState::Running | ReplyState::Done => return,
            ReplyState::Failed | ReplyState::Expired | ReplyState::Denied => reply.detail.as_deref(),
        };
        let streams = self.lock();
        let asked = |stream: &&Stream| stream.asked == Some(reply.command) && !stream.has_source();
        let of_vehicle = streams.iter().filter(|(key, _)| key.vin == reply.vin).map(|(_, stream)| stream);
        for stream in of_vehicle.filter(asked) {
            stream.channel.stand(Standing::Gone(why.unwrap_or("the vehicle cannot show it").into()));
        }
    }

    /// Streams that are looked at, and all who look.
    #[cfg(test)]
    pub fn count(&self) -> (usize, usize) {
        let streams = self.lock();
        (streams.len(), streams.values().map(|stream| stream.looks).sum())
    }

    /// Asks for a stream for as long as somebody looks.
    async fn tend(self: Arc<Self>, key: Key, changed: Arc<Notify>) {
        let mut asked: Option<Instant> = None;
        while let Some(step) = self.step(&key, asked) {
            tokio::select! {
                () = sleep_until(step.at) => {}
                () = changed.notified() => continue,
                () = self.stop.cancelled() => return,
            }
            if step.is_asking {
                asked = Some(Instant::now());
                if self.stop.run_until_cancelled(self.ask(&key)).await.is_none() {
                    return;
                }
            }
        }
    }

    /// What is to be done next for a stream; none when it has ended.
    fn step(&self, key: &Key, asked: Option<Instant>) -> Option<Step> {
        let mut streams = self.lock();
        let stream = streams.get(key)?;
        if stream.looks > 0 {
            let every = if stream.has_source() { ASK_EVERY } else { ASK_AGAIN };
            let asked = asked.filter(|_| !stream.is_doubtful);
            return Some(Step { at: asked.map_or_else(Instant::now, |asked| asked + every), is_asking: true });
        }
        if stream.idle.elapsed() < LINGER {
            return Some(Step { at: stream.idle + LINGER, is_asking: false });
        }
        if let Some(push) = streams.remove(key).and_then(|stream| stream.push) {
            push.cancel();
        }
        None
    }

    /// Has the stream come, from wherever its camera is.
    async fn ask(&self, key: &Key) {
        self.change_quietly(key, |stream| stream.is_doubtful = false);
        match (self.find)(key.clone()).await {
            Found::Unknown => {}
            Found::Here(aim) => self.pull(key, aim),
            Found::Nowhere(why) => self.change_quietly(key, |stream| {
                stream.pull = None;
                stream.channel.stand(Standing::Gone(why.into()));
            }),
            Found::Vehicle => {
                self.change_quietly(key, |stream| {
                    if stream.pull.take().is_some() {
                        stream.channel.stand(Standing::Waiting);
                    }
                });
                let by = self.lock().get(key).map(|stream| stream.by.clone()).unwrap_or_default();
                let asked = (self.ask)(key.vin, &key.camera, &by).await;
                self.change_quietly(key, |stream| stream.asked = asked.or(stream.asked));
            }
        }
    }

    /// Reaches a camera, unless that is done already.
    fn pull(&self, key: &Key, aim: Aim) {
        let mut streams = self.lock();
        let pulls = streams.values().filter(|stream| stream.pull.is_some()).count();
        let Some(stream) = streams.get_mut(key) else { return };
        if stream.pull.as_ref().is_some_and(|pull| pull.version == aim.version) {
            return;
        }
        if stream.pull.is_none() && pulls >= MAX_PULLS {
            let why = format!("the server reaches {MAX_PULLS} cameras at a time; close another one");
            return stream.channel.stand(Standing::Gone(why.into()));
        }
        if let Some(push) = stream.push.take() {
            push.cancel();
        }
        let (end, held) = (self.stop.child_token(), Arc::<Held>::default());
        let (guard, channel) = (self.guard.clone(), Arc::clone(&stream.channel));
        let version = aim.version;
        let pull = Pull { aim, guard, channel, held: Arc::clone(&held), is_small: key.is_small };
        self.tasks.spawn(pull.run(end.clone()));
        stream.channel.stand(Standing::Waiting);
        stream.pull = Some(Pulling { version, held, _end: end.drop_guard() });
    }

    fn change_quietly(&self, key: &Key, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.lock().get_mut(key) {
            change(stream);
        }
    }

    fn change(&self, key: &Key, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.lock().get_mut(key) {
            change(stream);
            stream.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Stream>> {
        self.streams.lock().expect("nothing panics while it holds the streams")
    }
}

/// When to look at a stream again, and whether its vehicle is to be asked then.
struct Step {
    at: Instant,
    is_asking: bool,
}

/// Somebody who looks at a camera, until this is dropped.
pub(crate) struct Look {
    relay: Arc<Relay>,
    key: Key,
    channel: Arc<Channel>,
}

impl Look {
    /// Whose camera it is.
    pub fn vin(&self) -> Vin {
        self.key.vin
    }

    /// Which one it is.
    pub fn camera(&self) -> &CameraId {
        &self.key.camera
    }

    /// What they look at.
    pub fn channel(&self) -> Arc<Channel> {
        Arc::clone(&self.channel)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.relay.change(&self.key, |stream| {
            stream.looks -= 1;
            stream.idle = Instant::now();
        });
    }
}

/// A vehicle that brings a stream, until this is dropped.
pub(crate) struct Push {
    relay: Arc<Relay>,
    key: Key,
    /// Where it goes.
    pub channel: Arc<Channel>,
    /// Nobody looks any more, or the vehicle has brought it anew.
    pub unwanted: CancellationToken,
}

impl Drop for Push {
    fn drop(&mut self) {
        // Who took its place, or ended it, has taken it off.
        if !self.unwanted.is_cancelled() {
            self.channel.stand(Standing::Waiting);
            self.relay.change(&self.key, |stream| stream.push = None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use bugbrother_wire::{Epoch, SCHEMA_VERSION, Seq};
    use tokio::time::sleep;
    use uuid::Uuid;

    use super::*;
    use crate::video::channel::Said;

    const ASKED: CommandId = CommandId(Uuid::from_u128(7));

    impl Rig {
        fn look(&self, by: &str) -> Look {
            self.relay.look(Key::new(self.vin, &self.camera), by).unwrap()
        }
    }

    struct Rig {
        relay: Arc<Relay>,
        asked: Arc<AtomicUsize>,
        tasks: TaskTracker,
        stop: CancellationToken,
        camera: CameraId,
        vin: Vin,
    }

    fn rig() -> Rig {
        let (tasks, stop, asked) = (TaskTracker::new(), CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&asked);
        let ask: Ask = Arc::new(move |_, _, _| {
            counted.fetch_add(1, Relaxed);
            Box::pin(async { Some(ASKED) })
        });
        let find: Find = Arc::new(|_| Box::pin(async { Found::Vehicle }));
        let relay = Relay::new(ask, find, Guard::default(), tasks.clone(), stop.clone());
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        Rig { relay, asked, tasks, stop, camera: CameraId::try_from("front".to_owned()).unwrap(), vin }
    }

    async fn ended(rig: Rig) {
        rig.stop.cancel();
        rig.tasks.close();
        rig.tasks.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_vehicle_is_asked_while_somebody_looks_and_let_go_after() {
        let rig = rig();
        assert!(rig.relay.push(rig.vin, &rig.camera).is_none(), "nobody looks");
        let look = rig.look("ada");
        let another = rig.look("bob");
        assert_eq!(rig.relay.count(), (1, 2));
        sleep(ASK_AGAIN * 3 + Duration::from_millis(1)).await;
        assert_eq!(rig.asked.load(Relaxed), 4, "it does not answer");
        let push = rig.relay.push(rig.vin, &rig.camera).unwrap();
        let asked = rig.asked.load(Relaxed);
        sleep(ASK_EVERY * 3).await;
        assert_eq!(rig.asked.load(Relaxed), asked + 3, "the time is prolonged");
        drop(look);
        sleep(LINGER * 2).await;
        assert!(!push.unwanted.is_cancelled(), "somebody still looks");
        drop(another);
        sleep(LINGER + Duration::from_millis(1)).await;
        assert!(push.unwanted.is_cancelled());
        assert_eq!(rig.relay.count(), (0, 0));
        let asked = rig.asked.load(Relaxed);
        sleep(ASK_EVERY * 10).await;
        assert_eq!(rig.asked.load(Relaxed), asked);
        ended(rig).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_connection_of_a_vehicle_counts_and_one_that_ends_is_asked_for_again() {
        let rig = rig();
        let look = rig.look("ada");
        sleep(Duration::from_millis(1)).await;
        let first = rig.relay.push(rig.vin, &rig.camera).unwrap();
        let second = rig.relay.push(rig.vin, &rig.camera).unwrap();
        assert!(first.unwanted.is_cancelled());
        drop(first);
        assert!(!second.unwanted.is_cancelled(), "the end of the old one does not touch the new one");
        let asked = rig.asked.load(Relaxed);
        drop(second);
        sleep(ASK_AGAIN + Duration::from_millis(1)).await;
        assert_eq!(rig.asked.load(Relaxed), asked + 1);
        drop(look);
        ended(rig).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_reloads_a_page_finds_the_stream_still_there() {
        let rig = rig();
        drop(rig.look("ada"));
        let push = rig.relay.push(rig.vin, &rig.camera).unwrap();
        sleep(LINGER / 2).await;
        let look = rig.look("ada");
        sleep(LINGER * 2).await;
        assert!(!push.unwanted.is_cancelled());
        assert!(Arc::ptr_eq(&look.channel(), &push.channel));
        drop(look);
        ended(rig).await;
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_look_are_told_why_a_vehicle_does_not_show_it() {
        let rig = rig();
        let look = rig.look("ada");
        let (_, mut said) = look.channel().join();
        sleep(Duration::from_millis(1)).await;
        let reply = Reply {
            v: SCHEMA_VERSION,
            vin: rig.vin,
            epoch: Epoch(1),
            seq: Seq(1),
            command: ASKED,
            state: ReplyState::Denied,
            at: 0,
            detail: Some("privacy is on".into()),
            result: Default::default(),
            text: None,
        };
        rig.relay.hear(&Reply { command: CommandId(Uuid::from_u128(8)), ..reply.clone() });
        assert!(said.try_recv().is_err(), "that is of another command");
        rig.relay.hear(&reply);
        assert_eq!(said.try_recv(), Ok(Said::Standing(Standing::Gone("privacy is on".into()))));
        drop(look);
        ended(rig).await;
    }
}

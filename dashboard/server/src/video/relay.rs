//! The streams that somebody looks at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bugbrother_wire::{
    CameraId, CommandId, Vin,
    message::{Reply, ReplyState},
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::channel::{Channel, Standing};

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

/// A camera of a vehicle.
type Key = (Vin, CameraId);

/// Asks a vehicle for a stream of a camera, for somebody; the command's identity. None without a way to it.
pub(crate) type Ask = Arc<dyn Fn(Vin, &CameraId, &str) -> BoxFuture<'static, Option<CommandId>> + Send + Sync>;

/// All streams.
pub(crate) struct Relay {
    streams: Mutex<HashMap<Key, Stream>>,
    ask: Ask,
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
    /// Something of it has changed.
    changed: Arc<Notify>,
}

impl Relay {
    /// Without a stream. Its tasks are tracked, and end with `stop`.
    pub fn new(ask: Ask, tasks: TaskTracker, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Relay { streams: Mutex::default(), ask, tasks, stop })
    }

    /// Somebody looks at a camera; none when too many are looked at.
    pub fn look(self: &Arc<Self>, vin: Vin, camera: &CameraId, by: &str) -> Option<Look> {
        let key = (vin, camera.clone());
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
                changed,
            }
        });
        stream.looks += 1;
        let channel = Arc::clone(&stream.channel);
        Some(Look { relay: Arc::clone(self), key, channel })
    }

    /// A vehicle brings a stream; none where nobody looks. It takes the place of one that it brought before, whose connection
    /// may be dead without anybody knowing.
    pub fn push(self: &Arc<Self>, vin: Vin, camera: &CameraId) -> Option<Push> {
        let key = (vin, camera.clone());
        let mut streams = self.lock();
        let stream = streams.get_mut(&key)?;
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
        let asked = |stream: &&Stream| stream.asked == Some(reply.command) && stream.push.is_none();
        let of_vehicle = streams.iter().filter(|((vin, _), _)| *vin == reply.vin).map(|(_, stream)| stream);
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
            let every = if stream.push.is_some() { ASK_EVERY } else { ASK_AGAIN };
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

    async fn ask(&self, key: &Key) {
        let by = self.lock().get(key).map(|stream| stream.by.clone()).unwrap_or_default();
        let asked = (self.ask)(key.0, &key.1, &by).await;
        if let Some(stream) = self.lock().get_mut(key) {
            stream.asked = asked.or(stream.asked);
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
        self.key.0
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
        let relay = Relay::new(ask, tasks.clone(), stop.clone());
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
        let look = rig.relay.look(rig.vin, &rig.camera, "ada").unwrap();
        let another = rig.relay.look(rig.vin, &rig.camera, "bob").unwrap();
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
        let look = rig.relay.look(rig.vin, &rig.camera, "ada").unwrap();
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
        drop(rig.relay.look(rig.vin, &rig.camera, "ada").unwrap());
        let push = rig.relay.push(rig.vin, &rig.camera).unwrap();
        sleep(LINGER / 2).await;
        let look = rig.relay.look(rig.vin, &rig.camera, "ada").unwrap();
        sleep(LINGER * 2).await;
        assert!(!push.unwanted.is_cancelled());
        assert!(Arc::ptr_eq(&look.channel(), &push.channel));
        drop(look);
        ended(rig).await;
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_look_are_told_why_a_vehicle_does_not_show_it() {
        let rig = rig();
        let look = rig.relay.look(rig.vin, &rig.camera, "ada").unwrap();
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

//! A link of rumqttd's router.

use std::{collections::HashMap, time::Duration};

use bytes::{Buf as _, Bytes};
use rumqttd::{
    Notification,
    local::LinkRx,
    protocol::{
        Disconnect, DisconnectReasonCode, Filter, Packet, PingReq, QoS, RetainForwardRule, Subscribe,
        SubscribeProperties, Unsubscribe,
    },
};
use tokio::time::timeout;

use crate::{
    message::Message,
    router::{Router, RouterDied, Slot},
};

/// How long the router may take to let a link go. A link that takes longer is left where it is.
const CLOSE_DEADLINE: Duration = Duration::from_secs(30);

/// Number of one name that a link has subscribed to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
struct RouteId(u64);

/// What comes out of a link.
#[derive(Debug)]
pub(crate) enum Arrival {
    Message {
        /// Messages before this one that fell out of the router's log because the link was read too slowly. Of the first
        /// message of a route it is 0: where the route began in the log is not told.
        lost: u64,
        /// Bytes that had been published with its batch.
        end: u64,
        message: Message,
    },
    /// Nothing more comes until [`Link::resume`].
    Paused,
}

/// A subscriber of the router. Leaves it in the background when it is dropped.
pub(crate) struct Link {
    inner: Option<Inner>,
}

struct Inner {
    router: Router,
    slot: Slot,
    receiver: LinkRx,
    /// The router waits to be woken.
    paused: bool,
    /// The rest of a batch.
    batch: Batch,
    routes: HashMap<RouteId, Route>,
    last_route: u64,
}

struct Route {
    name: String,
    /// Which message of its name comes next.
    next: Option<u64>,
}

/// Messages that came together.
#[derive(Default)]
struct Batch {
    end: u64,
    lost: u64,
    rest: Bytes,
}

impl Batch {
    fn len(&self) -> u64 {
        let (mut rest, mut count) = (&self.rest[..], 0);
        while let Some((length, after)) = rest.split_first_chunk() {
            count += 1;
            rest = after.get(u32::from_be_bytes(*length) as usize..).unwrap_or_default();
        }
        count
    }

    fn next(&mut self) -> Option<Arrival> {
        while let Ok(length) = self.rest.try_get_u32() {
            let length = (length as usize).min(self.rest.len());
            if let Some(message) = Message::decode(self.rest.split_to(length)) {
                let lost = std::mem::take(&mut self.lost);
                return Some(Arrival::Message { lost, end: self.end, message });
            }
        }
        None
    }
}

impl Link {
    pub(crate) fn new(router: Router, slot: Slot, receiver: LinkRx) -> Self {
        let inner = Inner {
            router,
            slot,
            receiver,
            paused: false,
            batch: Batch::default(),
            routes: HashMap::new(),
            last_route: 0,
        };
        Link { inner: Some(inner) }
    }

    fn inner(&mut self) -> &mut Inner {
        self.inner.as_mut().expect("only drop takes it out")
    }

    /// Subscribes to a name. What is published after this has returned will arrive.
    pub(crate) async fn subscribe(&mut self, name: &str) -> Result<(), RouterDied> {
        let inner = self.inner();
        inner.last_route += 1;
        let route = RouteId(inner.last_route);
        inner.routes.insert(route, Route { name: name.to_owned(), next: None });
        let filter = Filter {
            path: name.to_owned(),
            qos: QoS::AtMostOnce,
            nolocal: false,
            preserve_retain: false,
            retain_forward_rule: RetainForwardRule::Never,
        };
        // The router gives this number back with each message: the way to know why it came.
        let properties = SubscribeProperties { id: Some(route.0 as usize), user_properties: Vec::new() };
        let packet = Packet::Subscribe(Subscribe { pkid: 1, filters: vec![filter] }, Some(properties));
        inner.router.send(inner.slot, packet).await
    }

    /// The next thing that comes. May be dropped while it waits without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Arrival, RouterDied> {
        let inner = self.inner();
        loop {
            if let Some(next) = inner.batch.next() {
                return Ok(next);
            }
            match inner.receiver.next().await.map_err(|_| RouterDied)? {
                Some(Notification::Forward(forward)) => {
                    let route = forward.properties.as_ref().and_then(|own| own.subscription_identifiers.last());
                    let route = RouteId(route.map_or(0, |id| *id as u64));
                    let mut rest = forward.publish.payload;
                    let (Some(state), Ok(first), Ok(end)) =
                        (inner.routes.get_mut(&route), rest.try_get_u64(), rest.try_get_u64())
                    else {
                        continue;
                    };
                    let lost = state.next.map_or(0, |next| first.saturating_sub(next));
                    inner.batch = Batch { end, lost, rest };
                    state.next = Some(first + inner.batch.len());
                }
                Some(Notification::Unschedule) => {
                    inner.paused = true;
                    return Ok(Arrival::Paused);
                }
                Some(_) | None => {}
            }
        }
    }

    /// Answers [`Arrival::Paused`]. At any other time it would stop the router.
    pub(crate) async fn resume(&mut self) -> Result<(), RouterDied> {
        let inner = self.inner();
        if std::mem::take(&mut inner.paused) { inner.receiver.wake().await.map_err(|_| RouterDied) } else { Ok(()) }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        let closing = inner.router.closing().clone();
        closing.spawn(async move {
            match timeout(CLOSE_DEADLINE, inner.close()).await {
                Ok(Ok(()) | Err(RouterDied)) => {}
                Err(_) => tracing::error!("the router does not let a link go"),
            }
        });
    }
}

impl Inner {
    async fn unsubscribe(&self, name: String) -> Result<(), RouterDied> {
        self.router.send(self.slot, Packet::Unsubscribe(Unsubscribe { pkid: 1, filters: vec![name] }, None)).await
    }

    /// Leaves the router so that no event of this link is left in its queue and its place among those to be served is
    /// empty. The router panics on the one and stalls others on the other.
    async fn close(mut self) -> Result<(), RouterDied> {
        self.settle().await?;
        if !self.paused {
            for route in std::mem::take(&mut self.routes).into_values() {
                self.unsubscribe(route.name).await?;
            }
            self.settle().await?;
        }
        let goodbye = Disconnect { reason_code: DisconnectReasonCode::NormalDisconnection };
        self.router.send(self.slot, Packet::Disconnect(goodbye, None)).await?;
        while self.receiver.next().await.is_ok() {}
        self.router.close(self.slot).await
    }

    /// Waits until the router has done all that this link asked for. An answered ping proves that it has seen the last
    /// wake-up, because it answers nothing while it is paused; a new pause proves the same.
    async fn settle(&mut self) -> Result<(), RouterDied> {
        if self.paused {
            return Ok(());
        }
        self.router.send(self.slot, Packet::PingReq(PingReq)).await?;
        loop {
            match self.receiver.next().await.map_err(|_| RouterDied)? {
                Some(Notification::Unschedule) => {
                    self.paused = true;
                    return Ok(());
                }
                Some(Notification::DeviceAck(ack)) => {
                    if let Packet::PingResp(_) = ack.into() {
                        return Ok(());
                    }
                }
                Some(_) | None => {}
            }
        }
    }
}

//! A link of rumqttd's router.

use std::{collections::HashMap, time::Duration};

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

/// Number of one name that a link has subscribed to. Never used twice in a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RouteId(pub(crate) u64);

/// What comes out of a link.
#[derive(Debug)]
pub(crate) enum Arrival {
    Message {
        route: RouteId,
        /// Messages before this one that fell out of the router's log because the link was read too slowly. Of the first
        /// message of a route it is 0: where the route began in the log is not told.
        lost: u64,
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
    routes: HashMap<RouteId, Route>,
    names: HashMap<String, RouteId>,
    last_route: u64,
}

struct Route {
    name: String,
    /// Where in the router's log the next message stands.
    next: Option<u64>,
}

impl Link {
    pub(crate) fn new(router: Router, slot: Slot, receiver: LinkRx) -> Self {
        let inner = Inner {
            router,
            slot,
            receiver,
            paused: false,
            routes: HashMap::new(),
            names: HashMap::new(),
            last_route: 0,
        };
        Link { inner: Some(inner) }
    }

    fn inner(&mut self) -> &mut Inner {
        self.inner.as_mut().expect("only drop takes it out")
    }

    /// The route of `name`, subscribed to now if it was not. What is published after this has returned will arrive.
    pub(crate) async fn subscribe(&mut self, name: &str) -> Result<RouteId, RouterDied> {
        let inner = self.inner();
        if let Some(route) = inner.names.get(name) {
            return Ok(*route);
        }
        inner.last_route += 1;
        let route = RouteId(inner.last_route);
        inner.routes.insert(route, Route { name: name.to_owned(), next: None });
        inner.names.insert(name.to_owned(), route);
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
        inner.router.send(inner.slot, packet).await?;
        Ok(route)
    }

    /// Ends a route.
    pub(crate) async fn unsubscribe(&mut self, route: RouteId) -> Result<(), RouterDied> {
        let inner = self.inner();
        match inner.routes.remove(&route) {
            Some(route) => {
                inner.names.remove(&route.name);
                inner.unsubscribe(route.name).await
            }
            None => Ok(()),
        }
    }

    /// The next thing that comes. May be dropped while it waits without losing anything.
    pub(crate) async fn next(&mut self) -> Result<Arrival, RouterDied> {
        let inner = self.inner();
        loop {
            match inner.receiver.next().await.map_err(|_| RouterDied)? {
                Some(Notification::Forward(forward)) => {
                    let route = forward.properties.as_ref().and_then(|own| own.subscription_identifiers.last());
                    let route = RouteId(route.map_or(0, |id| *id as u64));
                    let (Some(state), Some(message)) =
                        (inner.routes.get_mut(&route), Message::decode(forward.publish.payload))
                    else {
                        continue;
                    };
                    let (_segment, at) = forward.cursor.unwrap_or_default();
                    let lost = state.next.map_or(0, |next| at.saturating_sub(next));
                    state.next = Some(at + 1);
                    return Ok(Arrival::Message { route, lost, message });
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

//! A program that watches `/live`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use bugbrother_wire::{
    Vin,
    codec::decode_value,
    encode,
    live::{Frame, LiveVehicle, Want},
    message::Alert,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderName, Response},
        protocol::frame::coding::CloseCode,
    },
};

use crate::rig::{LIMIT, Rig};

/// What a viewer knows of the fleet by the frames that it has read.
pub struct Viewer {
    pub socket: WebSocketStream<TcpStream>,
    pub vehicles: BTreeMap<u32, LiveVehicle>,
    pub alerts: Vec<Alert>,
    pub snapshots: usize,
    pub bytes: usize,
}

/// Tries to open `/live` with these headers. The receive buffer is small, as behind a slow line.
pub async fn open(rig: &Rig, headers: &[(&'static str, &str)]) -> Result<WebSocketStream<TcpStream>, Error> {
    open_at(rig, "/live", headers).await
}

/// The same at another path.
pub async fn open_at(
    rig: &Rig,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{}{path}", rig.address).into_client_request()?;
    for (name, value) in headers {
        let value = value.parse().expect("the test's headers are valid");
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 * 1024)?;
    let stream = socket.connect(rig.address).await?;
    Ok(client_async(request, stream).await?.0)
}

/// The answer that refused to open `/live`.
pub fn refusal(opened: Result<WebSocketStream<TcpStream>, Error>) -> Result<Response<Option<Vec<u8>>>> {
    match opened {
        Err(Error::Http(response)) => Ok(*response),
        Err(error) => bail!("refused without an answer: {error}"),
        Ok(_) => bail!("was let in"),
    }
}

impl Viewer {
    /// Opens the live feed and reads nothing.
    pub async fn open(rig: &Rig, path: &str, headers: &[(&'static str, &str)]) -> Result<Self> {
        let socket = open_at(rig, path, headers).await?;
        Ok(Viewer { socket, vehicles: BTreeMap::new(), alerts: Vec::new(), snapshots: 0, bytes: 0 })
    }

    /// Says what it wants.
    pub async fn want(&mut self, want: &Want) -> Result<()> {
        Ok(self.socket.send(Message::Binary(encode(want).into())).await?)
    }

    /// Opens `/live` with a token and reads up to the snapshot.
    pub async fn join(rig: &Rig, token: &str) -> Result<Self> {
        let bearer = format!("Bearer {token}");
        let mut viewer = Viewer::open(rig, "/live", &[("authorization", &bearer)]).await?;
        match viewer.read().await? {
            Frame::Hello { server, .. } if !server.is_empty() => {}
            other => bail!("{other:?} instead of hello"),
        }
        match viewer.read().await? {
            Frame::Snapshot(_) => Ok(viewer),
            other => bail!("{other:?} instead of a snapshot"),
        }
    }

    /// Reads the next frame and takes it in.
    pub async fn read(&mut self) -> Result<Frame> {
        loop {
            let message = timeout(LIMIT, self.socket.next())
                .await
                .context("no frame in time")?
                .context("the socket has ended")??;
            match message {
                Message::Binary(bytes) => {
                    self.bytes += bytes.len();
                    let frame = decode_value(&bytes)?;
                    self.take(&frame)?;
                    return Ok(frame);
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => bail!("{other:?} instead of a frame"),
            }
        }
    }

    /// Reads until the condition holds.
    pub async fn until(&mut self, condition: impl Fn(&Self) -> bool) -> Result<()> {
        timeout(LIMIT, async {
            while !condition(self) {
                self.read().await?;
            }
            Ok(())
        })
        .await
        .context("the frames never told what was waited for")?
    }

    /// Reads until the server closes.
    pub async fn close_code(mut self) -> Result<u16> {
        timeout(LIMIT, async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.map_or(CloseCode::Status, |frame| frame.code);
                        return Ok(code.into());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => bail!("ended without a close frame: {error}"),
                    None => bail!("ended without a close frame"),
                }
            }
        })
        .await
        .context("the server did not close in time")?
    }

    pub fn vehicle(&self, vin: Vin) -> Option<&LiveVehicle> {
        self.vehicles.values().find(|vehicle| vehicle.vin == vin)
    }

    pub fn value(&self, vin: Vin, key: &str) -> Option<f64> {
        self.vehicle(vin)?.values.get(key).copied()
    }

    fn take(&mut self, frame: &Frame) -> Result<()> {
        match frame {
            Frame::Hello { .. } => {}
            Frame::Snapshot(snapshot) => {
                self.snapshots += 1;
                self.vehicles.clear();
                let vehicles = snapshot.vehicles.iter().cloned();
                self.vehicles.extend(vehicles.map(|vehicle| (vehicle.n, vehicle)));
                self.alerts.clone_from(&snapshot.alerts);
            }
            Frame::Delta(delta) => {
                for n in &delta.left {
                    self.vehicles.remove(n);
                }
                for vehicle in &delta.named {
                    self.vehicles.insert(vehicle.n, vehicle.clone());
                }
                for change in &delta.changed {
                    let vehicle =
                        self.vehicles.get_mut(&change.0).context("a change of a vehicle that was never named")?;
                    (vehicle.presence, vehicle.source_ts, vehicle.received_ts) = (change.1, change.2, change.3);
                    vehicle.values.extend(change.4.iter().cloned());
                }
                for alert in &delta.alerts {
                    self.alerts.retain(|known| known.id != alert.id);
                    if alert.resolved.is_none() {
                        self.alerts.push(alert.clone());
                    }
                }
            }
        }
        Ok(())
    }
}

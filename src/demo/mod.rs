//! Simulated cars with real agents: the receiver's NMEA and the adapter's ELM327 go over TCP through the same decoders
//! that a car on the road uses.

mod office;
mod papers;
mod past;
mod rules;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use bugbrother_agent::{
    Ended,
    camera::CameraSettings,
    config::GpsSource,
    link::{Address, Link},
    log::Log,
};
use bugbrother_simulator::{Dashcam, Profile, Simulator, demo_fleet, geo::Point};
use bugbrother_store::Store;
use tokio::net::TcpListener;
use tracing::warn;

pub use office::Visitor;
use papers::Papers;

use crate::{accounts, data::DataDir, services::now_ms, stage::Stage};

/// A car of the demo and its agent's MQTT password, which is new at each start and nowhere on disk.
pub type Member = (Profile, String);

/// Gives the demo's cars their accounts; the broker is to be started after.
pub fn register(data: &DataDir) -> Result<Vec<Member>> {
    let fleet = demo_fleet();
    let vins: Vec<_> = fleet.iter().map(|profile| profile.vin.as_str()).collect();
    let passwords = accounts::set_passwords(data, &vins)?;
    Ok(fleet.into_iter().zip(passwords).collect())
}

/// Gives a new data folder its books and its past.
pub async fn fill(data: &DataDir, store: &Store, fleet: &[Member]) -> Result<Vec<Visitor>> {
    let profiles: Vec<Profile> = fleet.iter().map(|(profile, _)| *profile).collect();
    let visitors = office::fill(data, store, &profiles, now_ms()).await;
    visitors.context("cannot make up the past of the demo's fleet")
}

/// Where the demo's cars find what they talk to.
pub struct Reach {
    /// The broker.
    pub mqtt: SocketAddr,
    /// The dashboard, for photos, films and live pictures.
    pub http: SocketAddr,
}

/// Starts the cars and their agents.
pub async fn start(
    data: &DataDir,
    store: &Store,
    reach: Reach,
    fleet: Vec<Member>,
    speed: f64,
    cars: &mut Stage,
) -> Result<()> {
    let http = reach.http;
    for (profile, password) in fleet {
        // Whoever has trouble is in the workshop, where trouble codes can be cleared: the ignition on and the engine off.
        let in_workshop = !profile.trouble.stored.is_empty();
        let profile = Profile { in_workshop, ..left(store, profile).await? };
        store.name_vehicle(profile.vin, profile.name, Some(profile.plate), now_ms()).await?;
        let (gps, gps_port) = listen().await?;
        let (elm, elm_port) = listen().await?;
        cars.start("simulated car", |stop| {
            let simulator = Simulator::start(profile, gps, elm, speed, stop);
            async move {
                simulator.wait().await;
                Ok(())
            }
        });
        let mut agent = agent(data, reach.mqtt, &profile, password, gps_port, elm_port)?;
        let papers = Papers { folder: data.demo_agent(profile.vin)?.join("identity"), store: store.clone() };
        for label in profile.cameras {
            let (listener, port) = listen().await?;
            agent.cameras.push(camera(label, port)?);
            cars.start("simulated camera", |stop| {
                let camera = Dashcam::start(listener, stop);
                async move {
                    camera.wait().await;
                    Ok(())
                }
            });
        }
        cars.start("vehicle agent", |stop| async move {
            let vin = profile.vin;
            if !agent.cameras.is_empty()
                && let Err(error) = papers.give(vin, http, &mut agent).await
            {
                warn!(%vin, error = format!("{error:#}"), "a car of the demo is without its camera: it got no certificate");
                agent.cameras.clear();
            }
            loop {
                // The log of a demo is that of all its parts: it is not told to one of them.
                let ran = bugbrother_agent::run(agent.clone(), Log::new(), stop.clone()).await;
                match ran.with_context(|| format!("agent of {vin}"))? {
                    Ended::Restart => {}
                    Ended::Done => return Ok(()),
                }
            }
        });
    }
    Ok(())
}

/// The car where it was left, by what is known of it: no tank fills or empties between its past and now.
async fn left(store: &Store, profile: Profile) -> Result<Profile> {
    let Some(state) = store.vehicle(profile.vin).await? else { return Ok(profile) };
    let last = |key: &str| state.latest.signals.get(key).map(|(_, value)| *value);
    Ok(match (last("lat"), last("lon"), last("fuel"), last("odo")) {
        (Some(lat), Some(lon), Some(fuel), Some(odo)) => profile.left(Point { lat, lon }, fuel / 100.0, odo),
        _ => profile,
    })
}

fn agent(
    data: &DataDir,
    mqtt: SocketAddr,
    profile: &Profile,
    password: String,
    gps_port: u16,
    elm_port: u16,
) -> Result<bugbrother_agent::Config> {
    let broker = Address { host: mqtt.ip().to_string(), port: mqtt.port() };
    let outbox = data.demo_agent(profile.vin)?.join("outbox.db");
    let mut config = bugbrother_agent::Config::new(broker, password.into(), outbox);
    config.vin = Some(profile.vin);
    config.gps = Some(GpsSource::Receiver(Link::Tcp(local(gps_port))));
    config.obd = Some(Link::Tcp(local(elm_port)).into());
    Ok(config)
}

/// A simulated camera as an agent's settings name one.
fn camera(label: &str, port: u16) -> Result<CameraSettings> {
    let id = label.to_lowercase().replace(' ', "-");
    Ok(CameraSettings {
        id: id.try_into()?,
        label: Some(label.to_owned()),
        url: format!("rtsp://127.0.0.1:{port}/road"),
        sub_url: None,
        photo_url: Some(format!("http://127.0.0.1:{port}/road.jpg")),
        user: None,
        password_file: None,
        transport: Default::default(),
        photo_every_min: Some(60),
        record: true,
        sound: false,
    })
}

fn local(port: u16) -> Address {
    Address { host: Ipv4Addr::LOCALHOST.to_string(), port }
}

async fn listen() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

#[cfg(test)]
mod tests {
    use bugbrother_simulator::Car;

    use super::*;

    #[tokio::test]
    async fn a_live_car_begins_with_the_tank_the_odometer_and_the_place_with_which_its_past_ended() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&format!("sqlite://{}/fleet.db", folder.path().display())).await?;
        let profile = demo_fleet()[3];
        past::fill(&store, &[profile], now_ms()).await?;
        let state = store.vehicle(profile.vin).await?.context("it has a past")?;
        let last = |key: &str| state.latest.signals.get(key).map(|(_, value)| *value).expect("the past tells it");
        let live = Car::new(&left(&store, profile).await?).reading();
        let place = Point { lat: last("lat"), lon: last("lon") };
        assert!(live.point.distance_m(place) < 5.0, "{:?} {place:?}", live.point);
        assert!((live.fuel_percent - last("fuel")).abs() < 0.2, "{} {}", live.fuel_percent, last("fuel"));
        assert!((live.odometer_km - last("odo")).abs() < 0.1, "{} {}", live.odometer_km, last("odo"));
        assert!((live.fuel_percent - profile.fuel * 100.0).abs() > 1.0, "and not with those that it is made with");
        Ok(())
    }
}

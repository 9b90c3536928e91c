use std::fs;

use anyhow::{Context, Result};
use bugbrother_kit::{
    broker::Broker,
    mqtt::{Client, Connect},
    port,
    system::System,
};
use tokio::net::TcpStream;

/// The vehicle that tries.
pub const A: &str = "WVWZZZ1JZ3W386752";
/// The one that is left alone.
pub const B: &str = "1M8GDM9AXKP042788";
/// One that has no account.
pub const NOBODY: &str = "1HGCM82633A004352";

/// Those who may say and hear everything.
const PRIVILEGED: [&str; 3] = ["writer", "watcher", "latecomer"];
const PRIVILEGE: &str = "topic readwrite #";

/// A broker with two vehicles and some who may say and hear everything.
pub struct Field {
    pub broker: Broker,
    system: System,
    a: String,
    b: String,
}

impl Field {
    pub async fn open(broker: Broker) -> Result<Self> {
        let mut system = System::on(broker)?;
        let password = |vin| Ok::<_, anyhow::Error>(fs::read_to_string(system.add_vehicle(vin, vin)?)?);
        let (a, b) = (password(A)?, password(B)?);
        for name in PRIVILEGED {
            system.add_account(name, name, PRIVILEGE)?;
        }
        system.start("broker").await?;
        Ok(Field { broker, system, a, b })
    }

    /// How A connects.
    pub fn a(&self, version: u8) -> Connect {
        Connect::new(version, A, &self.a)
    }

    /// How B connects.
    pub fn b(&self, version: u8) -> Connect {
        Connect::new(version, B, &self.b)
    }

    /// Connects; a refusal is a failure.
    pub async fn connect(&self, connect: &Connect) -> Result<Client> {
        Client::connect(port::local(self.system.mqtt()), connect).await
    }

    /// Connects; the code of a refusal.
    pub async fn offer(&self, connect: &Connect) -> Result<Result<Client, u8>> {
        Client::offer(TcpStream::connect(port::local(self.system.mqtt())).await?, connect).await
    }

    /// One that may say everything.
    pub async fn writer(&self) -> Result<Client> {
        self.connect(&Connect::new(5, PRIVILEGED[0], PRIVILEGED[0])).await
    }

    /// One that hears everything from now on.
    pub async fn watcher(&self) -> Result<Client> {
        self.listener(PRIVILEGED[1]).await
    }

    /// One that hears everything from now on and what was retained.
    pub async fn latecomer(&self) -> Result<Client> {
        self.listener(PRIVILEGED[2]).await
    }

    async fn listener(&self, name: &str) -> Result<Client> {
        let mut listener = self.connect(&Connect::new(4, name, name)).await?;
        let granted = listener.subscribe("#").await?;
        (granted == 1).then_some(listener).with_context(|| format!("{name} may not hear everything: {granted:#x}"))
    }
}

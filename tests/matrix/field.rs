use std::{fs, sync::Arc, time::SystemTime};

use anyhow::{Context, Result};
use bugbrother_kit::{
    broker::Broker,
    mqtt::{Client, Connect},
    port,
    system::System,
    tls,
};
use bugbrother_pki::{Authority, new_key_and_request};
use rustls::ClientConfig;
use tokio::net::TcpStream;

/// The vehicle that tries.
pub const A: &str = "WVWZZZ1JZ3W386752";
/// The one that is left alone.
pub const B: &str = "1M8GDM9AXKP042788";
/// One that has no account.
pub const NOBODY: &str = "1HGCM82633A004352";

/// How a vehicle shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By its password, without TLS.
    Password,
    /// By a certificate with its VIN.
    Certificate,
}

/// Those who may say and hear everything.
const PRIVILEGED: [&str; 3] = ["writer", "watcher", "latecomer"];
const PRIVILEGE: &str = "topic readwrite #";

/// A broker with two vehicles and some who may say and hear everything.
pub struct Field {
    pub broker: Broker,
    system: System,
    proof: Proof,
    a: Keys,
    b: Keys,
}

/// What a vehicle has to show.
struct Keys {
    vin: &'static str,
    password: String,
    tls: Arc<ClientConfig>,
}

impl Field {
    pub async fn open(broker: Broker, proof: Proof) -> Result<Self> {
        let mut system = System::on(broker)?;
        let (a, b) = (Keys::make(&system, A)?, Keys::make(&system, B)?);
        for name in PRIVILEGED {
            system.add_account(name, name, PRIVILEGE)?;
        }
        system.start("broker").await?;
        Ok(Field { broker, system, proof, a, b })
    }

    /// A connects.
    pub async fn a(&self, version: u8) -> Result<Client> {
        must(self.offer_a(|connect| connect, version).await?)
    }

    /// A tries to connect in a way of its own; the code of a refusal.
    pub async fn offer_a(&self, change: impl FnOnce(Connect) -> Connect, version: u8) -> Result<Result<Client, u8>> {
        self.offer(&self.a, change, version).await
    }

    /// B connects.
    pub async fn b(&self, version: u8) -> Result<Client> {
        must(self.offer(&self.b, |connect| connect, version).await?)
    }

    /// Somebody tries to connect without TLS; the code of a refusal.
    pub async fn offer_plain(&self, connect: &Connect) -> Result<Result<Client, u8>> {
        Client::offer(TcpStream::connect(port::local(self.system.mqtt())).await?, connect).await
    }

    async fn offer(
        &self,
        keys: &Keys,
        change: impl FnOnce(Connect) -> Connect,
        version: u8,
    ) -> Result<Result<Client, u8>> {
        match self.proof {
            Proof::Password => self.offer_plain(&change(Connect::new(version, keys.vin, &keys.password))).await,
            Proof::Certificate => {
                let stream = tls::connect(port::local(self.system.vehicles()), Arc::clone(&keys.tls)).await?;
                Client::offer(stream, &change(Connect::nameless(version, keys.vin))).await
            }
        }
    }

    /// One that may say everything.
    pub async fn writer(&self) -> Result<Client> {
        must(self.offer_plain(&Connect::new(5, PRIVILEGED[0], PRIVILEGED[0])).await?)
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
        let mut listener = must(self.offer_plain(&Connect::new(4, name, name)).await?)?;
        let granted = listener.subscribe("#").await?;
        (granted == 1).then_some(listener).with_context(|| format!("{name} may not hear everything: {granted:#x}"))
    }
}

impl Keys {
    fn make(system: &System, vin: &'static str) -> Result<Self> {
        let password = fs::read_to_string(system.add_vehicle(vin, vin)?)?;
        let authority = Authority::open_or_create(&system.data().join("secrets/ca"), SystemTime::now())?;
        let (key, request) = new_key_and_request(vin)?;
        let issued = authority.sign_vehicle(&request, vin.parse()?, SystemTime::now())?;
        let tls = tls::client(authority.certificate_pem(), Some((&issued.pem, &key)))?;
        Ok(Keys { vin, password, tls })
    }
}

/// A refusal is a failure.
pub fn must(offered: Result<Client, u8>) -> Result<Client> {
    offered.map_err(|code| anyhow::anyhow!("refused with {code:#x}"))
}

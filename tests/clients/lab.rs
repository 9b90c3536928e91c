use anyhow::Result;
use bugbrother_kit::{broker::Broker, system::System};

/// A broker with the accounts `one` to `four`, whose passwords are their names and who share `lab/#`.
pub async fn open(broker: Broker) -> Result<System> {
    let mut system = System::on(broker)?;
    for name in ["one", "two", "three", "four"] {
        system.add_account(name, name, "topic readwrite lab/#")?;
    }
    system.start("broker").await?;
    Ok(system)
}

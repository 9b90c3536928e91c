//! Which broker a test runs on: whoever runs one must be able to swap it for the other.

/// A broker under test, with the accounts of the system's data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    /// Ours: `bugbrother broker`, or as a part of `bugbrother up`.
    Embedded,
    /// Debian's Mosquitto on the folder that `bugbrother mosquitto export` writes.
    Mosquitto,
}

/// Makes two tests of each `async fn name(broker: Broker) -> Result<()>` in the calling module.
#[macro_export]
macro_rules! on_each_broker {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            use $crate::broker::Broker;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_the_embedded_broker() -> anyhow::Result<()> {
                super::$name(Broker::Embedded).await
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_mosquitto() -> anyhow::Result<()> {
                super::$name(Broker::Mosquitto).await
            }
        })+
    };
}

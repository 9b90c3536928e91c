use std::time::Duration;

/// What one client and all of them together may take. The defaults suit a fleet of 10,000 vehicles.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connected clients.
    pub connections: usize,
    /// Connected clients of one user.
    pub connections_per_user: usize,
    /// Connected clients of one address; an IPv6 /64 counts as one. A proxy is one address too, and so is a carrier's NAT.
    pub connections_per_address: usize,
    /// Sockets that have not been told yet whether they are welcome.
    pub handshakes: usize,
    /// Of those, the ones from one address. A proxy is one address too, with all vehicles behind it.
    pub handshakes_per_address: usize,
    /// Password checks that wait for a core; more are refused as "server busy".
    pub password_checks_waiting: usize,
    /// How long a password check may wait for a core before it is refused in the same way.
    pub password_check_deadline: Duration,
    /// From the first byte to the last one of CONNECT.
    pub connect_deadline: Duration,
    /// A packet, without its first two to five bytes.
    pub packet_bytes: usize,
    /// The payload of a message.
    pub message_bytes: usize,
    /// The longest keep alive that a client may ask for, in seconds.
    pub keep_alive_s: u16,
    /// A topic name or topic filter.
    pub topic_bytes: usize,
    /// Topic filters of one client.
    pub subscriptions: usize,
    /// What all clients of one user may send; faster ones are read more slowly. A packet costs one token, and one more
    /// for each 4 KiB, a topic filter in SUBSCRIBE and UNSUBSCRIBE costs 20, and the acknowledgement of a delivery none.
    pub tokens_per_second: u32,
    /// Deliveries to one client that it has not acknowledged.
    pub inflight: u16,
    /// How long a client's socket may take nothing while something is there to be sent.
    pub write_deadline: Duration,
    /// Retained messages.
    pub retained_messages: usize,
    /// Retained messages of one user.
    pub retained_messages_per_user: usize,
    /// Topics, properties and payloads of all retained messages.
    pub retained_bytes: usize,
    /// Of those, what one user may have published.
    pub retained_bytes_per_user: usize,
    /// The log of a routing name that stands for some hundredth or thousandth of all topics: what a subscriber may fall
    /// behind before it loses messages. There are up to 5,123 of them.
    pub narrow_log_bytes: usize,
    /// The log of a routing name that stands for a quarter of all topics, or for all. There are up to five of them.
    pub wide_log_bytes: usize,
    /// How long the router may take to pass on a message of the canary's.
    pub canary_deadline: Duration,
    /// How long clients may take to be gone at shutdown.
    pub drain_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 10_000,
            connections_per_user: 32,
            connections_per_address: 5_000,
            handshakes: 1_000,
            handshakes_per_address: 500,
            password_checks_waiting: 500,
            password_check_deadline: Duration::from_secs(5),
            connect_deadline: Duration::from_secs(5),
            // The largest telemetry batch of the contract is 256 KiB, and its topic stands before it.
            packet_bytes: 288 * 1024,
            message_bytes: 288 * 1024,
            keep_alive_s: u16::MAX,
            topic_bytes: 512,
            subscriptions: 100,
            tokens_per_second: 5_000,
            inflight: 100,
            write_deadline: Duration::from_secs(15),
            retained_messages: 400_000,
            retained_messages_per_user: 100_000,
            retained_bytes: 256 * 1024 * 1024,
            retained_bytes_per_user: 16 * 1024 * 1024,
            narrow_log_bytes: 256 * 1024,
            wide_log_bytes: 32 * 1024 * 1024,
            canary_deadline: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(5),
        }
    }
}

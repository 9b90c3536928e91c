use std::time::Duration;

/// What one client and all of them together may take. The defaults suit a fleet of 10,000 vehicles.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connected clients: beside 10,000 vehicles there is room for services, bridges and programs.
    pub connections: usize,
    /// Connected clients of one user.
    pub connections_per_user: usize,
    /// Connected clients of one address; an IPv6 /64 counts as one. A proxy is one address too, and so is a carrier's NAT.
    pub connections_per_address: usize,
    /// Sockets that have not been told yet whether they are welcome. Then the address that has most makes room for one
    /// that has fewer.
    pub handshakes: usize,
    /// Of those, the ones from one address; an IPv6 /48 counts as one. A proxy that does not tell whom it stands for is
    /// one address too, with all vehicles behind it.
    pub handshakes_per_address: usize,
    /// Password checks that wait for a core, one of each address at a time (an IPv6 /48 counts as one); more are refused
    /// as "server busy".
    pub password_checks_waiting: usize,
    /// How long a password check may wait for its turn at its address and for a core before it is refused in the same way.
    pub password_check_deadline: Duration,
    /// Wrong passwords from one address at once. Then names wait that somebody failed with there, if they still have to
    /// prove something by a password check.
    pub sign_in_failures_per_address: u32,
    /// Wrong passwords for one name from one address at once. Then that name waits there in the same way.
    pub sign_in_failures_per_user: u32,
    /// How long it takes until one of those is forgiven.
    pub sign_in_failure_forgiven_after: Duration,
    /// From the connection to the last byte of CONNECT.
    pub connect_deadline: Duration,
    /// A packet, without its first two to five bytes.
    pub packet_bytes: usize,
    /// The payload of a message.
    pub message_bytes: usize,
    /// The longest keep alive that a client may ask for, in seconds.
    pub keep_alive_s: u16,
    /// A topic name or topic filter.
    pub topic_bytes: usize,
    /// Levels of a topic name or topic filter.
    pub topic_levels: usize,
    /// Topic filters of one client.
    pub subscriptions: usize,
    /// What all clients of one user may send; faster ones are read more slowly. A packet costs one token, and one more
    /// for each 4 KiB, a topic filter in SUBSCRIBE and UNSUBSCRIBE costs 20, and the acknowledgement of a delivery none. A
    /// frame of WebSocket costs one, whatever is in it. To connect costs a user a hundredth of what it has in a second:
    /// who is in debt waits for CONNACK, and is refused when that would take longer than `connect_deadline`.
    pub tokens_per_second: u32,
    /// The same for a user who has a rule of its own, with a wildcard, to write what is not its own alone: a service, which
    /// answers every vehicle.
    pub tokens_per_second_of_services: u32,
    /// Deliveries to one client that it has not acknowledged; and QoS 2 messages of a 5.0 client that it has not released.
    pub inflight: u16,
    /// Deliveries to one service that it has not acknowledged: what it has to do with each is worth doing for many at once.
    pub inflight_of_services: u16,
    /// Messages that wait for one client, connected or away. One more is refused and counted; what waits already stays.
    pub queue_messages: usize,
    /// What those weigh, with 256 bytes for each besides topic, properties and payload.
    pub queue_bytes: usize,
    /// What the queues of all clients may weigh. One of them may have a quarter of what is left.
    pub queues_bytes: usize,
    /// Sessions that last longer than their connection.
    pub sessions: usize,
    /// Of those, the ones of one user, or of one address where nobody says who they are. One more ends the one whose client
    /// is away longest.
    pub sessions_per_user: usize,
    /// The longest life of a session after its connection, in seconds; 4,294,967,295 is for ever.
    pub session_expiry_s: u32,
    /// How long a client's socket may take nothing while something is there to be sent.
    pub write_deadline: Duration,
    /// Retained messages.
    pub retained_messages: usize,
    /// Retained messages of one user who has a rule of its own, with a wildcard, to write what is not its own alone: a
    /// service. So many are kept free for services. Anybody else may have a 256th of what is left besides.
    pub retained_messages_per_user: usize,
    /// Topics, properties and payloads of all retained messages.
    pub retained_bytes: usize,
    /// Of those, what one service may have published; the same is kept free, and anybody else may have a 256th of what is
    /// left besides.
    pub retained_bytes_per_user: usize,
    /// The log of the router, through which all messages go. A quarter of it may be on its way to the sessions' queues:
    /// then whoever publishes waits.
    pub log_bytes: usize,
    /// How long the router may take to pass on a message of the canary's.
    pub canary_deadline: Duration,
    /// How long clients may take to be gone at shutdown.
    pub drain_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 10_240,
            connections_per_user: 32,
            connections_per_address: 5_000,
            handshakes: 1_000,
            handshakes_per_address: 500,
            password_checks_waiting: 500,
            password_check_deadline: Duration::from_secs(5),
            sign_in_failures_per_address: 30,
            sign_in_failures_per_user: 10,
            sign_in_failure_forgiven_after: Duration::from_secs(3),
            connect_deadline: Duration::from_secs(5),
            // The largest telemetry batch of the contract is 256 KiB, and its topic stands before it.
            packet_bytes: 288 * 1024,
            message_bytes: 288 * 1024,
            keep_alive_s: u16::MAX,
            topic_bytes: 512,
            topic_levels: 32,
            subscriptions: 100,
            tokens_per_second: 5_000,
            // Twice what says to each of 10,000 vehicles each second that what it said is safe.
            tokens_per_second_of_services: 20_000,
            inflight: 1_000,
            inflight_of_services: 4_000,
            queue_messages: 100_000,
            queue_bytes: 32 * 1024 * 1024,
            queues_bytes: 512 * 1024 * 1024,
            sessions: 20_000,
            sessions_per_user: 64,
            session_expiry_s: u32::MAX,
            write_deadline: Duration::from_secs(15),
            retained_messages: 400_000,
            retained_messages_per_user: 100_000,
            retained_bytes: 256 * 1024 * 1024,
            retained_bytes_per_user: 64 * 1024 * 1024,
            log_bytes: 32 * 1024 * 1024,
            canary_deadline: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Whether a topic name or topic filter is neither too long nor too deep.
    pub(crate) fn take_topic(&self, topic: &str) -> bool {
        topic.len() <= self.topic_bytes && topic.split('/').take(self.topic_levels + 1).count() <= self.topic_levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_may_be_so_long_and_so_deep() {
        let limits = Limits { topic_bytes: 8, topic_levels: 3, ..Limits::default() };
        for good in ["", "a/b/c", "//", "12345678"] {
            assert!(limits.take_topic(good), "{good}");
        }
        for bad in ["a/b/c/d", "///", "123456789"] {
            assert!(!limits.take_topic(bad), "{bad}");
        }
    }
}

use std::error::Error;

use rumqttc::v5::{ConnectionError, StateError, mqttbytes::v5::SubscribeReasonCode};

use crate::options::CONNECT_TIMEOUT;

/// An error and its causes in one line.
pub(crate) fn of_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Why a connection ended. What the broker says in words is left out: it may be anything, of any length.
pub(crate) fn of_connection(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(code) => format!("the broker refused the connection: {code:?}"),
        // A broker of 3.1.1 alone answers a CONNECT of 5.0 with a packet that rumqttc waits for the rest of.
        ConnectionError::Timeout(_) => {
            format!("no CONNACK of MQTT 5.0 within {} s", CONNECT_TIMEOUT.as_secs())
        }
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            format!("the broker closed the connection: {reason_code:?}")
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => "the broker does not answer any more".to_owned(),
        ConnectionError::MqttState(StateError::ConnectionAborted) => "the connection was closed".to_owned(),
        other => other.to_string(),
    }
}

pub(crate) fn of_subscription(filter: &str, code: SubscribeReasonCode) -> String {
    format!("the broker refused the subscription to `{filter}`: {code:?}")
}

//! `/api/asyncapi.json`: the MQTT topics' description, made of the messages' own types.

use bugbrother_wire::{
    AlertId, Vin,
    message::{Ack, Alert, Birth, Command, Config, Diagnostics, Event, Media, Reply, State, Status, Telemetry},
    topic::{Kind, Topic},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Any vehicle and any alert: their places in a topic are named in the description.
const ANY_VIN: &str = "WVWZZZ1JZ3W386752";

struct Channel {
    kind: Kind,
    message: &'static str,
    says: &'static str,
    schema: Schema,
}

/// An AsyncAPI 3.0 document of all topics.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    let channels = channels(&mut schemas);
    let (mut described, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for Channel { kind, message, says, schema } in channels {
        let address = address(kind);
        let id = address.trim_start_matches("fleet/v1/{vin}/").replace("/{alert}", "").replace('/', "_");
        let mut parameters = json!({ "vin": { "description": "The vehicle." } });
        if matches!(kind, Kind::Alert(_)) {
            parameters["alert"] = json!({ "description": "The alert, a UUID." });
        }
        let reference = format!("#/components/messages/{message}");
        described.insert(
            id.clone(),
            json!({
                "address": address, "description": says, "parameters": parameters,
                "messages": { message: { "$ref": reference } },
                "bindings": { "mqtt": { "bindingVersion": "0.2.0" } },
            }),
        );
        // As a third party sees it: what vehicles and services say is received.
        let action = if address.contains("/down/") { "send" } else { "receive" };
        operations.insert(
            id.clone(),
            json!({
                "action": action, "channel": { "$ref": format!("#/channels/{id}") }, "summary": says,
                "bindings": { "mqtt": { "qos": kind.qos(), "retain": kind.retained(), "bindingVersion": "0.2.0" } },
            }),
        );
        let content = if kind == Kind::State { "application/json" } else { "application/vnd.msgpack" };
        messages.insert(message.to_owned(), json!({ "name": message, "contentType": content, "payload": schema }));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "BugBrother's topics",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "MQTT 3.1.1 or 5.0. MessagePack maps with names; `state` is JSON. Inside a major version (`v1`) \
                fields are only added, unknown ones are to be ignored, and units never change.",
        },
        "defaultContentType": "application/vnd.msgpack",
        "channels": described,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas.definitions() },
    })
}

fn channels(schemas: &mut SchemaGenerator) -> Vec<Channel> {
    let mut channels = Vec::new();
    let mut add = |kind, message, says, schema: Schema| channels.push(Channel { kind, message, says, schema });
    add(Kind::Birth, "birth", "What a vehicle is and what it will send.", of::<Birth>(schemas));
    add(Kind::Status, "status", "Whether it is connected; also its will.", of::<Status>(schemas));
    add(Kind::Telemetry, "telemetry", "Samples in columns, live.", of::<Telemetry>(schemas));
    add(Kind::Backfill, "backfill", "Samples that were recorded out of reach.", of::<Telemetry>(schemas));
    add(Kind::Diagnostics, "diagnostics", "Trouble codes, lamp, readiness, freeze frame.", of::<Diagnostics>(schemas));
    add(Kind::Event, "event", "Something that happened in the vehicle.", of::<Event>(schemas));
    add(Kind::Media, "media", "A step in the life of a photo or clip.", of::<Media>(schemas));
    add(Kind::Reply, "reply", "What became of a command.", of::<Reply>(schemas));
    add(Kind::Ack, "ack", "What of an outbox is in the database.", of::<Ack>(schemas));
    add(Kind::Command, "command", "Something to be done once.", of::<Command>(schemas));
    add(Kind::Config, "config", "What the vehicle is wanted to send.", of::<Config>(schemas));
    let alert = Kind::Alert(AlertId(Uuid::nil()));
    add(alert, "alert", "An alert as it stands; empty when it is resolved.", of::<Alert>(schemas));
    add(Kind::State, "state", "Last known state at a low rate.", of::<State>(schemas));
    channels
}

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

fn address(kind: Kind) -> String {
    let vin: Vin = ANY_VIN.parse().expect("it is one");
    let nil = Uuid::nil().to_string();
    Topic::new(vin, kind).to_string().replace(ANY_VIN, "{vin}").replace(&nil, "{alert}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever a document refers to is in it.
    fn check_references(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|value| check_references(document, value));
            }
            Value::Array(values) => values.iter().for_each(|value| check_references(document, value)),
            _ => {}
        }
    }

    #[test]
    fn every_topic_is_described_with_its_message_and_nothing_is_referred_to_in_vain() {
        let document = document();
        let channels = document["channels"].as_object().unwrap();
        assert_eq!(channels.len(), 13);
        assert_eq!(channels["up_telemetry"]["address"], "fleet/v1/{vin}/up/telemetry");
        assert_eq!(channels["alert"]["address"], "fleet/v1/{vin}/alert/{alert}");
        assert_eq!(
            document["operations"]["down_command"]["bindings"]["mqtt"],
            json!({ "qos": 1, "retain": false, "bindingVersion": "0.2.0" })
        );
        let telemetry = &document["components"]["schemas"]["Telemetry"]["properties"];
        assert!(telemetry["rows"].is_object() && telemetry["vin"].is_object());
        check_references(&document, &document);
    }
}

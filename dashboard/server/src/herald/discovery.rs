//! What Home Assistant is told of a vehicle, so that it makes a device of it: MQTT discovery of devices, Home Assistant
//! 2024.11 and later. Pure.

use bugbrother_wire::{Topic, Vin, message::State, topic::Kind};
use serde_json::{Map, Value, json};

/// What every identifier of ours begins with, so that it is nobody else's.
const OURS: &str = "bugbrother_";
/// Longest prefix.
const MAX_PREFIX: usize = 64;

/// Below which topics Home Assistant looks for devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl std::str::FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |level: &str| {
            !level.is_empty() && level.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
        };
        if text.len() <= MAX_PREFIX && text.split('/').all(is_word) {
            Ok(Prefix(text.to_owned()))
        } else {
            Err("a prefix is levels of letters, digits, `-` and `_`, such as homeassistant")
        }
    }
}

impl Prefix {
    /// Where the devices of all vehicles are told; others may tell theirs there too.
    pub fn filter(&self) -> String {
        format!("{}/device/+/config", self.0)
    }

    /// Where that of a vehicle is.
    pub(super) fn topic(&self, vin: Vin) -> String {
        format!("{}/device/{OURS}{vin}/config", self.0)
    }

    /// The vehicle whose topic it is.
    pub(super) fn vin(&self, topic: &str) -> Option<Vin> {
        let rest = topic.strip_prefix(self.0.as_str())?.strip_prefix("/device/")?.strip_prefix(OURS)?;
        rest.strip_suffix("/config")?.parse().ok()
    }
}

/// A number that the car may tell: signal key, what it is called, unit, and what Home Assistant knows it as.
const SENSORS: [(&str, &str, &str, Option<&str>); 4] = [
    ("spd", "Speed", "km/h", Some("speed")),
    ("fuel", "Fuel", "%", None),
    ("vbat", "Battery", "V", Some("voltage")),
    ("odo", "Odometer", "km", Some("distance")),
];

/// The device with what this vehicle tells: an entity for a value that never comes would only puzzle.
pub(super) fn device(state: &State) -> Value {
    let vin = state.vin;
    let topic = Topic::new(vin, Kind::State).to_string();
    let id = |part: &str| format!("{OURS}{vin}_{part}");
    let mut parts = Map::new();
    let mut add = |part: &str, config: Value| {
        let mut config = config;
        config["unique_id"] = json!(id(part));
        parts.insert(id(part), config);
    };
    add(
        "online",
        json!({
            "platform": "binary_sensor", "name": "Online", "device_class": "connectivity",
            "value_template": "{{ 'ON' if value_json.presence == 'online' else 'OFF' }}",
        }),
    );
    if state.latitude.is_some() {
        // It takes its place from `latitude` and `longitude` among the attributes.
        add(
            "position",
            json!({ "platform": "device_tracker", "name": "Position", "source_type": "gps", "json_attributes_topic": topic }),
        );
    }
    for (key, name, unit, class) in SENSORS.iter().filter(|(key, ..)| state.values.contains_key(*key)) {
        // `values` alone would be a method of the dictionary.
        let template = format!("{{{{ value_json['values']['{key}'] }}}}");
        let kind = if *key == "odo" { "total_increasing" } else { "measurement" };
        let mut config = json!({
            "platform": "sensor", "name": name, "unit_of_measurement": unit, "state_class": kind,
            "value_template": template,
        });
        if let Some(class) = class {
            config["device_class"] = json!(class);
        }
        add(key, config);
    }
    if state.values.contains_key("rpm") {
        add(
            "engine",
            json!({
                "platform": "binary_sensor", "name": "Engine", "device_class": "running",
                "value_template": "{{ 'ON' if value_json.engine_on else 'OFF' }}",
            }),
        );
    }
    if state.trouble_codes.is_some() {
        add(
            "trouble_codes",
            json!({
                "platform": "sensor", "name": "Trouble codes", "state_class": "measurement", "icon": "mdi:engine",
                "value_template": "{{ value_json.trouble_codes }}",
            }),
        );
    }
    let name = state.name.as_deref().unwrap_or(vin.as_str());
    let mut device = json!({ "identifiers": [format!("{OURS}{vin}")], "name": name, "serial_number": vin.as_str() });
    if let Some(plate) = &state.plate {
        device["model"] = json!(plate);
    }
    json!({
        "device": device,
        "origin": { "name": "BugBrother", "sw_version": env!("CARGO_PKG_VERSION") },
        "state_topic": topic,
        "qos": 1,
        "components": parts,
    })
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::message::Presence;

    use super::*;

    fn state(values: &[(&str, f64)]) -> State {
        State {
            v: 1,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            source_ts: 1_790_000_000_000,
            presence: Presence::Online,
            values: values.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect(),
            name: Some("Golf".to_owned()),
            plate: Some("VD 123 456".to_owned()),
            latitude: Some(46.5),
            longitude: Some(6.6),
            engine_on: Some(true),
            trouble_codes: Some(0),
        }
    }

    /// What Home Assistant documents for discovery of devices and for the three platforms.
    const ROOT: [&str; 5] = ["device", "origin", "components", "state_topic", "qos"];
    const DEVICE: [&str; 4] = ["identifiers", "name", "serial_number", "model"];
    const COMMON: [&str; 5] = ["platform", "unique_id", "name", "value_template", "icon"];

    fn more_of(platform: &str) -> &'static [&'static str] {
        match platform {
            "sensor" => &["device_class", "unit_of_measurement", "state_class"],
            "binary_sensor" => &["device_class"],
            "device_tracker" => &["source_type", "json_attributes_topic"],
            other => panic!("{other} is none of our platforms"),
        }
    }

    #[test]
    fn a_device_has_the_keys_that_home_assistant_documents_and_no_others() {
        let device = device(&state(&[("spd", 50.0), ("fuel", 60.0), ("vbat", 12.6), ("odo", 1.0), ("rpm", 900.0)]));
        for (keys, known) in
            [(&device, &ROOT[..]), (&device["device"], &DEVICE), (&device["origin"], &["name", "sw_version"])]
        {
            assert!(keys.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{keys}");
        }
        let parts = device["components"].as_object().unwrap();
        assert_eq!(parts.len(), 8);
        for (id, part) in parts {
            let platform = part["platform"].as_str().unwrap();
            let known = [&COMMON[..], more_of(platform)].concat();
            assert!(part.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{part}");
            assert_eq!(part["unique_id"], json!(id), "an identifier is the same everywhere");
            assert!(part.get("value_template").is_some() || platform == "device_tracker", "{part}");
        }
    }

    #[test]
    fn what_a_vehicle_does_not_tell_is_no_part_of_its_device() {
        let bare = State { latitude: None, trouble_codes: None, ..state(&[]) };
        let device = device(&bare);
        let parts: Vec<_> = device["components"].as_object().unwrap().keys().collect();
        assert_eq!(parts, ["bugbrother_WVWZZZ1JZ3W386752_online"]);
    }

    #[test]
    fn a_topic_names_its_vehicle_and_nobody_else_s_does() {
        let prefix: Prefix = "homeassistant".parse().unwrap();
        let vin = "WVWZZZ1JZ3W386752".parse().unwrap();
        assert_eq!(prefix.topic(vin), "homeassistant/device/bugbrother_WVWZZZ1JZ3W386752/config");
        assert_eq!(prefix.vin(&prefix.topic(vin)), Some(vin));
        for other in ["homeassistant/device/lamp/config", "other/device/bugbrother_WVWZZZ1JZ3W386752/config", ""] {
            assert_eq!(prefix.vin(other), None, "{other}");
        }
        for bad in ["", "/", "a/", "a/#", "+", "a b", "$SYS/a"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
        assert!("home/assistant-2".parse::<Prefix>().is_ok());
    }
}

//! Steps as a collector wants them: the OpenTelemetry protocol, 1.x, in its JSON form, which every collector takes at
//! `/v1/traces` beside the binary one.

use bugbrother_wire::UnixMs;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Followed, Stage, Step};

/// `SPAN_KIND_INTERNAL`
const INTERNAL: u8 = 1;
/// `SPAN_KIND_CONSUMER`
const CONSUMER: u8 = 5;

/// An `ExportTraceServiceRequest`; `version` is the program's.
pub fn request(steps: &[Step], version: &str) -> Value {
    let services = ["ingest", "notifier", "dashboard"].into_iter();
    let of_service = services.filter_map(|service| {
        let spans: Vec<_> = steps.iter().filter(|step| step.stage.service() == service).map(span).collect();
        if spans.is_empty() {
            return None;
        }
        let resource = [text("service.name", &format!("bugbrother-{service}")), text("service.version", version)];
        let scope = json!({ "name": "bugbrother", "version": version });
        Some(json!({ "resource": { "attributes": resource }, "scopeSpans": [{ "scope": scope, "spans": spans }] }))
    });
    json!({ "resourceSpans": of_service.collect::<Vec<_>>() })
}

fn span(step: &Step) -> Value {
    let Step { record, stage, from, to } = step;
    let mut span = json!({
        "traceId": hex(&record.hash[..16]),
        "spanId": span_id(record, *stage),
        "name": stage.name(),
        "kind": if *stage == Stage::Arrive { CONSUMER } else { INTERNAL },
        "startTimeUnixNano": nanoseconds(*from),
        "endTimeUnixNano": nanoseconds(*to),
        "attributes": [
            text("bugbrother.vin", record.vin.as_str()),
            number("bugbrother.epoch", record.epoch.0),
            number("bugbrother.seq", record.seq.0),
        ],
    });
    if *stage != Stage::Arrive {
        span["parentSpanId"] = span_id(record, Stage::Arrive).into();
    }
    span
}

/// Whoever sees the record can say what a step of it is called.
fn span_id(record: &Followed, stage: Stage) -> String {
    let hash = Sha256::new_with_prefix(record.hash).chain_update(stage.name()).finalize();
    hex(&hash[..8])
}

/// 64 bits are a text in the JSON form of protocol buffers.
fn nanoseconds(at: UnixMs) -> String {
    (i128::from(at.max(0)) * 1_000_000).to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use bugbrother_wire::{Epoch, Seq};

    use super::*;

    #[test]
    fn steps_of_a_record_are_spans_of_one_trace_below_its_arrival() {
        let record = Followed {
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            epoch: Epoch(1 << 61),
            seq: Seq(3),
            hash: std::array::from_fn(|n| n as u8),
        };
        let step = |stage, from, to| Step { record, stage, from, to };
        let steps = [
            step(Stage::Arrive, 1_790_000_000_000, 1_790_000_000_250),
            step(Stage::Store, 5, 6),
            step(Stage::Show, 5, 9),
        ];
        let request = request(&steps, "1.2.3");
        let services = request["resourceSpans"].as_array().unwrap();
        assert_eq!(services.len(), 2, "nothing was judged");
        let ingest = &services[0];
        assert_eq!(ingest["resource"]["attributes"][0]["value"]["stringValue"], "bugbrother-ingest");
        let spans = &ingest["scopeSpans"][0]["spans"];
        assert_eq!(spans[0]["traceId"], "000102030405060708090a0b0c0d0e0f");
        assert_eq!(spans[0]["startTimeUnixNano"], "1790000000000000000");
        assert_eq!(spans[0]["attributes"][1]["value"]["intValue"], (1_u64 << 61).to_string());
        assert_eq!(spans[0].get("parentSpanId"), None);
        assert_eq!(spans[0]["spanId"].as_str().unwrap().len(), 16);
        let shown = &services[1]["scopeSpans"][0]["spans"][0];
        for part in [&spans[1], shown] {
            assert_eq!((&part["traceId"], &part["parentSpanId"]), (&spans[0]["traceId"], &spans[0]["spanId"]));
            assert_ne!(part["spanId"], spans[0]["spanId"]);
        }
    }
}

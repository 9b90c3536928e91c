//! `/api/openapi.json`: the API's description, made of the route table.

use axum::http::Method;
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::{
    caller::Access,
    routes::{Entry, Routes},
};
use bugbrother_wire::api::Problem;

/// An OpenAPI 3.1 document of all routes.
pub(super) fn document(routes: &mut Routes) -> Value {
    let problem = routes.schemas.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for entry in &routes.entries {
        let path = paths.entry(format!("/api{}", entry.path)).or_insert_with(|| json!({}));
        path[entry.method.as_str().to_ascii_lowercase()] = operation(entry, &problem);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "BugBrother",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The fleet for people, programs and vehicles. Every refusal is `application/problem+json`.",
        },
        "paths": paths,
        "components": {
            "schemas": routes.schemas.definitions(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": super::signed::COOKIE },
            },
        },
    })
}

fn operation(entry: &Entry, problem: &Schema) -> Value {
    let (tag, security, access) = match entry.access {
        Access::Anybody => (room(entry.path), json!([]), json!("anybody")),
        Access::Vehicle => ("vehicle", json!([]), json!("vehicle")),
        Access::SignedIn => (room(entry.path), json!([{ "token": [] }, { "cookie": [] }]), json!("signed_in")),
        Access::InPerson => (room(entry.path), json!([{ "token": [] }, { "cookie": [] }]), json!("in_person")),
        Access::May(right) => (room(entry.path), json!([{ "token": [] }, { "cookie": [] }]), json!(right)),
    };
    let in_path = entry
        .path
        .split('/')
        .filter_map(|level| level.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let parameters: Vec<Value> = in_path.chain(entry.asks.iter().flat_map(in_query)).collect();
    let answer = match &entry.gives {
        Some(schema) => json!({ "description": "done", "content": { "application/json": { "schema": schema } } }),
        None => json!({ "description": "done" }),
    };
    let refused = json!({ "description": "refused", "content": { "application/problem+json": { "schema": problem } } });
    let mut operation = json!({
        "summary": entry.says,
        "tags": [tag],
        "operationId": operation_id(&entry.method, entry.path),
        "x-access": access,
        "security": security,
        "parameters": parameters,
        "responses": { "2XX": answer, "4XX": refused },
    });
    if let Some(schema) = &entry.takes {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

fn in_query(asked: &Schema) -> Vec<Value> {
    let Some(properties) = asked.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required = asked.get("required").and_then(Value::as_array);
    let parameter = |(name, schema): (&String, &Value)| {
        let required = required.is_some_and(|names| names.iter().any(|one| one == name));
        json!({ "name": name, "in": "query", "required": required, "schema": schema })
    };
    properties.iter().map(parameter).collect()
}

fn room(path: &'static str) -> &'static str {
    path.split('/').nth(2).unwrap_or(path)
}

/// `get_frontend_vehicles_vin`
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(['/', '.']).map(|level| level.trim_matches(['{', '}'])).filter(|level| !level.is_empty());
    let words: Vec<&str> = words.collect();
    format!("{}_{}", method.as_str().to_ascii_lowercase(), words.join("_"))
}

//! Values that fit a schema of the API's description.

use serde_json::{Map, Value, json};

/// The schemas that others refer to.
pub struct Schemas(Value);

/// Schemas in schemas that are followed.
const DEPTH: usize = 8;

impl Schemas {
    pub fn of(description: &Value) -> Self {
        Schemas(description["components"]["schemas"].clone())
    }

    /// A value that fits, with all its members.
    pub fn sample(&self, schema: &Value) -> Value {
        self.at(schema, DEPTH)
    }

    /// Names of an object's members.
    pub fn members(&self, schema: &Value) -> Vec<String> {
        let properties = self.resolve(schema).get("properties").and_then(Value::as_object);
        properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
    }

    /// Whether it is a number and nothing else.
    pub fn is_number(&self, schema: &Value) -> bool {
        let schema = self.resolve(schema);
        self.kind(schema).is_some_and(|kind| ["integer", "number"].contains(&kind))
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..DEPTH {
            let named = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/"));
            let choices = schema["anyOf"].as_array().or(schema["oneOf"].as_array()).or(schema["allOf"].as_array());
            schema = match (named, choices) {
                (Some(name), _) => &self.0[name],
                (None, Some(choices)) => match choices.iter().find(|choice| choice["type"] != "null") {
                    Some(choice) => choice,
                    None => return schema,
                },
                (None, None) => return schema,
            };
        }
        schema
    }

    fn kind<'a>(&self, schema: &'a Value) -> Option<&'a str> {
        match &schema["type"] {
            Value::String(kind) => Some(kind),
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
            _ => None,
        }
    }

    fn at(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
            return first.clone();
        }
        if depth == 0 {
            return Value::Null;
        }
        match self.kind(schema) {
            Some("object") => {
                let properties = schema["properties"].as_object().cloned().unwrap_or_default();
                let members = properties.iter().map(|(name, schema)| (name.clone(), self.at(schema, depth - 1)));
                Value::Object(members.collect::<Map<_, _>>())
            }
            Some("array") => json!([self.at(&schema["items"], depth - 1)]),
            Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
            Some("number") => json!(1.0),
            Some("boolean") => json!(true),
            Some("string") if schema["format"] == "uuid" => json!("0198f0c4-7a3b-7000-8000-000000000002"),
            Some("string") => json!("something"),
            _ => Value::Null,
        }
    }
}

//! JSON Schemas of what writes itself in a way of its own: identities, and rows.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    AlertId, ApiTokenId, CameraId, ChannelId, ClientId, CommandId, ContractId, DeliveryId, DocumentId, Epoch, EventId,
    MaintenanceId, MediaId, Seq, SessionId, ViewId, Vin, WorkId, message::Row,
};

macro_rules! identity {
    ($($type:ident: $schema:tt),* $(,)?) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

identity! {
    Vin: { "type": "string", "pattern": "^[A-HJ-NPR-Z0-9]{17}$" },
    AlertId: { "type": "string", "format": "uuid" },
    EventId: { "type": "string", "format": "uuid" },
    CommandId: { "type": "string", "format": "uuid" },
    ClientId: { "type": "string", "format": "uuid" },
    SessionId: { "type": "string", "format": "uuid" },
    ApiTokenId: { "type": "string", "format": "uuid" },
    ContractId: { "type": "string", "format": "uuid" },
    DocumentId: { "type": "string", "format": "uuid" },
    MaintenanceId: { "type": "string", "format": "uuid" },
    WorkId: { "type": "string", "format": "uuid" },
    ViewId: { "type": "string", "format": "uuid" },
    ChannelId: { "type": "string", "format": "uuid" },
    DeliveryId: { "type": "string", "format": "uuid" },
    MediaId: { "type": "string", "format": "uuid" },
    CameraId: { "type": "string", "pattern": "^[a-z0-9-]{1,32}$" },
    Epoch: { "type": "integer", "minimum": 0 },
    Seq: { "type": "integer", "minimum": 0 },
    Row: { "type": "array", "items": { "type": ["number", "null"] }, "description": "[dt_ms, value…]" },
}

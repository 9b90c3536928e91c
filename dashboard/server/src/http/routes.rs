//! The route table: each route once, with what one must be to use it and what is said there.

use axum::{
    Router,
    handler::Handler,
    http::Method,
    middleware::from_fn_with_state,
    routing::{MethodFilter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};

use super::{
    App,
    caller::{Access, guard},
};

/// A route, as the API's description has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    /// What it is for, in a line.
    pub says: &'static str,
    /// Its parameters after the `?`, as the properties of an object.
    pub asks: Vec<Schema>,
    pub takes: Option<Schema>,
    pub gives: Option<Schema>,
}

/// Routes below `/api`.
pub(super) struct Routes {
    app: App,
    pub router: Router<App>,
    pub entries: Vec<Entry>,
    pub schemas: SchemaGenerator,
}

/// A route that is being declared.
pub(super) struct Declared<'a> {
    entry: &'a mut Entry,
    schemas: &'a mut SchemaGenerator,
}

macro_rules! methods {
    ($($name:ident $method:ident),*) => {$(
        pub fn $name<H: Handler<T, App>, T: 'static>(
            &mut self,
            path: &'static str,
            access: Access,
            handler: H,
        ) -> Declared<'_> {
            self.route(Method::$method, MethodFilter::$method, path, access, handler)
        }
    )*};
}

impl Routes {
    pub fn new(app: App) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Routes { app, router: Router::new(), entries: Vec::new(), schemas: settings.into_generator() }
    }

    methods!(get GET, post POST, put PUT, patch PATCH, delete DELETE);

    fn route<H: Handler<T, App>, T: 'static>(
        &mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Declared<'_> {
        let guarded = on(filter, handler).route_layer(from_fn_with_state((self.app.clone(), access), guard));
        self.router = std::mem::take(&mut self.router).route(path, guarded);
        self.entries.push(Entry { method, path, access, says: "", asks: Vec::new(), takes: None, gives: None });
        let entry = self.entries.last_mut().expect("it was just added");
        Declared { entry, schemas: &mut self.schemas }
    }
}

impl Declared<'_> {
    /// What it is for, in a line.
    pub fn says(self, line: &'static str) -> Self {
        self.entry.says = line;
        self
    }

    /// Parameters after the `?`.
    pub fn asks<T: JsonSchema>(self) -> Self {
        self.entry.asks.push(T::json_schema(self.schemas));
        self
    }

    /// The JSON of a request.
    pub fn takes<T: JsonSchema>(self) -> Self {
        self.entry.takes = Some(self.schemas.subschema_for::<T>());
        self
    }

    /// The JSON of an answer.
    pub fn gives<T: JsonSchema>(self) -> Self {
        self.entry.gives = Some(self.schemas.subschema_for::<T>());
        self
    }
}

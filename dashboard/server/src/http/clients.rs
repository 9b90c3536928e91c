//! `/api/frontend/clients`: whom the fleet serves.

use axum::{Json, extract::State, http::StatusCode};
use bugbrother_store::{Client, ClientLine};
use bugbrother_wire::{
    ClientId,
    api::{ClientDetail, ClientForm, ClientList, ClientSummary, ClientUser, NamedVehicle, Right},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    App,
    body::{Body, Params},
    caller::{Access, Caller},
    contracts,
    failure::Failure,
    form::{Form, PathId, nothing_there},
    routes::Routes,
};
use crate::clock;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 200;
const CONTRACTS: u32 = 100;
const VEHICLES: u32 = 500;
const USERS: u32 = 100;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Page {
    /// A part of the name; neither case nor accents count.
    q: Option<String>,
    /// Archived ones, too.
    archived: Option<bool>,
    after: Option<ClientId>,
    limit: Option<u32>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let access = Access::May(Right::Clients);
    routes.get("/frontend/clients", access, list).says("Clients by name").asks::<Page>().gives::<ClientList>();
    routes.post("/frontend/clients", access, add).says("Add a client").takes::<ClientForm>().gives::<ClientSummary>();
    routes
        .get("/frontend/clients/{id}", access, show)
        .says("A client with its contracts, vehicles and users")
        .gives::<ClientDetail>();
    routes
        .put("/frontend/clients/{id}", access, change)
        .says("Change what is known of a client")
        .takes::<ClientForm>()
        .gives::<ClientSummary>();
    routes
        .post("/frontend/clients/{id}/archive", access, archive)
        .says("A client no more: whoever signs in for it sees no vehicle from then on")
        .gives::<ClientSummary>();
    routes.delete("/frontend/clients/{id}/archive", access, bring_back).says("A client again").gives::<ClientSummary>();
}

async fn list(State(app): State<App>, _: Caller, Params(page): Params<Page>) -> Result<Json<ClientList>, Failure> {
    let store = &app.config.store;
    let limit = page.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let after = match page.after {
        Some(id) => Some(store.client(id).await?.ok_or_else(|| Failure::field("after", "no place in this list"))?),
        None => None,
    };
    let after = after.as_ref().map(|client| (client.name.as_str(), client.id));
    let text = page.q.unwrap_or_default();
    let archived = page.archived.unwrap_or(false);
    // One more than asked for tells whether there is a next page.
    let mut lines = store.find_clients(&text, archived, after, clock::now(), limit + 1).await?;
    let has_more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    Ok(Json(ClientList {
        next: lines.last().filter(|_| has_more).map(|line| line.client.id),
        clients: lines.into_iter().map(summary).collect(),
    }))
}

async fn show(State(app): State<App>, _: Caller, PathId(id): PathId<ClientId>) -> Result<Json<ClientDetail>, Failure> {
    let store = &app.config.store;
    let now = clock::now();
    let client = find(&app, id).await?;
    let lines = store.contract_lines(bugbrother_store::ContractFilter::All, Some(id), now, None, CONTRACTS).await?;
    let roster = store.roster(Some(id), now, None, VEHICLES).await?;
    let users = store.client_accounts(id, None, USERS).await?;
    Ok(Json(ClientDetail {
        client: counted(&app, client).await?,
        contracts: lines.into_iter().map(|line| contracts::summary(line, now)).collect(),
        vehicles: roster
            .into_iter()
            .map(|entry| NamedVehicle { vin: entry.vin, name: entry.name, plate: entry.plate })
            .collect(),
        users: users
            .into_iter()
            .map(|user| ClientUser {
                name: user.name,
                display_name: user.display_name,
                disabled: user.disabled.is_some(),
            })
            .collect(),
    }))
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(form): Body<ClientForm>,
) -> Result<(StatusCode, Json<ClientSummary>), Failure> {
    let form = checked(form)?;
    let client = client_of(ClientId(Uuid::now_v7()), form, clock::now(), None);
    app.config.store.add_client(&client).await?;
    note(&app, &caller, "client_added", &client).await?;
    Ok((StatusCode::CREATED, Json(counted(&app, client).await?)))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ClientId>,
    Body(form): Body<ClientForm>,
) -> Result<Json<ClientSummary>, Failure> {
    let before = find(&app, id).await?;
    let client = client_of(id, checked(form)?, before.created, before.archived);
    app.config.store.update_client(&client).await?;
    note(&app, &caller, "client_changed", &client).await?;
    Ok(Json(counted(&app, client).await?))
}

async fn archive(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ClientId>,
) -> Result<Json<ClientSummary>, Failure> {
    let before = find(&app, id).await?;
    let client = Client { archived: before.archived.or(Some(clock::now())), ..before };
    app.config.store.update_client(&client).await?;
    note(&app, &caller, "client_archived", &client).await?;
    Ok(Json(counted(&app, client).await?))
}

async fn bring_back(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<ClientId>,
) -> Result<Json<ClientSummary>, Failure> {
    let client = Client { archived: None, ..find(&app, id).await? };
    app.config.store.update_client(&client).await?;
    note(&app, &caller, "client_brought_back", &client).await?;
    Ok(Json(counted(&app, client).await?))
}

pub(super) async fn find(app: &App, id: ClientId) -> Result<Client, Failure> {
    app.config.store.client(id).await?.ok_or_else(nothing_there)
}

async fn note(app: &App, caller: &Caller, what: &str, client: &Client) -> Result<(), Failure> {
    app.note(caller, what, Some(("client", &client.id.to_string())), json!({ "name": client.name })).await
}

fn checked(form: ClientForm) -> Result<ClientForm, Failure> {
    let mut check = Form::default();
    let form = ClientForm {
        name: check.line("name", &form.name, 120),
        contact: check.some_line("contact", form.contact.as_deref(), 120),
        email: check.some_line("email", form.email.as_deref(), 254),
        phone: check.some_line("phone", form.phone.as_deref(), 40),
        note: check.some_text("note", form.note.as_deref(), 4_000),
    };
    if let Some(email) = &form.email {
        let (name, host) = email.rsplit_once('@').unwrap_or_default();
        let is_right = !name.is_empty() && !host.is_empty() && !email.contains(char::is_whitespace);
        check.check("email", is_right, "an address such as name@example.org");
    }
    check.done()?;
    Ok(form)
}

fn client_of(id: ClientId, form: ClientForm, created: i64, archived: Option<i64>) -> Client {
    let ClientForm { name, contact, email, phone, note } = form;
    Client { id, name, contact, email, phone, note, created, archived }
}

async fn counted(app: &App, client: Client) -> Result<ClientSummary, Failure> {
    let (contracts, vehicles) = app.config.store.running(client.id, clock::now()).await?;
    Ok(summary(ClientLine { client, contracts, vehicles }))
}

fn summary(ClientLine { client, contracts, vehicles }: ClientLine) -> ClientSummary {
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    ClientSummary {
        id: client.id,
        form: ClientForm {
            name: client.name,
            contact: client.contact,
            email: client.email,
            phone: client.phone,
            note: client.note,
        },
        created: client.created,
        archived: client.archived,
        contracts: count(contracts),
        vehicles: count(vehicles),
    }
}

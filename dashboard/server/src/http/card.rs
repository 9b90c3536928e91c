//! `/api/frontend/vehicles/{vin}/card`: the head of a vehicle's page.

use axum::{Json, extract::State};
use bugbrother_wire::{
    api::{Right, VehicleCard},
    codec::LATEST,
    wmi,
};

use super::{
    App,
    body::PathVin,
    caller::{Access, Caller, Scope},
    failure::Failure,
    routes::Routes,
};
use crate::clock;

/// Clients of a vehicle that are named.
const MAX_CLIENTS: u32 = 8;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/vehicles/{vin}/card", Access::May(Right::Watch), show)
        .says("The head of a vehicle's page")
        .gives::<VehicleCard>();
}

async fn show(State(app): State<App>, caller: Caller, PathVin(vin): PathVin) -> Result<Json<VehicleCard>, Failure> {
    let state = caller.sees(&app, vin).await?;
    let store = &app.config.store;
    let clients = store.clients_of(vin, clock::now(), MAX_CLIENTS).await?.into_iter().filter(|(client, _)| {
        // Whose else it is, is nobody's business.
        match caller.scope {
            Scope::Fleet => true,
            Scope::Client(own) => *client == own,
            Scope::Nothing => false,
        }
    });
    let trip = store.trips(vin, 0, LATEST, 1).await?.pop().map(|record| record.trip);
    Ok(Json(VehicleCard {
        name: state.name,
        plate: state.plate,
        maker: wmi::maker(vin).map(str::to_owned),
        clients: clients.map(|(_, name)| name).collect(),
        driving_since: trip.as_ref().filter(|trip| trip.open).map(|trip| trip.start),
        standing_since: trip.as_ref().filter(|trip| !trip.open).map(|trip| trip.end),
        agent: store.birth(vin).await?.map(|birth| birth.agent),
    }))
}

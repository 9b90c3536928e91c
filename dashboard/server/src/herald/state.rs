//! A vehicle's state as others read it. Pure.

use bugbrother_wire::{
    SCHEMA_VERSION,
    live::LiveVehicle,
    message::{Presence, State},
};

/// The message on `state`; `codes`: how many trouble codes the vehicle has told of, where it has.
pub(super) fn of(vehicle: LiveVehicle, codes: Option<u32>) -> State {
    let value = |key| vehicle.values.get(key).copied();
    let position = value("lat").zip(value("lon"));
    // What turned when a vehicle was last heard says nothing of now.
    let online = vehicle.presence == Presence::Online;
    let engine_on = value("rpm").filter(|_| online).map(|rpm| rpm > 0.0);
    State {
        v: SCHEMA_VERSION,
        vin: vehicle.vin,
        source_ts: vehicle.source_ts,
        presence: vehicle.presence,
        name: Some(vehicle.name),
        plate: vehicle.plate,
        latitude: position.map(|(lat, _)| lat),
        longitude: position.map(|(_, lon)| lon),
        engine_on,
        trouble_codes: codes,
        values: vehicle.values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vehicle(presence: Presence, values: &[(&str, f64)]) -> LiveVehicle {
        LiveVehicle {
            n: 0,
            vin: "WVWZZZ1JZ3W386752".parse().unwrap(),
            name: "Golf".to_owned(),
            plate: None,
            client: None,
            presence,
            source_ts: 1_790_000_000_000,
            received_ts: 1_790_000_000_500,
            values: values.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect(),
        }
    }

    #[test]
    fn a_position_is_told_when_it_is_whole() {
        let state = of(vehicle(Presence::Online, &[("lat", 46.5), ("lon", 6.6)]), Some(2));
        assert_eq!((state.latitude, state.longitude, state.trouble_codes), (Some(46.5), Some(6.6), Some(2)));
        let state = of(vehicle(Presence::Online, &[("lat", 46.5)]), None);
        assert_eq!((state.latitude, state.longitude, state.trouble_codes), (None, None, None));
    }

    #[test]
    fn an_engine_runs_only_while_its_vehicle_is_there() {
        let runs = |presence, rpm| of(vehicle(presence, &[("rpm", rpm)]), None).engine_on;
        assert_eq!(runs(Presence::Online, 800.0), Some(true));
        assert_eq!(runs(Presence::Online, 0.0), Some(false));
        assert_eq!(runs(Presence::Offline, 800.0), None);
        assert_eq!(of(vehicle(Presence::Online, &[]), None).engine_on, None);
    }
}

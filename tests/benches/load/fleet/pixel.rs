//! From publish to pixel: one vehicle among many that are all stored and looked at by rules.

use anyhow::Result;
use bugbrother_load::fleet::Fleet;

use super::{
    SETTLING, check_files, drives,
    meanwhile::{cells, during, for_a_time},
    plan, serve,
};
use crate::{
    dashboard::pixel::{self, WATCHED},
    figures::grouped,
    settings::{self, Settings},
};

const VEHICLES: usize = 10_000;

pub async fn measure(_: &Settings) -> Result<String> {
    let vehicles = settings::vehicles(VEHICLES)?;
    check_files(vehicles)?;
    let mut system = serve((0..vehicles).chain([WATCHED])).await?;
    let server = [system.process("up")?.id()];
    let mut fleet = Fleet::start(plan(&system, vehicles), &drives(1))?;
    for_a_time(&mut fleet, &server, SETTLING).await?;
    let (times, meanwhile) = during(&mut fleet, &server, pixel::time(&mut system)).await?;
    fleet.leave()?;
    system.check_running()?;
    system.check_logs()?;
    Ok(format!(
        "\n### From publish to pixel, everything being stored\n\n\
         | besides | messages | p50 | p99 | longest | to commit meanwhile p50 | p99 | longest | CPU of the server |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|\n\
         | {} vehicles at 1 Hz | {} | {:.0} ms | {:.0} ms | {:.0} ms | {} | {:.2} cores |\n",
        grouped(vehicles as f64),
        times.len(),
        times.quantile(0.5),
        times.quantile(0.99),
        times.quantile(1.0),
        cells(&meanwhile.commits),
        meanwhile.server_cores,
    ))
}

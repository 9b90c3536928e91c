//! `/api/frontend/vehicles/{vin}/diagnostics`: what is wrong with a vehicle, in words.

use axum::{Json, extract::State};
use bugbrother_export::Column;
use bugbrother_store::DtcRecord;
use bugbrother_wire::{
    api::{DiagnosticsReport, DtcInWords, FreezeFrameInWords, MonitorInWords, NamedValue, Right, Tongue},
    message::{DtcStatus, FreezeFrame, Severity},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    body::{Params, PathVin},
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
};

/// Most codes of an answer.
const MAX_CODES: u32 = 1_000;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Words {
    /// In which language: `en` or `fr`.
    #[serde(default)]
    pub(super) lang: Tongue,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/vehicles/{vin}/diagnostics", Access::May(Right::Watch), show)
        .says("Trouble codes of a vehicle in words, lamp, self tests and freeze frame")
        .asks::<Words>()
        .gives::<DiagnosticsReport>();
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathVin(vin): PathVin,
    Params(Words { lang }): Params<Words>,
) -> Result<Json<DiagnosticsReport>, Failure> {
    caller.sees(&app, vin).await?;
    let store = &app.config.store;
    let newest = store.diagnostics(vin).await?.map(|(diagnostics, _)| diagnostics);
    let mut codes: Vec<_> =
        store.dtcs(vin, None, MAX_CODES).await?.into_iter().map(|record| in_words(record, lang)).collect();
    codes.sort_by_key(|code| (code.gone.is_some(), std::cmp::Reverse(code.last_seen)));
    let Some(newest) = newest else {
        return Ok(Json(DiagnosticsReport { at: None, mil: None, codes, monitors: Vec::new(), freeze_frame: None }));
    };
    let monitors = newest.monitors.into_iter().map(|monitor| MonitorInWords {
        label: monitor_label(&monitor.name, lang),
        name: monitor.name,
        complete: monitor.complete,
    });
    Ok(Json(DiagnosticsReport {
        at: Some(newest.at),
        mil: newest.mil,
        codes,
        monitors: monitors.collect(),
        freeze_frame: newest.freeze_frame.map(frame),
    }))
}

fn in_words(record: DtcRecord, lang: Tongue) -> DtcInWords {
    let words = bugbrother_dtc::catalogue().explain(&record.code, lang);
    let severity = match record.status {
        // Seen once, and not confirmed.
        DtcStatus::Pending => Severity::Info,
        DtcStatus::Stored | DtcStatus::Permanent => words.severity,
    };
    DtcInWords {
        code: record.code,
        title: words.title,
        advice: words.advice,
        system: words.system.to_owned(),
        generic: words.generic,
        severity,
        status: record.status,
        ecu: record.ecu,
        first_seen: record.first_seen,
        last_seen: record.last_seen,
        gone: record.gone,
        times: record.times,
    }
}

fn frame(frame: FreezeFrame) -> FreezeFrameInWords {
    let values = frame.values.into_iter().map(|(key, value)| {
        let Column { key, label, unit } = Column::of(&key);
        NamedValue { key, label, unit, value }
    });
    FreezeFrameInWords { code: frame.code, ecu: frame.ecu, values: values.collect() }
}

/// The names of SAE J1979; what is not known is shown as it is.
fn monitor_label(name: &str, lang: Tongue) -> String {
    let words = match (lang, name) {
        (Tongue::En, "misfire") => "Misfire",
        (Tongue::En, "fuel system") => "Fuel system",
        (Tongue::En, "components") => "Components",
        (Tongue::En, "catalyst") => "Catalyst",
        (Tongue::En, "heated catalyst") => "Heated catalyst",
        (Tongue::En, "evaporative system") => "Evaporative system",
        (Tongue::En, "secondary air") => "Secondary air",
        (Tongue::En, "air conditioning") => "Air conditioning",
        (Tongue::En, "oxygen sensor") => "Oxygen sensors",
        (Tongue::En, "oxygen sensor heater") => "Oxygen sensor heaters",
        (Tongue::En, "egr") => "Exhaust gas recirculation",
        (Tongue::En, "nmhc catalyst") => "NMHC catalyst",
        (Tongue::En, "nox aftertreatment") => "NOx aftertreatment",
        (Tongue::En, "boost pressure") => "Boost pressure",
        (Tongue::En, "exhaust gas sensor") => "Exhaust gas sensor",
        (Tongue::En, "particulate filter") => "Particulate filter",
        (Tongue::Fr, "misfire") => "Ratés d'allumage",
        (Tongue::Fr, "fuel system") => "Circuit de carburant",
        (Tongue::Fr, "components") => "Composants",
        (Tongue::Fr, "catalyst") => "Catalyseur",
        (Tongue::Fr, "heated catalyst") => "Catalyseur chauffé",
        (Tongue::Fr, "evaporative system") => "Vapeurs de carburant",
        (Tongue::Fr, "secondary air") => "Air secondaire",
        (Tongue::Fr, "air conditioning") => "Climatisation",
        (Tongue::Fr, "oxygen sensor") => "Sondes à oxygène",
        (Tongue::Fr, "oxygen sensor heater") => "Chauffage des sondes à oxygène",
        (Tongue::Fr, "egr") => "Recirculation des gaz d'échappement",
        (Tongue::Fr, "nmhc catalyst") => "Catalyseur HCNM",
        (Tongue::Fr, "nox aftertreatment") => "Post-traitement des NOx",
        (Tongue::Fr, "boost pressure") => "Pression de suralimentation",
        (Tongue::Fr, "exhaust gas sensor") => "Sonde des gaz d'échappement",
        (Tongue::Fr, "particulate filter") => "Filtre à particules",
        (_, other) => other,
    };
    words.to_owned()
}

//! `/api/frontend/vehicles/{vin}/diagnostics`: what is wrong with a vehicle, in words.

use axum::{Json, extract::State};
use bugbrother_export::Column;
use bugbrother_store::DtcRecord;
use bugbrother_wire::{
    api::{DiagnosticsReport, DtcInWords, FreezeFrameInWords, MonitorInWords, NamedValue, Right},
    dtc,
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
    /// In which language, as far as there are words: `en` or `fr`.
    #[serde(default)]
    lang: Language,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Language {
    #[default]
    En,
    Fr,
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

fn in_words(record: DtcRecord, lang: Language) -> DtcInWords {
    let words = match lang {
        Language::En => dtc::explain(&record.code),
        Language::Fr => dtc::explain_in_french(&record.code),
    };
    let severity = match record.status {
        // Seen once, and not confirmed.
        DtcStatus::Pending => Severity::Info,
        DtcStatus::Stored | DtcStatus::Permanent => dtc::severity(&record.code),
    };
    DtcInWords {
        code: record.code,
        title: words.title.to_owned(),
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
fn monitor_label(name: &str, lang: Language) -> String {
    let words = match (lang, name) {
        (Language::En, "misfire") => "Misfire",
        (Language::En, "fuel system") => "Fuel system",
        (Language::En, "components") => "Components",
        (Language::En, "catalyst") => "Catalyst",
        (Language::En, "heated catalyst") => "Heated catalyst",
        (Language::En, "evaporative system") => "Evaporative system",
        (Language::En, "secondary air") => "Secondary air",
        (Language::En, "air conditioning") => "Air conditioning",
        (Language::En, "oxygen sensor") => "Oxygen sensors",
        (Language::En, "oxygen sensor heater") => "Oxygen sensor heaters",
        (Language::En, "egr") => "Exhaust gas recirculation",
        (Language::En, "nmhc catalyst") => "NMHC catalyst",
        (Language::En, "nox aftertreatment") => "NOx aftertreatment",
        (Language::En, "boost pressure") => "Boost pressure",
        (Language::En, "exhaust gas sensor") => "Exhaust gas sensor",
        (Language::En, "particulate filter") => "Particulate filter",
        (Language::Fr, "misfire") => "Ratés d'allumage",
        (Language::Fr, "fuel system") => "Circuit de carburant",
        (Language::Fr, "components") => "Composants",
        (Language::Fr, "catalyst") => "Catalyseur",
        (Language::Fr, "heated catalyst") => "Catalyseur chauffé",
        (Language::Fr, "evaporative system") => "Vapeurs de carburant",
        (Language::Fr, "secondary air") => "Air secondaire",
        (Language::Fr, "air conditioning") => "Climatisation",
        (Language::Fr, "oxygen sensor") => "Sondes à oxygène",
        (Language::Fr, "oxygen sensor heater") => "Chauffage des sondes à oxygène",
        (Language::Fr, "egr") => "Recirculation des gaz d'échappement",
        (Language::Fr, "nmhc catalyst") => "Catalyseur HCNM",
        (Language::Fr, "nox aftertreatment") => "Post-traitement des NOx",
        (Language::Fr, "boost pressure") => "Pression de suralimentation",
        (Language::Fr, "exhaust gas sensor") => "Sonde des gaz d'échappement",
        (Language::Fr, "particulate filter") => "Filtre à particules",
        (_, other) => other,
    };
    words.to_owned()
}

//! What people know of a vehicle, as a form; the VIN is checked as it is typed.

use bugbrother_wire::{
    FuelKind, Vin,
    api::{NewVehicle, VehicleFacts, VehicleForm},
    vin::{CheckDigit, VinError},
    wmi,
};
use yew::prelude::*;

use crate::{
    phrases::business::Business,
    ui::{
        api,
        kit::{Field, Select, TextArea},
        saving::{Submit, parse, some, some_number, typing, use_saving},
        settings::use_phrases,
    },
};

/// As it is typed.
#[derive(Clone, PartialEq, Default)]
struct Typed {
    vin: String,
    form: VehicleForm,
    tank: String,
    battery: String,
}

/// Properties of [`FactsForm`].
#[derive(Properties, PartialEq)]
pub struct FactsFormProps {
    /// The vehicle to change; without one a new one is added.
    #[prop_or_default]
    pub facts: Option<VehicleFacts>,
    /// Leaves the form.
    pub close: Callback<()>,
    /// It is saved.
    pub saved: Callback<VehicleFacts>,
}

/// A vehicle as a form.
#[component]
pub fn FactsForm(props: &FactsFormProps) -> Html {
    let words = use_phrases().business;
    let typed = use_state(|| match &props.facts {
        Some(facts) => Typed {
            vin: facts.vin.to_string(),
            form: facts.form.clone(),
            tank: some_number(facts.form.tank_l),
            battery: some_number(facts.form.battery_kwh),
        },
        None => Typed::default(),
    });
    let saving = use_saving();
    let vin = props.facts.as_ref().map(|facts| facts.vin);
    let onsubmit = {
        let (saving, typed, saved) = (saving.clone(), typed.clone(), props.saved.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let form =
                VehicleForm { tank_l: number(&typed.tank), battery_kwh: number(&typed.battery), ..typed.form.clone() };
            let (text, saved) = (typed.vin.clone(), saved.clone());
            let sends = async move {
                match vin {
                    Some(vin) => api::put::<VehicleFacts>(&format!("/vehicles/{vin}/facts"), &form).await,
                    None => api::post("/vehicles", &NewVehicle { vin: text, form }).await,
                }
            };
            saving.run(sends, move |facts| saved.emit(facts));
        }
    };
    let verdict = judge(words, &typed.vin);
    let vin_error = saving.error("vin").or_else(|| verdict.as_ref().err().cloned().flatten().map(AttrValue::from));
    let hint = verdict.clone().ok().flatten().unwrap_or_else(|| words.vin_hint.to_owned());
    let fuels =
        FuelKind::ALL.map(|fuel| (AttrValue::from(fuel.word()), AttrValue::from((words.fuel_word)(fuel)))).to_vec();
    html! {
        <form class="form" {onsubmit} novalidate=true>
            if vin.is_none() {
                <Field name="vin" label="VIN" value={typed.vin.clone()} required=true error={vin_error} hint={Some(hint)}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.vin = text.to_uppercase())} />
            }
            <div class="pair">
                <Field name="name" label={words.name} value={typed.form.name.clone()} required=true error={saving.error("name")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.form.name = text)} />
                <Field name="plate" label={words.plate} value={some(&typed.form.plate)} error={saving.error("plate")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.form.plate = Some(text))} />
            </div>
            <div class="pair">
                <Field name="class" label={words.class} value={some(&typed.form.class)} hint={Some(words.class_hint)} error={saving.error("class")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.form.class = Some(text))} />
                <Select name="fuel" label={words.fuel_kind} choices={fuels} value={typed.form.fuel.word()} error={saving.error("fuel")}
                    onchange={typing(&typed, |typed: &mut Typed, text| typed.form.fuel = FuelKind::from_word(&text).unwrap_or_default())} />
            </div>
            <div class="pair">
                <Field name="tank_l" kind="number" step={Some("0.1")} label={words.tank} value={typed.tank.clone()} error={saving.error("tank_l")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.tank = text)} />
                <Field name="battery_kwh" kind="number" step={Some("0.1")} label={words.battery} value={typed.battery.clone()} error={saving.error("battery_kwh")}
                    oninput={typing(&typed, |typed: &mut Typed, text| typed.battery = text)} />
            </div>
            <TextArea name="note" label={words.note} value={some(&typed.form.note)} error={saving.error("note")}
                oninput={typing(&typed, |typed: &mut Typed, text| typed.form.note = Some(text))} />
            <Submit saving={saving.clone()} label={words.save} cancel={Some(props.close.clone())} enabled={vin.is_some() || verdict.is_ok()} />
        </form>
    }
}

/// What is typed as a number; what is none is sent as one that the server refuses beside its field.
fn number(text: &str) -> Option<f64> {
    if text.trim().is_empty() { None } else { Some(parse(text).unwrap_or(-1.0)) }
}

/// What there is to say of a VIN that is being typed: good, with a word about it, or not yet, with what is wrong.
fn judge(words: &Business, text: &str) -> Result<Option<String>, Option<String>> {
    match Vin::parse_lenient(text) {
        Ok(vin) if matches!(vin.check_digit(), CheckDigit::Wrong { obligatory: true, .. }) => {
            Ok(Some(words.vin_check.to_owned()))
        }
        Ok(vin) => Ok(wmi::maker(vin).map(words.vin_maker)),
        Err(_) if text.trim().is_empty() => Err(None),
        Err(VinError::Character(c)) => Err(Some((words.vin_character)(c))),
        Err(VinError::Length(count)) => {
            let wrong = text.trim().chars().find(|c| !c.is_ascii_alphanumeric() || "IOQioq".contains(*c));
            Err(Some(wrong.map_or_else(|| (words.vin_length)(count), words.vin_character)))
        }
    }
}

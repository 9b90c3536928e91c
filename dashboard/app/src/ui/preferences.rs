//! How a person wants the app to be. It counts at once, and on every device.

use bugbrother_wire::api::{Colours, ConsumptionUnit, DistanceUnit, Preferences, TemperatureUnit, Tongue};
use yew::prelude::*;

use super::{day, kit::Select, moment, settings::use_settings, zone};

/// Choices of a kind: value, text.
fn choices<T: Copy + std::fmt::Debug>(all: &[(T, &'static str)]) -> Vec<(AttrValue, AttrValue)> {
    all.iter().map(|(value, text)| (word(*value), AttrValue::from(*text))).collect()
}

fn word<T: std::fmt::Debug>(value: T) -> AttrValue {
    format!("{value:?}").into()
}

/// The page of a person's preferences.
#[component]
pub fn PreferencesPage() -> Html {
    let settings = use_settings();
    let (phrases, words) = (settings.phrases, settings.phrases.people);
    let now = settings.preferences.clone();
    let zones = use_memo((), |()| zone::all());
    let set = |change: fn(&mut Preferences, &str)| {
        let (before, prefer) = (now.clone(), settings.prefer.clone());
        Callback::from(move |value: String| {
            let mut after = before.clone();
            change(&mut after, &value);
            prefer.emit(after);
        })
    };
    let languages = [(None, words.as_browser), (Some(Tongue::En), "English"), (Some(Tongue::Fr), "Français")];
    let themes =
        [(Colours::System, words.theme_system), (Colours::Dark, words.theme_dark), (Colours::Light, words.theme_light)];
    let distances = [(DistanceUnit::Km, words.kilometres), (DistanceUnit::Mi, words.miles)];
    let consumptions = [
        (ConsumptionUnit::LitresPer100Km, words.litres),
        (ConsumptionUnit::MpgUs, words.mpg_us),
        (ConsumptionUnit::MpgImperial, words.mpg_imperial),
    ];
    let temperatures = [(TemperatureUnit::Celsius, "°C"), (TemperatureUnit::Fahrenheit, "°F")];
    let mut zone_choices = vec![(AttrValue::from(""), format!("{} ({})", words.as_browser, zone::of_browser()).into())];
    zone_choices.extend(zones.iter().map(|zone| (AttrValue::from(zone.clone()), zone.replace('_', " ").into())));
    let units = settings.units;
    let example = [
        units.speed(100.0),
        units.distance(100_000.0, 0),
        units.consumption(6.2, 100_000.0).unwrap_or_default(),
        units.value("ect", 90.0),
    ];
    html! {
        <form class="form columns" data-testid="preferences" onsubmit={|event: SubmitEvent| event.prevent_default()}>
            <Select name="language" label={words.language} choices={choices(&languages)} value={word(now.language)}
                onchange={set(|all, value| all.language = Tongue::ALL.iter().copied().find(|one| word(Some(*one)) == value))} />
            <Select name="theme" label={words.theme} choices={choices(&themes)} value={word(now.theme)}
                onchange={set(|all, value| all.theme = found(Colours::ALL, value))} />
            <Select name="distance" label={words.distance} choices={choices(&distances)} value={word(now.distance)}
                onchange={set(|all, value| all.distance = found(DistanceUnit::ALL, value))} />
            <Select name="consumption" label={words.consumption} choices={choices(&consumptions)} value={word(now.consumption)}
                onchange={set(|all, value| all.consumption = found(ConsumptionUnit::ALL, value))} />
            <Select name="temperature" label={words.temperature} choices={choices(&temperatures)} value={word(now.temperature)}
                onchange={set(|all, value| all.temperature = found(TemperatureUnit::ALL, value))} />
            <Select name="time-zone" label={words.time_zone} choices={zone_choices} value={now.time_zone.clone().unwrap_or_default()}
                onchange={set(|all, value| all.time_zone = Some(value.to_owned()).filter(|zone| !zone.is_empty()))} />
            <section class="example" aria-live="polite" data-testid="preferences-example">
                <h3>{ words.looks_like }</h3>
                <p>
                    for (value, unit) in example { <span><b>{ value }</b>{ " " }<small>{ unit }</small></span> }
                    <span>{ moment::moment(phrases, day::now()) }</span>
                </p>
            </section>
        </form>
    }
}

fn found<T: Copy + Default + std::fmt::Debug>(all: &[T], value: &str) -> T {
    all.iter().copied().find(|one| word(*one) == value).unwrap_or_default()
}

//! What a person chose: theme, language, units and time zone. It is kept in the browser, and on the server for who is signed in.

use std::cell::Cell;

use bugbrother_wire::api::{Colours, Preferences, Tongue};
use gloo_events::EventListener;
use yew::{platform::spawn_local, prelude::*};

use super::{api, browser, zone};
use crate::{
    phrases::{Language, Phrases},
    theme::Theme,
    units::Units,
};

const DARK: &str = "(prefers-color-scheme: dark)";
const KEPT: &str = "preferences";

thread_local! {
    /// What is shown in which units; whoever writes a number reads it.
    static UNITS: Cell<Units> = Cell::default();
}

/// The chosen units.
pub fn units() -> Units {
    UNITS.get()
}

/// A number and its unit as one text.
pub fn told((number, unit): (String, &'static str)) -> String {
    format!("{number} {unit}")
}

/// The choices, and how to change them.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// All that was chosen.
    pub preferences: Preferences,
    /// The chosen theme.
    pub theme: Theme,
    /// Whether dark is what is seen.
    pub is_dark: bool,
    /// The phrases of the chosen language.
    pub phrases: &'static Phrases,
    /// The chosen units.
    pub units: Units,
    /// Chooses.
    pub prefer: Callback<Preferences>,
    /// Takes the next theme.
    pub turn_theme: Callback<()>,
    /// Takes the other language.
    pub turn_language: Callback<()>,
}

/// The settings of the app, from above.
#[hook]
pub fn use_settings() -> Settings {
    use_context().expect("the app provides its settings")
}

/// The phrases of the chosen language.
#[hook]
pub fn use_phrases() -> &'static Phrases {
    use_settings().phrases
}

/// Makes the settings; to be called once, at the top.
#[hook]
pub fn use_new_settings() -> Settings {
    let preferences = use_state_eq(remembered);
    let system_is_dark = use_state_eq(|| browser::fits(DARK));
    {
        let setter = system_is_dark.setter();
        use_effect_with((), move |()| {
            let list = browser::window().match_media(DARK).ok().flatten();
            let listener =
                list.map(|list| EventListener::new(&list, "change", move |_| setter.set(browser::fits(DARK))));
            move || drop(listener)
        });
    }
    let theme = theme(preferences.theme);
    let language = language(preferences.language);
    let is_dark = match theme {
        Theme::System => *system_is_dark,
        Theme::Dark => true,
        Theme::Light => false,
    };
    // Before anything is drawn: a canvas reads its colours from the document.
    if let Some(root) = browser::document().document_element() {
        browser::set_attribute(&root, "data-theme", if is_dark { "dark" } else { "light" });
        browser::set_attribute(&root, "lang", language.tag());
    }
    zone::choose(preferences.time_zone.as_deref());
    let units = Units::from(&*preferences);
    UNITS.set(units);
    let prefer = {
        let setter = preferences.setter();
        use_callback((), move |preferences: Preferences, ()| {
            if let Ok(text) = serde_json::to_string(&preferences) {
                browser::remember(KEPT, &text);
            }
            setter.set(preferences);
        })
    };
    let turn_theme = {
        let (preferences, prefer, system_is_dark) = (preferences.clone(), prefer.clone(), *system_is_dark);
        Callback::from(move |()| {
            prefer.emit(Preferences { theme: colours(theme.next(system_is_dark)), ..(*preferences).clone() });
        })
    };
    let turn_language = {
        let (preferences, prefer) = (preferences.clone(), prefer.clone());
        Callback::from(move |()| {
            let other = Some(tongue(language.other()));
            prefer.emit(Preferences { language: other, ..(*preferences).clone() });
        })
    };
    Settings {
        units,
        preferences: (*preferences).clone(),
        theme,
        is_dark,
        phrases: language.phrases(),
        prefer,
        turn_theme,
        turn_language,
    }
}

/// Takes what the server has of who is signed in, and has it keep what is chosen from now on.
#[hook]
pub fn use_kept_settings() {
    let Settings { preferences, prefer, .. } = use_settings();
    // What the server has, once that is known.
    let kept = use_mut_ref(|| None::<Preferences>);
    {
        let kept = kept.clone();
        use_effect_with((), move |()| {
            spawn_local(async move {
                let Ok(stored) = api::get::<Preferences>("/preferences").await else { return };
                kept.replace(Some(stored.clone()));
                // Who never said anything keeps what this browser was told.
                if stored != Preferences::default() {
                    prefer.emit(stored);
                }
            });
        });
    }
    use_effect_with(preferences, move |chosen| {
        let chosen = chosen.clone();
        let is_new = kept.borrow().as_ref().is_some_and(|kept| *kept != chosen);
        if is_new {
            kept.replace(Some(chosen.clone()));
            spawn_local(async move {
                if let Err(refusal) = api::put::<Preferences>("/preferences", &chosen).await {
                    // It counts in this browser all the same.
                    web_sys::console::warn_1(&format!("preferences are not kept: {refusal:?}").into());
                }
            });
        }
    });
}

/// What this browser was told; an earlier version kept theme and language by themselves.
fn remembered() -> Preferences {
    let kept = browser::remembered(KEPT).and_then(|text| serde_json::from_str(&text).ok());
    kept.unwrap_or_else(|| Preferences {
        theme: colours(Theme::from_word(&browser::remembered("theme").unwrap_or_default())),
        language: browser::remembered("language").map(|tag| tongue(Language::of(&tag))),
        ..Preferences::default()
    })
}

fn language(chosen: Option<Tongue>) -> Language {
    match chosen {
        Some(Tongue::En) => Language::English,
        Some(Tongue::Fr) => Language::French,
        None => Language::of(&browser::window().navigator().language().unwrap_or_default()),
    }
}

fn tongue(language: Language) -> Tongue {
    match language {
        Language::English => Tongue::En,
        Language::French => Tongue::Fr,
    }
}

fn theme(colours: Colours) -> Theme {
    match colours {
        Colours::System => Theme::System,
        Colours::Dark => Theme::Dark,
        Colours::Light => Theme::Light,
    }
}

fn colours(theme: Theme) -> Colours {
    match theme {
        Theme::System => Colours::System,
        Theme::Dark => Colours::Dark,
        Theme::Light => Colours::Light,
    }
}

//! What a person chose: theme and language.

use gloo_events::EventListener;
use yew::prelude::*;

use super::browser;
use crate::{
    phrases::{Language, Phrases},
    theme::Theme,
};

const DARK: &str = "(prefers-color-scheme: dark)";

/// The choices, and how to change them.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// The chosen theme.
    pub theme: Theme,
    /// Whether dark is what is seen.
    pub is_dark: bool,
    /// The phrases of the chosen language.
    pub phrases: &'static Phrases,
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
    let theme = use_state(|| Theme::from_word(&browser::remembered("theme").unwrap_or_default()));
    let system_is_dark = use_state_eq(|| browser::fits(DARK));
    let language = use_state(|| {
        let tag = browser::remembered("language").or_else(|| browser::window().navigator().language());
        Language::of(&tag.unwrap_or_default())
    });
    {
        let setter = system_is_dark.setter();
        use_effect_with((), move |()| {
            let list = browser::window().match_media(DARK).ok().flatten();
            let listener =
                list.map(|list| EventListener::new(&list, "change", move |_| setter.set(browser::fits(DARK))));
            move || drop(listener)
        });
    }
    let is_dark = match *theme {
        Theme::System => *system_is_dark,
        Theme::Dark => true,
        Theme::Light => false,
    };
    // Before anything is drawn: a canvas reads its colours from the document.
    if let Some(root) = browser::document().document_element() {
        browser::set_attribute(&root, "data-theme", if is_dark { "dark" } else { "light" });
        browser::set_attribute(&root, "lang", language.tag());
    }
    let turn_theme = {
        let (theme, system_is_dark) = (theme.clone(), *system_is_dark);
        Callback::from(move |()| {
            let next = theme.next(system_is_dark);
            browser::remember("theme", next.word());
            theme.set(next);
        })
    };
    let turn_language = {
        let language = language.clone();
        Callback::from(move |()| {
            let next = language.other();
            browser::remember("language", next.tag());
            language.set(next);
        })
    };
    Settings { theme: *theme, is_dark, phrases: language.phrases(), turn_theme, turn_language }
}

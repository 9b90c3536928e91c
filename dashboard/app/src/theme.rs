//! Dark, light, or as the system is.

/// What a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system is.
    #[default]
    System,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

impl Theme {
    /// Its word in the browser's store and in the document.
    pub fn word(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Dark => "dark",
            Theme::Light => "light",
        }
    }

    /// The theme of a word.
    pub fn from_word(word: &str) -> Self {
        match word {
            "dark" => Theme::Dark,
            "light" => Theme::Light,
            _ => Theme::System,
        }
    }

    /// The one that a click leads to: first the opposite of what is seen, then the other, then back to the system.
    pub fn next(self, system_is_dark: bool) -> Self {
        match (self, system_is_dark) {
            (Theme::System, true) => Theme::Light,
            (Theme::System, false) => Theme::Dark,
            (Theme::Light, true) => Theme::Dark,
            (Theme::Dark, false) => Theme::Light,
            _ => Theme::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_clicks_lead_through_every_theme_and_the_first_is_always_seen() {
        for system_is_dark in [true, false] {
            let first = Theme::System.next(system_is_dark);
            assert_eq!(first, if system_is_dark { Theme::Light } else { Theme::Dark });
            assert_eq!(first.next(system_is_dark).next(system_is_dark), Theme::System);
        }
    }

    #[test]
    fn words_lead_back() {
        for theme in [Theme::System, Theme::Dark, Theme::Light] {
            assert_eq!(Theme::from_word(theme.word()), theme);
        }
    }
}

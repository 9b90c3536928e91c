//! Which of many things somebody means by a few letters. Pure.

/// How well a name fits what was typed; nothing when it does not. Every typed word must be found in it, at the beginning of a
/// word rather than inside one, and the shorter name is the likelier one.
pub fn fit(name: &str, typed: &str) -> Option<u32> {
    let name = fold(name);
    let mut score = 1000_u32.saturating_sub(u32::try_from(name.chars().count()).unwrap_or(u32::MAX));
    for word in fold(typed).split_whitespace() {
        let at = name.find(word)?;
        let begins = at == 0 || name[..at].ends_with(|c: char| !c.is_alphanumeric());
        score += match (at, begins) {
            (0, _) => 3000,
            (_, true) => 2000,
            (_, false) => 0,
        };
    }
    Some(score)
}

/// Lower case, without the accents of French and German.
fn fold(text: &str) -> String {
    let plain = |c: char| match c {
        'à' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        other => other,
    };
    text.to_lowercase().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_fits_better_than_a_middle_and_every_word_must_be_found() {
        let best = |typed: &str, names: &[&'static str]| {
            let fits = names.iter().filter_map(|name| Some((fit(name, typed)?, *name)));
            fits.max_by_key(|(score, _)| *score).map(|(_, name)| name)
        };
        assert_eq!(best("ma", &["Roma", "Map of the fleet", "Map"]), Some("Map"));
        assert_eq!(best("van 7", &["Van 17", "Van 7", "Car 7"]), Some("Van 7"));
        assert_eq!(best("x", &["Map"]), None);
        assert_eq!(best("vehicule", &["Véhicules"]), Some("Véhicules"));
        assert!(fit("Map", "").is_some(), "who has typed nothing sees everything");
    }
}

//! What a program calls itself, in words.

/// Browsers by what they alone say; whoever imitates another comes before it.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("Linux", "Linux"),
];
/// Longest name of a program that is no browser.
const MAX_NAME: usize = 32;
/// As much as is kept of what it says.
pub(crate) const MAX_BYTES: usize = 256;

/// Browser or program, and its system, as far as they can be told.
pub(crate) fn describe(text: &str) -> (Option<String>, Option<String>) {
    let find =
        |known: &[(&str, &str)]| known.iter().find(|(sign, _)| text.contains(sign)).map(|(_, name)| (*name).to_owned());
    let browser = find(&BROWSERS).or_else(|| {
        let name = text.split([' ', '/', ';']).next()?;
        let fits = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        (fits && name != "Mozilla").then(|| name.to_owned())
    });
    (browser, find(&SYSTEMS))
}

/// As much of it as is kept, without what could do harm where it is shown.
pub(crate) fn shorten(text: &str) -> String {
    let mut kept: String = text.chars().filter(|c| !c.is_control()).collect();
    while kept.len() > MAX_BYTES {
        kept.pop();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_from_those_whom_they_imitate() {
        let told = |text: &str| {
            let (browser, system) = describe(text);
            format!("{} on {}", browser.unwrap_or_default(), system.unwrap_or_default())
        };
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(told(chrome), "Chrome on Linux");
        assert_eq!(told(&format!("{chrome} Edg/140.0")), "Edge on Linux");
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 (KHTML, like Gecko) Version/19.0 Mobile Safari/604.1";
        assert_eq!(told(safari), "Safari on iPhone");
        let firefox = "Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0";
        assert_eq!(told(firefox), "Firefox on Android");
        assert_eq!(told("curl/8.5.0"), "curl on ");
        assert_eq!(told("python-requests/2.32 Linux"), "python-requests on Linux");
    }

    #[test]
    fn what_says_nothing_is_nothing_and_what_is_long_is_cut() {
        for nothing in ["", "Mozilla/5.0", " ", &"x".repeat(400)] {
            assert_eq!(describe(nothing).0, None, "{nothing}");
        }
        assert_eq!(shorten("a\u{1b}[31mb"), "a[31mb");
        assert_eq!(shorten(&"é".repeat(400)).len(), MAX_BYTES);
    }
}

//! What is known of codes.

use std::{collections::BTreeMap, path::Path, sync::OnceLock};

use bugbrother_wire::{api::Tongue, message::Severity};

use crate::{
    BadLine, Code, OpenError,
    code::choose,
    own::{self, Own},
    tables,
};

/// What a trouble code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What is wrong; of a code that is not known by itself, what its family is about.
    pub title: String,
    /// Part of the vehicle that it is in.
    pub system: &'static str,
    /// How bad it is to drive on with it, once it is confirmed.
    pub severity: Severity,
    /// What to do.
    pub advice: String,
    /// Whether the code means the same in every vehicle; else its maker knows more.
    pub generic: bool,
    /// Whether the code is known by itself, and not by its structure alone.
    pub known: bool,
}

static INSTALLED: OnceLock<Catalogue> = OnceLock::new();

/// The catalogue of this process: the built-in words, unless another was [installed](install) before anybody asked.
pub fn catalogue() -> &'static Catalogue {
    INSTALLED.get_or_init(Catalogue::default)
}

/// Makes that the catalogue of this process, at its start; gives it back when there is one already.
pub fn install(catalogue: Catalogue) -> Result<(), Catalogue> {
    INSTALLED.set(catalogue)
}

/// The built-in words, and over them those of the fleet.
#[derive(Debug, Default)]
pub struct Catalogue {
    own: BTreeMap<Code, Own>,
}

impl Catalogue {
    /// Reads the fleet's own words from a CSV with the columns `code`, `severity`, `title_en`, `title_fr`, `advice_en` and
    /// `advice_fr`, in any order. What is empty or missing stays as it is built in; of a code that is not, a text in one
    /// language stands for the other. Also returns the lines that were skipped, the first
    /// [`MAX_BAD_LINES`](crate::MAX_BAD_LINES) of them.
    pub fn open(path: &Path) -> Result<(Self, Vec<BadLine>), OpenError> {
        Self::parse(&own::load(path)?)
    }

    /// The same, from the text of such a file.
    pub fn parse(text: &str) -> Result<(Self, Vec<BadLine>), OpenError> {
        let (own, bad) = own::parse(text)?;
        Ok((Catalogue { own }, bad))
    }

    /// How many codes the fleet has words of its own for.
    pub fn own_len(&self) -> usize {
        self.own.len()
    }

    /// Says in words what a code such as `P0301` means.
    pub fn explain(&self, text: &str, tongue: Tongue) -> Explanation {
        let Some(code) = Code::parse(text) else { return no_code(tongue) };
        let known = tables::find(code);
        let own = self.own.get(&code);
        let title = own.and_then(|own| own.title.choose(tongue, known.is_some()));
        let advice = own.and_then(|own| own.advice.choose(tongue, known.is_some()));
        Explanation {
            title: match (title, known) {
                (Some(title), _) => title.to_owned(),
                (None, Some(known)) => known.title(tongue),
                (None, None) => code.family(tongue).to_owned(),
            },
            system: code.system(tongue),
            severity: self.severity_of(code),
            advice: match (advice, known) {
                (Some(advice), _) => advice.to_owned(),
                (None, Some(known)) => known.advice(tongue),
                (None, None) => code.advice(tongue).to_owned(),
            },
            generic: code.is_generic(),
            known: known.is_some() || title.is_some(),
        }
    }

    /// How bad it is to drive on with a confirmed code: what may ruin the engine or hurt somebody is critical.
    pub fn severity(&self, text: &str) -> Severity {
        Code::parse(text).map_or(Severity::Info, |code| self.severity_of(code))
    }

    fn severity_of(&self, code: Code) -> Severity {
        let own = self.own.get(&code).and_then(|own| own.severity);
        own.or_else(|| tables::find(code).map(tables::Known::severity)).unwrap_or_else(|| code.severity())
    }
}

fn no_code(tongue: Tongue) -> Explanation {
    Explanation {
        title: choose(tongue, ("Not a trouble code", "Ce n'est pas un code défaut")).into(),
        system: choose(tongue, ("Unknown", "Inconnu")),
        severity: Severity::Info,
        advice: choose(
            tongue,
            ("Read the code anew; it may have been mutilated.", "Relisez le code ; il a pu être altéré."),
        )
        .into(),
        generic: false,
        known: false,
    }
}

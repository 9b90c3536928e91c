//! A configuration's lines as names and values, by Mosquitto's rules: `#` makes a comment of a line that begins with it
//! and of nothing else, and a space, not a tab, ends a name.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use super::values::Problem;

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub path: Rc<Path>,
    pub line: usize,
}

/// Something that was said, and where.
#[derive(Debug, Clone)]
pub(super) struct Said<T> {
    pub value: T,
    pub place: Place,
}

/// One line that says something.
pub(super) struct Statement<'a> {
    pub place: Place,
    pub name: &'a str,
    /// What follows the name, without the space around it.
    pub value: &'a str,
}

pub(super) fn statements<'a>(text: &'a str, path: &Rc<Path>) -> impl Iterator<Item = Statement<'a>> {
    text.split('\n').enumerate().filter(|(_, line)| !line.starts_with('#')).filter_map(|(index, line)| {
        let line = line.trim_end_matches('\r').trim_start_matches(' ');
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let place = Place { path: Rc::clone(path), line: index + 1 };
        (!name.is_empty()).then_some(Statement { place, name, value: value.trim() })
    })
}

/// The files of an `include_dir` in the order in which Mosquitto reads them: by letter, the capital one before the small
/// one.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    const MOST: usize = 1_000;
    let cannot = |error| Problem::invalid(format!("folder `{}` cannot be read: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name();
        let name = name.to_string_lossy().into_owned();
        // Mosquitto leaves out a file that is called `.conf` and nothing else.
        if name.ends_with(".conf") && name.len() > ".conf".len() {
            names.push(name);
        }
        if names.len() > MOST {
            return Err(Problem::invalid(format!("folder `{}` has more than {MOST} files", folder.display())));
        }
    }
    names.sort_by_key(|name| name.bytes().map(|byte| (byte.to_ascii_uppercase(), byte)).collect::<Vec<_>>());
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

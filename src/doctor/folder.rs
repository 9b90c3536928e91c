use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use super::Finding;

const PART: &str = "data folder";
/// What is named one by one.
const MOST: usize = 10;

pub(super) fn look(data: &Path) -> Vec<Finding> {
    let shown = data.display();
    let known = match fs::metadata(data) {
        Ok(known) => known,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return vec![Finding::note(PART, format!("`{shown}` is not there yet; the first start makes it"))];
        }
        Err(error) => {
            let advice = "run this as the server's user: sudo bugbrotherctl doctor";
            return vec![Finding::bad(PART, format!("`{shown}`: {error}"), advice)];
        }
    };
    if !known.is_dir() {
        return vec![Finding::bad(PART, format!("`{shown}` is no folder"), "correct `data`")];
    }
    let mut findings = Vec::new();
    if known.mode() & 0o077 != 0 {
        findings.push(Finding::bad(PART, format!("others may look into `{shown}`"), format!("chmod 700 {shown}")));
    }
    findings.extend(foreign(data, &known));
    findings.extend(secrets(data));
    if let Err(error) = tempfile::NamedTempFile::new_in(data) {
        let advice = "is the disk full or read-only, and is the folder the server's user's?";
        findings.push(Finding::bad(PART, format!("nothing can be written into `{shown}`: {error}"), advice));
    }
    if findings.is_empty() {
        findings.push(Finding::good(PART, format!("`{shown}` and its secrets are their owner's alone")));
    }
    findings
}

/// What belongs to somebody else than the folder: made by a command that was run as another user.
fn foreign(data: &Path, folder: &Metadata) -> Option<Finding> {
    let owner = folder.uid();
    let strangers = inside(data, 2).into_iter().filter(|(_, known)| known.uid() != owner).map(|(path, _)| path);
    let strangers: Vec<_> = strangers.take(MOST).collect();
    let first = strangers.first()?;
    let advice = format!("chown -R --reference={0} {0}; run commands as that user", data.display());
    Some(Finding::bad(PART, format!("`{first}` belongs to another user than the folder"), advice))
}

/// Files in `secrets` that others may read.
fn secrets(data: &Path) -> Vec<Finding> {
    let exposed = inside(&data.join("secrets"), 2)
        .into_iter()
        .filter(|(_, known)| known.is_file() && known.permissions().mode() & 0o077 != 0);
    // The authority's own certificate is for everybody.
    let exposed = exposed.map(|(path, _)| path).filter(|path| !path.ends_with(".crt") && !path.ends_with(".pem"));
    let finding =
        |path: String| Finding::bad("secrets", format!("others may read `{path}`"), format!("chmod 600 {path}"));
    exposed.take(MOST).map(finding).collect()
}

/// What is in a folder and, so many levels deep, in its folders; what cannot be read is left out.
fn inside(folder: &Path, levels: usize) -> Vec<(String, Metadata)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(known) = entry.metadata() else { continue };
        if known.is_dir() && levels > 1 {
            found.extend(inside(&entry.path(), levels - 1));
        }
        found.push((entry.path().display().to_string(), known));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accounts, data, doctor::Verdict};

    #[test]
    fn a_secret_that_others_may_read_is_named_with_its_cure() {
        let (_dir, data) = data::temporary();
        accounts::ensure(&data).unwrap();
        assert!(look(data.path()).iter().all(|finding| finding.verdict == Verdict::Good), "{:?}", look(data.path()));
        let secret = data.secret_path("ingest");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
        let findings = look(data.path());
        let [Finding { verdict: Verdict::Bad, found, advice: Some(advice), .. }] = &findings[..] else {
            panic!("{findings:?}")
        };
        assert!(found.contains("others may read") && found.contains("secrets/ingest"), "{found}");
        assert_eq!(*advice, format!("chmod 600 {}", secret.display()));
    }

    #[test]
    fn a_folder_that_others_may_look_into_or_that_is_none_is_bad() {
        let (_dir, data) = data::temporary();
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o750)).unwrap();
        assert!(look(data.path())[0].advice.as_ref().unwrap().starts_with("chmod 700"));
        assert_eq!(look(&data.path().join("none"))[0].verdict, Verdict::Note);
        let file = data.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(look(&file)[0].found.contains("is no folder"));
    }
}

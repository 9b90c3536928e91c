//! Changes to an access file that leave the rest of it as its operator wrote it.
//!
//! Nothing keeps two of them apart: the last one to write wins, so callers hold a lock of their own.

use std::{fs, path::Path};

use super::{
    AclError, AclFile,
    rule::{Access, Line},
};
use crate::{password, replace::replace, topic};

/// Gives `user` this access to what `filter` matches, in the place of any other that it had to the same filter;
/// `false` when it was so already.
///
/// A user that the file does not have is put at its end.
pub fn grant(path: &Path, user: &str, access: Access, filter: &str) -> Result<bool, AclError> {
    if !password::is_valid_user(user) {
        return Err(AclError::User);
    }
    if !topic::is_valid_filter(filter) || filter.trim() != filter {
        return Err(AclError::Filter);
    }
    let mut file = Lines::load(path)?;
    let same = file.topics_of(user, Some(filter));
    if matches!(same[..], [(_, found)] if found == access) {
        return Ok(false);
    }
    let line = format!("topic {access} {filter}\n");
    match (same.split_first(), file.end_of(user)) {
        (Some(((first, _), rest)), _) => {
            file.0[*first] = line;
            rest.iter().rev().for_each(|&(index, _)| drop(file.0.remove(index)));
        }
        (None, Some(end)) => file.insert(end, line),
        (None, None) => {
            let gap = if file.0.last().is_none_or(|last| last.trim().is_empty()) { "" } else { "\n" };
            file.insert(file.0.len(), format!("{gap}user {user}\n{line}"));
        }
    }
    file.save(path)?;
    Ok(true)
}

/// Takes from `user` its rule for `filter`, or all of its rules; how many there were. What patterns grant stays.
pub fn withdraw(path: &Path, user: &str, filter: Option<&str>) -> Result<usize, AclError> {
    let mut file = Lines::load(path)?;
    let gone = file.topics_of(user, filter);
    if gone.is_empty() {
        return Ok(0);
    }
    gone.iter().rev().for_each(|&(index, _)| drop(file.0.remove(index)));
    file.forget(user);
    file.save(path)?;
    Ok(gone.len())
}

/// The lines of a file that is sound, each with its end.
struct Lines(Vec<String>);

impl Lines {
    fn load(path: &Path) -> Result<Self, AclError> {
        let text = fs::read_to_string(path).map_err(|source| AclError::Read { path: path.into(), source })?;
        // Where it cannot be read as a whole, a change would be made in the dark.
        AclFile::parse(&text, path)?;
        Ok(Lines(text.split_inclusive('\n').map(str::to_owned).collect()))
    }

    fn save(&self, path: &Path) -> Result<(), AclError> {
        let write = |source| AclError::Write { path: path.into(), source };
        replace(path, self.0.concat().as_bytes(), 0o777).map_err(write)
    }

    /// Each line with the user that it belongs to.
    fn parsed(&self) -> impl Iterator<Item = (usize, Option<&str>, Line<'_>)> {
        let mut user = None;
        self.0.iter().enumerate().map(move |(index, line)| {
            let line = Line::parse(line).expect("the file was read as a whole");
            if let Line::User(name) = line {
                user = Some(name);
            }
            (index, user, line)
        })
    }

    /// Where the rules of that user for that filter, or for any, are.
    fn topics_of(&self, user: &str, filter: Option<&str>) -> Vec<(usize, Access)> {
        let of_user = self.parsed().filter(|(_, of, _)| *of == Some(user));
        let rules = of_user.filter_map(|(index, _, line)| match line {
            Line::Topic(rule) if filter.is_none_or(|filter| rule.filter == filter) => Some((index, rule.access)),
            _ => None,
        });
        rules.collect()
    }

    /// The line after the last one that says something of that user.
    fn end_of(&self, user: &str) -> Option<usize> {
        let says = |line: &Line<'_>| matches!(line, Line::User(_) | Line::Topic(_));
        self.parsed().filter(|(_, of, line)| *of == Some(user) && says(line)).last().map(|(index, ..)| index + 1)
    }

    fn insert(&mut self, index: usize, line: String) {
        if let Some(before) = index.checked_sub(1).and_then(|before| self.0.get_mut(before))
            && !before.ends_with('\n')
        {
            before.push('\n');
        }
        self.0.insert(index, line);
    }

    /// Takes out the `user` lines of that user after which nothing is said of it, each with the gap before it.
    fn forget(&mut self, user: &str) {
        let mut idle = Vec::new();
        let mut header = None;
        for (index, of, line) in self.parsed() {
            match line {
                Line::User(_) => {
                    idle.extend(header.take());
                    header = (of == Some(user)).then_some(index);
                }
                Line::Topic(_) => header = None,
                Line::Nothing | Line::Pattern(_) => {}
            }
        }
        idle.extend(header);
        for index in idle.into_iter().rev() {
            self.0.remove(index);
            let blank = |index: usize| self.0.get(index).is_none_or(|line| line.trim().is_empty());
            if index > 0 && blank(index - 1) && blank(index) {
                self.0.remove(index - 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acl");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    const TEXT: &str = "# mine\ntopic read news/#\n\nuser ingest\n# what it reads\ntopic read fleet/+/up/#\n\n# everybody\npattern write %u/#\n";

    #[test]
    fn a_grant_goes_to_the_end_of_its_users_rules_and_leaves_the_rest() {
        let (_folder, path) = file(TEXT);
        assert!(grant(&path, "ingest", Access::Write, "fleet/+/down/ack").unwrap());
        assert!(!grant(&path, "ingest", Access::Write, "fleet/+/down/ack").unwrap());
        assert!(grant(&path, "third party", Access::Read, "fleet/v1/+/state").unwrap());
        let expected = TEXT.replace("up/#\n", "up/#\ntopic write fleet/+/down/ack\n")
            + "\nuser third party\ntopic read fleet/v1/+/state\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        let acl = AclFile::load(&path).unwrap();
        assert_eq!(acl.users(), ["ingest", "third party"]);
        let rules: Vec<_> = acl.rules_of("ingest").collect();
        assert_eq!(rules, [(Access::Read, "fleet/+/up/#"), (Access::Write, "fleet/+/down/ack")]);

        assert_eq!(withdraw(&path, "third party", Some("fleet/v1/+/state")).unwrap(), 1);
        assert_eq!(withdraw(&path, "third party", None).unwrap(), 0);
        assert_eq!(withdraw(&path, "ingest", Some("fleet/+/down/ack")).unwrap(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), TEXT);
    }

    #[test]
    fn another_access_to_the_same_filter_takes_the_place_of_the_old_one() {
        let (_folder, path) = file("user a\ntopic read x\ntopic write x\ntopic y");
        assert!(grant(&path, "a", Access::Deny, "x").unwrap());
        assert!(grant(&path, "a", Access::Read, "z").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "user a\ntopic deny x\ntopic y\ntopic read z\n");
    }

    #[test]
    fn whoever_has_nothing_left_is_not_named_any_more() {
        let (_folder, path) = file("user a\ntopic x\n\nuser b\ntopic y\n\nuser a\n# why\ntopic z\npattern %c\n");
        assert_eq!(withdraw(&path, "a", None).unwrap(), 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), "\nuser b\ntopic y\n\n# why\npattern %c\n");
        assert!(AclFile::load(&path).unwrap().may_write(None, "me", "me"));
    }

    #[test]
    fn mode_and_owner_of_the_file_stay_and_a_link_to_it_too() {
        let (folder, path) = file("");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // Only root can give a file away; for others it is theirs before and after.
        drop(std::os::unix::fs::chown(&path, Some(7), Some(9)));
        let before = fs::metadata(&path).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        grant(&link, "a", Access::Read, "x").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        let after = fs::metadata(&path).unwrap();
        assert_eq!(after.permissions().mode() & 0o777, 0o640);
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "user a\ntopic read x\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_would_break_the_file_is_refused_and_a_broken_file_left_alone() {
        let (_folder, path) = file("user a\ntopic x\n");
        for user in ["", "a\ntopic #", " a", "a:b", "#a"] {
            assert!(matches!(grant(&path, user, Access::Read, "x"), Err(AclError::User)), "{user:?}");
        }
        for filter in ["", "a/#/b", "x\nuser b", " x", "x "] {
            assert!(matches!(grant(&path, "a", Access::Read, filter), Err(AclError::Filter)), "{filter:?}");
        }
        fs::write(&path, "user a\nnonsense\n").unwrap();
        assert!(matches!(grant(&path, "a", Access::Read, "x"), Err(AclError::Line { line: 2, .. })));
        assert!(matches!(grant(Path::new("/nonexistent/acl"), "a", Access::Read, "x"), Err(AclError::Read { .. })));
    }

    fn text() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just("user a".to_owned()),
            Just("user b b".to_owned()),
            "topic( read| write| readwrite| deny) [xy]",
            Just("pattern %u".to_owned()),
            Just(String::new()),
            Just("# a comment".to_owned()),
        ];
        prop::collection::vec(line, 0..10).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn a_grant_and_its_withdrawal_touch_one_filter_of_one_user(
            text in text(), user in "a|b b|c", filter in "x|y|z", access in 0..4usize
        ) {
            let access = [Access::Read, Access::Write, Access::ReadWrite, Access::Deny][access];
            let (_folder, path) = file(&text);
            let before = AclFile::load(&path).unwrap();
            let comments = text.matches('#').count();
            grant(&path, &user, access, &filter).unwrap();
            let after = AclFile::load(&path).unwrap();
            prop_assert!(!grant(&path, &user, access, &filter).unwrap());
            withdraw(&path, &user, Some(&filter)).unwrap();
            let last = AclFile::load(&path).unwrap();
            prop_assert_eq!(fs::read_to_string(&path).unwrap().matches('#').count(), comments);
            for who in [Some("a"), Some("b b"), Some("c"), None] {
                for topic in ["x", "y", "z", "a"] {
                    let says = |acl: &AclFile| (acl.may_read(who, "i", topic), acl.may_write(who, "i", topic));
                    if (who, topic) == (Some(user.as_str()), filter.as_str()) {
                        prop_assert_eq!(says(&after), (access.grants(Access::Read), access.grants(Access::Write)));
                        prop_assert_eq!(says(&last), (false, false));
                    } else {
                        prop_assert_eq!(says(&after), says(&before));
                        prop_assert_eq!(says(&last), says(&before));
                    }
                }
            }
        }
    }
}

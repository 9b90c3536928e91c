//! One line of an access file.

use std::fmt;

use crate::topic;

/// What a rule lets a client do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Hear what is published.
    Read,
    /// Publish.
    Write,
    /// Both.
    ReadWrite,
    /// Neither, whatever another rule of the same user grants.
    Deny,
}

impl Access {
    pub(super) fn grants(self, wanted: Access) -> bool {
        self == wanted || self == Access::ReadWrite
    }

    fn parse(word: &str) -> Option<Self> {
        [Access::Read, Access::Write, Access::ReadWrite, Access::Deny].into_iter().find(|access| access.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::ReadWrite => "readwrite",
            Access::Deny => "deny",
        }
    }
}

/// As the file says it.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub access: Access,
    pub filter: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Empty, or a comment, which has `#` as its first character.
    Nothing,
    User(&'a str),
    Topic(Rule),
    Pattern(Rule),
}

impl<'a> Line<'a> {
    pub fn parse(line: &'a str) -> Result<Self, &'static str> {
        if line.starts_with('#') {
            return Ok(Line::Nothing);
        }
        // Only a space parts two words in Mosquitto, so that a name may hold anything else.
        let line = line.trim_start_matches(' ').trim_end();
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match keyword {
            "" => Ok(Line::Nothing),
            "user" if rest.is_empty() => Err("`user` needs a name"),
            "user" => Ok(Line::User(rest)),
            "topic" => Rule::parse(rest).map(Line::Topic),
            "pattern" => {
                let rule = Rule::parse(rest)?;
                let mixed = |level: &str| (level.contains("%u") || level.contains("%c")) && level.len() > 2;
                if rule.filter.split('/').any(mixed) {
                    return Err("`%u` and `%c` must be a level of their own");
                }
                Ok(Line::Pattern(rule))
            }
            _ => Err("`user`, `topic` or `pattern` expected"),
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (access, filter) = match (Access::parse(first), rest.trim_start_matches(' ')) {
            (Some(_), "") => return Err("topic is missing"),
            (Some(access), filter) => (access, filter),
            (None, "") if text.is_empty() => return Err("topic is missing"),
            (None, "") => (Access::ReadWrite, text),
            (None, _) => return Err("`read`, `write`, `readwrite` or `deny` expected before a topic with a space"),
        };
        if !topic::is_valid_filter(filter) {
            return Err("topic is no valid filter: `+` fills a level, `#` the last one");
        }
        Ok(Rule { access, filter: filter.to_owned() })
    }

    /// What stands for `%u` and `%c`; `None` when the rule needs one that this client does not have, or has one that
    /// would read as more than a single level.
    pub fn substitutes<'a>(&self, user: Option<&'a str>, client_id: &'a str) -> Option<(&'a str, &'a str)> {
        let plain = |text: &str| !text.is_empty() && !text.contains('/');
        let needs = |mark| self.filter.split('/').any(|level| level == mark);
        let user = user.unwrap_or_default();
        let usable = (!needs("%u") || plain(user)) && (!needs("%c") || plain(client_id));
        usable.then_some((user, client_id))
    }
}

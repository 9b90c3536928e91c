//! Who may come in and what they may say.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use bugbrother_mosquitto_compat::{AclFile, PasswordFile, acl, conf};

use crate::{Error, files::OfFiles, retained::Share};

/// What Mosquitto's two files say of the clients of a listener.
pub(crate) struct Access {
    /// `None` where every user name is taken as it is.
    pub(crate) passwords: Option<PasswordFile>,
    /// `None` where everything is allowed.
    pub(crate) acl: Option<AclFile>,
    /// Whether a client may come in that shows neither a password that is known nor a certificate.
    pub(crate) allow_anonymous: bool,
}

/// A client that has been let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its name for the rules. Proven only if it is the owner's name too.
    pub(crate) user: Option<Arc<str>>,
    pub(crate) owner: Owner,
    pub(crate) client_id: String,
    /// Whether `%c` in a rule is the user's name and not what the client calls itself.
    pub(crate) username_as_client_id: bool,
}

impl Identity {
    fn client_id_in_rules(&self) -> &str {
        let user = self.user.as_deref().filter(|_| self.username_as_client_id);
        user.unwrap_or(&self.client_id)
    }
}

/// To whom belongs what clients take: places, client identifiers, tokens, retained messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// Who has shown the password or a certificate of this name.
    User(Arc<str>),
    /// The broker itself.
    Broker,
    /// Who has shown nothing. Any name that it claims is worth nothing here, or it could end the sessions and use up
    /// the shares of others.
    Address(IpAddr),
}

impl Access {
    pub(crate) fn may_write(&self, who: &Identity, topic: &str) -> bool {
        // A topic of the server's own is for nobody to write.
        !topic.starts_with('$') && self.asks(|acl| acl.may_write(who.user.as_deref(), who.client_id_in_rules(), topic))
    }

    pub(crate) fn may_read(&self, who: &Identity, topic: &str) -> bool {
        self.asks(|acl| acl.may_read(who.user.as_deref(), who.client_id_in_rules(), topic))
    }

    pub(crate) fn may_subscribe(&self, who: &Identity, filter: &str) -> bool {
        self.asks(|acl| acl.may_subscribe(who.user.as_deref(), who.client_id_in_rules(), filter))
    }

    /// How much its owner may have retained and may send: much for a service, which has a rule of its own that lets it
    /// write what belongs to many.
    pub(crate) fn share(&self, owner: &Owner) -> Share {
        let Owner::User(user) = owner else { return Share::OfOne };
        let is_of_many = |(access, filter): (acl::Access, &str)| {
            matches!(access, acl::Access::Write | acl::Access::ReadWrite)
                && filter.contains(['+', '#'])
                && filter.split('/').all(|level| level != &**user)
        };
        if self.asks(|acl| acl.rules_of(user).any(is_of_many)) { Share::OfMany } else { Share::OfOne }
    }

    fn asks(&self, rule: impl FnOnce(&AclFile) -> bool) -> bool {
        self.acl.as_ref().is_none_or(rule)
    }
}

impl OfFiles for Access {
    type Settings = conf::Access;

    fn paths(settings: &conf::Access) -> Vec<PathBuf> {
        settings.password_file.iter().chain(&settings.acl_file).cloned().collect()
    }

    fn load(settings: &conf::Access) -> Result<Self, Error> {
        let passwords = settings.password_file.as_deref().map(PasswordFile::load).transpose();
        let acl = settings.acl_file.as_deref().map(AclFile::load).transpose();
        Ok(Access {
            passwords: passwords.map_err(Error::Passwords)?,
            acl: acl.map_err(Error::Acl)?,
            allow_anonymous: settings.allow_anonymous,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn only_who_may_write_what_belongs_to_many_has_the_share_of_many() {
        let rules = "user notifier\ntopic write fleet/v1/+/down/alert/#\nuser reader\ntopic read #\n\
            user car\ntopic write fleet/v1/car/up/#\nuser one\ntopic write a/topic\npattern write fleet/v1/%u/up/#";
        let acl = AclFile::parse(rules, Path::new("acl")).unwrap();
        let access = Access { passwords: None, acl: Some(acl), allow_anonymous: true };
        assert_eq!(access.share(&Owner::User("notifier".into())), Share::OfMany);
        for user in ["reader", "car", "one", "unheard of"] {
            assert_eq!(access.share(&Owner::User(user.into())), Share::OfOne, "{user}");
        }
        // A name that is not proven.
        assert_eq!(access.share(&Owner::Address(IpAddr::from([127, 0, 0, 1]))), Share::OfOne);
    }
}

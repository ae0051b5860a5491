//! Another user and no capabilities (credentials(7), capabilities(7)).

use rustix::process::{Gid, Signal, Uid, geteuid, set_parent_process_death_signal};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_keep_capabilities, set_no_new_privs, set_thread_gid, set_thread_groups, set_thread_uid,
};
use std::fs;

/// A user to become.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl User {
    /// Finds a user by name or number in /etc/passwd.
    ///
    /// # Errors
    /// In words for the user, when there is none.
    pub fn find(name: &str) -> Result<Self, String> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::among(&passwd, name).ok_or_else(|| format!("there is no user {:?} in /etc/passwd", name))
    }

    /// passwd(5): name:password:UID:GID:…
    fn among(passwd: &str, name: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (known, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
            let user = || Some(Self { name: known.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? });
            if known == name || uid == name { user() } else { None }
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Becomes this user. Only this thread does, and those it starts later.
    pub(super) fn become_it(&self) -> Result<(), String> {
        let refused = |what: &'static str| move |error| format!("{what} {}: {error}", self.name);
        for capability in CapabilitySet::all().iter() {
            // Those that this kernel does not know cannot be removed, and need not be.
            let _ = remove_capability_from_bounding_set(capability);
        }
        set_thread_groups(&[]).map_err(refused("giving up the groups for user"))?;
        set_thread_gid(Gid::from_raw(self.gid)).map_err(refused("taking the group of user"))?;
        set_thread_uid(Uid::from_raw(self.uid)).map_err(refused("becoming user"))
    }
}

pub(super) fn is_root() -> bool {
    geteuid().is_root()
}

/// Gives up all capabilities, and any way to get new ones.
pub(super) fn drop_capabilities() -> Result<(), String> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_no_new_privs(true).map_err(|error| format!("giving up new privileges: {error}"))?;
    // Older kernels have no ambient capabilities.
    let _ = clear_ambient_capability_set();
    set_capabilities(None, none).map_err(|error| format!("giving up capabilities: {error}"))
}

/// What it takes to read the descriptors of other users' processes.
const LOOK: CapabilitySet = CapabilitySet::DAC_READ_SEARCH.union(CapabilitySet::SYS_PTRACE);

/// Whether this process can read the descriptors of all others.
pub(super) fn can_look() -> bool {
    capabilities(None).is_ok_and(|own| own.effective.contains(LOOK))
}

/// Becomes the user, if there is one to become, and gives up all capabilities but those to look at processes.
pub(super) fn keep_to_look(user: Option<&User>) -> Result<(), String> {
    let own = capabilities(None).map_err(|error| format!("asking for capabilities: {error}"))?;
    let kept = own.permitted.intersection(LOOK);
    set_keep_capabilities(true).map_err(|error| format!("keeping capabilities: {error}"))?;
    user.map_or(Ok(()), User::become_it)?;
    set_no_new_privs(true).map_err(|error| format!("giving up new privileges: {error}"))?;
    // Older kernels have no ambient capabilities.
    let _ = clear_ambient_capability_set();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(|error| format!("giving up capabilities: {error}"))
}

/// This process ends, whatever it does then, when the one that started it has ended. Becoming another user undoes this.
pub(super) fn end_with_parent() -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("asking to end with the parent: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\nbroken:x\n";
        let nobody = User { name: "nobody".into(), uid: 65534, gid: 65533 };
        assert_eq!(User::among(passwd, "nobody"), Some(nobody.clone()));
        assert_eq!(User::among(passwd, "65534"), Some(nobody));
        assert_eq!((User::among(passwd, "broken"), User::among(passwd, "x")), (None, None));
    }
}

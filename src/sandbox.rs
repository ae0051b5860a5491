//! Confinement: what the process may no longer do once its inputs and outputs are open and before any thread starts.
//!
//! In this order, since each step needs what the next takes away: another user, no capabilities, no new privileges,
//! Landlock (which files), seccomp (which system calls). A step that the kernel does not know is left out, and said.

mod calls;
mod files;
mod user;

pub use files::Files;
pub use user::User;

use std::fmt;

/// What is to be enforced.
#[derive(Debug, Default)]
pub struct Plan {
    /// Become this user, if the process is root's.
    pub user: Option<User>,
    /// The files and directories that may be opened.
    pub files: Files,
    /// What sockets may be used for.
    pub sockets: Sockets,
    /// End the process at a forbidden system call, instead of refusing it.
    pub kill: bool,
}

/// What sockets may be used for. None is ever opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sockets {
    /// There are none.
    #[default]
    None,
    /// Those that capture are read, and asked for their counters.
    Capture,
    /// In addition, connections are accepted on, and messages sent through, those that are open.
    Serve,
}

/// What is enforced, to be said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Enforced {
    parts: Vec<String>,
    missing: Vec<&'static str>,
}

impl fmt::Display for Enforced {
    /// "user nobody, no capabilities, Landlock, seccomp".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join(", "))?;
        if !self.missing.is_empty() {
            write!(f, " (this kernel has no {})", self.missing.join(" and no "))?;
        }
        Ok(())
    }
}

/// Confines the helper that looks which process holds which socket: as `user` if it is root's, with the two capabilities
/// that this takes (proc(5), "/proc/PID/fd") as far as it has them, and with system calls to read and to list sockets.
/// There is no Landlock: from within a domain, other processes' descriptors cannot be read.
///
/// # Errors
/// In words for the user.
pub fn attribution(user: &str, kill: bool) -> Result<(), String> {
    let user = if user::is_root() { Some(User::find(user)?) } else { None };
    user::keep_to_look(user.as_ref())?;
    user::end_with_parent()?;
    calls::restrict_to_look(kill)
}

/// Whether such a helper sees the processes of all users.
pub fn sees_all_processes() -> bool {
    user::can_look()
}

impl Plan {
    /// Confines this thread and all it will start.
    ///
    /// # Errors
    /// In words for the user, when the kernel refuses a step it knows. The process may then be half confined and should
    /// end.
    pub fn enforce(&self) -> Result<Enforced, String> {
        let mut enforced = Enforced::default();
        if let Some(user) = self.user.as_ref().filter(|_| user::is_root()) {
            user.become_it()?;
            enforced.parts.push(format!("user {}", user.name()));
        }
        user::drop_capabilities()?;
        enforced.parts.push("no capabilities".to_owned());
        self.files.probe(self.user.as_ref())?;
        match self.files.restrict()? {
            true => enforced.parts.push("Landlock".to_owned()),
            false => enforced.missing.push("Landlock"),
        }
        calls::restrict(self.sockets, self.kill)?;
        enforced.parts.push("seccomp".to_owned());
        Ok(enforced)
    }
}

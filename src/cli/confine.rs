//! Confinement as the command line has it.

use crate::sandbox::{Enforced, Files, Plan, Sockets, User};
use std::path::{Path, PathBuf};

/// Arguments about privileges.
#[derive(Debug, clap::Args)]
pub(crate) struct Confine {
    /// The user to become once all is open, if the program was started as root.
    #[arg(help_heading = "Privileges", long, value_name = "NAME", default_value = "nobody")]
    user: String,
    /// Keep user and privileges: nothing is confined.
    #[arg(help_heading = "Privileges", long)]
    no_sandbox: bool,
}

impl Confine {
    /// Confines this thread and those it will start; says in words to what.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn enforce(&self, files: Files, sockets: Sockets) -> Result<String, String> {
        if self.no_sandbox {
            return Ok("not confined".to_owned());
        }
        let user = match rustix::process::geteuid().is_root() {
            true => Some(User::find(&self.user)?),
            false => None,
        };
        let enforced = Plan { user, files, sockets, kill: kill() }.enforce()?;
        Ok(format!("confined: {enforced}"))
    }
}

impl Confine {
    /// The same for the helper of `--process`.
    pub(super) fn for_helper(&self) -> Vec<String> {
        let mut arguments = vec!["--user".to_owned(), self.user.clone()];
        arguments.extend(self.no_sandbox.then(|| "--no-sandbox".to_owned()));
        arguments.extend(kill().then(|| "--kill".to_owned()));
        arguments
    }
}

/// Confines a run over capture files: it may read them and write its own, and has no sockets.
///
/// # Errors
/// In words for the user.
pub(super) fn reading(paths: &[PathBuf], out: Option<&Path>) -> Result<Enforced, String> {
    let directory = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    // A symbolic link is followed when the file is put in its place.
    let out = out.map(|path| directory(&std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())));
    let files = Files { read: paths.to_vec(), write: out.into_iter().collect() };
    Plan { user: None, files, sockets: Sockets::None, kill: kill() }.enforce()
}

/// The tests ask for this: a forbidden system call is then no mere refusal.
fn kill() -> bool {
    std::env::var_os("PORTPROOF_SANDBOX").is_some_and(|value| value == "kill")
}

//! Which files may be opened (landlock(7)).

use super::User;
use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
};
use rustix::fs::{Access as Permission, AtFlags, CWD, accessat};
use std::path::{Path, PathBuf};

/// Files and directories, each with all below it.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// May be read.
    pub read: Vec<PathBuf>,
    /// Files may be made, written and removed in these directories.
    pub write: Vec<PathBuf>,
}

impl Files {
    /// Whether what is to be written to can be, as the user that the process is by now.
    pub(super) fn probe(&self, user: Option<&User>) -> Result<(), String> {
        for directory in &self.write {
            let Err(error) = accessat(CWD, directory, Permission::WRITE_OK | Permission::EXEC_OK, AtFlags::EACCESS)
            else {
                continue;
            };
            let shown = directory.display().to_string().escape_debug().to_string();
            let Some(user) = user else { return Err(format!("{shown} cannot be written to: {error}")) };
            let name = user.name();
            return Err(format!(
                "{shown} cannot be written to by user {name}, whom the program becomes: {error}\n  \
                 chown {name} {shown}\nor name another user with --user"
            ));
        }
        Ok(())
    }

    /// Restricts this thread to these files. `false`: the kernel knows no Landlock.
    pub(super) fn restrict(&self) -> Result<bool, String> {
        // What a kernel does not know of this version it leaves out.
        let abi = ABI::V5;
        let refused = |error: &dyn std::fmt::Display| format!("Landlock: {error}");
        let mut ruleset = Ruleset::default()
            .handle_access(AccessFs::from_all(abi))
            .and_then(Ruleset::create)
            .map_err(|error| refused(&error))?;
        let read = self.read.iter().map(|path| (path, AccessFs::from_read(abi) & !BitFlags::from(AccessFs::Execute)));
        let make = AccessFs::MakeReg
            | AccessFs::RemoveFile
            | AccessFs::WriteFile
            | AccessFs::Truncate
            | AccessFs::ReadFile
            | AccessFs::ReadDir;
        for (path, access) in read.chain(self.write.iter().map(|path| (path, make))) {
            // What is not there cannot be opened, and that is said then. A pipe (/dev/stdin) lies in no file system, has
            // no path of its own, and no rule.
            if std::fs::canonicalize(path).is_err() {
                continue;
            }
            let Ok(fd) = PathFd::new(path) else { continue };
            let access = if is_directory(path) { access } else { access & AccessFs::from_file(abi) };
            ruleset = ruleset.add_rule(PathBeneath::new(fd, access)).map_err(|error| refused(&error))?;
        }
        let status = ruleset.restrict_self().map_err(|error| refused(&error))?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }
}

fn is_directory(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

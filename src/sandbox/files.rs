//! Which files may be opened (landlock(7)).

use super::User;
use landlock::{
    ABI, Access, AccessFs, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
};
use rustix::fs::{Access as Permission, AtFlags, CWD, accessat};
use rustix::io::Errno;
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
        let refused = |path: &Path, what| accessat(CWD, path, what, AtFlags::EACCESS).err();
        let shown = |path: &Path| path.display().to_string().escape_debug().to_string();
        for directory in &self.write {
            let Some(error) = refused(directory, Permission::WRITE_OK | Permission::EXEC_OK) else { continue };
            let text = format!("{} cannot be written to", shown(directory));
            let reason = error.to_string();
            let reason = reason.split(" (os error").next().unwrap_or(&reason);
            let Some(user) = user.map(User::name) else { return Err(format!("{text}: {reason}")) };
            let text = format!("{text} by user {user}, whom the program becomes: {reason}");
            let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
            let closed =
                absolute.ancestors().skip(1).filter(|path| refused(path, Permission::EXEC_OK).is_some()).last();
            return Err(match closed {
                _ if error != Errno::ACCESS => text,
                Some(closed) => format!("{text}\nnor can {} be passed through; name another directory", shown(closed)),
                None => format!("{text}\n  chown {user} {}\nor name another user with --user", shown(directory)),
            });
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

//! Which processes hold which sockets, as proc(5) shows it: `/proc/PID/fd/N` is a link to `socket:[INODE]`.
//!
//! The descriptors of other users' processes may be read only with `CAP_DAC_READ_SEARCH` and `CAP_SYS_PTRACE`, and from
//! no Landlock domain. Processes come and go while they are looked at, so what is gone is no error.

use super::{Owner, container};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Socket inode to those who hold it, by process number.
    pub owners: BTreeMap<u32, Vec<Owner>>,
    /// Processes whose descriptors could not be read.
    pub hidden: usize,
}

/// Looks who holds these sockets; `users` is the text of passwd(5).
///
/// # Errors
/// When `proc` itself cannot be read.
pub fn find(proc: &Path, inodes: &HashSet<u32>, users: &str) -> io::Result<Held> {
    let mut held = Held::default();
    for entry in fs::read_dir(proc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let process = entry.path();
        let own = match sockets(&process.join("fd")) {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                held.hidden += 1;
                continue;
            }
            Err(_) => continue,
        };
        let own: HashSet<u32> = own.intersection(inodes).copied().collect();
        if own.is_empty() {
            continue;
        }
        let Some(owner) = owner(&process, pid, users) else { continue };
        for inode in own {
            held.owners.entry(inode).or_default().push(owner.clone());
        }
    }
    held.owners.values_mut().for_each(|owners| owners.sort());
    Ok(held)
}

/// The sockets among a process's descriptors.
fn sockets(descriptors: &Path) -> io::Result<HashSet<u32>> {
    let mut found = HashSet::new();
    for entry in fs::read_dir(descriptors)?.flatten() {
        match fs::read_link(entry.path()) {
            Ok(link) => found.extend(link.to_str().and_then(inode)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(_) => {}
        }
    }
    Ok(found)
}

/// The inode in "socket:[12345]".
fn inode(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn owner(process: &Path, pid: u32, users: &str) -> Option<Owner> {
    let text = |name: &str| fs::read(process.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let command = text("comm").ok()?;
    // "Uid:" has the real, effective, saved and file system user.
    let status = text("status").ok()?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().next()?;
    let uid = uid.parse().ok()?;
    Some(Owner {
        pid,
        command: command.strip_suffix('\n').unwrap_or(&command).to_owned(),
        uid,
        user: user(users, uid),
        container: text("cgroup").ok().and_then(|groups| container::named_in(&groups)),
    })
}

/// The name of a user in the text of passwd(5).
pub fn user(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn process(proc: &Path, pid: &str, name: &str, uid: u32, sockets: &[u32]) {
        let own = proc.join(pid);
        fs::create_dir_all(own.join("fd")).unwrap();
        fs::write(own.join("comm"), format!("{name}\n")).unwrap();
        fs::write(own.join("status"), format!("Name:\t{name}\nUid:\t{uid}\t0\t0\t0\n")).unwrap();
        fs::write(own.join("cgroup"), "0::/system.slice/x.service\n").unwrap();
        symlink("/dev/null", own.join("fd/0")).unwrap();
        for (descriptor, inode) in sockets.iter().enumerate() {
            symlink(format!("socket:[{inode}]"), own.join(format!("fd/{}", descriptor + 3))).unwrap();
        }
    }

    #[test]
    fn a_socket_may_have_several_holders() {
        let proc = tempfile::tempdir().unwrap();
        process(proc.path(), "812", "nginx", 33, &[70, 71]);
        process(proc.path(), "9", "nginx", 0, &[70]);
        process(proc.path(), "77", "other", 1000, &[99]);
        // A process that ended while it was looked at, and what is no process.
        fs::create_dir_all(proc.path().join("78")).unwrap();
        fs::create_dir_all(proc.path().join("sys")).unwrap();
        let held = find(proc.path(), &HashSet::from([70, 71]), "www:x:33:33::/:/x").unwrap();
        let pids = |inode| held.owners.get(&inode).map(|o| o.iter().map(|o| o.pid).collect::<Vec<_>>());
        assert_eq!((pids(70), pids(71), pids(99)), (Some(vec![9, 812]), Some(vec![812]), None));
        assert_eq!((held.owners[&71][0].command.as_str(), held.owners[&71][0].user.as_deref()), ("nginx", Some("www")));
        assert_eq!(held.hidden, 0);
    }

    #[test]
    fn users_have_names() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\nbroken\n";
        assert_eq!(user(users, 65534).as_deref(), Some("nobody"));
        assert_eq!(user(users, 1), None);
    }

    #[test]
    fn only_sockets_have_inodes() {
        assert_eq!(
            ["socket:[42]", "pipe:[42]", "socket:[x]", "/tmp/socket:[1]"].map(inode),
            [Some(42), None, None, None]
        );
    }
}

//! The container a process runs in, as far as its control group tells (cgroups(7), `/proc/PID/cgroup`).
//!
//! Docker, containerd, CRI-O and Podman put a container's processes into a group whose name holds the container's
//! number, 64 hexadecimal digits: `docker-ID.scope`, `/docker/ID`, `cri-containerd-ID.scope`, `crio-ID.scope`,
//! `libpod-ID.scope`. LXC has `lxc.payload.NAME` or `/lxc/NAME`, systemd-nspawn and others `machine-NAME.scope`.

/// The container named in a control group file: a number of 64 digits, or a name. The innermost counts.
pub fn named_in(groups: &str) -> Option<String> {
    groups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(named)
}

fn named(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    parts.iter().enumerate().rev().find_map(|(place, part)| {
        if let Some(id) = id(part) {
            return Some(id.to_owned());
        }
        let parent = place.checked_sub(1).and_then(|before| parts.get(before));
        let lxc = part.strip_prefix("lxc.payload.").or_else(|| (parent == Some(&"lxc")).then_some(*part));
        let machine = || part.strip_prefix("machine-")?.strip_suffix(".scope");
        lxc.or_else(machine).filter(|name| !name.is_empty()).map(unescape)
    })
}

/// 64 hexadecimal digits that stand alone.
fn id(part: &str) -> Option<&str> {
    let hex = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    part.split(['-', '.', ':']).find(hex)
}

/// systemd spells what a unit name may not hold as `\x2d`.
fn unescape(name: &str) -> String {
    name.replace(r"\x2d", "-").replace(r"\x5f", "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_common_forms() {
        let id = "3f4e".repeat(16);
        for path in [
            format!("0::/system.slice/docker-{id}.scope\n"),
            format!("12:cpu,cpuacct:/docker/{id}\n0::/\n"),
            format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
            format!("0::/kubepods/burstable/pod-1/crio-{id}.scope/container"),
            format!("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope/container"),
            format!("0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{id}"),
        ] {
            assert_eq!(named_in(&path).as_deref(), Some(id.as_str()), "{path}");
        }
        assert_eq!(named_in("0::/lxc.payload.web/system.slice/nginx.service").as_deref(), Some("web"));
        assert_eq!(named_in("4:memory:/lxc/mail/init.scope").as_deref(), Some("mail"));
        assert_eq!(named_in(r"0::/machine.slice/machine-build\x2dbox.scope/payload").as_deref(), Some("build-box"));
    }

    #[test]
    fn most_processes_run_in_none() {
        for path in ["0::/system.slice/ssh.service", "0::/user.slice/user-0.slice/session-3.scope", "0::/", "", "x"] {
            assert_eq!(named_in(path), None, "{path}");
        }
        // Digits that are too few, and a name that only looks like one.
        assert_eq!(named_in("0::/docker/abcdef"), None);
    }
}

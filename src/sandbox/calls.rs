//! Which system calls may be made (seccomp(2)).

use super::Sockets;
use libc::{c_int, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    sock_filter,
};
use std::collections::BTreeMap;
use std::io;

/// Reading and writing what is open, files below what Landlock allows, memory, threads, time, signals.
const ALWAYS: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_openat,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_ftruncate,
    libc::SYS_fchmod,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_ioctl,
    libc::SYS_ppoll,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_ctl,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_prctl,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The same under the names that only older architectures have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_poll,
    libc::SYS_epoll_wait,
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_dup2,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What captures need: the kernel's counters, why an interface fell silent, filters.
const CAPTURE: &[c_long] =
    &[libc::SYS_getsockopt, libc::SYS_setsockopt, libc::SYS_getsockname, libc::SYS_recvfrom, libc::SYS_recvmsg];

/// What serving on open sockets needs.
const SERVE: &[c_long] =
    &[libc::SYS_accept4, libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_shutdown, libc::SYS_getpeername];

/// Restricts this thread to the calls that the program needs.
pub(super) fn restrict(sockets: Sockets, kill: bool) -> Result<(), String> {
    let refused = |error: &dyn std::fmt::Display| format!("seccomp: {error}");
    let program = program(sockets, kill).map_err(|error| refused(&error))?;
    install(&program).map_err(|error| refused(&error))
}

/// What the helper needs that looks who holds which socket: it opens files, but not to write, asks the kernel for sockets,
/// and tries whether an address is its own by binding to it.
const LOOK: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_fcntl,
    libc::SYS_ppoll,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getsockname,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
#[cfg(target_arch = "x86_64")]
const LOOK_OLDER: &[c_long] = &[libc::SYS_readlink, libc::SYS_stat, libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const LOOK_OLDER: &[c_long] = &[];

/// Restricts this thread to what the helper needs.
pub(super) fn restrict_to_look(kill: bool) -> Result<(), String> {
    let program = || -> Result<BpfProgram, seccompiler::BackendError> {
        let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
            [LOOK, LOOK_OLDER].concat().into_iter().map(|call| (call, Vec::new())).collect();
        let masked = |argument, mask: c_int, value: c_int| {
            let op = SeccompCmpOp::MaskedEq(mask as u64);
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value as u64)
        };
        let writes = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC;
        rules.insert(libc::SYS_openat, vec![SeccompRule::new(vec![masked(2, writes, libc::O_RDONLY)?])?]);
        rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![masked(2, libc::PROT_EXEC, 0)?])?]);
        rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![masked(2, libc::PROT_EXEC, 0)?])?]);
        let families = [libc::AF_NETLINK, libc::AF_INET, libc::AF_INET6];
        let families = families.map(|family| masked(0, c_int::MAX, family).and_then(|c| SeccompRule::new(vec![c])));
        rules.insert(libc::SYS_socket, families.into_iter().collect::<Result<_, _>>()?);
        build(rules, kill)
    };
    let refused = |error: &dyn std::fmt::Display| format!("seccomp: {error}");
    install(&program().map_err(|error| refused(&error))?).map_err(|error| refused(&error))
}

fn program(sockets: Sockets, kill: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let (capture, serve) = match sockets {
        Sockets::None => (&[][..], &[][..]),
        Sockets::Capture => (CAPTURE, &[][..]),
        Sockets::Serve => (CAPTURE, SERVE),
    };
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> =
        [ALWAYS, OLDER, capture, serve].concat().into_iter().map(|call| (call, Vec::new())).collect();
    // Memory is never made executable.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let exec = libc::PROT_EXEC as u64;
        let plain = SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(exec), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![plain])?]);
    }
    build(rules, kill)
}

/// The filter that allows these calls, each if one of its rules fits.
fn build(rules: BTreeMap<c_long, Vec<SeccompRule>>, kill: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let otherwise = if kill { SeccompAction::KillProcess } else { SeccompAction::Errno(libc::EPERM as u32) };
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, otherwise, SeccompAction::Allow, arch)?.try_into()
}

/// Installs the filter. The kernel logs what it refuses (as audit records of type 1326).
#[allow(unsafe_code, reason = "the crate installs filters without the flag that has refusals logged")]
fn install(program: &[sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let mode: c_int = libc::SECCOMP_SET_MODE_FILTER as c_int;
    // SAFETY: `program` points to `len` instructions that outlive the call (both types are the kernel's struct
    // sock_filter); the kernel copies and checks them, and writes nothing.
    match unsafe { libc::syscall(libc::SYS_seccomp, mode, libc::SECCOMP_FILTER_FLAG_LOG, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

//! What libpcap does not offer of packet sockets (packet(7), socket(7)).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Attaches a filter that takes no packet; those that the socket holds stay. Nothing is wrong if that fails: the end
/// then waits for a moment instead of until all is read.
pub(super) fn accept_nothing(socket: BorrowedFd<'_>) {
    let mut nothing = libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut nothing };
    let _ = set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program);
}

/// Sets a socket option.
#[allow(unsafe_code, reason = "no safe crate sets these options")]
fn set<T>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is a live T and `len` its size; the kernel reads at most that much, and of a filter program as
    // many instructions as it says, which live in the caller's frame. It keeps no pointer.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

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

/// Lets the socket take its share of an interface's packets with the others of a group: by flow, the same for both
/// directions, and by datagram where that comes in fragments. Without a group a new one is made. Gives the group.
pub(super) fn share(socket: BorrowedFd<'_>, group: Option<u16>) -> io::Result<u16> {
    let unique = if group.is_none() { libc::PACKET_FANOUT_FLAG_UNIQUEID } else { 0 };
    let how = (libc::PACKET_FANOUT_HASH | libc::PACKET_FANOUT_FLAG_DEFRAG | unique) << 16;
    let value = how as c_int | c_int::from(group.unwrap_or(0));
    set(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &value)?;
    match group {
        Some(group) => Ok(group),
        None => get(socket, libc::SOL_PACKET, libc::PACKET_FANOUT).map(|value| value as u16),
    }
}

/// Whether an interface is up (netdevice(7)).
#[allow(unsafe_code, reason = "no safe crate reads an interface's flags")]
pub(super) fn is_up(socket: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    let mut request =
        libc::ifreq { ifr_name: [0; libc::IFNAMSIZ], ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 } };
    // The last byte stays 0.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: `request` is a live ifreq with a name that ends in 0; this request reads the name and writes the flags.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) } {
        // SAFETY: the kernel has written the flags.
        0 => Ok(c_int::from(unsafe { request.ifr_ifru.ifru_flags }) & libc::IFF_UP != 0),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Reads a socket option that is a number.
#[allow(unsafe_code, reason = "no safe crate reads this option")]
fn get(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut len = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `value` is a live c_int and `len` its size; the kernel writes at most that much, and the length.
    match unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) } {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
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

//! Who owns a port of this machine: the sockets of its network namespace and the processes that hold them.
//!
//! | module | holds |
//! | --- | --- |
//! | [`sockets`] | all UDP and TCP sockets, asked of the kernel by sock_diag(7) |
//! | `listed` | the same from `/proc/net`, where the kernel has no sock_diag |
//! | [`holders`] | which processes hold which sockets, read from proc(5) |
//! | [`container`] | the container a process runs in, as far as its control group tells |
//! | [`here`] | which addresses are this machine's own |
//! | [`helper`] | the same, asked of a small process of its own |
//!
//! A process is hearsay about a port, as lore is: it never enters a verdict.

pub mod container;
pub mod helper;
pub mod here;
pub mod holders;
mod listed;
pub mod sockets;

use crate::packet::{Endpoint, Ip, Transport};
use serde::{Deserialize, Serialize};
use sockets::Socket;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::Path;

/// A process that holds a socket.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// Its number in the PID namespace of whoever looked.
    pub pid: u32,
    /// The kernel's name of it, at most 15 bytes, as it chose it itself: to be escaped before it is printed.
    pub command: String,
    /// Its real user's number.
    pub uid: u32,
    /// That user's name, where it has one.
    pub user: Option<String>,
    /// The container it runs in, where its control group tells.
    pub container: Option<String>,
}

/// The sockets of this machine and who holds them, at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    sockets: Vec<Socket>,
    owners: BTreeMap<u32, Vec<Owner>>,
    /// The text of passwd(5).
    users: String,
    /// Processes whose descriptors could not be read: what they own has no owner here.
    pub hidden: usize,
}

/// A port that is open to anybody, with the addresses it is open on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// UDP or TCP.
    pub transport: Transport,
    /// The user who made the socket.
    pub uid: u32,
    /// That user's name, where it has one.
    pub user: Option<String>,
    /// Whether the kernel itself holds it, as it does for WireGuard, VXLAN or NFS.
    pub kernel: bool,
    /// Who holds it, by process number; empty where it may not be seen.
    pub owners: Vec<Owner>,
    /// The addresses, each once; 0.0.0.0 and :: are all.
    pub addresses: BTreeSet<Ip>,
}

impl Snapshot {
    /// Asks the kernel for the sockets and looks in `/proc` who holds them.
    ///
    /// # Errors
    /// When the kernel does not list sockets, or `/proc` cannot be read.
    pub fn take() -> io::Result<Self> {
        let sockets = sockets::all()?;
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let wanted: HashSet<u32> = sockets.iter().map(|socket| socket.inode).filter(|inode| *inode != 0).collect();
        let holders::Held { owners, hidden } = holders::find(Path::new("/proc"), &wanted, &users)?;
        Ok(Self { sockets, owners, users, hidden })
    }

    fn owners(&self, inode: u32) -> &[Owner] {
        self.owners.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// The ports open to anybody, by port and transport: TCP sockets that listen, UDP sockets without a peer. Sockets of
    /// the same port with the same holders are one.
    pub fn listeners(&self) -> Vec<Listener> {
        let mut found: BTreeMap<(u16, Transport, Vec<Owner>, u32, bool), Listener> = BTreeMap::new();
        for socket in self.sockets.iter().filter(|socket| socket.listens) {
            let (port, transport) = (socket.local.port, socket.transport);
            let (owners, kernel) = (self.owners(socket.inode).to_vec(), socket.inode == 0);
            let key = (port, transport, owners.clone(), socket.uid, kernel);
            let listener = found.entry(key).or_insert_with(|| Listener {
                port,
                transport,
                uid: socket.uid,
                user: holders::user(&self.users, socket.uid),
                kernel,
                owners,
                addresses: BTreeSet::new(),
            });
            listener.addresses.insert(socket.local.ip);
        }
        found.into_values().collect()
    }

    /// Who owns the end `local` of a flow to `peer`: the connection's own socket, else the one that listens on just this
    /// address, else the one on all addresses. Empty: nobody here, or it may not be seen.
    pub fn owners_of(&self, transport: Transport, local: Endpoint, peer: Endpoint) -> &[Owner] {
        let fits = |socket: &&Socket| socket.transport == transport && socket.local.port == local.port;
        let exact = |socket: &&Socket| socket.local.ip == local.ip && socket.peer == Some(peer);
        let bound = |socket: &&Socket| socket.local.ip == local.ip && socket.peer.is_none();
        let any = |socket: &&Socket| socket.takes(local.ip) && socket.peer.is_none();
        let candidates = || self.sockets.iter().filter(fits);
        let ranked = candidates().filter(exact).chain(candidates().filter(bound)).chain(candidates().filter(any));
        ranked.map(|socket| self.owners(socket.inode)).find(|owners| !owners.is_empty()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse::<std::net::IpAddr>().unwrap().into(), port }
    }

    fn socket(ip: &str, port: u16, peer: Option<Endpoint>, inode: u32) -> Socket {
        let local = end(ip, port);
        Socket { transport: Transport::Udp, local, peer, listens: peer.is_none(), uid: 0, inode }
    }

    fn owner(pid: u32) -> Owner {
        Owner { pid, command: format!("p{pid}"), uid: 0, user: None, container: None }
    }

    #[test]
    fn the_closest_socket_owns_the_flow() {
        let peer = end("10.0.0.9", 4000);
        let sockets = vec![
            socket("0.0.0.0", 1197, None, 1),
            socket("10.0.0.1", 1197, None, 2),
            socket("10.0.0.1", 1197, Some(peer), 3),
            socket("::", 2797, None, 4),
        ];
        let owners = (1..5).map(|inode| (inode, vec![owner(inode)])).collect();
        let snapshot = Snapshot { sockets, owners, ..Snapshot::default() };
        let of = |local, peer| snapshot.owners_of(Transport::Udp, local, peer).first().map(|owner| owner.pid);
        assert_eq!(of(end("10.0.0.1", 1197), peer), Some(3));
        assert_eq!(of(end("10.0.0.1", 1197), end("10.0.0.8", 4000)), Some(2));
        assert_eq!(of(end("10.0.0.2", 1197), peer), Some(1));
        assert_eq!(of(end("2001:db8::1", 1197), peer), None);
        // A socket on :: takes IPv4 too, unless it was told not to.
        assert_eq!(of(end("10.0.0.1", 2797), peer), Some(4));
        assert_eq!(snapshot.owners_of(Transport::Tcp, end("10.0.0.1", 1197), peer), []);
    }

    #[test]
    fn sockets_of_one_port_and_holder_are_one_listener() {
        let sockets = vec![
            socket("0.0.0.0", 53, None, 1),
            socket("::", 53, None, 2),
            socket("127.0.0.1", 53, None, 3),
            socket("10.0.0.1", 53, Some(end("10.0.0.2", 9)), 4),
        ];
        let owners = [(1, vec![owner(7)]), (2, vec![owner(7)]), (3, vec![owner(8)])].into_iter().collect();
        let listeners = Snapshot { sockets, owners, ..Snapshot::default() }.listeners();
        let shown: Vec<(u32, usize)> = listeners.iter().map(|l| (l.owners[0].pid, l.addresses.len())).collect();
        assert_eq!(shown, [(7, 2), (8, 1)]);
        assert!(listeners[0].addresses.contains(&Ip::v4([0; 4])));
    }
}

//! Real VPN sessions between two network namespaces, watched live.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod net;

use net::{Net, Said};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A program in the background, ended with the test.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Peer {
    fn start(mut command: Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

fn there(program: &str) -> bool {
    let there = Path::new(program).exists();
    if !there {
        println!("skipped: {program} is not installed");
    }
    there
}

fn run(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Waits until something is so; false: it never was.
fn until(mut so: impl FnMut() -> bool) -> bool {
    (0..300).any(|_| {
        let done = so();
        if !done {
            std::thread::sleep(Duration::from_millis(50));
        }
        done
    })
}

/// The process that is said to own the server's end of the flows on a port.
fn process(said: &Said, port: u64) -> String {
    let lines = said.lines();
    let flows = lines.iter().filter(|l| l["type"] == "flow" && l["server"]["port"] == port);
    let owner = flows.filter(|l| l["process"]["side"] == "server").find_map(|l| l.pointer("/process/owners/0/command"));
    owner.and_then(|name| name.as_str()).unwrap_or_else(|| panic!("nobody owns {port}: {}", said.out)).to_owned()
}

/// What was said of a port in the end.
fn verdict(said: &Said, port: u64) -> (String, String) {
    let lines = said.lines();
    let row = lines.iter().rfind(|l| l["type"] == "port" && l["port"] == port && l["transport"] == "udp");
    let row = row.unwrap_or_else(|| panic!("nothing on {port}: {}{}", said.out, said.err));
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(row.pointer("/observed/0/protocol").unwrap()), text(row.get("verdict").unwrap()))
}

#[test]
fn openvpn_on_1197_is_a_mismatch() {
    let Some((server, client)) = Net::pair() else { return };
    if !there("/usr/sbin/openvpn") || !there("/usr/bin/openssl") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let fingerprint = |name: &str| {
        let (key, cert) = (at(&format!("{name}.key")), at(&format!("{name}.crt")));
        let made = run(Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}"), "-keyout", &key, "-out", &cert]));
        assert!(made, "no certificate");
        let print =
            Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in", &cert]).output().unwrap();
        String::from_utf8(print.stdout).unwrap().trim().split_once('=').unwrap().1.to_owned()
    };
    let (of_server, of_client) = (fingerprint("server"), fingerprint("client"));
    let live = server.live(&["-i", "v1", "-o", "jsonl", "--process"]);
    let openvpn = |net: &Net, name: &str, other: &str, args: &[&str]| {
        let mut command = net.command("openvpn");
        command.args([
            "--dev",
            "tun",
            "--verb",
            "3",
            "--log",
            &at(&format!("{name}.log")),
            "--cert",
            &at(&format!("{name}.crt")),
        ]);
        command.args(["--key", &at(&format!("{name}.key")), "--peer-fingerprint", other, "--keepalive", "1", "15"]);
        Peer::start({
            command.args(args);
            command
        })
    };
    let _server = openvpn(
        &server,
        "server",
        &of_client,
        &["--port", "1197", "--dh", "none", "--server", "10.8.0.0", "255.255.255.0"],
    );
    let _client = openvpn(&client, "client", &of_server, &["--remote", "10.9.0.1", "1197", "--client", "--nobind"]);
    let log = || std::fs::read_to_string(at("client.log")).unwrap_or_default();
    assert!(until(|| log().contains("Initialization Sequence Completed")), "{}", log());
    assert!(
        run(client.command("ping").args(["-c", "3", "-i", "0.1", "-W", "2", "10.8.0.1"]))
            || !Path::new("/bin/ping").exists()
    );
    let said = live.interrupt();
    assert_eq!(verdict(&said, 1197), ("openvpn".to_owned(), "mismatch".to_owned()));
    assert_eq!(process(&said, 1197), "openvpn");
}

#[test]
fn strongswan_on_2797_is_a_match() {
    const CHARON: &str = "/usr/lib/ipsec/charon";
    // ESP in user space, since not every kernel has it, and its cipher.
    const LIBIPSEC: &str = "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so";
    const GCM: &str = "/usr/lib/ipsec/plugins/libstrongswan-gcm.so";
    let Some((server, client)) = Net::pair() else { return };
    if !there(CHARON) || !there("/usr/sbin/swanctl") || !there(LIBIPSEC) || !there(GCM) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let live = server.live(&["-i", "v1", "-o", "jsonl", "--process"]);
    let mut peers = Vec::new();
    for (net, me, inner, other, others) in [
        (&server, "10.9.0.1", "10.55.0.1", "10.9.0.2", "10.55.0.2"),
        (&client, "10.9.0.2", "10.55.0.2", "10.9.0.1", "10.55.0.1"),
    ] {
        let folder = dir.path().join(me);
        std::fs::create_dir(&folder).unwrap();
        let at = folder.display();
        let port = if me == "10.9.0.1" { 2797 } else { 0 };
        let general = format!(
            "charon {{\n load_modular = yes\n port = 0\n port_nat_t = {port}\n plugins {{\n include /etc/strongswan.d/charon/*.conf\n \
             kernel-libipsec {{\n load = 100\n allow_peer_ts = yes\n }}\n vici {{\n socket = unix://{at}/vici.sock\n }}\n \
             resolve {{\n load = no\n }}\n }}\n filelog {{\n f {{\n path = {at}/log\n flush_line = yes\n }}\n }}\n}}\n\
             swanctl {{\n load = pem pkcs1 x509 random nonce openssl\n}}\n"
        );
        let connection = format!(
            "connections {{\n t {{\n version = 2\n local_addrs = {me}\n remote_addrs = {other}\n local_port = {port}\n \
             remote_port = 2797\n encap = yes\n mobike = no\n local {{\n auth = psk\n id = {me}\n }}\n remote {{\n auth = psk\n \
             id = {other}\n }}\n children {{\n n {{\n local_ts = {inner}/32\n remote_ts = {others}/32\n \
             esp_proposals = aes128gcm16\n }}\n }}\n }}\n}}\nsecrets {{\n ike-1 {{\n secret = \"portproof\"\n }}\n}}\n"
        );
        std::fs::write(folder.join("strongswan.conf"), general).unwrap();
        std::fs::write(folder.join("swanctl.conf"), connection).unwrap();
        assert!(net.ip(&["addr", "add", &format!("{inner}/32"), "dev", "lo"]));
        let mut charon = net.command("sh");
        // Its process ID file would be the machine's.
        charon.args(["-c", &format!("mount -t tmpfs tmpfs /run && exec {CHARON}")]);
        charon.env("STRONGSWAN_CONF", folder.join("strongswan.conf"));
        peers.push(Peer::start(charon));
        let swanctl = |args: &[&str]| {
            let mut command = net.command("swanctl");
            command.env("STRONGSWAN_CONF", folder.join("strongswan.conf"));
            run(command.args(args).args(["--uri", &format!("unix://{at}/vici.sock")]))
        };
        let file = folder.join("swanctl.conf").display().to_string();
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(until(|| swanctl(&["--load-all", "--file", &file])), "{}", log());
        if me == "10.9.0.2" {
            assert!(swanctl(&["--initiate", "--child", "n", "--timeout", "15"]), "{}", log());
            net.exec(
                "sh",
                &[
                    "-c",
                    "for n in 1 2 3 4 5 6 7 8; do ping -c 1 -W 1 -I 10.55.0.2 10.55.0.1; done >/dev/null 2>&1; true",
                ],
            );
        }
    }
    let said = live.interrupt();
    assert_eq!(verdict(&said, 2797), ("esp-in-udp".to_owned(), "match".to_owned()), "{}", said.out);
    assert_eq!(process(&said, 2797), "charon");
}

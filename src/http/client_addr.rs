//! Whose request it is: the address that limits count by.
//!
//! Anyone can send `X-Forwarded-For`, and each proxy appends the address that it saw. Read from the right, the list can be
//! believed for as long as the one who wrote an entry is in `TRUSTED_PROXIES`; the first hop that is not trusted is the
//! client, and what stands left of it, however absurd, is never looked at: a client behind an honest proxy cannot
//! choose under which address it is counted.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// More trusted hops than this in a row are no real path.
const MOST_HOPS: usize = 32;

/// Bytes of the list that are read, from the right.
const MOST_BYTES: usize = 2048;

/// The origin of a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    /// IPv4-mapped IPv6 is shown as IPv4.
    pub address: IpAddr,
    /// Came with `X-Forwarded-For` or `Forwarded`, believed or not.
    pub forwarded: bool,
    /// The address is only the last relay's: the request was forwarded and no header told, believably, for whom.
    pub relayed: bool,
}

impl Client {
    /// The sender of a request that no relay tells of.
    pub fn direct(peer: SocketAddr) -> Self {
        Client {
            address: peer.ip().to_canonical(),
            forwarded: false,
            relayed: false,
        }
    }
}

/// Reads addresses with the help of `TRUSTED_PROXIES`.
#[derive(Debug)]
pub struct ClientAddr {
    trusted: Vec<IpNet>,
    warned: AtomicBool,
}

impl ClientAddr {
    /// Believes the proxies in `trusted`; nets of IPv4 also hold for IPv4-mapped IPv6.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        ClientAddr {
            trusted,
            warned: AtomicBool::new(false),
        }
    }

    /// The client of a request that `peer` sent: the socket's address, or what `X-Forwarded-For` says if `peer` is trusted.
    /// A list that is unparsable, too long or has too many hops where it is read falls back to the socket. `Forwarded`
    /// is not read, but tells that the request was forwarded.
    pub fn of(&self, peer: SocketAddr, headers: &HeaderMap) -> Client {
        let listed = headers.contains_key(X_FORWARDED_FOR);
        if !listed && !headers.contains_key(FORWARDED) {
            return Client::direct(peer);
        }
        let peer = peer.ip().to_canonical();
        let origin = if !self.trusts(peer) {
            self.warn_once(peer);
            None
        } else if listed {
            self.origin(headers)
        } else {
            None
        };
        Client {
            address: origin.unwrap_or(peer),
            forwarded: true,
            relayed: origin.is_none(),
        }
    }

    /// The first hop from the right that is not a trusted proxy, or the leftmost if all are.
    fn origin(&self, headers: &HeaderMap) -> Option<IpAddr> {
        // Several lines are one list, in their order (RFC 9110, section 5.3).
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut bytes = 0;
        let mut leftmost = None;
        for (hops, entry) in entries.enumerate() {
            bytes += entry.len() + 1;
            if hops >= MOST_HOPS || bytes > MOST_BYTES {
                return None;
            }
            let entry = entry.trim_ascii();
            // RFC 9110, section 5.6.1: empty list elements are ignored.
            if entry.is_empty() {
                continue;
            }
            let address = parse(entry)?;
            if !self.trusts(address) {
                return Some(address);
            }
            leftmost = Some(address);
        }
        leftmost
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }

    fn warn_once(&self, peer: IpAddr) {
        // Relaxed: the flag guards nothing but itself. Looked at before it is written, so that later requests only read it.
        if !self.warned.load(Ordering::Relaxed) && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%peer, "ignoring a forwarded header from a peer that is not in TRUSTED_PROXIES; told once");
        }
    }
}

/// An address as proxies write it: bare, in brackets, or with a port (`192.0.2.1:80`, `[2001:db8::1]:80`).
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.1:4711";

    fn nets(nets: &[&str]) -> Vec<IpNet> {
        nets.iter().map(|net| net.parse().unwrap()).collect()
    }

    fn listed(lines: &[&[u8]]) -> HeaderMap {
        let line = |line: &&[u8]| (X_FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        lines.iter().map(line).collect()
    }

    fn of(peer: &str, lines: &[&str]) -> Client {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        ClientAddr::new(nets(&["10.0.0.0/8", "fd00::/8"]))
            .of(peer.parse().unwrap(), &listed(&lines))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn without_a_header_it_is_the_socket() {
        for (peer, expected) in [
            ("192.0.2.1:80", "192.0.2.1"),
            (PROXY, "10.0.0.1"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
        ] {
            let client = of(peer, &[]);
            assert_eq!(client.address, address(expected));
            assert!(!client.forwarded && !client.relayed);
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed_hop_by_hop_from_the_right() {
        for (lines, expected) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
            (&["203.0.113.9, 192.0.2.7, 10.1.1.1,10.2.2.2"], "192.0.2.7"),
            (
                &["203.0.113.9", "192.0.2.7", "fd00::1, 10.2.2.2"],
                "192.0.2.7",
            ),
            (&["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
            (&["192.0.2.7,, ,"], "192.0.2.7"),
            (&["192.0.2.7:1234"], "192.0.2.7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["[2001:db8::7]:443"], "2001:db8::7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["::ffff:192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.7, ::ffff:10.2.2.2"], "192.0.2.7"),
            (&["no address at all, 192.0.2.7"], "192.0.2.7"),
        ] {
            let client = of(PROXY, lines);
            assert_eq!(client.address, address(expected), "{lines:?}");
            assert!(client.forwarded && !client.relayed, "{lines:?}");
        }
        let mapped = of("[::ffff:10.0.0.1]:80", &["192.0.2.7"]);
        assert_eq!(mapped.address, address("192.0.2.7"));
    }

    #[test]
    fn the_absurd_falls_back_to_the_socket() {
        let hops = "10.1.1.1,".repeat(MOST_HOPS);
        let spaces = format!("192.0.2.7,{}", " ".repeat(MOST_BYTES));
        let commas = format!("192.0.2.7,{}", ",".repeat(MOST_HOPS));
        let long = "1".repeat(MOST_BYTES + 1);
        for lines in [
            &["unknown"][..],
            &[""],
            &["192.0.2.7, _hidden"],
            &["192.0.2.7", "999.1.1.1, 10.1.1.1"],
            &["192.0.2.7:99999"],
            &["[192.0.2.7"],
            &["fe80::1%eth0"],
            &["for=192.0.2.7"],
            &["192.0.2.7;10.1.1.1"],
            &["\"192.0.2.7\""],
            &[&format!("192.0.2.7,{hops}")],
            &[&spaces],
            &[&commas],
            &[&long],
        ] {
            let client = of(PROXY, lines);
            assert_eq!(client.address, address("10.0.0.1"), "{lines:?}");
            assert!(client.forwarded && client.relayed, "{lines:?}");
        }
    }

    #[test]
    fn an_untrusted_peer_is_not_believed() {
        let client = of("192.0.2.1:80", &["203.0.113.9"]);
        assert_eq!(client.address, address("192.0.2.1"));
        assert!(client.forwarded && client.relayed);
    }

    #[test]
    fn forwarded_sets_the_flag_only() {
        let headers =
            HeaderMap::from_iter([(FORWARDED, HeaderValue::from_static("for=192.0.2.7"))]);
        let client = ClientAddr::new(nets(&["10.0.0.0/8"])).of(PROXY.parse().unwrap(), &headers);
        assert_eq!(client.address, address("10.0.0.1"));
        assert!(client.forwarded && client.relayed);
    }

    proptest! {
        /// Nothing that a client writes before its proxy appends changes where it is counted.
        #[test]
        fn a_client_behind_an_honest_proxy_cannot_choose_its_address(
            forged in proptest::collection::vec(proptest::collection::vec(b' '..=b'~', 0..3000), 0..4),
        ) {
            let mut lines: Vec<&[u8]> = forged.iter().map(Vec::as_slice).collect();
            lines.push(b"192.0.2.7");
            let addresses = ClientAddr::new(nets(&["10.0.0.0/8"]));
            let client = addresses.of(PROXY.parse().unwrap(), &listed(&lines));
            prop_assert_eq!(client.address, address("192.0.2.7"));
            prop_assert!(!client.relayed);
        }

        /// Whatever a trusted proxy writes, the answer is an address that it wrote or else its own.
        #[test]
        fn any_list_gives_an_address(line in "[0-9a-f.:, \\[\\]]{0,60}|([0-9]{1,3}\\.){3}[0-9]{1,3}(:[0-9]{1,6})?") {
            let client = of(PROXY, &[&line]);
            prop_assert!(client.forwarded);
            let written = line.split(',').filter_map(|entry| parse(entry.trim().as_bytes()));
            if client.relayed {
                prop_assert_eq!(client.address, address("10.0.0.1"));
            } else {
                prop_assert!(written.into_iter().any(|entry| entry == client.address));
            }
        }
    }

    /// A log in memory.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn warns_once_and_never_shows_the_header() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let addresses = ClientAddr::new(nets(&["10.0.0.0/8"]));
        tracing::subscriber::with_default(subscriber, || {
            addresses.of(PROXY.parse().unwrap(), &listed(&[b"unknown"]));
            for peer in ["192.0.2.1:80", "192.0.2.1:80", "192.0.2.2:80"] {
                addresses.of(peer.parse().unwrap(), &listed(&[b"203.0.113.9"]));
            }
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("WARN") && text.contains("peer=192.0.2.1"),
            "{text}"
        );
        assert!(!text.contains("203.0.113.9"), "{text}");
    }
}

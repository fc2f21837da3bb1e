//! The socket of sd_notify(3).
//!
//! Its own few lines instead of a crate's: one descriptor, kept from the start, so that a process out of
//! descriptors still shows that it lives; and a send that never blocks a thread of the HTTP runtime.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Connected for good; systemd's socket outlives the service.
#[derive(Debug)]
pub(super) struct Socket(UnixDatagram);

impl Socket {
    /// `address` is an absolute path, or `@` and an abstract name.
    pub(super) fn connect(address: &OsStr) -> io::Result<Self> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "NOTIFY_SOCKET is neither an absolute path nor @ and a name",
                ));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(Socket(socket))
    }

    /// One datagram, whole or not at all.
    pub(super) fn send(&self, message: &str) -> io::Result<()> {
        self.0.send(message.as_bytes()).map(|_whole| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_to_a_path_and_to_an_abstract_name() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("notify");
        let name = format!("infra-health-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        for (manager, address) in [
            (UnixDatagram::bind(&path), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&abstract_address),
                format!("@{name}").into(),
            ),
        ] {
            let manager = manager.unwrap();
            Socket::connect(&address)
                .unwrap()
                .send("READY=1\n")
                .unwrap();
            let mut buffer = [0; 64];
            let length = manager.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1\n");
        }
    }

    #[test]
    fn a_manager_that_does_not_read_blocks_nothing() {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("notify");
        let _silent = UnixDatagram::bind(&path).unwrap();
        let socket = Socket::connect(path.as_os_str()).unwrap();
        let failed = (0..100_000).find_map(|_| socket.send("WATCHDOG=1\n").err());
        assert_eq!(failed.unwrap().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn other_addresses_are_refused() {
        for address in ["", "relative/notify", "vsock:2:1", "/nowhere/notify"] {
            assert!(Socket::connect(OsStr::new(address)).is_err(), "{address}");
        }
    }
}

//! What a service manager (systemd) tells a service that it starts: where to report, and how often it
//! must show a sign of life. These variables are systemd's, not the operator's, so they are in no table.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// Where and how often to report; see sd_notify(3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceManager {
    /// `NOTIFY_SOCKET`: an absolute path, or `@` and an abstract name.
    pub socket: OsString,
    /// `WATCHDOG_USEC`: the manager restarts a service that shows no sign of life for this long.
    pub watchdog: Option<Duration>,
}

impl ServiceManager {
    /// What the environment of this process says; `None` without a service manager that listens.
    pub fn of_process() -> Option<Self> {
        Self::read(|name| std::env::var_os(name), std::process::id())
    }

    fn read(get: impl Fn(&str) -> Option<OsString>, own_pid: u32) -> Option<Self> {
        let socket = get("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())?;
        let number = |name| get(name)?.to_str()?.parse::<u64>().ok();
        // An environment that was inherited from another service is meant for that one.
        let ours = get("WATCHDOG_PID").is_none_or(|pid| pid == OsStr::new(&own_pid.to_string()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0);
        Some(ServiceManager {
            socket,
            watchdog: watchdog.map(Duration::from_micros),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Option<ServiceManager> {
        let get = |name: &str| {
            let found = pairs.iter().find(|(set, _)| *set == name);
            found.map(|(_, value)| OsString::from(value))
        };
        ServiceManager::read(get, 42)
    }

    #[test]
    fn nobody_listens_without_a_socket() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("NOTIFY_SOCKET", ""), ("WATCHDOG_USEC", "1")]), None);
    }

    #[test]
    fn the_watchdog_is_ours_or_nobodys() {
        for (pairs, expected) in [
            (&[][..], None),
            (&[("WATCHDOG_USEC", "30000000")], Some(30)),
            (
                &[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "42")],
                Some(30),
            ),
            (
                &[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")],
                None,
            ),
            (&[("WATCHDOG_USEC", "0")], None),
            (&[("WATCHDOG_USEC", "soon")], None),
        ] {
            let pairs = [&[("NOTIFY_SOCKET", "/run/systemd/notify")], pairs].concat();
            let manager = read(&pairs).unwrap();
            assert_eq!(manager.socket, "/run/systemd/notify");
            assert_eq!(
                manager.watchdog,
                expected.map(Duration::from_secs),
                "{pairs:?}"
            );
        }
    }
}

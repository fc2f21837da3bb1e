//! The service's own values; a malformed one keeps it from starting.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::raw::{RawAnswers, RawServer};
use super::types::{Answers, Details, Limits, Log, LogFormat, Problem, Server};
use super::values::{self, Fault, Parsed, Reader};
use crate::detail::Detail;

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Listening, connections, shutdown.
pub(super) fn server(raw: &RawServer, reader: &mut Reader) -> Option<Server> {
    let pause = MILLISECOND..=10 * MINUTE;
    let paused = "a number with a unit from 1ms to 10m, such as 5s";
    let grace = Duration::ZERO..=10 * MINUTE;
    let graced = "a number with a unit from 0s to 10m, such as 7s";

    let host = reader.value("HOST", raw.host.as_ref(), |text| {
        values::form(
            text,
            "is not an IP address",
            "an IP address, such as 127.0.0.1, 0.0.0.0 or ::",
        )
    });
    let port = reader.value("PORT", raw.port.as_ref(), |text| {
        values::number(text, 0..=u16::MAX, "a port from 0 to 65535")
    });
    let probe_addr = reader.optional("PROBE_ADDR", raw.probe_addr.as_ref(), |text| {
        address(text, "IP address and port, such as 0.0.0.0:8081")
    });
    let metrics_addr = reader.optional("METRICS_ADDR", raw.metrics_addr.as_ref(), |text| {
        address(text, "IP address and port, such as 0.0.0.0:8082")
    });
    let max_connections = reader.value("MAX_CONNECTIONS", raw.max_connections.as_ref(), |text| {
        values::number(
            text,
            0..=1_000_000_usize,
            "a whole number from 0 to 1000000",
        )
    });
    let mut span = |variable, raw: &Option<String>, range: &RangeInclusive<Duration>, accepted| {
        reader.value(variable, raw.as_ref(), |text| {
            values::duration(text, range, accepted)
        })
    };
    let header_timeout = span("HEADER_TIMEOUT", &raw.header_timeout, &pause, paused);
    let idle_timeout = span("IDLE_TIMEOUT", &raw.idle_timeout, &pause, paused);
    let shutdown_delay = span("SHUTDOWN_DELAY", &raw.shutdown_delay, &grace, graced);
    let shutdown_grace = span("SHUTDOWN_GRACE", &raw.shutdown_grace, &grace, graced);

    let server = Server {
        host: host?,
        port: port?,
        probe_addr,
        metrics_addr,
        max_connections: max_connections.map(|most| (most > 0).then_some(most))?,
        header_timeout: header_timeout?,
        idle_timeout: idle_timeout?,
        shutdown_delay: shutdown_delay?,
        shutdown_grace: shutdown_grace?,
    };
    let main = SocketAddr::new(server.host, server.port);
    let mut taken = vec![(main, "HOST and PORT name")];
    for (variable, address, named) in [
        ("PROBE_ADDR", server.probe_addr, "PROBE_ADDR names"),
        ("METRICS_ADDR", server.metrics_addr, "METRICS_ADDR names"),
    ] {
        // Port 0 takes a free one each time.
        let Some(address) = address.filter(|address| address.port() != 0) else {
            continue;
        };
        if let Some((_, by)) = taken.iter().find(|(other, _)| *other == address) {
            reader.note(Problem {
                variable,
                wrong: Detail::new().text("is the address that ").text(by),
                accepted: "another address or port",
            });
        }
        taken.push((address, named));
    }
    Some(server)
}

fn address(text: &str, accepted: &'static str) -> Parsed<SocketAddr> {
    values::form(text, "is not an address with a port", accepted)
}

/// Level and form of the log.
pub(super) fn log(raw: &RawServer, reader: &mut Reader) -> Option<Log> {
    let level = reader.value("LOG_LEVEL", raw.log_level.as_ref(), |text| {
        let levels = [
            ("error", LevelFilter::ERROR),
            ("warn", LevelFilter::WARN),
            ("info", LevelFilter::INFO),
            ("debug", LevelFilter::DEBUG),
            ("trace", LevelFilter::TRACE),
        ];
        values::word(text, &levels, "error, warn, info, debug or trace")
    });
    let format = reader.value("LOG_FORMAT", raw.log_format.as_ref(), |text| {
        let formats = [
            ("auto", LogFormat::Auto),
            ("json", LogFormat::Json),
            ("text", LogFormat::Text),
        ];
        values::word(text, &formats, "auto, json or text")
    });
    Some(Log {
        level: level?,
        format: format?,
    })
}

/// What `/health` and `/readyz` answer.
pub(super) fn answers(
    raw: &RawAnswers,
    known_checks: &[&'static str],
    reader: &mut Reader,
) -> Option<Answers> {
    let details = reader.value("HEALTH_DETAILS", raw.health_details.as_ref(), |text| {
        let words = [
            ("authorized", Details::Authorized),
            ("always", Details::Always),
            ("never", Details::Never),
        ];
        values::word(text, &words, "authorized, always or never")
    });
    let degraded = reader.value(
        "HEALTH_DEGRADED_STATUS",
        raw.health_degraded_status.as_ref(),
        |text| values::word(text, &[("200", false), ("503", true)], "200 or 503"),
    );
    let require_api_key = reader.value(
        "HEALTH_REQUIRE_API_KEY",
        raw.health_require_api_key.as_ref(),
        values::boolean,
    );
    let exclude = reader.optional("HEALTH_EXCLUDE", raw.health_exclude.as_ref(), |text| {
        excluded(text, known_checks)
    });
    let deadline = reader.value("HEALTH_DEADLINE", raw.health_deadline.as_ref(), |text| {
        let accepted = "a number with a unit from 1ms to 60s, such as 800ms";
        values::duration(text, &(MILLISECOND..=MINUTE), accepted)
    });
    let ready_requires = reader.optional("READY_REQUIRES", raw.ready_requires.as_ref(), |text| {
        values::check_names(text, known_checks)
    });
    Some(Answers {
        details: details?,
        degraded_is_503: degraded?,
        require_api_key: require_api_key?,
        exclude: exclude.unwrap_or_default(),
        deadline: deadline?,
        ready_requires: ready_requires.unwrap_or_default(),
    })
}

fn excluded(text: &str, known_checks: &[&'static str]) -> Parsed<Vec<String>> {
    let names = values::check_names(text, known_checks)?;
    if names.len() == known_checks.len() {
        return Err(Fault::new(
            "leaves no check that counts",
            "all checks but one at most",
        ));
    }
    Ok(names)
}

/// Rate limit and client addresses.
pub(super) fn limits(raw: &RawAnswers, reader: &mut Reader) -> Option<Limits> {
    let per_second = reader.value(
        "RATE_LIMIT_PER_SECOND",
        raw.rate_limit_per_second.as_ref(),
        |text| values::number(text, 0..=1_000_000_u32, "a whole number from 0 to 1000000"),
    );
    let burst = reader.value("RATE_LIMIT_BURST", raw.rate_limit_burst.as_ref(), |text| {
        values::number(text, 1..=1_000_000_u32, "a whole number from 1 to 1000000")
    });
    let exempt = reader.optional(
        "RATE_LIMIT_EXEMPT",
        raw.rate_limit_exempt.as_ref(),
        values::networks,
    );
    let trusted_proxies = reader.optional(
        "TRUSTED_PROXIES",
        raw.trusted_proxies.as_ref(),
        values::networks,
    );
    Some(Limits {
        per_second: per_second?,
        burst: burst?,
        exempt: exempt.unwrap_or_default(),
        trusted_proxies: trusted_proxies.unwrap_or_default(),
    })
}

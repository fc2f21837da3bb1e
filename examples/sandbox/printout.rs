//! Everything that the sandbox itself says. The service's log goes its own way.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use crate::faults::{self, Fault, Kind};
use crate::upstreams::Upstreams;
use crate::{API_KEY, webhooks};

/// Prints at once. A closed output is no reason to end.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Where everything is.
pub(crate) struct Places<'a> {
    pub(crate) service: SocketAddr,
    pub(crate) control: SocketAddr,
    pub(crate) runpod: &'a str,
    pub(crate) r2: &'a str,
    pub(crate) env_file: &'a Path,
    /// Whether days of jobs can be played.
    pub(crate) plays: bool,
}

/// What to try, and every fault.
pub(crate) fn introduction(places: &Places<'_>) -> String {
    let Places {
        service,
        control,
        runpod,
        r2,
        env_file,
        plays,
    } = places;
    let url = format!("http://{service}");
    let control = format!("http://{control}");
    let key = format!("-H 'X-Api-Key: {API_KEY}'");
    let mut text = format!(
        "infra-health sandbox\n\
         \x20 service    {url}\n\
         \x20 upstreams  {runpod} (RunPod-shaped), {r2} (S3, verifies signatures)\n\
         \x20 switches   {control}\n\
         The real service; only the upstreams are stand-ins. Each is asked every 2 s, so a fault, and its end, shows within 7 s.\n\n\
         Try, in another terminal:\n"
    );
    let tries = [
        ("200, healthy", format!("curl -i {url}/health")),
        ("headers only", format!("curl -I {url}/health")),
        (
            "why; needs the key",
            format!("curl -s {key} '{url}/health?verbose'"),
        ),
        (
            "one check, 503 when false",
            format!("curl -i {url}/health/r2_configured"),
        ),
        (
            "ask every check now",
            format!("curl -s -X POST {key} {url}/health/refresh"),
        ),
        (
            "hold until healthy, else 503",
            format!("curl -i {key} '{url}/health?wait=healthy&timeout=10s'"),
        ),
        ("400", format!("curl -i '{url}/health?exclude=s3'")),
        ("401", format!("curl -i -H 'X-Api-Key: wrong' {url}/health")),
        (
            "401, the message says what to do",
            format!("curl -i '{url}/health?verbose'"),
        ),
        (
            "404, the message says what exists",
            format!("curl -i {url}/healthz"),
        ),
        ("405 with Allow", format!("curl -i -X DELETE {url}/health")),
        (
            "429 with Retry-After",
            format!("curl -s -o /dev/null '{url}/health?[1-40]'; curl -i {url}/health"),
        ),
        (
            "for orchestrators",
            format!("curl -i {url}/livez; curl -i {url}/readyz"),
        ),
        (
            "the same checks as a table",
            format!("ENV_FILE={} cargo run -- doctor", env_file.display()),
        ),
    ];
    for (what, command) in tries {
        let _ = writeln!(text, "  # {what}\n  {command}");
    }
    if cfg!(feature = "jobs") {
        let (what, command) = if *plays {
            (
                "another day of jobs, as j does",
                format!("curl -X POST {control}/day"),
            )
        } else {
            let command = "cargo run --example sandbox -- --day".to_owned();
            ("a sandbox that plays a day of jobs in a minute", command)
        };
        let tries = webhooks::tries(&url);
        let _ = write!(text, "\nJobs:\n{tries}  # {what}\n  {command}\n");
    }
    text.push_str(&switches(&control));
    text
}

/// Every fault, and how it is switched.
fn switches(control: &str) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "\nSwitch a fault on: type its letter and Enter, again to switch it off. Or:\n\
         \x20 curl -X POST {control}/faults/key-revoked\n\
         \x20 curl -X DELETE {control}/faults/key-revoked\n\
         An upstream has one fault at a time. h, or curl -X DELETE {control}/faults: everything healthy.\n"
    );
    let mut heading = "";
    for fault in faults::ALL {
        if upstream(fault) != heading {
            heading = upstream(fault);
            let _ = writeln!(text, "\n{heading} ({})", check(fault));
        }
        let Fault {
            letter,
            name,
            does,
            shows,
            ..
        } = fault;
        let _ = writeln!(text, "  {letter}  {name:<18} {does:<46} {shows}");
    }
    text.push_str(
        "\nOnce true again, a check warns of intermittent while 3 or more of its last 10 runs have failed.\n\
         The 60 s and 120 s are the service's own and not configurable; doctor judges them with --for 2m.\n\
         ? shows this again. q or Ctrl-C ends it; SIGTERM first drains for 7 s: watch /readyz.\n\n",
    );
    text
}

/// One line a fault.
pub(crate) fn states(upstreams: &Upstreams) -> String {
    let lines = faults::ALL.iter();
    lines
        .map(|fault| state(fault, upstreams.has(fault)))
        .collect()
}

/// `on` or `off`, and the name.
pub(crate) fn state(fault: &Fault, on: bool) -> String {
    format!("{:<4}{}\n", if on { "on" } else { "off" }, fault.name)
}

pub(crate) fn switched_on(fault: &Fault) -> String {
    format!(
        "sandbox: {} is on ({}: {}); {}: {}\n",
        fault.name,
        upstream(fault),
        fault.does,
        check(fault),
        fault.shows
    )
}

pub(crate) fn switched_off(fault: &Fault) -> String {
    format!("sandbox: {} is off\n", fault.name)
}

pub(crate) fn all_healthy() -> String {
    "sandbox: every fault is off\n".to_owned()
}

pub(crate) fn day(playing: bool) -> &'static str {
    if playing {
        "a day is being played\n"
    } else {
        "no day is being played\n"
    }
}

fn upstream(fault: &Fault) -> &'static str {
    match fault.kind {
        Kind::RunPod(_) => "RunPod",
        Kind::R2(_) => "R2",
    }
}

fn check(fault: &Fault) -> &'static str {
    match fault.kind {
        Kind::RunPod(_) => "runpod_configured",
        Kind::R2(_) => "r2_configured",
    }
}

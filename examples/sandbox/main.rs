//! The real service on loopback, against a RunPod-shaped API and a real S3 server that verifies
//! signatures. Prints what to try; faults are switched on and off by letter or by URL.
#![expect(
    unreachable_pub,
    reason = "the S3 server is shared with the tests, where it is public"
)]

mod control;
mod faults;
mod keyboard;
mod listener;
mod printout;
mod r2;
mod runpod;
#[path = "../../tests/it/support/s3.rs"]
mod s3;
mod upstreams;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use infra_health::app::{App, StartError};
use infra_health::checks;
use infra_health::cli::exit;
use infra_health::clock::Clock;
use infra_health::config::{self, Loaded, Problems};
use infra_health::serve::{follow, signals};
use infra_health::telemetry;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::printout::Places;
use crate::upstreams::Upstreams;

/// A made-up operator key, the same every time so that commands can be copied.
const API_KEY: &str = "sandbox-operator-key";
/// Unless `PORT` says otherwise; a free one if it is taken.
const PORT: u16 = 8080;
/// Of the switches; a free one if it is taken.
const CONTROL_PORT: u16 = 8081;

const HELP: &str = "\
Environment:
  PORT  port of the service, 0 for a free one; without it 8080, or a free one if that is taken

No other variable is looked at, and nothing leaves this machine. Faults are switched on and off by
letters on standard input or by the URLs that it prints; without a terminal by the URLs alone.
To run it in the background, give it </dev/null.";

/// The real service on loopback against stand-ins of RunPod and R2, with faults to switch on and off.
#[derive(Parser)]
#[command(name = "sandbox", after_help = HELP)]
struct Arguments {}

fn main() -> ExitCode {
    // A wrong argument ends here, with the usage and exit code 2.
    let Arguments {} = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::Io(error)),
    };
    let ended = runtime.block_on(run());
    // Open connections of the stand-ins must not delay the exit.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Configuration(#[from] Problems),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{0}")]
    Ended(#[from] infra_health::app::EndedEarly),
    #[error("cannot set up the stand-ins: {0}")]
    Io(#[from] io::Error),
}

fn fail(failure: &Failure) -> ExitCode {
    // A closed standard error changes nothing about the exit code.
    let _ = writeln!(io::stderr(), "{failure}");
    ExitCode::from(match failure {
        Failure::Configuration(_) => exit::BAD_CONFIGURATION,
        _ => exit::FAILURE,
    })
}

async fn run() -> Result<(), Failure> {
    let upstreams = Arc::new(Upstreams::start().await?);
    let variables = Variables::new(&upstreams);
    let port = std::env::var("PORT").ok().filter(|port| !port.is_empty());
    let loaded = variables.load(port.as_deref().unwrap_or(&PORT.to_string()))?;
    let delay = loaded.config.server.shutdown_delay;
    let telemetry = telemetry::init(loaded.config.log);
    let signals = signals()?;

    let app = match App::start(loaded, Clock::default(), telemetry.lost_lines()) {
        Err(StartError::Bind { .. }) if port.is_none() => {
            printout::say(&format!("sandbox: port {PORT} is taken, so a free one\n"));
            App::start(
                variables.load("0")?,
                Clock::default(),
                telemetry.lost_lines(),
            )?
        }
        started => started?,
    };
    let control = control_listener(port.is_none()).await?;
    let files = TempDir::new()?;
    let introduction = printout::introduction(&Places {
        service: app.address()?,
        control: control.local_addr()?,
        runpod: &upstreams.runpod.url(),
        r2: &upstreams.r2.url(),
        env_file: &variables.write(&files)?,
    });
    printout::say(&introduction);

    let shutdown = app.shutdown();
    tokio::spawn(control::run(
        control,
        Arc::clone(&upstreams),
        introduction.clone(),
    ));
    tokio::spawn(keyboard::obey(
        keyboard::lines()?,
        upstreams,
        shutdown.clone(),
        introduction,
    ));
    let front = app.front();
    let result = tokio::select! {
        ended = app.run() => ended.map_err(Into::into),
        _second_signal = follow(&shutdown, delay, signals) => Ok(()),
    };
    front.flush_refusals();
    result
}

/// The usual port when the service has its usual one, too; two sandboxes then do not mix.
async fn control_listener(usual: bool) -> io::Result<TcpListener> {
    if usual && let Ok(listener) = listener::bind(CONTROL_PORT).await {
        return Ok(listener);
    }
    listener::bind(0).await
}

/// The service's configuration, all but the port.
struct Variables(Vec<(&'static str, String)>);

impl Variables {
    fn new(upstreams: &Upstreams) -> Self {
        let (busy, quiet) = (runpod::BUSY, runpod::QUIET);
        Variables(vec![
            ("RUNPOD_ENDPOINT_BASE_URL", upstreams.runpod.url()),
            ("RUNPOD_API_KEY", runpod::API_KEY.to_owned()),
            (
                "RUNPOD_ENDPOINT_ID",
                format!("remove-bg={busy},upscale={quiet}"),
            ),
            ("RUNPOD_BACKLOG_LIMIT", runpod::BACKLOG_LIMIT.to_string()),
            ("R2_ENDPOINT_URL", upstreams.r2.url()),
            ("R2_ACCESS_KEY_ID", r2::ACCESS_KEY_ID.to_owned()),
            ("R2_SECRET_ACCESS_KEY", r2::SECRET_ACCESS_KEY.to_owned()),
            ("R2_BUCKET", r2::BUCKET.to_owned()),
            ("API_KEYS", API_KEY.to_owned()),
            // So that each answer is seen in seconds…
            ("CHECK_INTERVAL", "2s".to_owned()),
            ("CHECK_TIMEOUT", "1s".to_owned()),
            ("CHECK_RETRY_INTERVAL", "500ms".to_owned()),
            // …and a 429 by hand.
            ("RATE_LIMIT_PER_SECOND", "10".to_owned()),
            ("RATE_LIMIT_BURST", "20".to_owned()),
            ("LOG_FORMAT", "text".to_owned()),
        ])
    }

    fn load(&self, port: &str) -> Result<Loaded, Problems> {
        let pairs = self.0.iter().cloned().chain([("PORT", port.to_owned())]);
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        config::load(pairs, checks::NAMES)
    }

    /// Writes them where `ENV_FILE` can name them.
    fn write(&self, files: &TempDir) -> io::Result<PathBuf> {
        let mut text = String::new();
        for (name, value) in &self.0 {
            let _ = writeln!(text, "{name}={value}");
        }
        let path = files.path().join("sandbox.env");
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

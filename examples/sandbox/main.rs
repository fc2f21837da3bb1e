//! The real service on loopback, against a RunPod-shaped API and a real S3 server that verifies
//! signatures. Prints what to try; faults are switched on and off by letter or by URL. With `--day` it plays a
//! day of jobs in a minute, as signed webhooks.
#![expect(
    unreachable_pub,
    reason = "the S3 server is shared with the tests, where it is public"
)]

mod control;
mod day;
mod faults;
mod keyboard;
mod listener;
mod printout;
mod r2;
mod runpod;
#[path = "../../tests/it/support/s3.rs"]
mod s3;
mod upstreams;
mod variables;
mod webhooks;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use infra_health::app::{App, StartError};
use infra_health::cli::exit;
use infra_health::clock::Clock;
use infra_health::config::Problems;
use infra_health::serve::{follow, signals};
use infra_health::telemetry;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::day::pace::Pace;
use crate::day::{Player, Settings};
use crate::printout::Places;
use crate::upstreams::Upstreams;
use crate::variables::Variables;

/// A made-up operator key, the same every time so that commands can be copied.
const API_KEY: &str = "sandbox-operator-key";
/// Another one, with a rate limit of its own, for who watches the signals.
const WATCHER_KEY: &str = "sandbox-watcher-key";
/// Unless `PORT` says otherwise; a free one if it is taken.
const PORT: u16 = 8080;
/// Of the switches; a free one if it is taken.
const CONTROL_PORT: u16 = 8081;

const HELP: &str = "\
Environment:
  PORT       port of the service, 0 for a free one; without it 8080, or a free one if that is taken
  LOG_LEVEL  of the service: error, warn, info, debug or trace; without it info, with --day error

No other variable is looked at, and nothing leaves this machine. Faults are switched on and off by
letters on standard input or by the URLs that it prints; without a terminal by the URLs alone.
To run it in the background, give it </dev/null.";

/// The real service on loopback against stand-ins of RunPod and R2, with faults to switch on and off.
#[derive(Parser)]
#[command(name = "sandbox", after_help = HELP)]
struct Arguments {
    /// Play a day of jobs as signed webhooks, and judge the signals as fast: a window of 15 m is 625 ms
    #[arg(long)]
    day: bool,
    /// Let the day take so many minutes
    #[arg(long, requires = "day", value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=60))]
    minutes: u32,
    /// Begin the day at this time, HH:MM
    #[arg(long, requires = "day", value_name = "TIME", default_value = "00:00", value_parser = day::since_midnight)]
    from: Duration,
}

fn main() -> ExitCode {
    // A wrong argument ends here, with the usage and exit code 2.
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::Io(error)),
    };
    let ended = runtime.block_on(run(&arguments));
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
    #[error("cannot make an HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

fn fail(failure: &Failure) -> ExitCode {
    // A closed standard error changes nothing about the exit code.
    let _ = writeln!(io::stderr(), "{failure}");
    ExitCode::from(match failure {
        Failure::Configuration(_) => exit::BAD_CONFIGURATION,
        _ => exit::FAILURE,
    })
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let upstreams = Arc::new(Upstreams::start().await?);
    let files = TempDir::new()?;
    let pace = arguments.day.then(|| Pace::day_in(arguments.minutes));
    let variables = Variables::new(&upstreams, &files, pace, variable("LOG_LEVEL"));
    let port = variable("PORT");
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
    let player = Player::new(
        pace.map(|pace| Settings {
            pace,
            from: arguments.from,
            secret: webhooks::SECRET,
            key: WATCHER_KEY,
        }),
        format!("http://{}", app.address()?),
    )?;
    let introduction = printout::introduction(&Places {
        service: app.address()?,
        control: control.local_addr()?,
        runpod: &upstreams.runpod.url(),
        r2: &upstreams.r2.url(),
        env_file: &variables.write(&files)?,
        plays: arguments.day,
    });
    printout::say(&introduction);

    let shutdown = app.shutdown();
    tokio::spawn(control::run(
        control,
        Arc::clone(&upstreams),
        player.clone(),
        introduction.clone(),
    ));
    tokio::spawn(keyboard::obey(
        keyboard::lines()?,
        upstreams,
        player.clone(),
        shutdown.clone(),
        introduction,
    ));
    if arguments.day {
        printout::say(&player.start().unwrap_or_else(|why| why));
    }
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

/// Of the environment; an empty one is none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

//! `infra-health serve`: the service, from the first log line to the exit code.

use std::io;
use std::process::ExitCode;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::serve::{follow, signals};
use crate::telemetry::{self, LostLines};

use super::exit;

/// Runs the service until a signal ends it.
pub fn run(loaded: Loaded) -> ExitCode {
    let telemetry = telemetry::init(loaded.config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the HTTP runtime cannot be built");
            return ExitCode::from(exit::FAILURE);
        }
    };
    let code = match runtime.block_on(serve(loaded, telemetry.lost_lines())) {
        Ok(()) => exit::OK,
        Err(error) => {
            tracing::error!(error, "cannot go on");
            exit::FAILURE
        }
    };
    // Whatever still runs must not delay the exit.
    runtime.shutdown_background();
    drop(telemetry);
    ExitCode::from(code)
}

/// The error is one clear line.
async fn serve(loaded: Loaded, lost: LostLines) -> Result<(), String> {
    for problem in &loaded.check_problems {
        tracing::error!(%problem, "malformed configuration of a check; it stays false");
    }
    for warning in &loaded.config.warnings {
        tracing::warn!(%warning, "configuration");
    }
    let delay = loaded.config.server.shutdown_delay;
    let signals =
        signals().map_err(|error: io::Error| format!("signals cannot be handled: {error}"))?;
    let app = App::start(loaded, Clock::default(), lost).map_err(|error| error.to_string())?;
    tell_addresses(&app);
    let shutdown = app.shutdown();
    let front = app.front();
    let result = tokio::select! {
        ended = app.run() => ended.map_err(|error| error.to_string()),
        _second_signal = follow(&shutdown, delay, signals) => Ok(()),
    };
    // However it ended.
    front.flush_refusals();
    result
}

fn tell_addresses(app: &App) {
    let version = env!("CARGO_PKG_VERSION");
    if let Ok(address) = app.address() {
        tracing::info!(%address, version, "listening; try GET /health");
    }
    if let Ok(Some(address)) = app.probe_address() {
        tracing::info!(%address, "listening for probes only");
    }
    if let Ok(Some(address)) = app.metrics_address() {
        tracing::info!(%address, "listening for scrapes of /metrics only");
    }
}

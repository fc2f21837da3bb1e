//! Command line: one file a command.

pub mod config;
mod cost;
pub mod doctor;
pub mod probe;
pub mod serve;
mod signals;

use std::time::Duration;

use clap::{Parser, Subcommand};

/// Exit codes.
pub mod exit {
    /// Done; for `doctor`: nothing failed.
    pub const OK: u8 = 0;
    /// `serve`: cannot bind, or an internal task ended early; `doctor`: degraded; `probe`: no 2xx.
    pub const FAILURE: u8 = 1;
    /// Bad configuration or bad arguments.
    pub const BAD_CONFIGURATION: u8 = 2;
}

const EXIT_CODES: &str = "\
Exit codes:
  serve   0 stopped by a signal; 1 cannot bind, or an internal task ended early; 2 bad configuration
  doctor  0 nothing failed; 1 degraded; 2 bad configuration
  probe   0 the answer was 2xx; 1 it was not, or there was none
  config  0 valid; 2 bad configuration
  openapi 0
  any     2 wrong arguments

Configuration is read from environment variables; `infra-health config` lists them all.";

/// Tells whether a video background-removal API can do its job.
#[derive(Debug, Parser)]
#[command(name = "infra-health", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do; `serve` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service (the default).
    Serve,
    /// Run every check once and explain what is wrong and what to do.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Go on for this long (such as 2m, at most 1d), so that conditions over time can be judged.
        #[arg(long = "for", value_name = "DURATION", value_parser = lasting)]
        lasting: Option<Duration>,
    },
    /// Ask a running instance, by default /livez of this configuration; for a container's HEALTHCHECK.
    Probe {
        /// An http:// URL.
        url: Option<String>,
    },
    /// Print the effective configuration, secrets masked, with what it costs and how fast it notices.
    Config,
    /// Print the OpenAPI document, as /openapi.json gives it; needs no configuration.
    #[command(name = "openapi")]
    OpenApi,
}

/// The longest `doctor --for`: every condition over time is judged within minutes.
const LONGEST: Duration = Duration::from_hours(24);

fn lasting(text: &str) -> Result<Duration, String> {
    let parsed = humantime::parse_duration(text).ok();
    let fits = parsed.filter(|duration| *duration <= LONGEST);
    fits.ok_or_else(|| "accepted: a number with a unit, such as 90s or 2m, at most 1d".to_owned())
}

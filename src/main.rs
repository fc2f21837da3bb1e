//! Entry point: arguments and exit codes.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use infra_health::checks;
use infra_health::cli::{Arguments, Command, config, doctor, exit, probe, serve};
use infra_health::config::{Environment, Loaded, Problems};
use infra_health::http::openapi::document;
use infra_health::panics;

fn main() -> ExitCode {
    // First of all, as a panic's payload may hold a secret; `serve` puts its log in place of this.
    panics::print_places();
    // A wrong argument ends here, with the reason, the usage and exit code 2.
    let arguments = Arguments::parse();
    let load = || Environment::of_process().load(checks::NAMES);
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => load().map_or_else(|problems| refuse(&problems), serve::run),
        Command::Doctor { json, lasting } => load().map_or_else(
            |problems| refuse(&problems),
            |loaded| {
                doctor::run(
                    &loaded,
                    doctor::Plan {
                        json,
                        lasting: lasting.unwrap_or_default(),
                    },
                )
            },
        ),
        Command::Probe { url } => probe::run(match url {
            Some(url) => probe::Target::parse(&url),
            None => load()
                .map(|loaded| probe::Target::livez(probe::default_target(&loaded.config.server)))
                .map_err(|problems| problems.to_string()),
        }),
        Command::Config => show_config(&load()),
        Command::OpenApi => show_openapi(),
    }
}

/// The service's own values are wrong: every problem in one message.
fn refuse(problems: &Problems) -> ExitCode {
    // A closed standard error changes nothing about the exit code.
    let _ = writeln!(io::stderr(), "{problems}");
    for warning in &problems.warnings {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    ExitCode::from(exit::BAD_CONFIGURATION)
}

fn show_config(loaded: &Result<Loaded, Problems>) -> ExitCode {
    let (report, valid) = match loaded {
        Ok(loaded) => (config::render(loaded), loaded.check_problems.is_empty()),
        Err(problems) => (config::render_problems(problems), false),
    };
    let _ = io::stdout().write_all(report.as_bytes());
    ExitCode::from(if valid {
        exit::OK
    } else {
        exit::BAD_CONFIGURATION
    })
}

fn show_openapi() -> ExitCode {
    let text = document(&checks::unconfigured());
    // As with `config`: whoever closes the pipe has read enough.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::from(exit::OK)
}

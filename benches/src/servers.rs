//! The servers that are compared: how each is built and started.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::client::Answer;
use crate::cores::SERVER_CORE;
use crate::process::{Process, free_address};
use crate::upstreams::Upstreams;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds a binary as it is shipped, without anything that tests need, and tells where it is.
pub fn build(manifest: &str, name: &str) -> io::Result<PathBuf> {
    let manifest = root().join(manifest);
    let target = manifest.with_file_name("target");
    cargo(&manifest, &target, name, &[])
}

/// `cargo build --release` of one package into `target`, with further environment variables.
pub fn cargo(
    manifest: &Path,
    target: &Path,
    name: &str,
    environment: &[(&str, &str)],
) -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", name])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        .envs(environment.iter().copied())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{name} cannot be built")));
    }
    Ok(target.join("release").join(name))
}

/// The service.
pub fn build_service() -> io::Result<PathBuf> {
    build("Cargo.toml", "infra-health")
}

/// The yardstick.
pub fn build_bare() -> io::Result<PathBuf> {
    build("benches/Cargo.toml", "bare-hyper")
}

/// Starts the service on `cores` with these upstreams and further variables. It takes as many workers as cores.
pub fn service(
    binary: &Path,
    upstreams: &Upstreams,
    cores: &[usize],
    variables: &[(&str, &str)],
) -> io::Result<Process> {
    let address = free_address()?;
    let mut command = Command::new(binary);
    upstreams.configure(&mut command, address);
    command.envs(variables.iter().copied());
    Process::start(command, address, cores)
}

/// The first answer of `/health` that says healthy.
pub fn wait_until_healthy(service: &Process) -> io::Result<Answer> {
    service.wait_until("/health", |answer| {
        answer.body.starts_with(br#"{"status":"healthy""#)
    })
}

/// Starts bare hyper with `body` for everything.
pub fn bare(binary: &Path, body: &str) -> io::Result<Process> {
    let address = free_address()?;
    let mut command = Command::new(binary);
    command.env_clear().arg(address.to_string()).arg(body);
    Process::start(command, address, &[SERVER_CORE])
}

/// Whether there is an nginx, and which.
pub fn nginx_version() -> Option<String> {
    let output = Command::new("nginx").arg("-v").output().ok()?;
    let text = String::from_utf8(output.stderr).ok()?;
    Some(text.trim().trim_start_matches("nginx version: ").to_owned())
}

/// Starts nginx with `return 200` of `body`: one worker, no access log, connections kept for as many requests as come.
pub fn nginx(body: &str) -> io::Result<Process> {
    let directory = tempfile::Builder::new().prefix("bench-nginx").tempdir()?;
    let address = free_address()?;
    let configuration = directory.path().join("nginx.conf");
    fs::write(
        &configuration,
        nginx_configuration(&address.to_string(), body),
    )?;
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(directory.path())
        .arg("-c")
        .arg(&configuration)
        .args(["-e", "error.log"])
        .stderr(Stdio::null());
    let process = Process::start(command, address, &[SERVER_CORE]).map_err(|error| {
        let log = fs::read_to_string(directory.path().join("error.log")).unwrap_or_default();
        io::Error::new(error.kind(), format!("nginx: {error}\n{log}"))
    })?;
    Ok(process.with(directory))
}

/// The same header fields as the service's; `Server` and `Connection` nginx always adds.
fn nginx_configuration(address: &str, body: &str) -> String {
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path {name};\n"))
        .concat();
    format!(
        r"daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 8192; }}
http {{
{paths}  access_log off;
  server_tokens off;
  default_type application/json;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  server {{
    listen {address};
    location / {{
      add_header cache-control no-store;
      add_header x-content-type-options nosniff;
      add_header vary accept;
      add_header x-request-id req_01KAS3V8Q4XJ6Z0T5N7M9B2C1D;
      return 200 '{body}';
    }}
  }}
}}
"
    )
}

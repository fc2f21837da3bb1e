//! What `GET /health` costs beside bare hyper: CPU time per request, the same bytes on the wire.
//!
//! ```sh
//! cargo run --release --manifest-path benches/Cargo.toml --bin side_by_side
//! ```
//!
//! Linux with `taskset`, two cores. Builds both binaries, pins both servers to core 0 and itself to core 1, and loads
//! them in turns, so that whatever else the machine does meets all alike. CPU time is the scheduler's count of
//! all threads of a process: the service's monitor and log writer are in it. About 2 minutes, once built.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use infra_health_benches::client::{Answer, Connection, get};
use infra_health_benches::numbers::Sample;
use infra_health_benches::process::{
    CLIENT_CORE, Process, SERVER_CORE, build, build_service, free_address, load_average, pinned,
    run_here_on,
};
use infra_health_benches::upstreams::{KEY, Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

const ROUNDS: usize = 31;
const ROUND: Duration = Duration::from_secs(1);
/// Requests under way at a time, one a connection.
const CONNECTIONS: usize = 16;
const STARTS: usize = 21;

/// One way of asking one of the servers.
struct Subject<'a> {
    name: &'static str,
    process: &'a Process,
    request: Vec<u8>,
    connections: Vec<Connection>,
    size: usize,
    micros_per_request: Vec<f64>,
    per_second: Vec<f64>,
}

impl<'a> Subject<'a> {
    fn new(name: &'static str, process: &'a Process, key: Option<&str>) -> io::Result<Self> {
        let request = get("/health", key);
        let open = |_| Connection::open(process.address());
        let mut connections = (0..CONNECTIONS).map(open).collect::<io::Result<Vec<_>>>()?;
        let first = connections[0].ask(&request)?;
        first.must_be_good()?;
        Ok(Subject {
            name,
            process,
            request,
            connections,
            size: first.size(),
            micros_per_request: Vec::new(),
            per_second: Vec::new(),
        })
    }

    /// One round of load.
    fn load(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; self.size];
        let (begin, before) = (Instant::now(), self.process.cpu()?);
        let mut requests = 0_u32;
        while begin.elapsed() < ROUND {
            for connection in &mut self.connections {
                connection.send(&self.request)?;
            }
            for connection in &mut self.connections {
                connection.same_answer(&mut buffer)?;
                requests += 1;
            }
        }
        let (took, used) = (begin.elapsed(), self.process.cpu()?.saturating_sub(before));
        let requests = f64::from(requests);
        self.micros_per_request
            .push(used.as_secs_f64() * 1e6 / requests);
        self.per_second.push(requests / took.as_secs_f64());
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let service_path = build_service()?;
    let bare_path = build("benches/Cargo.toml", "bare-hyper")?;
    run_here_on(CLIENT_CORE)?;

    let runtime = Runtime::new()?;
    let upstreams = Upstreams::start(&runtime, fit_endpoint(), listing())?;
    print_footprint(&service_path, &upstreams)?;

    let address = free_address()?;
    let mut command = pinned(SERVER_CORE, &service_path);
    upstreams.configure(&mut command, address);
    let service = Process::start(command, address)?;
    let ours = wait_until_healthy(&service)?;

    let address = free_address()?;
    let mut command = pinned(SERVER_CORE, &bare_path);
    command.arg(address.to_string());
    let bare = Process::start(command, address)?;
    same_bytes(&bare.wait_until("/health", |_| true)?, &ours)?;

    let mut subjects = [
        Subject::new("bare hyper", &bare, None)?,
        Subject::new("service", &service, None)?,
        Subject::new("service, with a key", &service, Some(KEY))?,
    ];
    println!(
        "\nGET /health, {} bytes, {CONNECTIONS} connections, {ROUNDS} rounds of {} s each; median (quartiles); load average {}",
        ours.size(),
        ROUND.as_secs(),
        load_average()
    );
    for round in 0..=ROUNDS {
        // Nobody is always the first after somebody else.
        for turn in 0..subjects.len() {
            subjects[(round + turn) % 3].load()?;
        }
        if round == 0 {
            for subject in &mut subjects {
                subject.micros_per_request.clear();
                subject.per_second.clear();
            }
        }
    }
    print_table(&subjects);
    println!("load average {} at the end", load_average());
    Ok(())
}

fn wait_until_healthy(service: &Process) -> io::Result<Answer> {
    service.wait_until("/health", |answer| {
        answer.body.starts_with(br#"{"status":"healthy""#)
    })
}

/// What is compared must be the same work.
fn same_bytes(bare: &Answer, ours: &Answer) -> io::Result<()> {
    if (bare.size(), bare.body.len(), bare.fields())
        == (ours.size(), ours.body.len(), ours.fields())
    {
        return Ok(());
    }
    let both = format!("{}\n{}", bare.head, ours.head);
    Err(io::Error::other(format!(
        "bare hyper and the service differ in bytes or fields:\n{both}"
    )))
}

/// Start-up, memory and size of the service.
fn print_footprint(binary: &Path, upstreams: &Upstreams) -> io::Result<()> {
    let mut millis = Vec::new();
    for start in 0..=STARTS {
        let address = free_address()?;
        let mut command = pinned(SERVER_CORE, binary);
        upstreams.configure(&mut command, address);
        let service = Process::start(command, address)?;
        if start > 0 {
            millis.push(service.started_in.as_secs_f64() * 1e3);
            continue;
        }
        wait_until_healthy(&service)?;
        println!(
            "idle and healthy: resident {}, {} threads",
            service.status("VmRSS")?,
            service.status("Threads")?
        );
    }
    println!(
        "exec to the first answer of /livez, {STARTS} starts: {} ms",
        Sample::new(millis).spread(1)
    );
    println!("binary: {} bytes", fs::metadata(binary)?.len());
    Ok(())
}

fn print_table(subjects: &[Subject<'_>]) {
    println!(
        "{:<20} {:>28} {:>28} {:>22}",
        "", "CPU per request, µs", "requests a second", "ratio to bare hyper"
    );
    let bare = &subjects[0].micros_per_request;
    for subject in subjects {
        // Round by round: neighbours in time have met the same machine.
        let ratios = subject.micros_per_request.iter().zip(bare);
        let ratios = ratios.map(|(ours, theirs)| ours / theirs).collect();
        println!(
            "{:<20} {:>28} {:>28} {:>22}",
            subject.name,
            Sample::new(subject.micros_per_request.clone()).spread(2),
            Sample::new(subject.per_second.clone()).spread(0),
            Sample::new(ratios).spread(2),
        );
    }
}

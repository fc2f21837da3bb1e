//! Logs: one line an event on standard output, which no answer ever waits for.
//!
//! A thread writes; a full pipe fills a bounded queue and then costs lines, never time. Events of other
//! crates are held at WARN whatever the level: below that, HTTP clients print headers and URLs and
//! signers print what they sign.

use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::clock::{Clock, rfc3339};
use crate::config::{Log, LogFormat};
use crate::panics;

/// Lines that wait for a slow reader: a few megabytes at most.
const QUEUED_LINES: usize = 8192;
/// For the lines that wait when the process exits.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Keeps the log alive. Dropping it says how many lines were lost and writes what waits, for 1 s at
/// most: a blocked standard output delays an exit by no more.
#[must_use = "dropping it ends the log"]
pub struct Telemetry {
    guard: Option<WorkerGuard>,
    lost: LostLines,
}

/// Log lines dropped so far because the reader was too slow. The default knows of no log: none.
#[derive(Debug, Clone, Default)]
pub struct LostLines(Option<ErrorCounter>);

impl LostLines {
    /// The count.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(0, ErrorCounter::dropped_lines)
    }
}

/// Starts logging to standard output, and logs panics without their payload. Call once.
pub fn init(log: Log) -> Telemetry {
    let terminal = io::stdout().is_terminal();
    let (subscriber, telemetry) = build(log, terminal, io::stdout());
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
    telemetry
}

impl Telemetry {
    /// The counter of dropped lines.
    pub fn lost_lines(&self) -> LostLines {
        self.lost.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let lost = self.lost.count();
        if lost > 0 {
            tracing::warn!(lost, "log lines were dropped, standard output was too slow");
        }
        let guard = self.guard.take();
        // The guard itself waits a little over a second for a blocked writer, and prints to the very
        // same output, for ever, when the queue is full. So it is dropped where nobody waits.
        let (done, finished) = mpsc::channel();
        let flush = thread::Builder::new()
            .name("log-flush".to_owned())
            .spawn(move || {
                drop(guard);
                let _ = done.send(());
            });
        if flush.is_ok() {
            let _ = finished.recv_timeout(FLUSH_LIMIT);
        }
    }
}

fn build(
    log: Log,
    terminal: bool,
    output: impl Write + Send + 'static,
) -> (impl Subscriber + Send + Sync, Telemetry) {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUED_LINES)
        .thread_name("log")
        .finish(output);
    let telemetry = Telemetry {
        lost: LostLines(Some(writer.error_counter())),
        guard: Some(guard),
    };
    let layer = fmt::layer().with_writer(writer).with_timer(Millis);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let layer = if json {
        layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed()
    } else if terminal {
        // Colours, unless NO_COLOR says otherwise.
        layer.boxed()
    } else {
        layer.with_ansi(false).boxed()
    };
    (
        registry().with(layer.with_filter(targets(log.level))),
        telemetry,
    )
}

/// Our own events at `level`, everybody else's at WARN at most; the database driver's never, as they hold its texts.
fn targets(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level)
        .with_target("sqlx", LevelFilter::OFF)
}

/// RFC 3339 with milliseconds, as everywhere in the answers.
struct Millis;

impl FormatTime for Millis {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        writer.write_str(&rfc3339(Clock::default().now().wall))
    }
}

/// Where a panic happened, unless whoever catches it tells that: a request's own line, which has its id.
fn log_panic(info: &PanicHookInfo<'_>) {
    if panics::leave(info) {
        return;
    }
    let thread = thread::current();
    tracing::error!(
        location = panics::place(info),
        thread = thread.name().unwrap_or("unnamed"),
        task = tokio::task::try_id().map(tracing::field::display),
        "panicked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Instant;

    const JSON: Log = Log {
        level: LevelFilter::DEBUG,
        format: LogFormat::Json,
    };

    /// What was written, and whether writing blocks.
    type Held = Mutex<(Vec<u8>, bool)>;

    /// An output that tests can read and hold up.
    #[derive(Clone, Default)]
    struct Output(Arc<(Held, Condvar)>);

    impl Output {
        fn blocked() -> Self {
            let output = Output::default();
            output.0.0.lock().unwrap().1 = true;
            output
        }

        fn unblock(&self) {
            self.0.0.lock().unwrap().1 = false;
            self.0.1.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.0.lock().unwrap().0.clone()).unwrap()
        }
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let held = self.0.0.lock().unwrap();
            let mut held = self.0.1.wait_while(held, |(_, blocked)| *blocked).unwrap();
            held.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: Log, terminal: bool, events: impl FnOnce()) -> String {
        let output = Output::default();
        let (subscriber, telemetry) = build(log, terminal, output.clone());
        tracing::subscriber::with_default(subscriber, events);
        drop(telemetry);
        output.text()
    }

    #[test]
    fn json_is_flat() {
        let text = logged(JSON, true, || {
            tracing::debug!(check = "api", latency_ms = 3, "ran");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "DEBUG");
        assert_eq!(line["message"], "ran");
        assert_eq!(line["check"], "api");
        assert_eq!(line["latency_ms"], 3);
        assert_eq!(line["target"], "infra_health::telemetry::tests");
        assert_eq!(
            line["timestamp"].as_str().map(str::len),
            Some("2026-11-23T18:06:59.123Z".len())
        );
    }

    #[test]
    fn auto_is_text_on_a_terminal_only() {
        let auto = Log {
            format: LogFormat::Auto,
            ..JSON
        };
        let event = || tracing::info!("hello");
        assert!(logged(auto, false, event).starts_with('{'));
        assert!(!logged(auto, true, event).starts_with('{'));
        let piped = logged(
            Log {
                format: LogFormat::Text,
                ..JSON
            },
            false,
            event,
        );
        assert!(
            !piped.starts_with('{') && !piped.contains('\u{1b}'),
            "{piped}"
        );
    }

    #[test]
    fn other_crates_stay_at_warn() {
        let text = logged(
            Log {
                level: LevelFilter::TRACE,
                ..JSON
            },
            false,
            || {
                tracing::trace!("ours");
                tracing::info!(target: "hyper::proto", "a header");
                tracing::debug!(target: "aws_sigv4", "a canonical request");
                tracing::warn!(target: "rustls", "a warning");
            },
        );
        assert!(
            text.contains("ours") && text.contains("a warning"),
            "{text}"
        );
        assert!(
            !text.contains("a header") && !text.contains("canonical"),
            "{text}"
        );
        let quiet = logged(
            Log {
                level: LevelFilter::ERROR,
                ..JSON
            },
            false,
            || {
                tracing::warn!(target: "rustls", "a warning");
            },
        );
        assert_eq!(quiet, "");
    }

    #[test]
    fn a_blocked_output_costs_lines_and_no_time() {
        for (lines, lost) in [(10, 0..=0), (QUEUED_LINES + 100, 99..=100)] {
            let output = Output::blocked();
            let (subscriber, telemetry) = build(JSON, false, output.clone());
            tracing::subscriber::with_default(subscriber, || {
                for _ in 0..lines {
                    tracing::info!("line");
                }
            });
            // One line at most is already with the writer.
            assert!(lost.contains(&telemetry.lost_lines().count()), "{lines}");
            // Returns although nothing can be written.
            drop(telemetry);
            assert_eq!(output.text(), "");
        }
    }

    #[test]
    fn the_exit_writes_what_waits_and_tells_what_was_lost() {
        let output = Output::blocked();
        let (subscriber, telemetry) = build(JSON, false, output.clone());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..QUEUED_LINES + 100 {
                tracing::info!("line");
            }
            output.unblock();
            let deadline = Instant::now() + Duration::from_secs(10);
            while output.text().lines().count() < QUEUED_LINES {
                assert!(Instant::now() < deadline, "the writer goes on");
                thread::yield_now();
            }
            tracing::info!("last");
            drop(telemetry);
        });
        let text = output.text();
        assert!(text.contains("\"last\""), "{}", text.len());
        assert!(text.contains("log lines were dropped"), "{}", text.len());
    }

    #[test]
    fn a_panic_is_told_without_its_payload() {
        let text = logged(JSON, false, || {
            panics::hooked(log_panic, || {
                let _ = std::panic::catch_unwind(|| panic!("s3cr3t"));
                // Left to its catcher, who tells it.
                let place = panics::catch(|| panic!("s3cr3t")).unwrap_err();
                assert!(place.starts_with("src/telemetry.rs:"), "{place}");
            });
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("panicked") && text.contains("src/telemetry.rs"),
            "{text}"
        );
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

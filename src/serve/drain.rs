//! The two-phase shutdown: not ready but accepting, then closing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// How far the shutdown has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No shutdown.
    Serving,
    /// Not ready, still accepting, so that balancers can look away first.
    Draining,
    /// The listener closes, and every connection after its next answer.
    Closing,
}

/// The end that starts and advances a shutdown.
#[derive(Debug, Clone)]
pub struct Shutdown {
    told: watch::Sender<Stage>,
    stage: Arc<AtomicU8>,
}

/// The end that listeners and `/readyz` read.
#[derive(Debug, Clone)]
pub struct Drain {
    told: watch::Receiver<Stage>,
    stage: Arc<AtomicU8>,
}

impl Shutdown {
    /// Both ends, at [`Stage::Serving`].
    pub fn new() -> (Shutdown, Drain) {
        let stage = Arc::new(AtomicU8::new(Stage::Serving as u8));
        let (sender, receiver) = watch::channel(Stage::Serving);
        (
            Shutdown {
                told: sender,
                stage: Arc::clone(&stage),
            },
            Drain {
                told: receiver,
                stage,
            },
        )
    }

    /// Goes on to `stage`; never back.
    pub fn advance(&self, stage: Stage) {
        self.told.send_if_modified(|current| {
            let forward = stage > *current;
            if forward {
                *current = stage;
                self.stage.store(stage as u8, Relaxed);
            }
            forward
        });
    }
}

impl Drain {
    /// Whether a shutdown has begun: one relaxed load.
    pub fn is_draining(&self) -> bool {
        self.stage() != Stage::Serving
    }

    /// How far it has come: one relaxed load.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Closing,
        }
    }

    /// Waits until `stage` is reached; for ever if nobody is left to advance.
    pub async fn reached(&self, stage: Stage) {
        let mut told = self.told.clone();
        if told.wait_for(|current| *current >= stage).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What the operating system asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: an orchestrator's wish, with the delay.
    Terminate,
    /// SIGINT: a person waits at the keyboard, no delay.
    Interrupt,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
        }
    }
}

/// Shuts down as the first signal asks and returns at the second: then exit at once.
///
/// The first one starts the drain; the listeners close `delay` later (`SHUTDOWN_DELAY`), after an
/// interrupt at once. Without a second signal it never returns.
pub async fn follow(
    shutdown: &Shutdown,
    delay: Duration,
    mut signals: mpsc::Receiver<Signal>,
) -> Signal {
    let first = next(&mut signals).await;
    shutdown.advance(Stage::Draining);
    let delay = if first == Signal::Terminate {
        delay
    } else {
        Duration::ZERO
    };
    tracing::info!(
        signal = first.name(),
        delay_s = delay.as_secs_f64(),
        "draining"
    );
    let second = tokio::select! {
        second = next(&mut signals) => second,
        () = tokio::time::sleep(delay) => {
            shutdown.advance(Stage::Closing);
            tracing::info!("closing the listeners");
            next(&mut signals).await
        }
    };
    tracing::warn!(signal = second.name(), "second signal, exiting at once");
    second
}

async fn next(signals: &mut mpsc::Receiver<Signal>) -> Signal {
    match signals.recv().await {
        Some(signal) => signal,
        None => std::future::pending().await,
    }
}

/// SIGTERM and SIGINT as they arrive, from a task on the current runtime.
///
/// # Errors
/// When the handlers cannot be installed.
#[cfg(unix)]
pub fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = terminate.recv() => Signal::Terminate,
                Some(()) = interrupt.recv() => Signal::Interrupt,
                else => return,
            };
            if sender.send(signal).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Ctrl-C as it arrives, from a task on the current runtime.
///
/// # Errors
/// Never on this platform.
#[cfg(not(unix))]
pub fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && sender.send(Signal::Interrupt).await.is_ok()
        {
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const DELAY: Duration = Duration::from_secs(7);

    #[tokio::test(start_paused = true)]
    async fn terminate_drains_then_closes_after_the_delay() {
        let (shutdown, drain) = Shutdown::new();
        let (sender, receiver) = mpsc::channel(2);
        let started = Instant::now();
        let following = tokio::spawn(async move { follow(&shutdown, DELAY, receiver).await });
        assert!(!drain.is_draining());
        sender.send(Signal::Terminate).await.unwrap();
        drain.reached(Stage::Draining).await;
        assert!(drain.is_draining());
        assert_eq!(started.elapsed(), Duration::ZERO);
        drain.reached(Stage::Closing).await;
        assert_eq!(started.elapsed().as_secs(), 7);
        sender.send(Signal::Interrupt).await.unwrap();
        assert_eq!(following.await.unwrap(), Signal::Interrupt);
    }

    #[tokio::test(start_paused = true)]
    async fn interrupt_skips_the_delay() {
        let (shutdown, drain) = Shutdown::new();
        let (sender, receiver) = mpsc::channel(2);
        let started = Instant::now();
        let following = tokio::spawn(async move { follow(&shutdown, DELAY, receiver).await });
        sender.send(Signal::Interrupt).await.unwrap();
        drain.reached(Stage::Closing).await;
        assert!(started.elapsed() < Duration::from_secs(1));
        following.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_the_delay_too() {
        let (shutdown, drain) = Shutdown::new();
        let (sender, receiver) = mpsc::channel(2);
        sender.send(Signal::Terminate).await.unwrap();
        sender.send(Signal::Terminate).await.unwrap();
        assert_eq!(follow(&shutdown, DELAY, receiver).await, Signal::Terminate);
        assert_eq!(drain.stage(), Stage::Draining);
    }

    #[test]
    fn never_goes_back() {
        let (shutdown, drain) = Shutdown::new();
        shutdown.advance(Stage::Closing);
        shutdown.advance(Stage::Draining);
        assert_eq!(drain.stage(), Stage::Closing);
    }
}

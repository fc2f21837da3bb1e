//! Panics are told by their place. The payload may hold anything, a secret too, and goes nowhere.

use std::cell::Cell;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::pin;
use std::task::Poll;
use std::thread;

#[derive(Default)]
enum Catching {
    #[default]
    No,
    Yes,
    /// A panic is under way, from this place.
    From(String),
}

thread_local! {
    static CATCHING: Cell<Catching> = const { Cell::new(Catching::No) };
}

/// Runs `act`; should it panic, the place where it did: for the caller to tell, who knows what it was about.
///
/// # Errors
/// The place, as the hook has left it with [`leave`].
pub fn catch<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CATCHING.replace(Catching::Yes);
    let result = panic::catch_unwind(AssertUnwindSafe(act));
    let inner = CATCHING.replace(outer);
    result.map_err(|_payload| match inner {
        Catching::From(place) => place,
        Catching::No | Catching::Yes => "an unknown place".to_owned(),
    })
}

/// [`catch`] for a future. It is not polled again after a panic.
///
/// # Errors
/// The place, as in [`catch`].
pub async fn catch_async<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match catch(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(place) => Poll::Ready(Err(place)),
    })
    .await
}

/// For panic hooks: leaves the place to the [`catch`] that this thread is in; false if there is none, or if
/// a first panic is under way already: then the hook has to tell it.
pub fn leave(info: &PanicHookInfo<'_>) -> bool {
    let left = CATCHING.try_with(|catching| match catching.take() {
        Catching::Yes => {
            catching.set(Catching::From(place(info)));
            true
        }
        other => {
            catching.set(other);
            false
        }
    });
    left.unwrap_or(false)
}

/// File, line and column.
pub fn place(info: &PanicHookInfo<'_>) -> String {
    info.location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string)
}

/// Prints places to standard error from now on: for commands without a log, and until there is one.
pub fn print_places() {
    panic::set_hook(Box::new(|info| print(&mut io::stderr(), info)));
}

fn print(output: &mut impl Write, info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("unnamed");
    // A closed standard error changes nothing about the panic.
    let _ = writeln!(output, "panicked at {} on thread {name}", place(info));
}

/// Runs `act` with `hook` in place. The hook is the process's: tests take turns, and what panics in others
/// meanwhile is told in the same way.
#[cfg(test)]
pub(crate) fn hooked(
    hook: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static,
    act: impl FnOnce(),
) {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let turn = TURN.lock();
    let previous = panic::take_hook();
    panic::set_hook(Box::new(hook));
    act();
    panic::set_hook(previous);
    drop(turn);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_is_printed_without_its_payload() {
        let output = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&output);
        hooked(
            move |info| print(&mut *seen.lock().unwrap(), info),
            || {
                let _ = panic::catch_unwind(|| panic!("s3cr3t"));
            },
        );
        let text = String::from_utf8(output.lock().unwrap().clone()).unwrap();
        assert!(text.contains("panicked at src/panics.rs:"), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }

    #[tokio::test]
    async fn what_does_not_panic_passes() {
        assert_eq!(catch(|| 7), Ok(7));
        let later = async {
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(catch_async(later).await, Ok(7));
    }
}

//! The room for job events: what the video API and RunPod say of their jobs, kept and judged.
//!
//! ```text
//! webhook ─► signature ─► body ─► event::Delivery ─► writer ─► store (SQLite or Postgres)
//!                                                      │ lifecycle::Job::apply, pure
//!                    signals::evaluate, pure ◄─ window ┘
//!                       │ watch channel: Arc<Board>
//!                     /signals, metrics, status page, the check job_signals
//! ```
//!
//! It lives on a thread of its own with a runtime of its own, so that neither a slow disk nor a large body is
//! felt by `/health`; it restarts its own tasks and never ends the process. Without a webhook's secret there is
//! no thread and no store: signals then come from RunPod's counters ([`Feed`]).

mod body;
mod counts;
mod desk;
mod door;
mod evaluator;
pub mod event;
pub mod families;
mod feed;
mod intake;
mod journal;
mod keeper;
pub mod lifecycle;
mod names;
mod pruner;
pub mod room;
pub mod signals;
mod signature;
pub mod store;
mod text;
mod trouble;
mod writer;

pub use door::{Incoming, Memory, Receipt, Refusal};
pub use feed::Feed;
pub use room::{Room, Setup};

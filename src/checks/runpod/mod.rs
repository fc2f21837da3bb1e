//! `runpod_configured`: every configured endpoint answers its health URL and can do its job.

pub mod history;
pub mod payload;
pub mod reasons;
pub mod verdict;

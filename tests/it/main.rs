//! Behaviour of the service, one module a behaviour; one binary, linked once.

mod monitor;

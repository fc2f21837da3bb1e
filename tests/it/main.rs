//! Integration tests: one binary, one module a behaviour.

mod docs_variables;

//! Entry point: arguments and exit codes.

fn main() {}

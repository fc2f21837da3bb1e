//! The configuration as a whole, from pairs.

//! A file of any length, the same memory.

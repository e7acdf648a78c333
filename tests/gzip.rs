//! Promise: gzip files of every kind load bit-exact, whole and in slices, and nothing corrupt gets through.

mod codecs;
mod damage;
pub mod files;
mod index;
mod kinds;
mod large;
mod random;
mod saved;

//! Promise: what a user builds with voxload works: the program, run as it is.

mod results;
mod support;

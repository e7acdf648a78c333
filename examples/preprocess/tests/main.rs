//! Promise: what a user builds upon voxload works: the program, run as it is.

mod results;
mod support;

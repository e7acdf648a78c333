//! Promise: what a user builds upon voxload works: the viewer, run as the program it is, on a virtual display too.

#[cfg(target_os = "linux")]
mod display;
mod parts;
mod pictures;
mod support;
#[cfg(target_os = "linux")]
mod window;

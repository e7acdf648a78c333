//! `.bz2` and `.zst`, where the features are on.

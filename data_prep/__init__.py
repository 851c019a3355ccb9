"""Tools that turn raw downloads, or nothing at all, into the data layout the package reads."""

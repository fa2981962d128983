//! The `watchparty` binary: arguments, runtime, exit codes; nothing else.

fn main() {}

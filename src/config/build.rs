//! Which build this is: asked by `--version`, `/health` and the metric `build_info`.

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision, as `build.rs` found it: what whoever built it said in `WATCHPARTY_REVISION` (the image's build does), or the commit
/// of the checkout, with `-dirty` where what is compiled in differs from it.
pub const REVISION: &str = match option_env!("WATCHPARTY_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

//! Which build this is: asked by `--version`, `/health` and the metric `build_info`.

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source revision, where whoever built it said so in `WATCHPARTY_REVISION` (the image's build does).
pub const REVISION: &str = match option_env!("WATCHPARTY_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

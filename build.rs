//! Tells the build which revision it is of: `WATCHPARTY_REVISION` as whoever builds set it (the image's build does), or else what git says of
//! this checkout, with `-dirty` where something that is compiled in differs from it. Outside a checkout the build says `unknown`.
//!
//! It runs again when something that is compiled in changes, and then the crate is built anew in any case; what a development build says is
//! so true of its code, though commits of tests or words alone may have come since. A release build names the very commit it stands on, so
//! it also runs again when that moves. Included by its test (`tests/revision.rs`).

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set by whoever builds, read by `config/build`.
const REVISION: &str = "WATCHPARTY_REVISION";

/// What is compiled into the gateway, as git's pathspecs. `modules` lists the SDK's files for cargo, which knows no patterns.
const INPUTS: &[&str] = &["build.rs", "Cargo.toml", "Cargo.lock", "src", "web"];
const SDK: &str = ":(glob)sdk/*.js";

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-env-changed={REVISION}");
    INPUTS.iter().for_each(|input| watch(&root.join(input)));
    modules(&root).iter().for_each(|path| watch(path));
    if std::env::var_os("PROFILE").is_some_and(|profile| profile == "release") {
        heads(&root).iter().for_each(|path| watch(path));
    }
    let said =
        std::env::var_os(REVISION).filter(|said| !said.is_empty()).and_then(|said| said.into_string().ok());
    if let Some(revision) = said.or_else(|| revision(&root)) {
        println!("cargo::rustc-env={REVISION}={revision}");
    }
}

/// Cargo takes a file that is not there for one that has changed, for ever.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn modules(root: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(root.join("sdk")).into_iter().flatten().flatten().map(|file| file.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "js")).collect()
}

/// The commit that is checked out at `root`, and whether what is compiled in differs from it; `None` if `root` is not the top of a checkout
/// (a source archive may lie in another project's), or has no commit yet.
pub(crate) fn revision(root: &Path) -> Option<String> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let commit = git(root, &["rev-parse", "--verify", "HEAD"])?;
    let status = ["status", "--porcelain", "--untracked-files=all", "--", SDK];
    let changed = git(root, &[&status[..], INPUTS].concat())?;
    Some(if changed.is_empty() { commit } else { commit + "-dirty" })
}

/// The files that change when another commit is checked out: what is checked out, its branch, and the list of both's moves, which is there
/// when the branch has no file of its own.
pub(crate) fn heads(root: &Path) -> Vec<PathBuf> {
    let branch = git(root, &["rev-parse", "--symbolic-full-name", "HEAD"]);
    let names = [Some("HEAD".to_owned()), branch, Some("logs/HEAD".to_owned())];
    let path = |name: String| git(root, &["rev-parse", "--git-path", &name]).map(|path| root.join(path));
    names.into_iter().flatten().filter_map(path).filter(|path| path.exists()).collect()
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    // A build within a hook is told of the hook's repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        git.env_remove(name);
    }
    let output = git.env("GIT_OPTIONAL_LOCKS", "0").current_dir(root).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

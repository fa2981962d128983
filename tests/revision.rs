//! What a build says of its revision: a commit, a commit and more, or nothing, and never the commit of somebody else's checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../build.rs"]
#[expect(dead_code, reason = "its main is cargo's to run")]
mod build;

/// A directory of this test's own, gone at its end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("watchparty-revision-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("src")).expect("a place to write");
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).expect("a place to write");
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]);
        let output = git.args(arguments).current_dir(&self.0).output().expect("git is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Commits everything; the commit.
    fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_checkout_names_its_commit_and_says_whether_more_is_compiled_in() {
    let place = Place::new("checkout");
    place.git(&["init", "--quiet"]);
    assert_eq!(build::revision(&place.0), None, "no commit yet");
    place.write("src/lib.rs", "1");
    place.write("README.md", "1");
    let first = place.commit();
    assert_eq!((build::revision(&place.0), first.len()), (Some(first.clone()), 40));

    place.write("README.md", "2");
    assert_eq!(build::revision(&place.0), Some(first.clone()), "nobody compiles that");
    place.write("src/new.rs", "1");
    assert_eq!(build::revision(&place.0), Some(format!("{first}-dirty")), "git does not know it yet");
    let second = place.commit();
    assert_eq!(build::revision(&place.0), Some(second.clone()));
    place.write("src/lib.rs", "2");
    assert_eq!(build::revision(&place.0), Some(format!("{second}-dirty")));
}

#[test]
fn outside_a_checkout_and_inside_anothers_nothing_is_said() {
    let place = Place::new("outside");
    assert_eq!(build::revision(&place.0), None);
    place.git(&["init", "--quiet"]);
    place.write("src/lib.rs", "1");
    place.commit();
    assert_eq!(build::revision(&place.0.join("src")), None, "an archive that was unpacked in there");
    assert_eq!(build::revision(Path::new("/nowhere")), None);
}

#[test]
fn another_commit_shows_in_a_file_that_is_watched() {
    let place = Place::new("heads");
    place.git(&["init", "--quiet"]);
    place.write("src/lib.rs", "1");
    place.commit();
    let read = || {
        let files = build::heads(&place.0);
        assert!(files.len() >= 2, "{files:?}");
        files.into_iter().map(|file| fs::read(file).expect("it is there")).collect::<Vec<_>>()
    };
    let mut seen = vec![read()];
    place.write("src/lib.rs", "2");
    place.commit();
    seen.push(read());
    place.git(&["checkout", "--quiet", "--detach"]);
    seen.push(read());
    // The branch's own file goes into the common one.
    place.git(&["checkout", "--quiet", "-b", "other"]);
    place.git(&["pack-refs", "--all"]);
    seen.push(read());
    place.write("src/lib.rs", "3");
    place.commit();
    seen.push(read());
    assert!(seen.windows(2).all(|two| two[0] != two[1]), "{seen:?}");
}

#[test]
fn the_binary_says_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_watchparty")).arg("--version").output().expect("it runs");
    let revision = option_env!("WATCHPARTY_REVISION").unwrap_or("unknown");
    let expected = format!("watchparty {} ({revision})\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("WATCHPARTY_REVISION").is_none() && build::revision(root).is_some() {
        let commit = revision.strip_suffix("-dirty").unwrap_or(revision);
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{revision}");
    }
}

//! The program as a script sees it, where no load is needed: comparisons, mistakes and their exit codes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `run.json` as it lies in other people's directories.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/golden/run.json");

/// What it said on stdout and stderr, and how it ended.
fn run(words: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest")).args(words).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// A file that goes when its test does.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("loadtest-report-{name}-{}", std::process::id()));
        std::fs::write(&path, text).expect("written");
        Self(path)
    }

    fn path(&self) -> &str {
        path(&self.0)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What is left in a directory for temporary files harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn two_runs_are_compared() {
    let golden = std::fs::read_to_string(GOLDEN).expect("a golden run");
    let other = File::new("slower", &golden.replace("\"p99_us\": 3400", "\"p99_us\": 6800"));
    let (out, _, code) = run(&["compare", GOLDEN, other.path()]);
    assert_eq!(code, Some(0));
    let row = out.lines().find(|line| line.starts_with("deliver.p99 ")).expect("a row");
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>().join(" "),
        "deliver.p99 3.40 ms 6.80 ms 2.00 × worse"
    );
}

#[test]
fn a_run_of_another_schema_is_refused() {
    let golden = std::fs::read_to_string(GOLDEN).expect("a golden run");
    let other = File::new("schema", &golden.replace("\"schema\": 1,", "\"schema\": 2,"));
    let (out, err, code) = run(&["compare", GOLDEN, other.path()]);
    assert_eq!((out.as_str(), code), ("", Some(1)));
    assert!(err.contains("of schema 2 and this program compares schema 1"), "{err}");
    let (_, err, code) = run(&["compare", GOLDEN, "/nowhere/run.json"]);
    assert!(code == Some(1) && err.contains("reading /nowhere/run.json"), "{err}");
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let (_, err, code) = run(&["fanout", "--slo", "deliver.p99<50"]);
    assert!(code == Some(2) && err.contains("give it us, ms, s or m, as in 50ms"), "{err}");
    let (_, err, code) = run(&["--profile", "nobody's"]);
    assert!(code == Some(2) && err.contains("there is no profile `nobody's`; there are smoke"), "{err}");
    let file = File::new("file", "");
    let (_, err, code) = run(&["fanout", "--out", file.path()]);
    assert!(code == Some(1) && err.starts_with("loadtest: making "), "{err}");
    let (_, err, code) = run(&["fanout", "--gateway", "/nowhere/watchparty"]);
    assert!(code == Some(1) && err.contains("/nowhere/watchparty"), "{err}");
}

#[test]
fn without_words_there_is_help() {
    let (_, err, code) = run(&[]);
    assert_eq!(code, Some(2));
    for word in ["smoke", "fanout", "compare", "--profile", "--slo"] {
        assert!(err.contains(word), "{word}: {err}");
    }
}

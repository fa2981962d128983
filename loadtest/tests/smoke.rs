//! `loadtest smoke` in miniature, as somebody runs it: the program, the gateway beside it, and what `run.json` says in the end.
//!
//! Asserts what is counted, never what is timed: on a busy machine a debug build is late, and the run is then void, as it has to be.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// The program under test.
const LOADTEST: &str = env!("CARGO_BIN_EXE_loadtest");

/// A directory that goes when its test does.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("loadtest-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left in a directory for temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(words: &[&str]) -> Output {
    let gateway = PathBuf::from(LOADTEST).with_file_name("watchparty");
    assert!(gateway.exists(), "no gateway beside {LOADTEST}: `cargo test --workspace` builds both");
    Command::new(LOADTEST).args(words).output().expect("it starts")
}

fn told(directory: &Directory, words: &[&str]) -> (Value, Option<i32>) {
    let out = directory.0.to_str().expect("a path in UTF-8");
    let output = run(&[words, &["--quiet", "--out", out]].concat());
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let run = std::fs::read_to_string(directory.0.join("run.json"))
        .unwrap_or_else(|error| panic!("{error}: {said}"));
    (serde_json::from_str(&run).expect("JSON"), output.status.code())
}

fn number(run: &Value, pointer: &str) -> u64 {
    run.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {pointer} in {run}"))
}

/// A run that held its promise; times may be void.
fn held(run: &Value, code: Option<i32>) {
    let outcome = run["verdict"]["outcome"].as_str().expect("an outcome");
    assert!(matches!((outcome, code), ("pass", Some(0)) | ("void", Some(1))), "{outcome}, {code:?}");
    for judged in run["verdict"]["objectives"].as_array().expect("objectives") {
        assert_eq!(judged["met"], true, "{judged}");
    }
    let counts = |name: &str| number(run, &format!("/total/counts/{name}"));
    assert!(counts("expected") > 0, "nothing was to be delivered");
    assert_eq!(counts("delivered"), counts("expected"));
    assert_eq!((counts("sent"), counts("missing"), counts("phantom")), (counts("acked"), 0, 0));
}

#[test]
fn smoke_runs_its_parts_against_a_gateway_of_its_own_and_counts_everything() {
    let directory = Directory::new("smoke");
    let small = ["--connections", "12", "--sessions", "3", "--rate", "80", "--duration", "500ms"];
    let (run, code) = told(&directory, &[&["smoke", "--warm-up", "200ms"][..], &small].concat());
    held(&run, code);
    let parts = run["parts"].as_array().expect("parts");
    let names: Vec<_> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    assert_eq!(names, ["fanout", "rooms", "recover"]);
    // 0.7 s at 40 messages a second to 12 listeners and the speaker; at 80 a second to 4 in each room.
    let counts = |part: usize, name: &str| number(&parts[part], &format!("/figures/counts/{name}"));
    assert_eq!((counts(0, "sent"), counts(0, "delivered")), (28, 28 * 13));
    assert_eq!((counts(1, "sent"), counts(1, "delivered")), (56, 56 * 4));
    assert!(counts(2, "recovered") > 0, "somebody was cut off");
    assert_eq!(run["server"]["started_here"], true);
    assert!(run["total"]["server"]["rss_peak_bytes"].as_u64() > Some(0), "the gateway's memory was seen");
    assert!(directory.0.join("report.html").exists());
}

#[test]
fn sync_plays_a_film_to_virtual_players_and_loses_nothing() {
    let directory = Directory::new("sync");
    let (run, _) = told(&directory, &["sync", "--players", "3", "--hold", "1s"]);
    let counts = |name: &str| number(&run, &format!("/total/counts/{name}"));
    // Three, and as many who came late.
    assert_eq!((counts("connections"), counts("refused"), counts("resets")), (6, 0, 0));
    assert!(
        counts("delivered") > 0 && counts("delivered") == counts("expected"),
        "{}",
        run["total"]["counts"]
    );
    assert_eq!((counts("missing"), counts("duplicated"), counts("gaps"), counts("phantom")), (0, 0, 0, 0));
    let bins = run["total"]["drift"]["bins"].as_array().expect("a shape");
    let looked: u64 = bins.iter().filter_map(Value::as_u64).sum();
    assert!(looked > 0 && looked == number(&run, "/total/drift/count"), "every sample is in a bar");
    let own = run["own"].as_array().expect("figures").iter().filter_map(|own| own["name"].as_str());
    let own: Vec<&str> = own.collect();
    for name in ["drift.p50", "drift.p99", "pause.near", "late.worst", "players3.drift.max"] {
        assert!(own.contains(&name), "no {name} in {own:?}");
    }
    let page = std::fs::read_to_string(directory.0.join("report.html")).expect("a page");
    assert!(page.contains("How far players were from the film"), "no histogram");
}

#[test]
fn an_objective_that_is_missed_is_told_by_the_exit_code() {
    let directory = Directory::new("missed");
    let small =
        ["--connections", "4", "--sessions", "2", "--rate", "40", "--duration", "300ms", "--warm-up", "0s"];
    let (run, code) = told(&directory, &[&["rooms"][..], &small, &["--slo", "missing>0"]].concat());
    assert_eq!((run["verdict"]["outcome"].as_str(), code), (Some("missed"), Some(99)));
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_loaded() {
    let remote = run(&["fanout", "--url", "http://192.0.2.1:8080"]);
    let said = String::from_utf8_lossy(&remote.stderr).into_owned();
    assert!(said.contains("--allow-remote"), "{said}");
    assert_eq!(remote.status.code(), Some(1));
    assert_eq!(run(&["fanout", "--connections", "0"]).status.code(), Some(2));
    let alone = run(&["rooms", "--nodes", "2"]);
    assert!(String::from_utf8_lossy(&alone.stderr).contains("--redis-server"));
    assert_eq!(alone.status.code(), Some(1));
}

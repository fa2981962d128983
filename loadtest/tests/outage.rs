//! A gateway that stops answering, or dies, under load: the report is written and says so, whatever was acknowledged before.
//!
//! The gateway is the one the program starts itself, found as its child; it is stopped when the program says that it measures.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The program under test.
const LOADTEST: &str = env!("CARGO_BIN_EXE_loadtest");
/// Small, and long enough that much is said after the gateway went.
const SMALL: [&str; 12] = [
    "--connections",
    "6",
    "--sessions",
    "2",
    "--rate",
    "100",
    "--duration",
    "2s",
    "--warm-up",
    "0s",
    "--drain",
    "1s",
];

/// The child of a process, by the kernel's word.
fn child_of(parent: u32) -> u32 {
    let children = std::fs::read_dir("/proc").expect("processes").filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything, so fields count from its closing parenthesis: state, parent.
        let of: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        (of == parent).then_some(pid)
    });
    children.into_iter().next().expect("a gateway of its own")
}

/// Two players, for long enough.
const PLAYERS: [&str; 4] = ["--players", "2", "--hold", "2s"];

/// Runs a scenario, sends its gateway this signal when it measures, and gives the report and the exit code.
fn signalled(name: &str, (scenario, knobs): (&str, &[&str]), signal: &str) -> (Value, Option<i32>) {
    let directory: PathBuf =
        std::env::temp_dir().join(format!("loadtest-outage-{name}-{}", std::process::id()));
    let mut program = Command::new(LOADTEST)
        .arg(scenario)
        .args(knobs)
        .args(["--json", "--out"])
        .arg(&directory)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(program.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let measures = lines.find(|line| line.contains(r#""phase":"run""#));
    assert!(measures.is_some(), "it never measured");
    let gateway = child_of(program.id()).to_string();
    assert!(Command::new("kill").args([signal, &gateway]).status().expect("kill").success());
    let rest: Vec<String> = lines.collect();
    let code = program.wait().expect("it ends").code();
    let run = std::fs::read_to_string(directory.join("run.json"))
        .unwrap_or_else(|error| panic!("{error}: {rest:#?}"));
    // What is left in a directory for temporary files harms nobody.
    let _ = std::fs::remove_dir_all(&directory);
    (serde_json::from_str(&run).expect("JSON"), code)
}

fn number(run: &Value, pointer: &str) -> u64 {
    run.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {pointer} in {run}"))
}

fn missed<'r>(run: &'r Value, objective: &str) -> &'r Value {
    let judged = run["verdict"]["objectives"].as_array().expect("objectives");
    let found = judged.iter().find(|judged| judged["objective"] == objective);
    let found = found.unwrap_or_else(|| panic!("no {objective} in {judged:#?}"));
    assert_eq!(found["met"], false, "{found}");
    found
}

#[test]
fn a_gateway_that_stops_answering_misses() {
    let (run, code) = signalled("stop", ("rooms", &SMALL), "-STOP");
    assert_eq!((run["verdict"]["outcome"].as_str(), code), (Some("missed"), Some(99)));
    missed(&run, "unanswered==0");
    let counts = |name: &str| number(&run, &format!("/total/counts/{name}"));
    assert!(counts("unanswered") > 0 && counts("sent") == counts("acked") + counts("unanswered"), "{run}");
    // What has no answer waited at least as long as the drain, and there is more of it than of what has one.
    assert!(number(&run, "/total/latency/ack/p99_us") >= 1_000_000, "times of survivors only");
    assert!(number(&run, "/total/latency/deliver/p99_us") >= 1_000_000, "times of survivors only");
}

#[test]
fn a_gateway_that_dies_leaves_a_report() {
    let (run, code) = signalled("kill", ("recover", &SMALL), "-KILL");
    assert_eq!((run["verdict"]["outcome"].as_str(), code), (Some("missed"), Some(99)));
    let found = missed(&run, "the gateway runs to the end");
    assert!(
        found["found"].as_str().is_some_and(|why| why.starts_with("the gateway ended after ")),
        "{found}"
    );
    // Nobody is there, and nobody of this program ended those connections.
    missed(&run, "absent==0");
    missed(&run, "closes==0");
    assert_eq!(number(&run, "/total/counts/absent"), 6);
}

#[test]
fn players_whose_gateway_dies_leave_a_report() {
    let (run, code) = signalled("players-kill", ("sync", &PLAYERS), "-KILL");
    assert_eq!((run["verdict"]["outcome"].as_str(), code), (Some("missed"), Some(99)));
    let found = missed(&run, "the gateway runs to the end");
    assert!(
        found["found"].as_str().is_some_and(|why| why.starts_with("the gateway ended after ")),
        "{found}"
    );
    assert_eq!(missed(&run, "the film is played to its end")["found"], "with 2 players: a gateway ended");
    missed(&run, "absent==0");
    let counts = |name: &str| number(&run, &format!("/total/counts/{name}"));
    assert_eq!((counts("absent"), counts("closes/lost"), counts("connections")), (2, 2, 2), "{run}");
    assert_eq!(counts("sent"), counts("acked") + counts("unanswered"));
    assert_eq!(run["parts"][0]["name"], "players2");
}

#[test]
fn players_whose_gateway_stops_answering_leave_a_report() {
    let (run, code) = signalled("players-stop", ("sync", &PLAYERS), "-STOP");
    assert_eq!((run["verdict"]["outcome"].as_str(), code), (Some("missed"), Some(99)));
    let found = missed(&run, "the film is played to its end");
    assert!(
        found["found"].as_str().is_some_and(|why| why.starts_with("with 2 players: in vain for 20 s: ")),
        "{found}"
    );
    missed(&run, "unanswered==0");
    let counts = |name: &str| number(&run, &format!("/total/counts/{name}"));
    assert!(counts("unanswered") > 0 && counts("sent") == counts("acked") + counts("unanswered"), "{run}");
}

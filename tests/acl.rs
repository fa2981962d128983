//! The Redis user of `docs/OPERATIONS.md` has the rights that the adapter uses, and no others.
//!
//! That they suffice is shown by the contract suite, which runs as that user. Here is the other half: each command it may call is called
//! somewhere in `src/backend/redis`, and none it may not.

use std::collections::BTreeSet;
use std::path::Path;

#[path = "it/support/acl.rs"]
#[allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of the support")]
mod acl;

/// Commands that are families: what is allowed, and called, is one of them.
const FAMILIES: [&str; 6] = ["config", "script", "memory", "xinfo", "sentinel", "cluster"];

/// Called elsewhere: of sentinels, as their user.
const OF_SENTINELS: [&str; 3] = ["sentinel|master", "sentinel|get-master-addr-by-name", "subscribe"];
/// Called of a cluster alone, which the page says beside the line.
const OF_A_CLUSTER: &str = "cluster|nodes";

/// The text between the quotes that open at `at`.
fn quoted(code: &str, quote: char) -> Option<&str> {
    code.strip_prefix(quote)?.split_once(quote).map(|(word, _)| word)
}

/// What is called in `code`: the word after each `opening`, with the next quoted one for families.
fn called(code: &str, opening: &str, quote: char, next: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for call in code.split(opening).skip(1) {
        let Some(name) = quoted(call, quote) else { continue };
        let mut name = name.to_lowercase();
        if FAMILIES.contains(&name.as_str()) {
            let (_, rest) = call.split_once(next).expect("a family is called with one of its commands");
            name = format!("{name}|{}", quoted(rest, quote).expect("a word").to_lowercase());
        }
        found.insert(name);
    }
    found
}

/// Every command of the adapter's own code and of its scripts.
fn used() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/redis");
    for entry in walk(&room) {
        let code = std::fs::read_to_string(&entry).expect("a file of ours");
        let more = match entry.extension().and_then(|extension| extension.to_str()) {
            // `read.lua` calls one of two, which it hands to a function of its own.
            Some("lua") => &called(&code, "redis.call(", '\'', ", ") | &called(&code, " take(", '\'', ", "),
            _ => called(code.split("#[cfg(test)]").next().unwrap_or_default(), "cmd(", '"', ".arg("),
        };
        found.extend(more);
    }
    found
}

fn walk(room: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(room).expect("a directory of ours").flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn every_right_is_used_and_every_use_has_its_right() {
    let rules = acl::rules();
    let allowed: BTreeSet<String> =
        rules.iter().filter_map(|rule| rule.strip_prefix('+')).map(str::to_owned).collect();
    let elsewhere = |name: &str| OF_SENTINELS.contains(&name) || name == OF_A_CLUSTER;
    let used: BTreeSet<String> = used().into_iter().filter(|name| !elsewhere(name)).collect();
    assert!(acl::PAGE.contains(&format!("`+{OF_A_CLUSTER}`")));
    assert!(used.len() > 30, "the search finds what is called: {used:?}");
    assert_eq!(allowed, used);
}

#[test]
fn no_right_is_a_category_and_no_pattern_is_everything() {
    let rules = acl::rules();
    let grants: Vec<&String> = rules.iter().filter(|rule| !rule.starts_with('+')).collect();
    assert_eq!(grants, ["-@all", "~wp:*", "&wp:*"]);
    assert!(rules.iter().all(|rule| !rule.starts_with("+@")), "{rules:?}");
}

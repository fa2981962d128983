//! Each rule against a planted violation, and against its nearest innocent: a rule that never failed proves nothing.

use std::collections::BTreeSet;

use crate::rules::*;
use crate::source::{File, Finding, mask};

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

/// The lines a rule complains about.
fn lines(rule: impl Fn(&File) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    rule(&file(path, text)).into_iter().map(|found| found.line).collect()
}

#[test]
fn masking_blanks_comments_and_literals_and_nothing_else() {
    let text =
        "a(\"{\\\"\", '{', '\\'', 'é', r#\"\"{\"#, b\"}\") // {\n/* { /* } */ */ fn b<'a>(x: &'a str) {}";
    let masked = mask(text);
    assert_eq!(masked.len(), text.len());
    assert!(!masked.lines().next().expect("a line").contains(['{', '}', '"']), "{masked}");
    assert!(masked.ends_with("fn b<'a>(x: &'a str) {}"), "{masked}");
}

#[test]
fn tests_inside_a_file_do_not_count() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { x.unwrap() }\n}\nfn c() { y.unwrap() }\n";
    assert_eq!(lines(no_unwrap, "src/hub/mod.rs", text), [6]);
    assert_eq!(lines(no_unwrap, "src/hub/tests.rs", text), []);
    assert_eq!(lines(no_unwrap, "src/hub/mod.rs", "#[cfg(test)]\nmod tests;\nfn c() { \".unwrap()\" }"), []);
    assert_eq!(lines(no_unwrap, "src/hub/mod.rs", "fn c() { x.unwrap_or(1) } // .unwrap()"), []);
}

#[test]
fn an_import_upward_is_caught() {
    assert_eq!(lines(floors, "src/hub/room.rs", "\nuse crate::gateway::Join;"), [2]);
    assert_eq!(lines(floors, "src/model/id.rs", "use crate::{config::A, hub};"), [1, 1]);
    assert_eq!(lines(floors, "src/ws/frame.rs", "use crate::http::x;"), [1]);
    assert_eq!(lines(floors, "src/auth/token.rs", "use crate::protocol::x;"), [1]);
    assert_eq!(lines(floors, "src/backend/redis/link.rs", "use super::super::super::hub::x;"), [1]);
    assert_eq!(lines(floors, "src/hub/mod.rs", "use super::gateway;"), [1]);
    assert_eq!(lines(floors, "src/junk.rs", ""), [1]);
}

#[test]
fn an_import_downward_is_not() {
    let below = "use crate::{model::{A, B}, hub::room::C};\nuse super::deliver;\n// crate::gateway";
    assert_eq!(lines(floors, "src/hub/room.rs", below), []);
    assert_eq!(lines(floors, "src/http/router.rs", "use crate::ws::upgrade;"), []);
    assert_eq!(lines(floors, "src/main.rs", "use watchparty::cli;"), []);
    assert_eq!(lines(floors, "src/lib.rs", "pub mod hub;"), []);
    assert_eq!(lines(floors, "src/hub/mod.rs", "#[cfg(test)]\nmod tests { use crate::server; }"), []);
}

#[test]
fn a_crate_out_of_its_room_is_caught() {
    assert_eq!(lines(crates_where_they_belong, "src/hub/mod.rs", "use redis::Cmd;"), [1]);
    assert_eq!(
        lines(crates_where_they_belong, "src/gateway/a.rs", "use std::env;\nfn a() { axum::x() }"),
        [2, 1]
    );
    assert_eq!(lines(crates_where_they_belong, "src/backend/mod.rs", "use redis;"), [1]);
    let at_home = "use redis::Cmd;\nuse super::redis::x;\nlet redis = 1;";
    assert_eq!(lines(crates_where_they_belong, "src/backend/redis/link.rs", at_home), []);
    assert_eq!(
        lines(crates_where_they_belong, "src/backend/mod.rs", "mod redis;\nuse self::redis::Link;"),
        []
    );
    let beside = "use super::{limits, redis};\nfn a() { redis::SETTINGS; ::redis::Cmd::new() }";
    assert_eq!(lines(crates_where_they_belong, "src/config/catalogue.rs", beside), [2]);
    assert_eq!(lines(crates_where_they_belong, "src/config/env.rs", "std::env::vars()"), []);
}

#[test]
fn what_is_too_long_is_caught() {
    let code = "let a = 1;\n".repeat(FILE_LINES);
    assert_eq!(lines(file_size, "src/hub/mod.rs", &code), [1]);
    assert_eq!(lines(file_size, "src/hub/mod.rs", &"// a comment\n\n".repeat(FILE_LINES)), []);
    assert_eq!(lines(file_size, "src/hub/mod.rs", &format!("#[cfg(test)]\nmod tests {{\n{code}}}")), []);
    let function = |lines| format!("\nfn long<F: Fn() -> [u8; 2]>(f: F) {{\n{}}}\n", "x();\n".repeat(lines));
    assert_eq!(lines(function_size, "src/hub/mod.rs", &function(FUNCTION_LINES - 2)), [2]);
    assert_eq!(lines(function_size, "src/hub/mod.rs", &function(FUNCTION_LINES - 3)), []);
    let methods = |count| format!("trait T {{\n{}}}", "fn a(&self) -> fn(u8) { |_| {} }\n".repeat(count));
    assert_eq!(lines(trait_size, "src/hub/mod.rs", &methods(TRAIT_METHODS + 1)), [1]);
    assert_eq!(lines(trait_size, "src/hub/mod.rs", &methods(TRAIT_METHODS)), []);
}

#[test]
fn words_that_are_forbidden_are_caught() {
    assert_eq!(lines(opening, "src/a.rs", "//! A.\n"), []);
    assert_eq!(lines(opening, "src/a.rs", "use b;\n//! A.\n"), [1]);
    assert_eq!(lines(no_bare_spawn, "src/a.rs", "\ntokio::spawn(x);"), [2]);
    assert_eq!(lines(no_bare_spawn, "src/a.rs", "tracker.spawn(x); tokio::task::spawn_blocking(y)"), []);
    assert_eq!(lines(no_unbounded_channel, "tests/it/a.rs", "mpsc::unbounded_channel()"), [1]);
    assert_eq!(lines(no_unbounded_channel, "src/a.rs", "mpsc::unbounded()"), [1]);
    assert_eq!(lines(no_unbounded_channel, "src/a.rs", "// unbounded_channel\nmpsc::channel(1)"), []);
    assert_eq!(lines(no_ignored_test, "tests/a.rs", "#[test]\n#[ignore = \"later\"]\nfn a() {}"), [2]);
    assert_eq!(lines(no_empty_name, "src/hub/utils.rs", ""), [1]);
    assert_eq!(lines(no_empty_name, "src/types/mod.rs", ""), [1]);
    assert_eq!(lines(no_empty_name, "src/hub/room.rs", ""), []);
}

#[test]
fn a_sleep_is_caught_unless_the_support_explains_it() {
    let sleep = "\ntokio::time::sleep(d).await;";
    assert_eq!(lines(no_sleep_in_tests, "tests/it/join.rs", sleep), [2]);
    assert_eq!(lines(no_sleep_in_tests, "tests/it/support/wait.rs", sleep), [2]);
    assert_eq!(lines(no_sleep_in_tests, "tests/it/support/wait.rs", &format!("// Why.{sleep}")), []);
    assert_eq!(lines(no_sleep_in_tests, "tests/it/join.rs", "let sleep = 1; sleep_until(x); // sleep("), []);
}

#[test]
fn locks_and_paths_are_read() {
    let lock = "[[package]]\nname = \"openssl\"\nversion = \"1.0.0\"\n";
    assert_eq!(lines(no_banned_crate, "Cargo.lock", lock), [2]);
    assert_eq!(lines(no_banned_crate, "Cargo.lock", "[[p]]\nname = \"a\"\nversion = \"2.0.0-rc.1\"\n"), [3]);
    let good = "[[p]]\nname = \"openssl-probe\"\nversion = \"1.0.0+spec-1.1.0\"\n";
    assert_eq!(lines(no_banned_crate, "Cargo.lock", good), []);
    assert_eq!(lines(no_machine_path, "docs/a.md", &format!("see\n{}x", MACHINE_PATHS[0])), [2]);
    assert_eq!(lines(no_machine_path, "docs/a.md", "see work/x and /tmp/x"), []);
    assert_eq!(lines(no_download_address, "package-lock.json", "{\n\"resolved\": \"x\"}"), [2]);
}

#[test]
fn a_setting_without_example_is_caught() {
    let code = "a(\"TOKEN_TTL\"); // b(\"OLD_NAME\")\nb(\n  \"PORT\", \"Not one\"); title(\"Turn\"); env!(\"CARGO_X\");\n";
    let example = example_names("# how long\n#TOKEN_TTL=43200\nHOST=\n# see A=B c\n");
    assert_eq!(example, BTreeSet::from(["HOST", "TOKEN_TTL"].map(str::to_owned)));
    let found = settings_in_example(&file("src/config/mod.rs", code), &example);
    assert_eq!(found, [Finding { line: 2, rule: "`PORT` is not in .env.example".to_owned() }]);
}

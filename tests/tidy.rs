//! `docs/ARCHITECTURE.md`, section Proportions, as checks: files are read as text and held to the house's rules.
//!
//! A failure names file, line and rule, all of them at once. What a compiler lint can say is left to clippy; here is
//! what it cannot know: floors, rooms, sizes, names. `source` reads, `rules` judges, `teeth` proves the judges.

use std::collections::BTreeSet;

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/teeth.rs"]
mod teeth;

use rules::*;
use source::{File, files, hold, is_test_file, root, rust};

#[test]
fn files_import_only_from_floors_below() {
    hold(&files(|path| path.starts_with("src/") && path.ends_with(".rs")), floors);
}

#[test]
fn outside_crates_stay_where_they_belong() {
    hold(&rust(), crates_where_they_belong);
}

#[test]
fn files_are_small() {
    hold(&rust(), file_size);
}

#[test]
fn functions_are_short() {
    hold(&rust(), function_size);
}

#[test]
fn traits_are_small() {
    hold(&rust(), trait_size);
}

#[test]
fn every_file_opens_with_its_purpose() {
    hold(&rust(), opening);
}

#[test]
fn nothing_unwraps_outside_tests() {
    hold(&rust(), no_unwrap);
}

#[test]
fn no_channel_is_unbounded() {
    hold(&rust(), no_unbounded_channel);
}

#[test]
fn no_task_is_untracked() {
    hold(&rust(), no_bare_spawn);
}

#[test]
fn no_test_is_ignored() {
    hold(&rust(), no_ignored_test);
}

#[test]
fn no_test_sleeps() {
    hold(&rust(), no_sleep_in_tests);
}

#[test]
fn no_file_has_an_empty_name() {
    hold(&rust(), no_empty_name);
}

#[test]
fn no_banned_crate_comes_in() {
    hold(&files(|path| path == "Cargo.lock"), no_banned_crate);
}

#[test]
fn no_file_knows_a_machine() {
    hold(&files(|_| true), no_machine_path);
}

#[test]
fn lock_files_hold_no_download_address() {
    hold(&files(|path| path.ends_with("package-lock.json")), no_download_address);
}

#[test]
fn every_setting_is_in_the_example() {
    let example = std::fs::read_to_string(root().join(".env.example")).unwrap_or_default();
    let example = example_names(&example);
    let is_config =
        |path: &str| (path.starts_with("src/config/") || path == "src/config.rs") && path.ends_with(".rs");
    let code: Vec<File> = files(is_config).into_iter().filter(|file| !is_test_file(&file.path)).collect();
    hold(&code, |file| settings_in_example(file, &example));
    let known: BTreeSet<String> =
        code.iter().flat_map(|file| setting_names(&file.text)).map(|(_, name)| name).collect();
    // A secret may also come as the path of a file: NAME_FILE.
    let is_known =
        |name: &str| known.contains(name.strip_suffix("_FILE").unwrap_or(name)) || known.contains(name);
    let unknown: Vec<_> = example.iter().filter(|name| !is_known(name)).collect();
    assert!(unknown.is_empty(), ".env.example names what src/config does not know: {unknown:?}");
}

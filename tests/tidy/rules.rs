//! The rules of docs/ARCHITECTURE.md, each a pure function from a file to what is wrong with it.
//!
//! They read nothing themselves; `tidy.rs` holds them to the repository, `teeth.rs` shows them violations.

use std::collections::BTreeSet;

use crate::source::{
    File, Finding, block_end, finding, is_test_file, lines_of_code, mask, shipped, without_tests, words,
};

/// Lines of code in a file; half of it is where a reader begins to scroll instead of read.
pub(crate) const FILE_LINES: usize = 500;
/// Tests may be longer than what they test, but not without end.
pub(crate) const TEST_FILE_LINES: usize = 800;
/// Lines of code in a function, signature included.
pub(crate) const FUNCTION_LINES: usize = 70;
/// Methods of a trait: more is two traits.
pub(crate) const TRAIT_METHODS: usize = 7;

/// Names that say nothing about what is inside.
pub(crate) const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "types", "manager", "handler", "service", "impl", "misc",
];

/// The floors of docs/ARCHITECTURE.md; a file imports from lower numbers only.
pub(crate) const FLOORS: &[(&str, u8)] = &[
    ("main", 7),
    ("server", 6),
    ("shutdown", 6),
    ("cli", 6),
    ("http", 5),
    ("ws", 5),
    ("gateway", 4),
    ("hub", 3),
    ("backend", 2),
    ("protocol", 1),
    ("auth", 1),
    ("metrics", 1),
    ("telemetry", 1),
    ("model", 0),
    ("config", 0),
    ("sabotage", 0),
];

/// Imports on one floor that are allowed: `http` mounts `ws`; the composition root drains, the verbs start it; settings
/// are parsed into the domain's own words.
pub(crate) const SAME_FLOOR: &[(&str, &str)] =
    &[("http", "ws"), ("server", "shutdown"), ("cli", "server"), ("config", "model")];

/// Crates that belong to rooms: outside of them they would leak a decision.
pub(crate) const BELONGS: &[(&str, &[&str])] = &[
    ("redis", &["src/backend/redis"]),
    ("axum", &["src/http", "src/ws"]),
    ("hyper", &["src/http", "src/ws", "src/server"]),
    ("tungstenite", &["src/ws", "src/protocol"]),
    ("bcrypt", &["src/auth"]),
    ("jsonwebtoken", &["src/auth"]),
    ("clap", &["src/cli", "src/main.rs"]),
    ("dotenvy", &["src/config"]),
    ("anyhow", &["src/main.rs", "loadtest"]),
    ("metrics_exporter_prometheus", &["src/metrics"]),
    ("std::env", &["src/config", "src/main.rs"]),
];

/// Crates that must not come in by any way, with the reason of docs/OPERATIONS.md.
pub(crate) const BANNED_CRATES: &[(&str, &str)] = &[
    ("openssl", "a second TLS stack"),
    ("openssl-sys", "a second TLS stack"),
    ("native-tls", "a second TLS stack"),
    ("dashmap", "the hub has its own shards"),
    ("rsa", "RUSTSEC-2023-0071 is open"),
    ("serde_yaml", "no longer maintained"),
    ("fred", "no release for long"),
    ("figment", "no release for long"),
    ("envy", "cannot say which variable was wrong"),
    ("config", "cannot say which variable was wrong"),
    ("tower_governor", "believes the left-most hop"),
    ("axum-client-ip", "believes whoever connects"),
    ("tokio-metrics", "a microsecond counter without _total"),
    ("console-subscriber", "needs tokio_unstable"),
    ("testcontainers", "needs a container engine"),
    ("utoipa-scalar", "loads a script from elsewhere"),
    ("utoipa-swagger-ui", "its build downloads"),
];

/// The room of a file: `src/http/router.rs` and `src/http.rs` are `http`.
pub(crate) fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let room = inside.split('/').next()?;
    Some(room.strip_suffix(".rs").unwrap_or(room)).filter(|room| *room != "lib")
}

pub(crate) fn floors(file: &File) -> Vec<Finding> {
    let Some(room) = room(&file.path) else { return Vec::new() };
    let Some(floor) = floor_of(room) else {
        return vec![Finding {
            line: 1,
            rule: format!("`{room}` stands on no floor: add it to FLOORS and the docs"),
        }];
    };
    let masked = without_tests(&mask(&file.text));
    let mut found = Vec::new();
    for (at, target) in imports(&masked, &file.path) {
        let allowed = target == room
            || SAME_FLOOR.contains(&(room, target.as_str()))
            || floor_of(&target).is_none_or(|below| below < floor);
        if !allowed {
            found.push(finding(&masked, at, format!("`{room}` (floor {floor}) must not import `{target}`")));
        }
    }
    found
}

pub(crate) fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The rooms a file names: by `crate::`, by `watchparty::` from the binary, by enough `super::`.
pub(crate) fn imports(masked: &str, path: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for start in ["crate", "watchparty"] {
        for at in words(masked, start) {
            if let Some(tail) = masked[at + start.len()..].strip_prefix("::") {
                found.extend(first_segments(tail).into_iter().map(|room| (at, room)));
            }
        }
    }
    let depth = path.trim_end_matches("/mod.rs").matches('/').count();
    let climb = "super::".repeat(depth);
    if depth > 0 {
        for (at, _) in masked.match_indices(&climb) {
            // The first `super` of a chain: a longer chain inside a nested module is not followed.
            if !masked[..at].ends_with("super::") && !masked[at + climb.len()..].starts_with("super") {
                found.extend(first_segments(&masked[at + climb.len()..]).into_iter().map(|room| (at, room)));
            }
        }
    }
    found
}

/// `a::b` gives `a`; `{a, b::{c, d}}` gives `a` and `b`.
pub(crate) fn first_segments(tail: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    if !tail.starts_with('{') {
        return vec![name(tail)];
    }
    let group = &tail[1..block_end(tail, 0) - 1];
    let mut depth = 0;
    let parts = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts.map(name).filter(|room| !room.is_empty()).collect()
}

pub(crate) fn crates_where_they_belong(file: &File) -> Vec<Finding> {
    if !file.path.starts_with("src/") && !file.path.starts_with("loadtest/src/") {
        return Vec::new();
    }
    let masked = shipped(file);
    let mut found = Vec::new();
    for (name, homes) in BELONGS {
        let at_home = homes.iter().any(|home| in_home(&file.path, home));
        if at_home || (file.path.starts_with("loadtest/") && *name != "redis") {
            continue;
        }
        let local = is_local(&masked, name);
        for at in words(&masked, name) {
            let before = masked[..at].trim_end();
            // `::redis` can only be the crate; `redis` may be a module of ours, as in `config`.
            let absolute = before
                .strip_suffix("::")
                .is_some_and(|b| b.is_empty() || b.ends_with([' ', '(', '<', '&', '\n']));
            let relative = !local && !before.ends_with("::");
            let is_path = masked[at + name.len()..].starts_with("::") && (absolute || relative);
            let is_use = before.ends_with("use")
                && masked[at + name.len()..].trim_start().starts_with([';', ' ', 'a']);
            if is_path || is_use {
                found.push(finding(&masked, at, format!("`{name}` belongs to {}", homes.join(", "))));
            }
        }
    }
    found
}

/// Whether `name` is a module of ours in this file: declared here, or imported from beside it.
fn is_local(masked: &str, name: &str) -> bool {
    words(masked, name).any(|at| {
        let statement = masked[..at].rsplit([';', '}']).next().unwrap_or_default().trim_start();
        statement.ends_with("mod ")
            || ["use super::", "use self::", "use crate::"].iter().any(|own| statement.starts_with(own))
    })
}

/// `src/config` is home to `src/config.rs` and everything in `src/config/`.
pub(crate) fn in_home(path: &str, home: &str) -> bool {
    path.strip_prefix(home).is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
}

pub(crate) fn file_size(file: &File) -> Vec<Finding> {
    let (lines, bound) = if is_test_file(&file.path) {
        (lines_of_code(&mask(&file.text)), TEST_FILE_LINES)
    } else {
        (lines_of_code(&shipped(file)), FILE_LINES)
    };
    if lines < bound {
        return Vec::new();
    }
    vec![Finding { line: 1, rule: format!("{lines} lines of code; {bound} fail: it is more than one thing") }]
}

pub(crate) fn function_size(file: &File) -> Vec<Finding> {
    let masked = if file.path.contains("/support/") { mask(&file.text) } else { shipped(file) };
    let mut found = Vec::new();
    for at in words(&masked, "fn") {
        let Some(open) = body_start(&masked, at) else { continue };
        let lines = lines_of_code(&masked[at..block_end(&masked, open)]);
        if lines >= FUNCTION_LINES {
            let name: String =
                masked[at + 2..].trim_start().chars().take_while(|c| *c != '(' && *c != '<').collect();
            let rule = format!("`{name}` has {lines} lines of code; {FUNCTION_LINES} fail");
            found.push(finding(&masked, at, rule));
        }
    }
    found
}

/// The brace that opens the body of the `fn` at `at`; none for a declaration or a function pointer.
pub(crate) fn body_start(masked: &str, at: usize) -> Option<usize> {
    if masked[at + 2..].trim_start().starts_with('(') {
        return None;
    }
    let mut nested = 0;
    for (offset, byte) in masked[at..].bytes().enumerate() {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested -= 1,
            b'{' if nested == 0 => return Some(at + offset),
            b';' if nested == 0 => return None,
            _ => {}
        }
    }
    None
}

pub(crate) fn trait_size(file: &File) -> Vec<Finding> {
    let masked = shipped(file);
    let mut found = Vec::new();
    for at in words(&masked, "trait") {
        let Some(open) = masked[at..].find(['{', ';']).map(|open| at + open) else { continue };
        if masked.as_bytes()[open] == b';' {
            continue;
        }
        let body = &masked[open + 1..block_end(&masked, open)];
        let is_method = |at: &usize| depth(&body[..*at]) == 0 && !body[*at + 2..].starts_with('(');
        let methods = words(body, "fn").filter(is_method).count();
        if methods > TRAIT_METHODS {
            let rule = format!("a trait of {methods} methods; more than {TRAIT_METHODS} is two traits");
            found.push(finding(&masked, at, rule));
        }
    }
    found
}

pub(crate) fn depth(masked: &str) -> i64 {
    masked
        .bytes()
        .map(|byte| i64::from(matches!(byte, b'{' | b'(')) - i64::from(matches!(byte, b'}' | b')')))
        .sum()
}

pub(crate) fn opening(file: &File) -> Vec<Finding> {
    if file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![Finding {
        line: 1,
        rule: "opens without `//!`: say what it is responsible for, and what not".to_owned(),
    }]
}

pub(crate) fn forbidden_in(masked: &str, words: &[(&str, &str)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (word, rule) in words {
        found.extend(masked.match_indices(word).map(|(at, _)| finding(masked, at, *rule)));
    }
    found
}

pub(crate) fn no_unwrap(file: &File) -> Vec<Finding> {
    forbidden_in(
        &shipped(file),
        &[(".unwrap()", "`unwrap` outside tests: handle it, or `expect` why it cannot fail")],
    )
}

pub(crate) fn no_unbounded_channel(file: &File) -> Vec<Finding> {
    let rule = "an unbounded channel: name the bound and say what happens there";
    let masked = mask(&file.text);
    let calls = ["unbounded_channel", "mpsc::unbounded"].into_iter().flat_map(|name| words(&masked, name));
    calls.map(|at| finding(&masked, at, rule)).collect()
}

pub(crate) fn no_bare_spawn(file: &File) -> Vec<Finding> {
    let rule = "a bare spawn: tasks are tracked (TaskTracker) and share the stop token";
    forbidden_in(
        &shipped(file),
        &[("tokio::spawn(", rule), ("tokio::task::spawn(", rule), (" task::spawn(", rule)],
    )
}

pub(crate) fn no_ignored_test(file: &File) -> Vec<Finding> {
    forbidden_in(&mask(&file.text), &[("#[ignore", "an ignored test is a promise nobody checks")])
}

pub(crate) fn no_sleep_in_tests(file: &File) -> Vec<Finding> {
    if !file.path.starts_with("tests/") {
        return Vec::new();
    }
    let masked = mask(&file.text);
    let mut found = Vec::new();
    for at in words(&masked, "sleep").filter(|at| masked[*at + 5..].starts_with('(')) {
        let mut sleep = finding(&masked, at, "a sleep in a test: wait for a condition under a deadline");
        if file.path.contains("/support/") {
            if file
                .text
                .lines()
                .nth(sleep.line.saturating_sub(2))
                .is_some_and(|above| above.trim().starts_with("//"))
            {
                continue;
            }
            sleep.rule =
                "a sleep in the support without a comment above that says why time passes".to_owned();
        }
        found.push(sleep);
    }
    found
}

pub(crate) fn no_empty_name(file: &File) -> Vec<Finding> {
    let code = ["src/", "tests/", "loadtest/", "benches/"].iter().any(|dir| file.path.starts_with(dir));
    let empty = |part: &&str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
    match file.path.split('/').find(empty) {
        Some(part) if code => {
            vec![Finding { line: 1, rule: format!("`{part}` names nothing: use the glossary") }]
        }
        _ => Vec::new(),
    }
}

pub(crate) fn no_banned_crate(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, reason) in BANNED_CRATES {
        let line = format!("\nname = \"{name}\"\n");
        found.extend(
            file.text
                .match_indices(&line)
                .map(|(at, _)| finding(&file.text, at + 1, format!("`{name}` is banned: {reason}"))),
        );
    }
    found.extend(file.text.match_indices("\nversion = \"").filter_map(|(at, start)| {
        let version = file.text[at + start.len()..].split('"').next().unwrap_or_default();
        let release = version.split('+').next().unwrap_or_default();
        release.contains('-').then(|| finding(&file.text, at + 1, format!("{version} is a pre-release")))
    }));
    found
}

/// Written in halves, or this file would break its own rule.
pub(crate) const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/tmp/ba", "sh_jobs"), concat!("/ro", "ot/")];

pub(crate) fn no_machine_path(file: &File) -> Vec<Finding> {
    let words: Vec<_> = MACHINE_PATHS.iter().map(|path| (*path, "a path of somebody's machine")).collect();
    forbidden_in(&file.text, &words)
}

/// A lock file pins versions and hashes; where they are downloaded from is the reader's configuration.
pub(crate) fn no_download_address(file: &File) -> Vec<Finding> {
    forbidden_in(&file.text, &[("\"resolved\":", "a download address in a lock file")])
}

/// The settings that `code` declares: a name in capitals as the first argument of a call (`Setting::open("PORT", …)`).
/// What a macro is given (`env!`) is the compiler's environment and no setting.
pub(crate) fn setting_names(code: &str) -> BTreeSet<(usize, String)> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let shipped = without_tests(&mask(code));
    let calls = shipped.match_indices('(').filter(|(at, _)| !shipped[..*at].ends_with('!'));
    let first = calls.filter_map(|(at, _)| {
        let name = code[at + 1..].trim_start().strip_prefix('"')?.split('"').next()?;
        let looks = name.len() >= 3
            && name.chars().all(is_part)
            && name.starts_with(|c: char| c.is_ascii_uppercase());
        looks.then(|| (finding(code, at, "").line, name.to_owned()))
    });
    first.collect()
}

/// Names that `.env.example` sets, commented out or not.
pub(crate) fn example_names(example: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once('=')?;
        (!name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
            .then(|| name.to_owned())
    };
    example.lines().filter_map(name).collect()
}

pub(crate) fn settings_in_example(file: &File, example: &BTreeSet<String>) -> Vec<Finding> {
    let missing = setting_names(&file.text).into_iter().filter(|(_, name)| !example.contains(name));
    missing.map(|(line, name)| Finding { line, rule: format!("`{name}` is not in .env.example") }).collect()
}

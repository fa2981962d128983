//! How the tidy checks see the repository: which files there are, and Rust with comments and literals blanked out.
//!
//! No parser: for imports, braces and names it is enough that nothing inside a comment or a string is taken for
//! code. It knows no rule.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text and where it stands, from the root of the repository with `/`.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) line: usize,
    pub(crate) rule: String,
}

pub(crate) fn finding(text: &str, at: usize, rule: impl Into<String>) -> Finding {
    Finding { line: text[..at].matches('\n').count() + 1, rule: rule.into() }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files git knows or would add; without git (a source archive) all files but build products.
pub(crate) fn paths() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).current_dir(root());
    if let Ok(output) = git.output()
        && output.status.success()
    {
        let listed = String::from_utf8(output.stdout).expect("paths are UTF-8");
        return listed
            .split_terminator('\0')
            .map(str::to_owned)
            .filter(|path| root().join(path).is_file())
            .collect();
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    found
}

pub(crate) fn walk(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).expect("a readable directory") {
        let path: PathBuf = entry.expect("a readable entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "node_modules", ".git", ".venv"].contains(&name.as_str()) {
                walk(&path, found);
            }
        } else {
            let path = path.strip_prefix(root()).expect("below the root");
            found.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
}

pub(crate) fn files(wanted: impl Fn(&str) -> bool) -> Vec<File> {
    let mut files = Vec::new();
    for path in paths().into_iter().filter(|path| wanted(path)) {
        // What is not UTF-8 is no text of ours.
        if let Ok(text) = std::fs::read_to_string(root().join(&path)) {
            files.push(File { path, text });
        }
    }
    assert!(!files.is_empty(), "a rule that reads no file holds nobody to anything");
    files
}

pub(crate) fn rust() -> Vec<File> {
    files(|path| path.ends_with(".rs"))
}

/// Runs one rule over files and fails with every finding at once.
pub(crate) fn hold(files: &[File], rule: impl Fn(&File) -> Vec<Finding>) {
    let mut report = String::new();
    for file in files {
        for found in rule(file) {
            report.push_str(&format!("\n  {}:{}: {}", file.path, found.line, found.rule));
        }
    }
    assert!(report.is_empty(), "{report}\n");
}

/// Code with comments, strings and character literals blanked out; every line keeps its place and length.
pub(crate) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("blanking whole literals keeps UTF-8")
}

/// Where the comment or literal that starts at `at` ends; `at` itself when none starts there.
pub(crate) fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if rest.starts_with(b"//") {
        return find(bytes, at, b"\n");
    }
    if rest.starts_with(b"/*") {
        return block_comment_end(bytes, at);
    }
    if rest[0] == b'"' {
        return string_end(bytes, at + 1);
    }
    if rest[0] == b'r' && (!after_word || bytes[at - 1] == b'b') {
        let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(1 + hashes) == Some(&b'"') {
            let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
            return find(bytes, at + 2 + hashes, &close) + close.len();
        }
    }
    if rest[0] == b'\'' {
        return char_end(bytes, at);
    }
    at
}

pub(crate) fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let tail = &bytes[from.min(bytes.len())..];
    tail.windows(what.len()).position(|window| window == what).map_or(bytes.len(), |found| from + found)
}

pub(crate) fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

pub(crate) fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `'x'` and `'\n'` are literals, `'a` is a lifetime.
pub(crate) fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        return (find(bytes, at + 3, b"'") + 1).min(bytes.len());
    }
    let width = std::str::from_utf8(&bytes[at + 1..])
        .ok()
        .and_then(|rest| rest.chars().next())
        .map_or(1, char::len_utf8);
    if bytes.get(at + 1 + width) == Some(&b'\'') { at + 2 + width } else { at }
}

/// `masked` without what only tests compile: items under `#[cfg(test)]` are blanked out too.
pub(crate) fn without_tests(masked: &str) -> String {
    let mut out = masked.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let item = start + "#[cfg(test)]".len();
        let body = out[item..].find(['{', ';']).map_or(out.len(), |found| item + found);
        let end =
            if out[body..].starts_with('{') { block_end(&out, body) } else { (body + 1).min(out.len()) };
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

/// Behind the brace that closes the one at `open`.
pub(crate) fn block_end(masked: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in masked.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    masked.len()
}

pub(crate) fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.ends_with("_tests.rs")
}

/// The code of `file` that ships, masked; empty for a file of tests.
pub(crate) fn shipped(file: &File) -> String {
    if is_test_file(&file.path) { String::new() } else { without_tests(&mask(&file.text)) }
}

pub(crate) fn lines_of_code(masked: &str) -> usize {
    masked.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Where `word` stands as a whole word (path separators count as word ends).
pub(crate) fn words<'a>(masked: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    masked
        .match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !masked[..*at].ends_with(joins) && !masked[*at + word.len()..].starts_with(joins))
}

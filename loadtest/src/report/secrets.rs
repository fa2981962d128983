//! What a report must not repeat: the values of settings that are secrets, wherever they were given.
//!
//! A report is made to be mailed. Names stay, so that the run can be made again by whoever has the values.

/// In place of a value.
const MASK: &str = "…";
/// Parts of a setting's name that make it a secret.
const SECRET: [&str; 3] = ["SECRET", "PASSWORD", "KEY"];

/// The value of a setting, as it may be shown.
pub(crate) fn setting(name: &str, value: &str) -> String {
    let secret = SECRET.iter().any(|part| name.to_ascii_uppercase().contains(part));
    // The way to a file with a secret in it is none.
    if secret && !name.to_ascii_uppercase().ends_with("_FILE") { MASK.to_owned() } else { address(value) }
}

/// A word of a command line, as it may be shown: `--set=JWT_SECRET=…`.
pub(crate) fn word(word: &str) -> String {
    let (option, rest) = match word.split_once('=') {
        Some((option, rest)) if option.starts_with("--") => (format!("{option}="), rest),
        _ => (String::new(), word),
    };
    match rest.split_once('=') {
        Some((name, value)) => format!("{option}{name}={}", setting(name, value)),
        None => format!("{option}{}", address(rest)),
    }
}

/// An address without who it is asked as: `redis://…@host:6379`.
fn address(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{MASK}{}", &rest[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        for (given, shown) in [
            ("--set=JWT_SECRET=abc=def", "--set=JWT_SECRET=…"),
            ("JWT_SECRET=abc", "JWT_SECRET=…"),
            ("SERVER_API_KEYS=name:key", "SERVER_API_KEYS=…"),
            ("REDIS_PASSWORD=x", "REDIS_PASSWORD=…"),
            ("REDIS_PASSWORD_FILE=/run/secret", "REDIS_PASSWORD_FILE=/run/secret"),
            ("REDIS_URL=redis://user:p@ss@127.0.0.1:6379/0", "REDIS_URL=redis://…@127.0.0.1:6379/0"),
            ("--url=http://who:what@127.0.0.1:1", "--url=http://…@127.0.0.1:1"),
            ("http://127.0.0.1:1/a@b", "http://127.0.0.1:1/a@b"),
            ("deliver.p99<=50ms", "deliver.p99<=50ms"),
            ("missing==0", "missing==0"),
            ("--rate=60", "--rate=60"),
        ] {
            assert_eq!(word(given), shown);
        }
    }
}

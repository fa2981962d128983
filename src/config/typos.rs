//! Warns of variables that look like ours and are not: `JWT_SECERT` would otherwise be a setting nobody reads.
//!
//! Responsible for three likenesses: a few letters, the same words in another order or number (`MAX_CONNECTIONS`, `TRUSTED_PROXY`), and names
//! that other gateways have for the same. Not responsible for everything else in the environment, which is other programs': a guess about
//! that would be wrong more often than right, so a name that is nothing like ours is never mentioned. Only the names present are looked at,
//! never their texts.

use super::catalogue;
use super::reader::Reader;
use super::source::Source;

/// How many single letters may be inserted, dropped or replaced.
const EDITS_MAX: usize = 2;

/// Shorter names of ours (`HOST`, `PORT`, `WEB`) are within two edits of too much that is somebody else's, and within one of little.
const LETTERS_MIN: usize = 6;

/// In a short name.
const EDITS_MAX_SHORT: usize = 1;

/// One letter from a short name of ours, and other programs' (Mesos, `hosts` files, mail).
const FOREIGN: [&str; 5] = ["PORTS", "HOSTS", "POST", "SPORT", "GHOST"];

/// How it is called here, and what others call it.
const ELSEWHERE: [(&str, &str); 2] =
    [("ADMIN_ADDR", "METRICS_ADDR"), ("SESSION_MAX_PARTICIPANTS", "MAX_PARTICIPANTS")];

/// The end of `PROXIES`, in the singular a `Y`.
const IES: &str = "IES";

/// One warning for each name that is nearly one of ours, with the name that was meant.
pub(super) fn warn_of(reader: &mut Reader<'_>, source: &dyn Source) {
    let ours = our_names();
    for name in source.names() {
        if let Some(our) = meant(&name, &ours) {
            reader.warn(&name.escape_debug().to_string(), format!("is no setting; is {our} meant?"));
        }
    }
}

/// Which of ours a name is nearly; `None` for ours and for what is somebody else's.
fn meant<'a>(name: &str, ours: &'a [String]) -> Option<&'a str> {
    if ours.iter().any(|our| our == name) || FOREIGN.contains(&name) {
        return None;
    }
    let elsewhere = ELSEWHERE.iter().find(|(_, theirs)| *theirs == name).map(|(our, _)| *our);
    let words = words(name);
    let same =
        |our: &&String| elsewhere == Some(our.as_str()) || (words.len() > 1 && self::words(our) == words);
    ours.iter().find(same).or_else(|| nearest(name, ours)).map(String::as_str)
}

/// The nearest by letters, if it is near enough.
fn nearest<'a>(name: &str, ours: &'a [String]) -> Option<&'a String> {
    let distances = ours.iter().filter_map(|our| {
        let most = if our.len() < LETTERS_MIN { EDITS_MAX_SHORT } else { EDITS_MAX };
        // `PORT0` is a port of somebody's who counts them.
        let counted = our.len() < LETTERS_MIN && name.ends_with(|last: char| last.is_ascii_digit());
        if counted || our.len().abs_diff(name.len()) > most {
            return None;
        }
        let edits = edits(our.as_bytes(), name.as_bytes());
        (edits <= most).then_some((edits, our))
    });
    distances.min_by_key(|(edits, _)| *edits).map(|(_, our)| our)
}

/// The words of a name, in the singular and in order of the alphabet.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = name.split('_').map(singular).collect();
    words.sort();
    words
}

fn singular(word: &str) -> String {
    match word.strip_suffix(IES) {
        Some(stem) => format!("{stem}Y"),
        None if word.ends_with("SS") => word.to_owned(),
        None => word.strip_suffix('S').unwrap_or(word).to_owned(),
    }
}

/// Every name that is read, those of secret files included.
fn our_names() -> Vec<String> {
    let mut names = Vec::new();
    for setting in catalogue::settings() {
        names.push(setting.name.to_owned());
        if setting.secret {
            names.push(setting.file_name());
        }
    }
    names
}

/// Levenshtein's distance, by rows.
fn edits(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, byte) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(byte != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("REDIS_URL", "REDIS_URL", 0),
            ("REDIS_URL", "REDIS_URI", 1),
            ("JWT_SECRET", "JWT_SECERT", 2),
            ("TURN_URLS", "TURN_URL", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(left.as_bytes(), right.as_bytes()), expected, "{left} {right}");
            assert_eq!(edits(right.as_bytes(), left.as_bytes()), expected, "{right} {left}");
        }
    }

    #[test]
    fn names_that_are_nearly_ours_are_told() {
        let ours = our_names();
        for (name, our) in [
            ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
            ("PROXIES_TRUSTED", "TRUSTED_PROXIES"),
            ("MAX_CONNECTIONS", "CONNECTIONS_MAX"),
            ("CONNECTION_MAX", "CONNECTIONS_MAX"),
            ("JOIN_RATE_LIMIT", "RATE_LIMIT_JOIN"),
            ("METRICS_ADDR", "ADMIN_ADDR"),
            ("MAX_PARTICIPANTS", "SESSION_MAX_PARTICIPANTS"),
            ("PORTT", "PORT"),
            ("HOSTT", "HOST"),
            ("WEBB", "WEB"),
            ("JWT_SECERT", "JWT_SECRET"),
            ("SECRET_JWT_FILE", "JWT_SECRET_FILE"),
        ] {
            assert_eq!(meant(name, &ours), Some(our), "{name}");
        }
    }

    #[test]
    fn what_is_somebody_elses_is_not() {
        let ours = our_names();
        let foreign = "PATH HOME HOSTNAME HOSTTYPE OSTYPE USER SHELL TERM LANG LC_ALL PWD OLDPWD SHLVL TZ EDITOR PAGER MAIL LOGNAME DISPLAY _ \
            HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy RUST_LOG RUST_BACKTRACE NODE_ENV NODE_OPTIONS CI DEBUG PORTS PORT0 PORT1 PORT_8080 HOSTS POST \
            PGHOST PGPORT DB_HOST DB_PORT DATABASE_URL SMTP_HOST SMTP_PORT APP_PORT REDIS_HOST REDIS_PORT REDIS_SERVICE_HOST REDIS_SERVICE_PORT \
            REDIS_PORT_6379_TCP_ADDR KUBERNETES_SERVICE_HOST KUBERNETES_PORT WATCHPARTY_PORT WATCHPARTY_SERVICE_HOST METRICS_PORT POD_NAME POD_IP \
            NODE_NAME OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES SSL_CERT_FILE MALLOC_ARENA_MAX TOKIO_WORKER_THREADS WEBDAV WEBSITE JWT TURN LOGS";
        for name in foreign.split_whitespace() {
            assert_eq!(meant(name, &ours), None, "{name}");
        }
        for name in &ours {
            assert_eq!(meant(name, &ours), None, "{name}");
        }
    }

    #[test]
    fn no_two_of_ours_are_one_name() {
        let mut names = our_names();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        let mut worded: Vec<Vec<String>> = names.iter().map(|name| words(name)).collect();
        worded.sort();
        worded.dedup();
        assert_eq!(worded.len(), count, "nor two in other words");
    }
}

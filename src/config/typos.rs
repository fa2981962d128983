//! Warns of variables that look like ours and are not: `JWT_SECERT` would otherwise be a setting nobody reads.
//!
//! Only the names present are looked at, never their texts.

use super::catalogue;
use super::reader::Reader;
use super::source::Source;

/// How many single letters may be inserted, dropped or replaced.
const EDITS_MAX: usize = 2;

/// Shorter names of ours (`HOST`, `WEB`) are within two edits of too much that is somebody else's.
const LETTERS_MIN: usize = 6;

/// One warning for each name that is nearly one of ours, with the name that was meant.
pub(super) fn warn_of(reader: &mut Reader<'_>, source: &dyn Source) {
    let ours = our_names();
    for name in source.names() {
        if ours.contains(&name) {
            continue;
        }
        let nearest = ours
            .iter()
            .filter(|our| our.len() >= LETTERS_MIN && our.len().abs_diff(name.len()) <= EDITS_MAX)
            .map(|our| (edits(our.as_bytes(), name.as_bytes()), our))
            .min_by_key(|(edits, _)| *edits);
        if let Some((_, our)) = nearest.filter(|(edits, _)| *edits <= EDITS_MAX) {
            reader.warn(&name.escape_debug().to_string(), format!("is no setting; is {our} meant?"));
        }
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
    fn no_two_of_ours_are_one_name() {
        let mut names = our_names();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

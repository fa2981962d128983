//! What of a text can be seen: names that look empty, or like another's, are refused by it.
//!
//! Responsible for characters without a shape of their own, by lists from the Unicode Character Database (16.0: `Default_Ignorable_Code_Point`,
//! `Bidi_Control`, `Variation_Selector`), as the standard library has none of them. Not responsible for lengths and controls (`participant`,
//! `session`), nor for look-alikes that can be seen: whole scripts are those of each other.

/// U+200C and U+200D: between two others they choose how those are joined, which Persian, Indic scripts and emoji need.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

/// The one character that tags follow: flags of parts of countries are spelt by them.
const FLAG: char = '\u{1f3f4}';

/// Follows the selector of a key cap.
const KEY_CAP: char = '\u{20e3}';

/// Whether anything of a text is to be seen.
#[must_use]
pub fn has_visible(text: &str) -> bool {
    text.chars().any(is_visible)
}

/// Whether every character of a trimmed name is to be seen, or changes one that is: joiners between two others, variation selectors behind
/// one, tags behind a flag. None changes the direction or begins a line, as names stand in lines of others' text.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(character) = rest.next() {
        let stands = match character {
            _ if JOINERS.contains(&character) => joins(before, rest.peek().copied()),
            _ if is_selector(character) => selects(before, rest.peek().copied()),
            _ if is_tag(character) => before.is_some_and(|before| before == FLAG || is_tag(before)),
            _ => is_visible(character) || is_space(character),
        };
        if !stands {
            return false;
        }
        before = Some(character);
    }
    true
}

/// Whether a joiner has something to join. Between two of ASCII it does nothing, and makes a second name that looks the same.
fn joins(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    (is_visible(before) || is_selector(before))
        && is_visible(after)
        && !(before.is_ascii() && after.is_ascii())
}

/// Whether a selector has something to select from. Of ASCII only what becomes a key cap has two shapes.
fn selects(before: Option<char>, after: Option<char>) -> bool {
    before.is_some_and(|before| is_visible(before) && (!before.is_ascii() || after == Some(KEY_CAP)))
}

/// Leaves a mark. U+2800 is Braille without a dot.
fn is_visible(character: char) -> bool {
    !character.is_whitespace()
        && !character.is_control()
        && character != '\u{2800}'
        && !is_ignorable(character)
        && !is_annotation(character)
}

/// White space within a line.
fn is_space(character: char) -> bool {
    let breaks = character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    (character.is_whitespace() && !breaks) || character == '\u{2800}'
}

/// Shown as nothing where it is not understood. Bidirectional controls are among them.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Interlinear annotation: its anchors are seen by no one.
fn is_annotation(character: char) -> bool {
    matches!(character, '\u{fff9}'..='\u{fffb}')
}

/// Chooses a shape of the character before it.
fn is_selector(character: char) -> bool {
    matches!(character, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Spells a flag.
fn is_tag(character: char) -> bool {
    matches!(character, '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_plain() {
        for name in [
            "Ada",
            "Ada L.",
            "Zoë",
            "Zoe\u{308}",
            "\u{646}\u{627}\u{645}\u{647}\u{200c}\u{627}\u{6cc}",
            "\u{915}\u{94d}\u{200d}\u{937}",
            "\u{5e2}\u{5d3}\u{5d4}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "1\u{fe0f}\u{20e3}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "\u{845b}\u{e0100}",
            "a\u{2800}b",
            "a\u{3000}b",
        ] {
            assert!(is_plain(name) && has_visible(name), "{name:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_no_part_of_a_name() {
        for name in [
            "\u{200b}\u{200b}\u{200b}",
            "\u{feff}",
            "\u{2066}\u{2066}",
            "Ada\u{200b}",
            "Ada\u{200d}",
            "\u{200d}Ada",
            "A\u{200d}da",
            "\u{1f468}\u{200d}\u{200d}\u{1f469}",
            "\u{1f468} \u{200d}\u{1f469}",
            "\u{202e}adA",
            "a\u{202e}b",
            "a\u{200f}b",
            "a\u{61c}b",
            "a\u{ad}b",
            "Ada\u{fe0f}",
            "Ada 1\u{fe0f}",
            "\u{fe0f}Ada",
            "\u{2764}\u{fe0f}\u{fe0f}",
            "Ada\u{e0041}",
            "\u{3164}",
            "a\u{115f}b",
            "a\u{2028}b",
            "a\u{fff9}b",
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn a_text_of_nothing_is_seen_to_be_one() {
        for text in [
            "",
            " ",
            "\u{3000}\t\n",
            "\u{200b}",
            "\u{feff}\u{2060} \u{2028}",
            "\u{2800}",
            "\u{fe0f}\u{200d}",
            "\u{fff9}",
        ] {
            assert!(!has_visible(text), "{text:?}");
        }
        for text in [".", "\u{200b}x", "\u{1f3ac}", "\u{301}", "\u{5d0}\u{202e}"] {
            assert!(has_visible(text), "{text:?}");
        }
    }
}

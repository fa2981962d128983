//! Where settings come from: the environment and, in development, a `.env` file; in tests, a map.
//!
//! The reader sees only [`Source`], so no test touches the process environment and nothing ever calls `set_var`.
//! What the texts mean is not decided here.

use std::collections::BTreeMap;
use std::path::Path;

use super::mistake::{Mistake, Mistakes};

/// The file that fills what the environment leaves unset, in development.
pub const DOTENV: &str = ".env";

/// Named texts.
///
/// `get` is the one method that reads a setting; the other two serve people: the names present are compared with
/// ours to warn of typing errors, and the place is shown by `check-config --print`.
pub trait Source {
    /// The text given for `name`, as it stands; empty and absent are told apart by the reader, not here. A value
    /// that is not UTF-8 comes with U+FFFD in it, which no form accepts.
    fn get(&self, name: &str) -> Option<String>;

    /// Every name present.
    fn names(&self) -> Vec<String>;

    /// Where the text of `name` stands, in a word for people.
    fn place(&self, name: &str) -> &'static str;
}

/// Settings from a literal map: tests, and servers started inside tests.
#[derive(Clone, Debug, Default)]
pub struct MapSource(BTreeMap<String, String>);

impl MapSource {
    /// The same map with one more (or another) text.
    #[must_use]
    pub fn with(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), text.to_owned());
        self
    }
}

impl<const N: usize> From<[(&str, &str); N]> for MapSource {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }
}

impl Source for MapSource {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn place(&self, _name: &str) -> &'static str {
        "map"
    }
}

/// The process environment, read once, over the `.env` file of the working directory.
pub struct EnvSource {
    environment: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
}

impl EnvSource {
    /// Reads both. Fails only where `.env` exists and cannot be read as lines of `NAME=value`.
    pub fn load() -> Result<Self, Mistakes> {
        let environment = std::env::vars_os()
            .map(|(name, text)| (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned()))
            .collect();
        Self::over(environment, Path::new(DOTENV))
    }

    /// `environment` over the file at `path`, which production does not read: there a stray file must not decide.
    fn over(environment: BTreeMap<String, String>, path: &Path) -> Result<Self, Mistakes> {
        let development = environment
            .get(super::ENVIRONMENT.name)
            .is_none_or(|word| word.trim().is_empty() || word.trim() == "development");
        let file = if development && path.exists() { read_dotenv(path)? } else { BTreeMap::new() };
        Ok(Self { environment, file })
    }

    fn in_environment(&self, name: &str) -> Option<&String> {
        self.environment.get(name).filter(|text| !text.trim().is_empty())
    }
}

impl Source for EnvSource {
    fn get(&self, name: &str) -> Option<String> {
        self.in_environment(name).or_else(|| self.file.get(name)).cloned()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.environment.keys().chain(self.file.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    fn place(&self, name: &str) -> &'static str {
        if self.in_environment(name).is_some() { "environment" } else { DOTENV }
    }
}

/// Reads into a map; the parser's own errors quote the line, so they are replaced by its number.
fn read_dotenv(path: &Path) -> Result<BTreeMap<String, String>, Mistakes> {
    let mistake = |text: String| Mistakes::new(vec![Mistake::new(DOTENV, text)]);
    let lines = dotenvy::from_path_iter(path)
        .map_err(|_quotes_the_path| mistake("expected a file that can be read, or none".to_owned()))?;
    let mut file = BTreeMap::new();
    for (index, line) in lines.enumerate() {
        let (name, text) = line.map_err(|_quotes_the_line| {
            mistake(format!("expected NAME=value in its assignment number {}", index + 1))
        })?;
        // The first of two lines with one name wins, as with every other reader of such files.
        file.entry(name).or_insert(text);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str, text: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("watchparty-source-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a scratch file can be written");
        path
    }

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn the_file_fills_only_what_the_environment_leaves_unset() {
        let path = scratch("fill", "# a comment\nPORT=1\nHOST='::1'\nexport WEB=false\n");
        let source = EnvSource::over(environment(&[("PORT", "2"), ("WEB", "")]), &path).expect("it parses");
        std::fs::remove_file(&path).expect("ours to remove");
        assert_eq!(source.get("PORT").as_deref(), Some("2"));
        assert_eq!(source.place("PORT"), "environment");
        assert_eq!(source.get("HOST").as_deref(), Some("::1"));
        assert_eq!(source.place("HOST"), DOTENV);
        assert_eq!(source.get("WEB").as_deref(), Some("false"), "empty means unset");
        assert_eq!(source.names(), ["HOST", "PORT", "WEB"]);
    }

    #[test]
    fn production_reads_no_file() {
        let path = scratch("production", "PORT=1\n");
        let source = EnvSource::over(environment(&[("ENVIRONMENT", "production")]), &path).expect("unread");
        std::fs::remove_file(&path).expect("ours to remove");
        assert_eq!(source.get("PORT"), None);
    }

    #[test]
    fn a_broken_file_is_a_mistake_that_quotes_nothing() {
        let path = scratch("broken", "PORT=1\nhunter2 canary line\n");
        let mistakes = EnvSource::over(BTreeMap::new(), &path).err().expect("it does not parse");
        std::fs::remove_file(&path).expect("ours to remove");
        assert_eq!(mistakes.to_string(), ".env: expected NAME=value in its assignment number 2");
    }

    #[test]
    fn no_file_is_no_mistake() {
        let source = EnvSource::over(BTreeMap::new(), Path::new("/nonexistent/.env")).expect("optional");
        assert!(source.names().is_empty());
    }
}

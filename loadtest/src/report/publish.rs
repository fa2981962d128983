//! Where a report goes: text or JSON on stdout, and `run.json` and `report.html` in a directory.
//!
//! The directory is tried before the run, so that an hour of load does not end at a mistyped path; files appear whole or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::figures::Run;
use super::{html, text};

/// The figures.
const FIGURES: &str = "run.json";
/// The page.
const PAGE: &str = "report.html";

/// A directory that can be written to.
#[derive(Debug)]
pub(crate) struct Out(PathBuf);

impl Out {
    /// Makes the directory, if there is none, and tries it.
    ///
    /// # Errors
    /// It cannot be written to.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        let trial = path.join(".loadtest");
        fs::write(&trial, "")
            .and_then(|()| fs::remove_file(&trial))
            .with_context(|| format!("writing to {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Writes both files, over those of an earlier run.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn write(&self, run: &Run) -> anyhow::Result<()> {
        self.put(FIGURES, &(serde_json::to_string_pretty(run)? + "\n"))?;
        self.put(PAGE, &html::page(run))
    }

    /// Writes the figures alone, of what makes a JSON of its own.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn figures(&self, figures: &serde_json::Value) -> anyhow::Result<()> {
        self.put(FIGURES, &format!("{figures:#}\n"))
    }

    fn put(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let (unfinished, path) = (self.0.join(format!(".{name}")), self.0.join(name));
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// Says the report on stdout: as text, or as the one line of JSON that `run.json` is.
///
/// # Errors
/// Nobody reads it to its end.
pub(crate) fn say(run: &Run, json: bool) -> anyhow::Result<()> {
    print(&if json { serde_json::to_string(run)? + "\n" } else { text::text(run) })
}

/// Says something on stdout.
///
/// # Errors
/// Nobody reads it to its end.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("writing the report")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::compare;
    use crate::report::sample;

    /// A directory that goes when its test does.
    struct Directory(PathBuf);

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn directory(name: &str) -> Directory {
        Directory(std::env::temp_dir().join(format!("loadtest-{name}-{}", std::process::id())))
    }

    #[test]
    fn a_run_reads_back_as_it_was_written_and_its_page_lies_beside_it() {
        let directory = directory("out");
        let out = Out::open(&directory.0.join("deep/er")).expect("made");
        let mut run = sample::run();
        out.write(&run).expect("written");
        run.total.counts.missing = 1;
        out.write(&run).expect("written again");
        let path = directory.0.join("deep/er");
        assert!(compare::read(&path.join(FIGURES)).expect("reads") == run);
        assert!(fs::read_to_string(path.join(PAGE)).expect("a page") == html::page(&run));
        assert_eq!(fs::read_dir(&path).expect("a directory").count(), 2, "nothing else is left");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_found_before_the_run() {
        let directory = directory("file");
        fs::create_dir_all(&directory.0).expect("made");
        let file = directory.0.join("file");
        fs::write(&file, "").expect("written");
        let error = format!("{:#}", Out::open(&file).expect_err("a file is no directory"));
        assert!(error.starts_with("making "), "{error}");
    }
}

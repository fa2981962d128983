//! The pipeline as a reader of lines would see it: shape, levels, floods, a pipe that is stuck.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::with_default;

use super::*;

/// A writer whose text the test reads back.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no test panics while writing").clone())
            .expect("lines are UTF-8")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics while writing").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logs(format: LogFormat, rest: LevelFilter, targets: &[(&str, LevelFilter)]) -> LogsConfig {
    let targets = targets.iter().map(|(target, level)| ((*target).to_owned(), *level)).collect();
    LogsConfig { filter: LogFilter { rest, targets }, format, traces_to: None, traces_sampled: 0.0 }
}

/// What `say` writes under these settings.
fn written(logs: &LogsConfig, flood: &Flood, say: impl FnOnce()) -> String {
    let page = Page::default();
    let pen = page.clone();
    with_default(subscriber(logs, move || pen.clone(), false, flood.filter()), say);
    page.text()
}

#[test]
fn json_lines_carry_fields_on_top_and_the_span_as_a_member() {
    let text = written(&logs(LogFormat::Json, LevelFilter::INFO, &[]), &Flood::default(), || {
        let _span = tracing::info_span!("request", request.id = "r-1").entered();
        tracing::info!(close.code = 1012, "connection closed\nnot a new line");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(line["message"], "connection closed\nnot a new line");
    assert_eq!(line["close.code"], 1012);
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["span"]["request.id"], "r-1");
    assert!(line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')));
}

#[test]
fn levels_hold_for_targets_of_their_own() {
    let logs = logs(LogFormat::Text, LevelFilter::WARN, &[("watchparty::ws", LevelFilter::DEBUG)]);
    let text = written(&logs, &Flood::default(), || {
        tracing::info!(target: "watchparty::http", "quiet");
        tracing::warn!(target: "watchparty::http", "loud");
        tracing::debug!(target: "watchparty::ws::socket", "asked for");
        tracing::trace!(target: "watchparty::ws::socket", "not asked for");
    });
    assert!(text.contains("loud") && text.contains(" asked for"), "{text}");
    assert!(!text.contains("quiet") && !text.contains("not asked for"), "{text}");
}

#[test]
fn a_flood_is_cut_and_summed_up_once() {
    let flood = Flood::default();
    let text = written(&logs(LogFormat::Text, LevelFilter::INFO, &[]), &flood, || {
        for period in 0..2 {
            for _line in 0..flood::LINES_PER_PERIOD + 7 {
                tracing::warn!(period, "something loud");
                tracing::debug!("too quiet to count");
            }
            tracing::info!("something else");
            flood.end_period();
        }
        flood.end_period();
    });
    let count = |phrase: &str| text.lines().filter(|line| line.contains(phrase)).count();
    assert_eq!(count("something loud period="), 200, "{text}");
    assert_eq!(count("something else"), 2);
    assert_eq!(count("lines held back held_back=7 of=\"something loud\""), 2, "{text}");
    assert_eq!(count("lines held back"), 2, "a quiet period says nothing");
    assert_eq!(count("too quiet"), 0);
}

/// A writer that is stuck until it is told to go on.
struct Stuck(std::sync::mpsc::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An error means that the test let go: then everything flows.
        let _let_go = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_pipe_costs_lines_and_no_worker() {
    let (go_on, stuck) = sync_channel(0);
    let (mut writer, guard) = queue(Stuck(stuck));
    let dropped = DroppedLines(writer.error_counter());
    // One line may be in the writer's hands, QUEUED_LINES wait, and every further one is dropped, none blocks.
    for _line in 0..QUEUED_LINES + 11 {
        writer.write_all(b"line\n").expect("a lossy writer never fails");
    }
    assert!((10..=11).contains(&dropped.count()), "{}", dropped.count());
    drop(go_on);
    drop(guard);
}

//! What lines say, and the plain voice: one line when a phase begins and one each five seconds, for people (`loadtest: …`) or programs (JSON).
//!
//! Pure but for the writer it is given: times come in as arguments, so that tests need not wait.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use super::{Extent, Live, Phase};
use crate::report::amount;

/// Between two plain lines: often enough to see that it lives, seldom enough for a log.
const EACH: Duration = Duration::from_secs(5);

/// The plain voice.
pub(super) struct Lines {
    out: Box<dyn Write + Send>,
    json: bool,
    part: Option<(String, usize, usize)>,
    stand: Option<Stand>,
    told: Duration,
}

/// Where a phase stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stand {
    pub(super) phase: Phase,
    pub(super) extent: Extent,
    pub(super) began: Duration,
    pub(super) done: u64,
}

impl Stand {
    /// Of a phase that begins.
    pub(super) fn new(now: Duration, phase: Phase, extent: Extent) -> Self {
        Self { phase, extent, began: now, done: 0 }
    }

    /// How long still: known for a time, guessed from the pace so far for a count, unknown before there is a pace.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.began);
        match self.extent {
            Extent::Time(whole) => Some(whole.saturating_sub(passed)),
            Extent::Count(_) if self.done == 0 => None,
            #[expect(clippy::cast_precision_loss, reason = "a guess")]
            Extent::Count(all) => {
                Some(passed.mul_f64(all.saturating_sub(self.done) as f64 / self.done as f64))
            }
        }
    }

    /// `0:05 of 0:10, 0:05 left`, `400 of 1000, 0:03 left`; what waits has no end of its own but a last moment.
    pub(super) fn words(&self, now: Duration) -> String {
        let left = self.left(now).filter(|left| !left.is_zero());
        let whole = match self.extent {
            Extent::Time(whole) => whole,
            // A count takes as long as it takes: its clock is one for people.
            Extent::Count(_) => LONG,
        };
        if self.phase == Phase::Drain {
            return left
                .map_or("at its end".to_owned(), |left| format!("at most {} more", time(left, whole)));
        }
        let stands = match self.extent {
            Extent::Time(_) => {
                let passed = now.saturating_sub(self.began).min(whole);
                format!("{} of {}", time(passed, whole), time(whole, whole))
            }
            Extent::Count(all) => format!("{} of {}", amount::count(self.done), amount::count(all)),
        };
        match left {
            Some(left) => format!("{stands}, {} left", time(left, whole)),
            None => stands,
        }
    }
}

/// Shorter phases are told in tenths of a second.
const LONG: Duration = Duration::from_secs(10);

/// A time in a phase of this length. Rounded up: `0:00 left` would say that it is over.
fn time(time: Duration, whole: Duration) -> String {
    if whole < LONG {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        amount::clock(time.as_millis().div_ceil(1000) as u64)
    }
}

impl Lines {
    /// Nothing told yet.
    pub(super) fn new(out: Box<dyn Write + Send>, json: bool) -> Self {
        Self { out, json, part: None, stand: None, told: Duration::ZERO }
    }

    pub(super) fn part(&mut self, _now: Duration, name: &str, number: usize, of: usize) {
        self.part = Some((name.to_owned(), number, of));
        self.stand = None;
    }

    pub(super) fn phase(&mut self, now: Duration, phase: Phase, extent: Extent) {
        self.stand = Some(Stand::new(now, phase, extent));
        self.tell(now, None);
    }

    pub(super) fn done(&mut self, now: Duration, count: u64) {
        if let Some(stand) = &mut self.stand {
            stand.done = count;
        }
        self.tell_in_time(now, None);
    }

    pub(super) fn live(&mut self, now: Duration, live: &Live) {
        self.tell_in_time(now, Some(live));
    }

    pub(super) fn say(&mut self, now: Duration, what: &str) {
        if self.json {
            self.put(&json!({"at_s": seconds(now), "say": what}).to_string());
        } else {
            self.put(what);
        }
    }

    fn tell_in_time(&mut self, now: Duration, live: Option<&Live>) {
        if now.saturating_sub(self.told) >= EACH {
            self.tell(now, live);
        }
    }

    fn tell(&mut self, now: Duration, live: Option<&Live>) {
        let Some(stand) = self.stand else { return };
        self.told = now;
        let line = if self.json { self.object(now, stand, live) } else { self.words(now, stand, live) };
        self.put(&line);
    }

    fn words(&self, now: Duration, stand: Stand, live: Option<&Live>) -> String {
        let part = self
            .part
            .as_ref()
            .map_or(String::new(), |(name, number, of)| format!("{name} ({number} of {of}), "));
        let head = format!(
            "{:>5}  {part}{}: {}",
            amount::clock(now.as_secs()),
            stand.phase.name(),
            stand.words(now)
        );
        match live {
            Some(live) => format!("{head}; {}", live_words(live)),
            None => head,
        }
    }

    fn object(&self, now: Duration, stand: Stand, live: Option<&Live>) -> String {
        let mut line = json!({
            "at_s": seconds(now),
            "phase": stand.phase.name(),
            "phase_s": seconds(now.saturating_sub(stand.began)),
            "left_s": stand.left(now).map(seconds),
        });
        if let Extent::Count(all) = stand.extent {
            line["done"] = json!(stand.done);
            line["of"] = json!(all);
        }
        if let Some((name, number, of)) = &self.part {
            line["part"] = json!({"name": name, "number": number, "of": of});
        }
        if let Some(live) = live {
            line["live"] = json!({
                "connections": live.connections,
                "sent_per_s": live.messages_per_s,
                "deliveries_per_s": live.deliveries_per_s,
                "p50_us": live.p50.map(micros),
                "p99_us": live.p99.map(micros),
                "missing": live.missing,
                "server_cpu": live.server_cpu,
                "server_rss_bytes": live.server_rss_bytes,
            });
        }
        line.to_string()
    }

    /// Whoever does not listen any more misses it.
    fn put(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }
}

/// The live line: connections, messages and deliveries a second, times, what is missing, what the server uses.
pub(super) fn live_words(live: &Live) -> String {
    let mut words = vec![
        format!("{} connections", amount::count(live.connections)),
        format!("{} messages/s", amount::rate(live.messages_per_s)),
        format!("{} deliveries/s", amount::rate(live.deliveries_per_s)),
    ];
    let time = |name: &str, time: Duration| format!("{name} {}", amount::micros(time.as_secs_f64() * 1e6));
    words.extend(live.p50.map(|p50| time("p50", p50)));
    words.extend(live.p99.map(|p99| time("p99", p99)));
    words.push(format!("{} missing", amount::count(live.missing)));
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let server: Vec<String> = live
        .server_cpu
        .map(amount::cores)
        .into_iter()
        .chain(live.server_rss_bytes.map(|rss| amount::bytes(rss as f64)))
        .collect();
    if !server.is_empty() {
        words.push(format!("server {}", server.join(" and ")));
    }
    words.join(", ")
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// What was written.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("a page").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().expect("a page").clone();
            String::from_utf8(bytes)
                .expect("text")
                .replace('\u{a0}', " ")
                .lines()
                .map(str::to_owned)
                .collect()
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn live() -> Live {
        Live {
            connections: 1000,
            messages_per_s: 59.94,
            deliveries_per_s: 59_940.0,
            p50: Some(Duration::from_micros(1240)),
            p99: Some(Duration::from_micros(3400)),
            missing: 2,
            server_cpu: Some(0.418),
            server_rss_bytes: Some(19_084_083),
        }
    }

    fn run(json: bool) -> Vec<String> {
        let page = Page::default();
        let mut lines = Lines::new(Box::new(page.clone()), json);
        lines.part(at(0), "fanout", 1, 2);
        lines.phase(at(0), Phase::Connect, Extent::Count(1000));
        (1..=4).for_each(|second| lines.done(at(second), second * 100));
        lines.done(at(5), 500);
        lines.phase(at(9), Phase::Run, Extent::Time(at(10)));
        (10..=19).for_each(|second| lines.live(at(second), &live()));
        lines.phase(at(19), Phase::Drain, Extent::Time(at(15)));
        lines.say(at(19), "round 1: fine");
        page.lines()
    }

    #[test]
    fn a_log_gets_a_line_a_phase_and_one_each_five_seconds() {
        let tail = "1 000 connections, 59.9 messages/s, 59.9 k deliveries/s, p50 1.24 ms, p99 3.40 ms, 2 missing, server 0.42 cores and 18.2 MiB";
        assert_eq!(
            run(false),
            [
                " 0:00  fanout (1 of 2), connect: 0 of 1 000".to_owned(),
                " 0:05  fanout (1 of 2), connect: 500 of 1 000, 0:05 left".to_owned(),
                " 0:09  fanout (1 of 2), run: 0:00 of 0:10, 0:10 left".to_owned(),
                format!(" 0:14  fanout (1 of 2), run: 0:05 of 0:10, 0:05 left; {tail}"),
                format!(" 0:19  fanout (1 of 2), run: 0:10 of 0:10; {tail}"),
                " 0:19  fanout (1 of 2), drain: at most 0:15 more".to_owned(),
                "round 1: fine".to_owned(),
            ]
        );
    }

    #[test]
    fn a_program_gets_the_same_as_json() {
        let lines: Vec<serde_json::Value> =
            run(true).iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 7);
        assert_eq!(lines[1]["done"], 500);
        assert_eq!(lines[1]["left_s"], 5.0);
        assert_eq!(lines[3]["live"]["p99_us"], 3400);
        assert_eq!(lines[3]["part"]["name"], "fanout");
        assert_eq!(lines[3]["phase"], "run");
        assert_eq!(lines[6]["say"], "round 1: fine");
    }

    #[test]
    fn short_phases_are_told_in_tenths() {
        let stand = Stand::new(at(1), Phase::WarmUp, Extent::Time(Duration::from_millis(500)));
        assert_eq!(stand.words(Duration::from_millis(1100)), "0.1 s of 0.5 s, 0.4 s left");
        assert_eq!(stand.words(at(2)), "0.5 s of 0.5 s");
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let words = live_words(&Live { connections: 3, ..Live::default() });
        assert_eq!(words, "3 connections, 0 messages/s, 0 deliveries/s, 0 missing");
    }
}

//! Which charts a run has: how long things took, what happened each second, what it cost, and how that grew from step to step.

use super::axis::{Axis, Scale};
use super::chart::{Chart, Line, thin};
use super::markup::Markup;
use crate::report::amount;
use crate::report::figures::{Figures, Latency, Sample, Step};
use crate::report::known::KINDS;

const MIB: f64 = 1024.0 * 1024.0;

type Points = Vec<(f64, Option<f64>)>;

/// All charts there are figures for.
pub(super) fn all(page: &mut Markup, figures: &Figures) {
    distributions(page, figures);
    if figures.samples.len() > 1 {
        Seconds { figures }.all(page);
    }
    if figures.steps.len() > 1 {
        steps(page, &figures.steps);
    }
}

/// The times of each kind by how many took at most so long. How late the generator was stands beside them.
#[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 microseconds")]
fn distributions(page: &mut Markup, figures: &Figures) {
    let mut lines = Vec::new();
    for (colour, (name, read)) in KINDS.iter().enumerate() {
        let Some(times) = read(figures) else { continue };
        // All of them have no place on a scale of nines: the last stands where one in so many does.
        let last = 1.0 - 1.0 / (times.count.max(2) as f64);
        let points = times.distribution.iter().map(|(share, micros)| (share.min(last), Some(*micros as f64)));
        lines.push(Line { name: (*name).to_owned(), colour, points: points.collect() });
    }
    if lines.is_empty() {
        return;
    }
    let (xs, ys) = extents(&lines);
    let share = |share: f64| format!("{} %", trimmed(share * 100.0));
    Chart {
        title: "How long things took",
        note: "This share of them took at most so long; both scales stretch the tail.",
        x: Axis::over(Scale::Nines, xs.into_iter(), 1.0),
        x_name: &share,
        y: Axis::over(Scale::Log, ys.into_iter(), 1.0),
        y_name: &amount::round_micros,
        lines,
        measured: Vec::new(),
    }
    .draw(page);
}

/// Charts over time.
struct Seconds<'a> {
    figures: &'a Figures,
}

#[expect(clippy::cast_precision_loss, reason = "for a drawing")]
impl Seconds<'_> {
    fn all(&self, page: &mut Markup) {
        let rate = |value: f64| amount::rate(value);
        self.chart(
            page,
            ("Deliveries each second", "Entries times those who got them."),
            (&rate, 1.0),
            vec![self.line("deliveries/s", 0, false, |second| Some(second.deliveries_per_s))],
        );
        let time = |micros: f64| amount::round_micros(micros);
        self.chart(
            page,
            ("Publish to delivery", "Of each second: half took at most p50, of a hundred 99 at most p99."),
            (&time, 1000.0),
            vec![
                self.line("p50", 0, true, |second| second.p50_us.map(|micros| micros as f64)),
                self.line("p99", 1, true, |second| second.p99_us.map(|micros| micros as f64)),
            ],
        );
        let cores = |cores: f64| trimmed(cores);
        self.chart(
            page,
            ("Processor", "Cores kept busy."),
            (&cores, 1.0),
            vec![
                self.line("gateway", 0, false, |second| second.server_cpu),
                self.line("generator", 1, false, |second| second.generator_cpu),
            ],
        );
        let bytes = |bytes: f64| amount::bytes(bytes);
        self.chart(
            page,
            ("Memory of the gateway", "Resident."),
            (&bytes, MIB),
            vec![self.line("resident", 0, true, |second| second.server_rss_bytes.map(|bytes| bytes as f64))],
        );
        let count = |count: f64| amount::rate(count);
        self.chart(
            page,
            ("Connections", "Open at the end of each second."),
            (&count, 1.0),
            vec![self.line("connections", 0, false, |second| Some(second.connections as f64))],
        );
    }

    fn line(&self, name: &str, colour: usize, most: bool, read: impl Fn(&Sample) -> Option<f64>) -> Line {
        let points: Points = self.figures.samples.iter().map(|second| (second.at_s, read(second))).collect();
        Line { name: name.to_owned(), colour, points: thin(&points, most) }
    }

    fn chart(
        &self,
        page: &mut Markup,
        (title, note): (&str, &str),
        (y_name, unit): (&dyn Fn(f64) -> String, f64),
        lines: Vec<Line>,
    ) {
        let lines: Vec<Line> =
            lines.into_iter().filter(|line| line.points.iter().any(|(_, y)| y.is_some())).collect();
        let (xs, ys) = extents(&lines);
        if lines.is_empty() || ys.iter().all(|y| *y == 0.0) {
            return;
        }
        let end = xs.iter().copied().fold(0.0, f64::max);
        let runs = self.figures.phases.iter().filter(|phase| phase.name == "run");
        Chart {
            title,
            note,
            x: Axis::between(end),
            x_name: &|seconds| format!("{} s", amount::figures(seconds)),
            y: Axis::over(Scale::Linear, ys.into_iter(), unit),
            y_name,
            lines,
            measured: runs.map(|run| (run.from_s, run.from_s + run.seconds)).collect(),
        }
        .draw(page);
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a drawing")]
fn steps(page: &mut Markup, steps: &[Step]) {
    let time =
        |read: fn(&Latency) -> u64| move |step: &Step| step.deliver.as_ref().map(|times| read(times) as f64);
    step_chart(
        page,
        "Publish to delivery, step by step",
        Scale::Log,
        (&amount::round_micros, 1.0),
        (
            vec![
                step_line(steps, "p50", 0, time(|times| times.p50_us)),
                step_line(steps, "p99", 1, time(|times| times.p99_us)),
            ],
            steps,
        ),
    );
    step_chart(
        page,
        "Processor time for a delivery, step by step",
        Scale::Linear,
        (&amount::round_micros, 1.0),
        (vec![step_line(steps, "CPU", 0, |step| step.cpu_per_delivery_us)], steps),
    );
    step_chart(
        page,
        "Memory of the gateway, step by step",
        Scale::Linear,
        (&amount::bytes, MIB),
        (
            vec![step_line(steps, "resident", 0, |step| step.server_rss_bytes.map(|bytes| bytes as f64))],
            steps,
        ),
    );
}

fn step_line(steps: &[Step], name: &str, colour: usize, read: impl Fn(&Step) -> Option<f64>) -> Line {
    let points = steps.iter().zip(0u32..).map(|(step, at)| (f64::from(at), read(step)));
    Line { name: name.to_owned(), colour, points: points.collect() }
}

fn step_chart(
    page: &mut Markup,
    title: &str,
    scale: Scale,
    (y_name, unit): (&dyn Fn(f64) -> String, f64),
    (lines, steps): (Vec<Line>, &[Step]),
) {
    let (xs, ys) = extents(&lines);
    if ys.is_empty() {
        return;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "places of steps are 0, 1, 2"
    )]
    let name = |at: f64| steps.get(at as usize).map_or(String::new(), |step| amount::rate(step.value));
    Chart {
        title,
        note: "What was asked for from left to right.",
        x: Axis::over(Scale::Steps, xs.into_iter(), 1.0),
        x_name: &name,
        y: Axis::over(scale, ys.into_iter(), unit),
        y_name,
        lines,
        measured: Vec::new(),
    }
    .draw(page);
}

fn extents(lines: &[Line]) -> (Vec<f64>, Vec<f64>) {
    let points = lines.iter().flat_map(|line| line.points.iter());
    points.filter_map(|(x, y)| Some((*x, (*y)?))).unzip()
}

/// As many digits as it takes: `99.9`, `0.5`, `50`.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

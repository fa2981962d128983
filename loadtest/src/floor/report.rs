//! What a run of `floor` says: a line for each round, a row for each scene, the objectives, and all of it as JSON.
//!
//! A ratio is of the two rounds of one cycle; their median is judged, and the least and the greatest are told beside it.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::plan::Plan;
use super::{Measured, Round, Side};
use crate::cli::{FloorOptions, Regime};
use crate::histogram::median;
use crate::scenario::Verdict;

/// A generator whose messages leave later than this, at the 99th of a hundred, has measured itself.
const LATE: Duration = Duration::from_millis(10);

/// Before the rounds of a scene.
pub(super) fn heading(plan: &Plan, (floor, gateway): (u32, u32), frame: usize) {
    println!("\n{}, {frame} bytes a delivery; floor is pid {floor}, gateway is pid {gateway}", plan.name());
    println!(
        "  {:8} {:>10} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>8} {:>8}  faults",
        "server",
        "deliveries",
        "CPU µs/d",
        "p50 ms",
        "p99 ms",
        "late p99",
        "CPU %",
        "load %",
        "took s",
        "RSS MiB"
    );
}

/// One round.
pub(super) fn line(round: &Round) {
    let share = |cpu: Duration| 100.0 * cpu.as_secs_f64() / round.lasted.as_secs_f64();
    let faults =
        if round.faults == Default::default() { "none".to_owned() } else { format!("{:?}", round.faults) };
    println!(
        "  {:8} {:>10} {:>9.3} {:>9.3} {:>9.3} {:>9.3} {:>7.1} {:>7.1} {:>8.2} {:>8.1}  {faults}",
        name(round.side),
        round.deliveries,
        micros_each(round),
        millis(round.times.quantile(0.5)),
        millis(round.times.quantile(0.99)),
        millis(round.lateness.quantile(0.99)),
        share(round.cpu),
        share(round.generator),
        round.lasted.as_secs_f64(),
        mebi(round.resident),
    );
}

/// A scene in figures.
struct Row {
    plan: Plan,
    frame: usize,
    floor: Figures,
    gateway: Figures,
    /// The gateway's cost by the floor's: median, least, greatest.
    ratio: (f64, f64, f64),
}

/// Medians of one side's rounds.
struct Figures {
    cpu: f64,
    p50: f64,
    p99: f64,
}

impl Row {
    fn of(measured: &Measured) -> Row {
        let pairs: Vec<f64> =
            pairs(measured).map(|(floor, gateway)| micros_each(gateway) / micros_each(floor)).collect();
        let least = pairs.iter().copied().fold(f64::MAX, f64::min);
        let ratio = (median(&pairs), least, pairs.iter().copied().fold(f64::MIN, f64::max));
        let figures = |side| Figures {
            cpu: middle(measured, side, micros_each),
            p50: middle(measured, side, |round| millis(round.times.quantile(0.5))),
            p99: middle(measured, side, |round| millis(round.times.quantile(0.99))),
        };
        Row {
            plan: measured.plan,
            frame: measured.frame,
            floor: figures(Side::Floor),
            gateway: figures(Side::Gateway),
            ratio,
        }
    }

    fn print(&self) {
        println!(
            "{:28} {:>8.3} {:>8.3} {:>7.3} {:>15} {:>8.3} {:>8.3} {:>8.3} {:>8.3}",
            self.plan.name(),
            self.floor.cpu,
            self.gateway.cpu,
            self.ratio.0,
            format!("{:.3} to {:.3}", self.ratio.1, self.ratio.2),
            self.floor.p50,
            self.gateway.p50,
            self.floor.p99,
            self.gateway.p99,
        );
    }
}

/// Prints the sums, writes the JSON, and judges.
///
/// # Errors
/// The JSON cannot be written.
pub(super) fn verdict(measured: &[Measured], options: &FloorOptions, cores: &str) -> anyhow::Result<Verdict> {
    let rows: Vec<Row> = measured.iter().map(Row::of).collect();
    println!(
        "\n{:28} {:>17} {:>7} {:>15} {:>17} {:>17}\n{:28} {:>8} {:>8} {:>7} {:>15} {:>8} {:>8} {:>8} {:>8}",
        "medians",
        "CPU µs/delivery",
        "",
        "",
        "p50 ms",
        "p99 ms",
        "",
        "floor",
        "gateway",
        "ratio",
        "spread",
        "floor",
        "gateway",
        "floor",
        "gateway"
    );
    rows.iter().for_each(Row::print);
    let growth = growth(&rows);
    if let Some((raw, further)) = &growth {
        println!("growth: a delivery's cost differs by {:.1} % from step to step, ", 100.0 * spread(raw));
        println!(
            "        by {:.1} % without what publishing costs ({further:.3?} µs)",
            100.0 * spread(further)
        );
    }
    let mut objectives = vec![(
        "all delivered, once and in order".to_owned(),
        measured.iter().flat_map(|scene| &scene.rounds).all(|round| round.faults == Default::default()),
    )];
    for row in &rows {
        if let Some(most) = row.plan.ratio {
            objectives
                .push((format!("{}: at most {most} × the floor", row.plan.name()), row.ratio.0 <= most));
        }
    }
    if let Some((_, further)) = &growth {
        let most = options.growth_spread;
        objectives.push((
            format!("growth: a further delivery costs the same within {most}"),
            spread(further) <= most,
        ));
    }
    let late =
        measured.iter().flat_map(|scene| &scene.rounds).any(|round| round.lateness.quantile(0.99) > LATE);
    let verdict = judge(&objectives, late);
    if let Some(path) = &options.out {
        let scenes: Vec<Value> =
            rows.iter().zip(measured).map(|(row, scene)| scene_json(row, scene)).collect();
        let missed: Vec<&String> = objectives.iter().filter(|(_, met)| !met).map(|(what, _)| what).collect();
        let all = json!({
            "cores": cores, "payload": options.payload, "seconds": options.seconds, "verdict": format!("{verdict:?}"),
            "missed": missed, "scenes": scenes,
            "growth": growth.map(|(raw, further)| json!({"micros": raw, "micros_without_publishing": further})),
        });
        std::fs::write(path, format!("{all:#}\n")).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(verdict)
}

fn judge(objectives: &[(String, bool)], late: bool) -> Verdict {
    let met = objectives.iter().filter(|(_, met)| *met).count();
    objectives.iter().filter(|(_, met)| !met).for_each(|(what, _)| println!("missed: {what}"));
    if late {
        println!("VOID: the generator was late");
        return Verdict::Void;
    }
    let pass = met == objectives.len();
    println!("{}: {met} of {} objectives", if pass { "PASS" } else { "MISSED" }, objectives.len());
    if pass { Verdict::Pass } else { Verdict::Missed }
}

/// The gateway's microseconds a delivery at each step of growth from 10 subscribers on: all of it, and without what a message costs to
/// publish, which the step of one subscriber, the publisher, shows. Spread over few deliveries that would hide what is asked: whether one
/// more subscriber costs more where there are many. `None` without both kinds of steps.
fn growth(rows: &[Row]) -> Option<(Vec<f64>, Vec<f64>)> {
    let steps = || rows.iter().filter(|row| row.plan.regime == Regime::Growth);
    let publish = steps().find(|row| row.plan.subscribers == 1)?.gateway.cpu;
    let raw: Vec<f64> = steps().filter(|row| row.plan.subscribers > 1).map(|row| row.gateway.cpu).collect();
    let further = |row: &Row| {
        let subscribers = f64::from(row.plan.subscribers);
        (row.gateway.cpu * subscribers - publish) / (subscribers - 1.0)
    };
    let further: Vec<f64> = steps().filter(|row| row.plan.subscribers > 1).map(further).collect();
    (raw.len() > 1).then_some((raw, further))
}

/// How much the greatest is above the least, as a part of the least.
fn spread(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max) / values.iter().copied().fold(f64::MAX, f64::min) - 1.0
}

fn scene_json(row: &Row, scene: &Measured) -> Value {
    let figures =
        |figures: &Figures| json!({"micros": figures.cpu, "p50_ms": figures.p50, "p99_ms": figures.p99});
    let rounds: Vec<Value> = scene.rounds.iter().map(round_json).collect();
    let (ratio, least, greatest) = row.ratio;
    json!({
        "name": row.plan.name(), "subscribers": row.plan.subscribers, "rate": row.plan.rate, "burst": row.plan.burst,
        "frame_bytes": row.frame, "floor": figures(&row.floor), "gateway": figures(&row.gateway),
        "ratio": {"median": ratio, "least": least, "greatest": greatest}, "ratio_objective": row.plan.ratio,
        "rounds": rounds,
    })
}

fn round_json(round: &Round) -> Value {
    json!({
        "server": name(round.side), "cycle": round.cycle, "deliveries": round.deliveries,
        "micros": micros_each(round), "cpu_s": round.cpu.as_secs_f64(), "generator_s": round.generator.as_secs_f64(),
        "lasted_s": round.lasted.as_secs_f64(), "p50_ms": millis(round.times.quantile(0.5)),
        "p99_ms": millis(round.times.quantile(0.99)), "late_p99_ms": millis(round.lateness.quantile(0.99)),
        "resident_bytes": round.resident,
        "faults": {
            "missing": round.faults.missing, "duplicated": round.faults.duplicated, "phantom": round.faults.phantom,
            "resets": round.faults.resets,
        },
    })
}

fn pairs(measured: &Measured) -> impl Iterator<Item = (&Round, &Round)> {
    let of = |side: Side| measured.rounds.iter().filter(move |round| round.side == side);
    of(Side::Floor).zip(of(Side::Gateway))
}

fn middle(measured: &Measured, side: Side, figure: impl Fn(&Round) -> f64) -> f64 {
    let rounds = measured.rounds.iter().filter(|round| round.side == side);
    median(&rounds.map(figure).collect::<Vec<_>>())
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Floor => "floor",
        Side::Gateway => "gateway",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a round has far fewer than 2^52 deliveries")]
fn micros_each(round: &Round) -> f64 {
    round.cpu.as_secs_f64() * 1e6 / round.deliveries.max(1) as f64
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn mebi(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

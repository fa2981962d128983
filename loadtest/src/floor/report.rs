//! What a run of `floor` says: a line for each round, a row for each scene, the objectives, and all of it as JSON.
//!
//! A ratio is of the two rounds of one cycle; their median is judged, and the least and the greatest are told beside it. A server whose core is
//! full costs its core, however much it sends: where both are, a ratio of 1 says no more than that both kept up, and lateness tells them apart.

use std::time::Duration;

use serde_json::{Value, json};

use super::growth::Growth;
use super::plan::Plan;
use super::{Measured, Round, Side};
use crate::cli::FloorOptions;
use crate::histogram::median;
use crate::report::figures::Outcome;
use crate::report::publish::Out;

/// A generator whose messages leave later than this, at the 99th of a hundred, has measured itself.
const LATE: Duration = Duration::from_millis(10);

/// Before the rounds of a scene.
pub(super) fn heading(plan: &Plan, (floor, gateway): (u32, u32), frame: usize) {
    println!("\n{}, {frame} bytes a delivery; floor is pid {floor}, gateway is pid {gateway}", plan.name());
    println!(
        "  {:8} {:>10} {:>8} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7} {:>8} {:>8}  faults",
        "server",
        "deliveries",
        "answers",
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
    let faults =
        if round.faults == Default::default() { "none".to_owned() } else { format!("{:?}", round.faults) };
    println!(
        "  {:8} {:>10} {:>8} {:>9.3} {:>9.3} {:>9.3} {:>9.3} {:>7.1} {:>7.1} {:>8.2} {:>8.1}  {faults}",
        name(round.side),
        round.deliveries,
        round.answers,
        micros_each(round),
        millis(round.times.quantile(0.5)),
        millis(round.times.quantile(0.99)),
        millis(round.lateness.quantile(0.99)),
        100.0 * busy(round, round.cpu),
        100.0 * busy(round, round.generator),
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
    /// The part of a core it used.
    busy: f64,
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
            busy: middle(measured, side, |round| busy(round, round.cpu)),
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
            "{:28} {:>8.3} {:>8.3} {:>7.3} {:>15} {:>8.3} {:>8.3} {:>8.3} {:>8.3} {:>8.1} {:>8.1}",
            self.plan.name(),
            self.floor.cpu,
            self.gateway.cpu,
            self.ratio.0,
            format!("{:.3} to {:.3}", self.ratio.1, self.ratio.2),
            self.floor.p50,
            self.gateway.p50,
            self.floor.p99,
            self.gateway.p99,
            100.0 * self.floor.busy,
            100.0 * self.gateway.busy,
        );
    }
}

/// Prints the sums, writes the JSON, and judges.
///
/// # Errors
/// The JSON cannot be written.
pub(super) fn verdict(
    measured: &[Measured],
    options: &FloorOptions,
    (cores, out): (&str, Option<&Out>),
) -> anyhow::Result<Outcome> {
    let rows: Vec<Row> = measured.iter().map(Row::of).collect();
    println!(
        "\n{:28} {:>17} {:>7} {:>15} {:>17} {:>17} {:>17}",
        "medians", "CPU µs/delivery", "ratio", "spread", "p50 ms", "p99 ms", "CPU %"
    );
    println!(
        "{0:28} {1:>8} {2:>8} {0:>23} {1:>8} {2:>8} {1:>8} {2:>8} {1:>8} {2:>8}",
        "", "floor", "gateway"
    );
    rows.iter().for_each(Row::print);
    let ratios: Vec<f64> = rows.iter().map(|row| row.ratio.0).collect();
    let growth = Growth::of(measured, &ratios);
    growth.iter().for_each(Growth::print);
    let verdict_on = objectives(&rows, measured, growth.as_ref(), options);
    let verdict = judge(&verdict_on, measured);
    if let Some(out) = out {
        let scenes: Vec<Value> =
            rows.iter().zip(measured).map(|(row, scene)| scene_json(row, scene)).collect();
        let missed: Vec<&String> = verdict_on.iter().filter(|(_, met)| !met).map(|(what, _)| what).collect();
        let all = json!({
            "cores": cores, "payload": options.payload, "seconds": options.seconds, "verdict": format!("{verdict:?}"),
            "missed": missed, "scenes": scenes, "growth": growth.as_ref().map(Growth::json),
        });
        out.figures(&all)?;
    }
    Ok(verdict)
}

/// What is asked, and whether it was met.
fn objectives(
    rows: &[Row],
    measured: &[Measured],
    growth: Option<&Growth>,
    options: &FloorOptions,
) -> Vec<(String, bool)> {
    let mut objectives = vec![(
        "all delivered, once and in order".to_owned(),
        measured.iter().flat_map(|scene| &scene.rounds).all(|round| round.faults == Default::default()),
    )];
    for row in rows {
        if let Some(most) = row.plan.ratio {
            objectives
                .push((format!("{}: at most {most} × the floor", row.plan.name()), row.ratio.0 <= most));
        }
    }
    if let Some(growth) = growth {
        let (most, (ours, floor)) = (options.growth_spread, growth.spreads());
        let told = format!(
            "growth: a delivery costs the same within {:.0} %: within {:.1} %, the floor's within {:.1} %",
            100.0 * most,
            100.0 * ours,
            100.0 * floor
        );
        objectives.push((told, ours <= most));
    }
    objectives
}

fn judge(objectives: &[(String, bool)], measured: &[Measured]) -> Outcome {
    let met = objectives.iter().filter(|(_, met)| *met).count();
    for (what, met) in objectives {
        println!("{} {what}", if *met { "met:   " } else { "missed:" });
    }
    let late = |scene: &&Measured| scene.rounds.iter().any(|round| round.lateness.quantile(0.99) > LATE);
    let late: Vec<String> = measured.iter().filter(late).map(|scene| scene.plan.name()).collect();
    if !late.is_empty() {
        println!("VOID: the generator was late in {}", late.join(", "));
        return Outcome::Void;
    }
    let pass = met == objectives.len();
    println!("{}: {met} of {} objectives", if pass { "PASS" } else { "MISSED" }, objectives.len());
    if pass { Outcome::Pass } else { Outcome::Missed }
}

fn scene_json(row: &Row, scene: &Measured) -> Value {
    let figures = |figures: &Figures| {
        json!({
            "micros": figures.cpu, "p50_ms": figures.p50, "p99_ms": figures.p99, "busy": figures.busy,
        })
    };
    let rounds: Vec<Value> = scene.rounds.iter().map(round_json).collect();
    let (ratio, least, greatest) = row.ratio;
    json!({
        "name": row.plan.name(), "rooms": row.plan.rooms, "awake": row.plan.awake, "subscribers": row.plan.subscribers, "rate": row.plan.rate, "burst": row.plan.burst,
        "frame_bytes": row.frame, "floor": figures(&row.floor), "gateway": figures(&row.gateway),
        "ratio": {"median": ratio, "least": least, "greatest": greatest}, "ratio_objective": row.plan.ratio,
        "rounds": rounds,
    })
}

fn round_json(round: &Round) -> Value {
    json!({
        "server": name(round.side), "cycle": round.cycle,
        "entries": round.entries, "deliveries": round.deliveries, "answers": round.answers,
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

/// The median of a figure of one server's rounds.
pub(super) fn middle(measured: &Measured, side: Side, figure: impl Fn(&Round) -> f64) -> f64 {
    let rounds = measured.rounds.iter().filter(|round| round.side == side);
    median(&rounds.map(figure).collect::<Vec<_>>())
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Floor => "floor",
        Side::Gateway => "gateway",
    }
}

/// A processor time as a part of the round.
fn busy(round: &Round, cpu: Duration) -> f64 {
    cpu.as_secs_f64() / round.lasted.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a round has far fewer than 2^52 deliveries")]
fn micros_each(round: &Round) -> f64 {
    micros(round) / round.deliveries.max(1) as f64
}

/// The server's processor time in microseconds.
pub(super) fn micros(round: &Round) -> f64 {
    round.cpu.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 bytes")]
fn mebi(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::Faults;
    use crate::cli::Regime;
    use crate::histogram::Times;

    fn round(side: Side, millis: u64, faults: Faults, late: u64) -> Round {
        let (mut times, mut lateness) = (Times::new(), Times::new());
        times.record(Duration::from_millis(2));
        lateness.record(Duration::from_millis(late));
        let (cpu, lasted) = (Duration::from_millis(millis), Duration::from_secs(1));
        let (deliveries, generator, cycle, resident) = (100_000, cpu, 0, 0);
        Round {
            side,
            cycle,
            entries: 0,
            answers: 0,
            deliveries,
            cpu,
            generator,
            lasted,
            times,
            lateness,
            faults,
            resident,
        }
    }

    fn scene(regime: Regime, cpu: &[(u64, u64)], faults: Faults, late: u64) -> Measured {
        let plan = Plan {
            regime,
            rooms: 1,
            subscribers: 10,
            rate: 10,
            burst: 1,
            ratio: (regime == Regime::Alone).then_some(1.15),
            awake: false,
            passes: 1,
        };
        let of = |(floor, gateway): &(u64, u64)| {
            [round(Side::Floor, *floor, faults, late), round(Side::Gateway, *gateway, faults, late)]
        };
        Measured { plan, frame: 266, rounds: cpu.iter().flat_map(of).collect() }
    }

    fn judged(scenes: &[Measured]) -> Outcome {
        let cli = clap::Parser::try_parse_from(["loadtest", "floor"]).expect("parses");
        let crate::cli::Cli { scenario: crate::cli::Scenario::Floor(options), .. } = cli else {
            panic!("not floor")
        };
        verdict(scenes, &options, ("none", None)).expect("nothing is written")
    }

    #[test]
    fn a_ratio_is_of_neighbours_and_its_median_is_judged() {
        let row = Row::of(&scene(Regime::Alone, &[(400, 400), (100, 120), (200, 220)], Faults::default(), 1));
        assert!((row.ratio.0 - 1.1).abs() < 1e-9 && (row.ratio.1 - 1.0).abs() < 1e-9, "{:?}", row.ratio);
        assert!((row.floor.cpu - 2.0).abs() < 1e-9 && (row.gateway.busy - 0.22).abs() < 1e-9);
        let judge = |cpu: &[(u64, u64)]| judged(&[scene(Regime::Alone, cpu, Faults::default(), 1)]);
        assert_eq!(judge(&[(400, 400), (100, 120), (200, 220)]), Outcome::Pass);
        assert_eq!(judge(&[(400, 480), (100, 120), (200, 220)]), Outcome::Missed);
    }

    #[test]
    fn one_lost_delivery_misses_and_a_late_generator_voids() {
        let lost = Faults { missing: 1, ..Faults::default() };
        assert_eq!(judged(&[scene(Regime::Bursts, &[(100, 100)], lost, 1)]), Outcome::Missed);
        assert_eq!(judged(&[scene(Regime::Bursts, &[(100, 100)], Faults::default(), 11)]), Outcome::Void);
    }

    #[test]
    fn growth_is_judged_by_what_differs_between_steps() {
        let step = |millis| scene(Regime::Growth, &[(100, millis)], Faults::default(), 1);
        assert_eq!(judged(&[step(100), step(114)]), Outcome::Pass);
        assert_eq!(judged(&[step(100), step(116), step(101)]), Outcome::Missed);
        assert_eq!(judged(&[step(100)]), Outcome::Pass, "one step is no growth");
    }
}

//! What becomes of a run: objectives met, missed, or figures that say nothing because the generator was the bottleneck.
//!
//! Lateness and a full processor make times and costs void; they lose no messages and no connections. So a count that is missed is a miss
//! whatever the generator did, and everything else waits for a run that measured the gateway with the load that was asked for.

use super::figures::{Judged, Outcome, Run};
use super::objective::Objective;
use super::{amount, known};

/// A generator whose messages leave later than this, at the 99th of a hundred, has measured itself.
const LATE_US: u64 = 10_000;
/// A generator that uses more than this much of its cores has no time left to measure with.
const FULL: f64 = 0.9;
/// A machine of which this much of its cores was busy before the run began shows it in the figures.
const BUSY: f64 = 0.5;

/// Judges a run; what the scenario judged itself stays in front.
pub(crate) fn judge(run: &mut Run, objectives: &[Objective]) {
    let judged: Vec<_> = objectives.iter().map(|objective| objective.judge(run)).collect();
    run.verdict.objectives.extend(judged);
    let unheard = unheard(run);
    run.verdict.objectives.extend(unheard);
    run.verdict.void.extend(void(run));
    let count_missed = run.verdict.objectives.iter().any(|judged| judged.counted && !judged.met);
    let all_met = run.verdict.objectives.iter().all(|judged| judged.met);
    run.verdict.outcome = match (run.interrupted, run.verdict.void.is_empty(), all_met) {
        (true, ..) => Outcome::Interrupted,
        (_, false, _) if !count_missed => Outcome::Void,
        (.., false) => Outcome::Missed,
        _ => Outcome::Pass,
    };
}

/// A run in which things were said and nothing came of any of them is none that passed, whatever its objectives ask.
fn unheard(run: &Run) -> Option<Judged> {
    let counts = &run.total.counts;
    let nothing = counts.acked == 0 || (counts.expected > 0 && counts.delivered == 0);
    (counts.sent > 0 && nothing).then(|| {
        let found = format!(
            "{} of {} acknowledged, {} delivered",
            amount::count(counts.acked),
            amount::count(counts.sent),
            amount::count(counts.delivered)
        );
        Judged::count("something of what was said was acknowledged and delivered", found, false)
    })
}

fn void(run: &Run) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(late) = run.total.latency.lateness.as_ref().filter(|times| times.p99_us > LATE_US) {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        reasons.push(format!(
            "the generator was late: messages left {} after their time at p99 ({} allowed)",
            amount::micros(late.p99_us as f64),
            amount::micros(LATE_US as f64)
        ));
    }
    let (said, unsaid) = (run.total.counts.sent, run.total.counts.unsaid);
    if unsaid > 0 {
        reasons.push(format!(
            "the generator could not say {} of {} messages: the load was not the one asked for",
            amount::count(unsaid),
            amount::count(said + unsaid)
        ));
    }
    let generator = &run.total.generator;
    if let (Some(cpu), Some(cores)) = (generator.cpu, generator.cores)
        && cpu > FULL * cores
    {
        reasons.push(format!(
            "the generator was full: it used {} of the {} it can use ({} allowed)",
            amount::cores(cpu),
            amount::cores(cores),
            amount::share(FULL)
        ));
    }
    reasons
}

/// The verdict in one line: `PASS: 6 of 6 objectives`.
pub(crate) fn headline(run: &Run) -> String {
    let objectives = &run.verdict.objectives;
    let met = objectives.iter().filter(|judged| judged.met).count();
    let of = format!("{met} of {} objectives", objectives.len());
    match run.verdict.outcome {
        Outcome::Pass => format!("PASS: {of}"),
        Outcome::Missed => format!("MISSED: {of}"),
        Outcome::Void => format!("VOID: {}", run.verdict.void.join("; ")),
        Outcome::Interrupted => format!("INTERRUPTED: {of} met by what was done"),
    }
}

/// What a reader of the figures should know before they believe them.
pub(crate) fn notes(run: &Run) -> Vec<String> {
    let mut notes = Vec::new();
    // In any other case the headline says so.
    if run.verdict.outcome != Outcome::Void {
        notes.extend(run.verdict.void.iter().map(|reason| format!("times and costs say nothing: {reason}")));
    }
    if !run.host.optimised {
        notes.push("the generator is a debug build: times and costs are not those of a release".to_owned());
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    let cores = run.host.cores as f64;
    if run.host.load_average > BUSY * cores {
        let average = amount::figures(run.host.load_average);
        notes.push(format!(
            "the machine was busy when the run began: load average {average} on {cores} cores"
        ));
    }
    if let Some(seconds) = known::measured_s(&run.total).filter(|_| run.interrupted) {
        notes.push(format!("interrupted after {} s of measuring", amount::figures(seconds.round())));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn judged(change: impl FnOnce(&mut Run), objectives: &[&str]) -> Run {
        let mut run = sample::run();
        run.verdict = crate::report::figures::Verdict::default();
        change(&mut run);
        let objectives: Vec<Objective> = objectives.iter().map(|text| text.parse().expect("sound")).collect();
        judge(&mut run, &objectives);
        run
    }

    #[test]
    fn a_run_is_what_its_objectives_say() {
        let run = judged(|_| {}, &["missing==0", "deliver.p99<50ms"]);
        assert_eq!(
            (run.verdict.outcome, headline(&run)),
            (Outcome::Pass, "PASS: 2 of 2 objectives".to_owned())
        );
        let run = judged(|run| run.total.counts.missing = 1, &["missing==0", "deliver.p99<50ms"]);
        assert_eq!(
            (run.verdict.outcome, headline(&run)),
            (Outcome::Missed, "MISSED: 1 of 2 objectives".to_owned())
        );
        assert_eq!(judged(|_| {}, &["deliver.p99<1ms"]).verdict.outcome, Outcome::Missed);
    }

    #[test]
    fn a_late_or_full_generator_voids_times_and_never_hides_a_loss() {
        let late =
            |run: &mut Run| run.total.latency.lateness.as_mut().expect("measured").p99_us = LATE_US + 1;
        let run = judged(late, &["missing==0", "deliver.p99<1ms"]);
        assert_eq!(run.verdict.outcome, Outcome::Void);
        assert!(
            headline(&run).starts_with("VOID: the generator was late: messages left 10.0 ms"),
            "{}",
            headline(&run)
        );
        let full =
            |run: &mut Run| (run.total.generator.cpu, run.total.generator.cores) = (Some(0.91), Some(1.0));
        let run = judged(full, &["missing==0"]);
        assert!(headline(&run).starts_with("VOID: the generator was full"), "{}", headline(&run));
        let lost = |run: &mut Run| {
            late(run);
            run.total.counts.missing = 1;
        };
        let run = judged(lost, &["missing==0"]);
        assert_eq!(run.verdict.outcome, Outcome::Missed);
        assert!(notes(&run).iter().any(|note| note.contains("the generator was late")), "{:?}", notes(&run));
    }

    #[test]
    fn every_count_is_a_miss_whatever_the_generator_did_and_times_are_not() {
        type Change = fn(&mut Run);
        let counts: [(&str, Change); 6] = [
            ("closes==0", |run| run.total.counts.closed(None)),
            ("connect.errors<0.1%", |run| run.total.counts.connect_errors = 9),
            ("refused==0", |run| run.total.counts.refused = 1),
            ("unanswered==0", |run| run.total.counts.unanswered = 1),
            ("recovered>0", |run| run.total.counts.recovered = 0),
            ("absent==0", |run| run.total.counts.absent = 1),
        ];
        for (objective, change) in counts {
            let late = |run: &mut Run| {
                run.total.latency.lateness.as_mut().expect("measured").p99_us = LATE_US + 1;
                change(run);
            };
            assert_eq!(judged(late, &[objective]).verdict.outcome, Outcome::Missed, "{objective}");
        }
        let counted = |run: &mut Run| {
            run.verdict.void.push("late".to_owned());
            run.verdict.objectives.push(Judged::count("it runs to the end", "it ended".to_owned(), false));
        };
        assert_eq!(judged(counted, &["deliver.p99<1ms"]).verdict.outcome, Outcome::Missed);
    }

    #[test]
    fn what_could_not_be_said_makes_a_run_void() {
        let run = judged(|run| run.total.counts.unsaid = 400, &["missing==0", "sent>=1000"]);
        let words = headline(&run).replace('\u{a0}', " ");
        assert!(words.starts_with("VOID: the generator could not say 400 of 1 000 messages"), "{words}");
        let lost = |run: &mut Run| (run.total.counts.unsaid, run.total.counts.missing) = (400, 1);
        assert_eq!(judged(lost, &["missing==0"]).verdict.outcome, Outcome::Missed);
    }

    #[test]
    fn a_run_in_which_nothing_was_answered_never_passes() {
        let silent = |run: &mut Run| {
            let counts = &mut run.total.counts;
            (counts.acked, counts.unanswered, counts.expected, counts.delivered) = (0, counts.sent, 0, 0);
        };
        let run = judged(silent, &["missing==0"]);
        assert_eq!((run.verdict.outcome, run.verdict.objectives.len()), (Outcome::Missed, 2));
        let run = judged(silent, &["unanswered==0"]);
        assert!(run.verdict.objectives.iter().all(|judged| !judged.met), "{:?}", run.verdict);
    }

    #[test]
    fn what_a_scenario_judges_itself_counts_and_so_do_its_reasons() {
        let own = |run: &mut Run| {
            run.verdict.objectives.push(crate::report::figures::Judged {
                objective: "a stalled reader is ended".to_owned(),
                found: "still served".to_owned(),
                met: false,
                counted: false,
            });
        };
        assert_eq!(headline(&judged(own, &["missing==0"])), "MISSED: 1 of 2 objectives");
        let reason = |run: &mut Run| run.verdict.void.push("sources ran out".to_owned());
        assert_eq!(headline(&judged(reason, &["missing==0"])), "VOID: sources ran out");
    }

    #[test]
    fn an_interrupted_run_says_so() {
        let run = judged(|run| run.interrupted = true, &["missing==0"]);
        assert_eq!(run.verdict.outcome, Outcome::Interrupted);
        assert_eq!(headline(&run), "INTERRUPTED: 1 of 1 objectives met by what was done");
        assert!(notes(&run).contains(&"interrupted after 10 s of measuring".to_owned()), "{:?}", notes(&run));
    }

    #[test]
    fn a_busy_machine_and_a_debug_build_are_told() {
        let run = judged(|run| (run.host.load_average, run.host.optimised) = (3.4, false), &[]);
        let notes = notes(&run);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[1].contains("load average 3.40 on 2 cores"), "{notes:?}");
    }
}

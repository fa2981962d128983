//! `smoke`: does the gateway keep its promise at all? Three scenes, small and short, one after the other against the same gateway.

use crate::cli::load::Knobs;
use crate::engine::scene::{Done, Stage};
use crate::engine::sums::Sums;
use crate::report::figures::{Judged, Own, Part};

use super::{Kind, Outcome, change, flow};

/// What it consists of.
pub(super) const PARTS: [Kind; 3] = [Kind::Fanout, Kind::Rooms, Kind::Recover];

/// Runs it.
pub(super) async fn play(stage: &Stage, knobs: &Knobs) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome {
        total: Sums::new(),
        parts: Vec::new(),
        own: Vec::new(),
        judged: Vec::new(),
        void: Vec::new(),
        sayings: Vec::new(),
    };
    for (number, kind) in PARTS.into_iter().enumerate() {
        if stage.stop.asked() {
            break;
        }
        stage.progress.part(kind.name(), number + 1, PARTS.len());
        match part(kind, stage, knobs).await {
            Ok(done) => add(&mut outcome, kind, done),
            Err(error) if number == 0 || stage.stop.asked() => return Err(error),
            // What came of the parts before is not lost with a gateway that does not answer any more.
            Err(error) => {
                let found = format!("{}: {error:#}", kind.name());
                outcome.judged.push(Judged::count("every part can be run", found, false));
                break;
            }
        }
    }
    Ok(outcome)
}

async fn part(kind: Kind, stage: &Stage, knobs: &Knobs) -> anyhow::Result<Outcome> {
    match kind {
        Kind::Fanout => {
            let knobs = Knobs { sessions: 1, rate: knobs.rate / 2.0, ..knobs.clone() };
            Ok(Done::into(flow::play(kind, stage, &knobs).await?))
        }
        Kind::Rooms => Ok(Done::into(flow::play(kind, stage, knobs).await?)),
        _ => change::play(kind, stage, knobs).await,
    }
}

fn add(outcome: &mut Outcome, kind: Kind, done: Outcome) {
    let name = kind.name();
    let figures = done.total.figures();
    outcome.parts.push(Part { name: name.to_owned(), note: String::new(), figures });
    outcome.own.extend(done.own.into_iter().map(|own| Own { name: format!("{name}.{}", own.name), ..own }));
    outcome.judged.extend(done.judged);
    outcome.void.extend(done.void.into_iter().map(|why| format!("{name}: {why}")));
    outcome.sayings.extend(done.sayings.into_iter().map(|what| format!("{name}: {what}")));
    outcome.total.add(done.total);
}

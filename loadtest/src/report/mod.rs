//! What a run of a load test is, and how it is told: figures, objectives, progress, the text, the page, the comparison.
//!
//! Nothing here makes load or measures it: scenarios fill `figures`, and all the rest reads them. `run.json` is those figures as they are, so
//! a page can be made and a comparison drawn long after the run.
//!
//! What a scenario does: `Run::begin`, its knobs and what it knows of the gateway; while it runs `Progress::phase`, `done` and `live`; at the end
//! `total` (and `parts`), `own` figures, `verdict.objectives` that only it can judge and `verdict.void` reasons that only it knows. It returns
//! the `Run`, also when somebody interrupted it (`interrupted`). Everything else, the verdict on the objectives included, is done here.

pub(crate) mod amount;
pub(crate) mod compare;
pub(crate) mod conclude;
mod drift;
pub(crate) mod exit;
pub(crate) mod figures;
pub(crate) mod host;
pub(crate) mod html;
pub(crate) mod known;
pub(crate) mod objective;
pub(crate) mod progress;
pub(crate) mod publish;
pub(crate) mod secrets;
mod table;
pub(crate) mod text;
pub(crate) mod verdict;

#[cfg(test)]
mod sample;

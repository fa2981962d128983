//! What may be asked of the report: objectives, a profile, where it goes, and how much is said on the way.

use std::path::PathBuf;

use clap::Args;

use crate::report::objective::Objective;

/// Options that every scenario has.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Verdict and report")]
pub(crate) struct ReportOptions {
    /// An objective, as in 'deliver.p99<50ms' 'connect.errors<0.1%'; takes the place of another about the same figure
    #[arg(long, value_name = "OBJECTIVE", num_args = 1.., global = true)]
    pub(crate) slo: Vec<Objective>,
    /// Knobs and objectives from a profile: a name (smoke, fanout, rooms, connect, churn, recover, soak) or a file; what is given beside it wins
    #[arg(long, value_name = "NAME|FILE", global = true)]
    pub(crate) profile: Option<String>,
    /// Write run.json and report.html there
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) out: Option<PathBuf>,
    /// No progress, only the report
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// The run as JSON on stdout, and progress as lines of JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Two runs.
#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// The run.json that the other is held against
    #[arg(value_name = "A.json")]
    pub(crate) one: PathBuf,
    /// The other
    #[arg(value_name = "B.json")]
    pub(crate) other: PathBuf,
}

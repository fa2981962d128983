//! `check-config`: every mistake and warning, the settings in use, the example file.

use super::{Output, VerbError};
use crate::config::mistake::Mistakes;
use crate::config::source::Source;
use crate::config::{Config, print};

/// Which of it is asked for.
#[derive(Debug, Default, clap::Args)]
pub struct CheckConfig {
    /// Hold warnings to be mistakes
    #[arg(long)]
    pub strict: bool,
    /// Print each setting with its source; secrets only as "set"
    #[arg(long)]
    pub print: bool,
    /// Print the commented .env.example, and look at no setting
    #[arg(long, conflicts_with_all = ["strict", "print"])]
    pub example: bool,
}

impl CheckConfig {
    pub(super) fn run(&self, source: &dyn Source, output: &mut Output<'_>) -> Result<(), VerbError> {
        if self.example {
            return Ok(output.out.write_all(print::example().as_bytes())?);
        }
        let (config, warnings) = Config::read(source)?;
        if self.strict && !warnings.is_empty() {
            return Err(Mistakes::from_warnings(&warnings).into());
        }
        for warning in &warnings {
            writeln!(output.err, "warning: {warning}")?;
        }
        if self.print {
            output.out.write_all(print::in_use(source, config.environment).as_bytes())?;
        } else {
            writeln!(output.out, "the settings are sound ({} warnings)", warnings.len())?;
        }
        Ok(())
    }
}

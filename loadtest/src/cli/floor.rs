//! Knobs of `floor`: the gateway beside a server that does nothing else.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The gateway under test.
#[derive(Debug, Args)]
pub(crate) struct GatewayOptions {
    /// The gateway's binary; by default the `watchparty` beside this program
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
}

/// A way of asking for deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Regime {
    /// 1000 subscribers, 60 messages a second: each goes out alone
    Alone,
    /// 200 subscribers, 6000 messages a second: more than a core can send one by one, so each server batches until its core is full
    Batched,
    /// 200 subscribers, 150 times 8 messages a second in one write: batches of known size on a server that is not full
    Bursts,
    /// Larger and larger rooms, of as many connections and as many deliveries a second in all; publishers listen and are answered, by either server
    Growth,
}

/// Knobs of `floor`.
#[derive(Debug, Args)]
pub(crate) struct FloorOptions {
    #[command(flatten)]
    pub(crate) gateway: GatewayOptions,
    /// Which regimes, with commas between
    #[arg(long, value_delimiter = ',', default_value = "alone,batched,bursts,growth")]
    pub(crate) regimes: Vec<Regime>,
    /// Pairs of rounds of each, after one of each that warms up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds a round publishes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(64..=4096))]
    pub(crate) payload: u32,
    /// Subscribers of a room in growth's steps, with commas between
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,5000",
        value_parser = clap::value_parser!(u32).range(1..=9000))]
    pub(crate) sizes: Vec<u32>,
    /// Connections at each of growth's steps, in as many rooms as they fill
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(10..=9000))]
    pub(crate) connections: u32,
    /// Deliveries a second at each of growth's steps, to all connections together
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(100..=2_000_000))]
    pub(crate) deliveries: u32,
    /// How often growth goes through its steps, with new servers each time; each has its own pairs of rounds
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) passes: u32,
    /// Let growth's receivers sleep until something comes: their waking is then part of what a delivery costs a server
    #[arg(long)]
    pub(crate) asleep: bool,
    /// Objective: the gateway's CPU time per delivery by the floor's, alone
    #[arg(long, default_value_t = 1.15)]
    pub(crate) alone_ratio: f64,
    /// Objective: the same, batched
    #[arg(long, default_value_t = 1.3)]
    pub(crate) batched_ratio: f64,
    /// Objective: how far a delivery's cost may differ between growth's steps, as a part of the least
    #[arg(long, default_value_t = 0.15)]
    pub(crate) growth_spread: f64,
    /// Leave it to the kernel which process runs where; else servers have the first core and the generator the second
    #[arg(long)]
    pub(crate) unpinned: bool,
}

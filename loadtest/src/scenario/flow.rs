//! Messages that flow while everybody stays: `fanout` (one speaks, many listen), `rooms` (many sessions of a few, who all may speak) and
//! `echo` (everybody alone: the way to the log and back).

use crate::cli::load::Knobs;
use crate::engine::scene::{Done, Plan, Scene, Stage};

use super::Kind;

/// Who is where.
pub(super) fn plan(kind: Kind, knobs: &Knobs) -> Plan {
    let Knobs { connections, sessions, .. } = *knobs;
    match kind {
        // The speakers come on top: so many listen.
        Kind::Fanout => Plan { rooms: sessions, people: connections + sessions, speakers: 1, spare: 0 },
        Kind::Echo => Plan { rooms: connections, people: connections, speakers: 1, spare: 0 },
        _ => {
            Plan { rooms: sessions, people: connections, speakers: connections.div_ceil(sessions), spare: 0 }
        }
    }
}

/// Runs it.
pub(super) async fn play(kind: Kind, stage: &Stage, knobs: &Knobs) -> anyhow::Result<Done> {
    let mut scene = Scene::set(stage, knobs, plan(kind, knobs)).await?;
    scene.arrive().await;
    let score = scene.score();
    scene.perform(vec![score], std::future::ready(())).await;
    scene.drain().await;
    Ok(scene.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_place() {
        let knobs = Knobs { connections: 100, sessions: 10, ..Knobs::default() };
        let shape = |kind| {
            let plan = plan(kind, &knobs);
            (plan.rooms, plan.people, plan.speakers)
        };
        assert_eq!(shape(Kind::Fanout), (10, 110, 1));
        assert_eq!(shape(Kind::Rooms), (10, 100, 10));
        assert_eq!(shape(Kind::Echo), (100, 100, 1));
    }
}

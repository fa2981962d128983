//! What participants and their nodes do to a session: join races, hosts that die, people who are kicked.

use std::time::Duration;

use super::{Inject, Scene};
use crate::asking::Question;
use crate::happening::FaultKind;
use crate::journal::kicks;
use crate::support::wait;
use crate::support::wait::let_pass;
use crate::workload::member::Habit;

/// How long one question over HTTP may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// F35: far more people than seats, through all nodes at once, and a node is killed among them.
pub(super) const JOIN_RACE: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.breaks(FaultKind::Crowd, &[]);
        for session in 0..scene.crowd.sessions.len() {
            for _ in 0..scene.scale.pick(20, 40) {
                scene.crowd.admit(session, false, Habit::default());
            }
        }
        let_pass(Duration::from_millis(scene.rng.u64(50..400))).await;
        super::nodes::kill_one(scene).await;
        scene.heals(fault);
        scene.crowd.all_have_come().await;
        let refused =
            scene.crowd.faces.iter().filter(|face| face.standing.ended_with() == Some(4430)).count();
        let what = format!("of {} refused", scene.crowd.faces.len());
        scene.seen.must_have_happened(&what, refused);
    })
};

/// F36: every session's host dies together with the node they sat on, again and again.
pub(super) const HOSTS_KILLED: Inject = |scene| {
    Box::pin(async move {
        let mut successions = 0;
        for _ in 0..scene.scale.pick(1, 3) {
            let hosts = hosts(scene).await;
            let at = scene.any_node();
            let fault = scene.breaks(FaultKind::NodeKilled, &[at]);
            for host in hosts.iter().flatten() {
                scene.crowd.bury(host);
            }
            scene.world.kill(at);
            scene.world.revive(at).await;
            scene.heals(fault);
            scene.world.all_ready().await;
            // A lease, a beat and a debug build.
            wait::until_within(Duration::from_secs(90), "every session to have a new host", || async {
                let now = self::hosts(scene).await;
                let moved = now.iter().zip(&hosts).all(|(now, before)| now.is_some() && now != before);
                moved.then_some(())
            })
            .await;
            successions += hosts.len();
        }
        scene.seen.remarks.push(format!("{successions} successions"));
    })
};

async fn hosts(scene: &Scene) -> Vec<Option<String>> {
    let mut hosts = Vec::new();
    for session in &scene.crowd.sessions {
        let path = format!("/api/sessions/{}", session.id);
        let addr = scene.world.places[0].node.addr();
        let answer = Question::get(addr, &path, None).ask(PATIENCE).await;
        hosts.push(answer.and_then(|(_, body)| body["host_id"].as_str().map(str::to_owned)));
    }
    hosts
}

/// F37: hosts kick people who speak through other nodes.
pub(super) const KICKS: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.breaks(FaultKind::Crowd, &[]);
        let mut kicked = 0;
        for session in 0..scene.crowd.sessions.len() {
            let host = scene.crowd.sessions[session].clone();
            let mut targets: Vec<(String, _)> = scene
                .crowd
                .faces
                .iter()
                .filter(|face| face.session == session && face.id != host.host)
                .map(|face| (face.id.clone(), face.standing.clone()))
                .collect();
            scene.rng.shuffle(&mut targets);
            for (target, standing) in targets.into_iter().take(scene.scale.pick(2, 4)) {
                let addr = scene.world.places[scene.rng.usize(..scene.world.places.len())].node.addr();
                if kick(scene, &host, &target, addr).await != Some(204) {
                    // They had given their seat up a moment before.
                    continue;
                }
                wait::until("the one who was kicked to be told", || async {
                    (standing.ended_with() == Some(4403)).then_some(())
                })
                .await;
                kicked += 1;
            }
        }
        scene.heals(fault);
        scene.seen.must_have_happened("kicked", kicked);
    })
};

async fn kick(
    scene: &Scene,
    host: &crate::workload::Session,
    target: &str,
    addr: std::net::SocketAddr,
) -> Option<u16> {
    let kick = kicks(&scene.journal, &host.id, &host.host, target);
    let path = format!("/api/sessions/{}/participants/{target}", host.id);
    let question = Question { addr, method: "DELETE", path: &path, token: Some(&host.token), body: None };
    let status = question.ask(PATIENCE).await.map(|(status, _)| status);
    kick.answered(status);
    status
}

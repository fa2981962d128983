//! What happens to Redis itself: killed, cut short, emptied, frozen, full; and its listeners killed.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::{Inject, Scene};
use crate::happening::FaultKind;
use crate::support::resp::Reply;
use crate::support::wait;

/// Most that F17 takes off the end of the file.
const TAIL: std::ops::Range<u64> = 512..8192;

/// F14
pub(super) const LISTENERS_KILLED: Inject = |scene| {
    Box::pin(async move {
        let mut killed = 0;
        for _ in 0..scene.scale.pick(5, 15) {
            killed += kill_listeners(scene).await;
            scene.for_a_while(1).await;
        }
        scene.world.all_ready().await;
        scene.seen.must_have_happened("listeners killed", killed);
    })
};

/// Every connection that listens, at once; how many there were.
pub(super) async fn kill_listeners(scene: &Scene) -> usize {
    let fault = scene.breaks(FaultKind::SubscriberKilled, &[]);
    let killed = scene.world.redis().cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    scene.heals(fault);
    killed.trim().parse().expect("CLIENT KILL with a filter answers a number")
}

/// F15: a node's reading is stopped until Redis kills its listener for what waits. The node is frozen meanwhile: a marker that does not come
/// home would have it give the connection up by itself, before Redis does where the machine is slow.
pub(super) const OVERRUN: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.silences(FaultKind::SubscriberOverrun, &[0]);
        let place = &scene.world.places[0];
        place.link.pause(crate::support::chaos_proxy::Direction::Down, true);
        place.node.freeze();
        let redis = scene.world.redis();
        wait::until_within(Duration::from_secs(60), "Redis to kill the slow listener", || async {
            redis.log().contains("for overcoming of output buffer limits").then_some(())
        })
        .await;
        place.link.heal();
        place.node.thaw();
        scene.heals(fault);
        scene.world.all_ready().await;
    })
};

/// F16
pub(super) const CRASH: Inject = |scene| {
    Box::pin(async move {
        for _ in 0..scene.scale.pick(1, 3) {
            crash(scene).await;
            scene.breathe().await;
        }
    })
};

/// Kills Redis when its file is written, and starts it again.
pub(super) async fn crash(scene: &mut Scene) {
    let fault = scene.silences(FaultKind::RedisKilled, &scene.everywhere());
    scene.world.redis_mut().crash().await;
    scene.for_a_while(scene.scale.pick(1, 4)).await;
    scene.world.redis_mut().restart().await;
    scene.heals(fault);
    scene.world.all_ready().await;
}

/// F17
pub(super) const TAIL_LOST: Inject = |scene| {
    Box::pin(async move {
        for _ in 0..scene.scale.pick(2, 4) {
            let bytes = scene.rng.u64(TAIL);
            let fault = scene.silences(FaultKind::RedisTailLost, &scene.everywhere());
            scene.world.redis_mut().kill9();
            let cut = scene.world.redis_mut().cut_aof_tail(bytes);
            scene.world.redis_mut().restart().await;
            scene.heals(fault);
            scene.seen.remarks.push(format!("{cut} bytes cut"));
            scene.world.all_ready().await;
            scene.breathe().await;
        }
    })
};

/// F18, from outside: somebody empties it.
pub(super) const FLUSHED: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.breaks(FaultKind::RedisEmptied, &[]);
        scene.world.redis().cli(&["FLUSHALL"]).await;
        scene.heals(fault);
        everybody_is_told(scene).await;
    })
};

/// F18, from inside: it has nothing to come back with.
pub(super) const RESTARTED_EMPTY: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.silences(FaultKind::RedisEmptied, &scene.everywhere());
        scene.world.redis_mut().kill9();
        scene.for_a_while(1).await;
        scene.world.redis_mut().restart().await;
        scene.heals(fault);
        everybody_is_told(scene).await;
        scene.world.all_ready().await;
    })
};

/// Waits until everybody has been told 4404.
async fn everybody_is_told(scene: &mut Scene) {
    let since = tokio::time::Instant::now();
    let crowd = &scene.crowd;
    wait::until_within(Duration::from_secs(60), "everybody to be told 4404", || async {
        let told = |face: &crate::workload::Face| face.standing.ended_with() == Some(4404);
        crowd.faces.iter().all(told).then_some(())
    })
    .await;
    scene.seen.remarks.push(format!("all told 4404 after {:.1} s", since.elapsed().as_secs_f64()));
}

/// F20
pub(super) const FROZEN: Inject = |scene| {
    Box::pin(async move {
        for seconds in scene.scale.pick(vec![2, 6], vec![2, 10, 30]) {
            freeze(scene, seconds).await;
            scene.breathe().await;
        }
    })
};

/// SIGSTOP for a while.
pub(super) async fn freeze(scene: &mut Scene, seconds: u64) {
    let fault = scene.silences(FaultKind::RedisFrozen, &scene.everywhere());
    scene.world.redis().freeze();
    scene.for_a_while(seconds).await;
    scene.world.redis().thaw();
    scene.heals(fault);
    scene.world.all_ready().await;
}

/// F22
pub(super) const MEMORY_FULL: Inject = |scene| {
    Box::pin(async move {
        // Less than it uses: every script that writes is refused at once, and the probe's is one of them. The log can still be read, but a node that
        // cannot prove that it delivers says 503, as while Redis is away; that nothing can be published is told to each who tries.
        let fault = scene.silences(FaultKind::RedisFull, &scene.everywhere());
        scene.world.redis().cli(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
        // Longer than a publish is tried.
        scene.for_a_while(scene.scale.pick(8, 12)).await;
        refusals(scene).await;
        scene.world.redis().cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
        scene.heals(fault);
        scene.world.all_ready().await;
    })
};

/// While nothing can be written: the log can be read, a newcomer gets 503 or is not seated.
async fn refusals(scene: &mut Scene) {
    let (addr, session) = (scene.world.places[0].node.addr(), &scene.crowd.sessions[0]);
    let path = format!("/api/sessions/{}/messages?limit=1", session.id);
    let patience = Duration::from_secs(10);
    let page = crate::asking::Question::get(addr, &path, Some(&session.token)).ask(patience).await;
    let created = crate::workload::create(addr, 5).ask(patience).await;
    let status = |answer: &Option<(u16, serde_json::Value)>| answer.as_ref().map(|(status, _)| *status);
    scene.seen.remarks.push(format!("reads {:?}, creates {:?}", status(&page), status(&created)));
    if status(&page) != Some(200) {
        scene.seen.findings.push(format!("the log cannot be read while nothing can be written: {page:?}"));
    }
    if status(&created) != Some(503) {
        scene.seen.findings.push(format!("a session cannot be written, and its creator is told {created:?}"));
    }
}

/// F41: no space is left where the append-only file is. Needs the right to mount; without it the row says so and breaks nothing.
pub(super) const DISK_FULL: Inject = |scene| {
    Box::pin(async move {
        let Some(disk) = Disk::under(scene).await else {
            let loud = "SKIPPED: no right to mount a small disk";
            eprintln!("F41 {loud}");
            scene.seen.remarks.push(loud.to_owned());
            scene.seen.skipped = true;
            return;
        };
        let fault = scene.breaks(FaultKind::RedisFull, &[]);
        disk.fill();
        let redis = scene.world.redis();
        wait::until("Redis to refuse writes", || async {
            let answer = redis.ask(&["SET", "chaos", "full", "PX", "1000"]).await;
            matches!(answer, Reply::Error(error) if error.starts_with("MISCONF")).then_some(())
        })
        .await;
        // Longer than a publish is tried.
        scene.for_a_while(scene.scale.pick(8, 12)).await;
        disk.empty();
        scene.heals(fault);
        scene.world.all_ready().await;
        scene.disk = Some(disk);
    })
};

/// A disk of a few megabytes under everything Redis writes.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Mounts one, and lets Redis begin a new file on it.
    async fn under(scene: &Scene) -> Option<Disk> {
        let redis = scene.world.redis();
        let directory = redis.dir().to_owned();
        redis.cli(&["CONFIG", "SET", "appendonly", "no"]).await;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&directory).status();
        let disk = mounted.is_ok_and(|status| status.success()).then(|| Disk(directory));
        // Entered again: what Redis had entered is below the disk now.
        redis.cli(&["CONFIG", "SET", "dir", &redis.dir().to_string_lossy()]).await;
        redis.cli(&["CONFIG", "SET", "appendonly", "yes"]).await;
        wait::until("the file to be rewritten", || async {
            let told = redis.cli(&["INFO", "persistence"]).await;
            let lines = [
                "aof_rewrite_in_progress:0\r",
                "aof_rewrite_scheduled:0\r",
                "aof_last_bgrewrite_status:ok\r",
            ];
            lines.iter().all(|line| told.contains(line)).then_some(())
        })
        .await;
        disk
    }

    /// Until nothing more goes onto it.
    fn fill(&self) {
        let full = std::fs::File::create(self.0.join("ballast")).map(|mut file| {
            let block = [0; 4096];
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
        });
        full.expect("a file can be made on a new disk");
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("ballast")).expect("the ballast is ours");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: Redis may still have its file open.
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.display());
        }
    }
}

//! Child processes and their directories, ended and removed whatever happens to the test.
//!
//! Signals go through the shell's own `kill`: a syscall from here would need `unsafe`, which the workspace forbids.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::wait;

/// A child process that dies with its owner.
pub struct Process {
    child: Child,
    name: &'static str,
}

impl Process {
    /// Starts `command` without standard input.
    pub fn start(name: &'static str, command: &mut Command) -> Process {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error} (scripts/install-test-deps.sh)"));
        Process { child, name }
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, when it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends a signal by name, for example `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid]).status().unwrap();
        assert!(status.success(), "{signal} did not reach {} ({pid})", self.name);
    }

    /// SIGSTOP, and every thread of it stopped when this returns: the signal alone leaves one that runs a little time to act.
    pub fn freeze(&self) {
        self.signal("STOP");
        let since = tokio::time::Instant::now();
        while !self.is_frozen() {
            assert!(since.elapsed() < wait::DEADLINE, "{} does not stop", self.name);
            std::thread::yield_now();
        }
    }

    fn is_frozen(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        tasks.flatten().all(|task| state_in(&task.path()).is_none_or(|state| state == 'T'))
    }

    /// SIGKILL, and the body collected: when this returns the process is gone.
    pub fn kill9(&mut self) {
        // Fails only for a process that has already ended and been waited for: then there is nothing to do.
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let what = format!("{} to end", self.name);
        wait::until(&what, || std::future::ready(self.child.try_wait().unwrap())).await
    }

    /// The kernel's letter for its state (`R`, `S`, `T` when stopped, …).
    pub fn state(&self) -> char {
        state_in(Path::new(&format!("/proc/{}", self.pid()))).expect("a process of ours has a state")
    }

    /// Resident memory in bytes, as `/proc/<pid>/status` tells it (`VmRSS`).
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a live process has VmRSS");
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }
}

/// The state in a `stat` file's directory; `None` for a thread that has just ended.
fn state_in(directory: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(directory.join("stat")).ok()?;
    // The second field is the name in brackets and may hold spaces; the state follows it.
    let (_, after) = stat.rsplit_once(") ")?;
    after.chars().next()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// A directory of one test, removed with it.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes `<tmp>/watchparty-<label>-<random>`.
    pub fn new(label: &str) -> TempDir {
        let name = format!("watchparty-{label}-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        TempDir(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

/// A loopback port nobody listens on, below the kernel's ephemeral range: a server that is killed and restarted
/// finds its port free, as no outgoing connection was given it meanwhile.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(18_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

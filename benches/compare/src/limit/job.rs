//! What a child process does: a process of its own, for an allocator of its own and an empty heap.

use std::{
    io::{Read, Write, stdin},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    hits::Replay,
    load::Load,
    stage::{Outcome, Stage},
    subject::{Room, Subject},
};
use crate::allocator::{Allocator, VARIABLE};

/// The hidden flag that makes a process a child.
pub const FLAG: &str = "--child";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Job {
    Load(Run),
    Replay(Replay),
}

/// A load on a subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub subject: Subject,
    pub load: Load,
    pub room: Room,
    pub span: Duration,
}

impl Run {
    pub fn new(subject: Subject, load: Load, bytes: u64, span: Duration) -> Self {
        let room = Room { bytes, mean: load.sizes().mean(), detected: false };
        Self { subject, load, room, span }
    }

    /// The limit is not told.
    pub fn detecting(mut self) -> Self {
        self.room.detected = true;
        self
    }

    fn outcome(&self) -> Outcome {
        self.subject.face(&self.room, &Stage::new(self.load, self.room, self.span))
    }
}

/// A child that was started, and waits for what it is to do.
pub struct Running(Child);

/// How a child ended.
pub enum End<T> {
    Told(T),
    Killed,
}

impl Running {
    pub fn start(allocator: Allocator) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["limit", FLAG])
            .env(VARIABLE, allocator.name())
            // What is dirty goes back at once: else jemalloc keeps what was freed for ten seconds.
            .env("_RJEM_MALLOC_CONF", "dirty_decay_ms:0")
            .env_remove("WEAKMAP_LIMIT")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("a child process")?;
        Ok(Self(child))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn give(&mut self, job: &Job) -> Result<()> {
        let mut input = self.0.stdin.take().context("it was given a job before")?;
        Ok(input.write_all(&serde_json::to_vec(job)?)?)
    }

    /// Waits for its end.
    pub fn end<T: DeserializeOwned>(mut self) -> Result<End<T>> {
        let mut told = String::new();
        self.0.stdout.take().context("its output is read once")?.read_to_string(&mut told)?;
        let status = self.0.wait()?;
        match killed(status) {
            true => Ok(End::Killed),
            false if status.success() => Ok(End::Told(serde_json::from_str(&told)?)),
            false => bail!("a child process ended with {status}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it ended already, there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn killed(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}

/// In a process of its own.
pub fn run<T: DeserializeOwned>(job: &Job, allocator: Allocator) -> Result<T> {
    let mut running = Running::start(allocator)?;
    running.give(job)?;
    match running.end()? {
        End::Told(outcome) => Ok(outcome),
        End::Killed => bail!("a child process was killed"),
    }
}

/// What the child does.
pub fn obey() -> Result<()> {
    let mut job = String::new();
    stdin().read_to_string(&mut job)?;
    let told = match serde_json::from_str(&job)? {
        Job::Load(run) => serde_json::to_string(&run.outcome())?,
        Job::Replay(replay) => serde_json::to_string(&replay.outcome()?)?,
    };
    println!("{told}");
    Ok(())
}

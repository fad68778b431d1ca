//! What runs: nginx with its break blocked, a load, and the service.

use super::results::ServiceTotals;
use crate::testbed::Testbed;
use anyhow::Context;
use proc_memory::{Process, Snapshot};
use ptmalloc::Examiner;
use roots::repository;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const CONNECTIONS: u32 = 20;

/// What it is called here, so that the service looks for no other nginx.
const NAME: &str = "nginx-reloads";
const METRICS: &str = "brkhole.prom";
const PATIENCE: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_millis(20);

/// A process that doesn't outlive the value.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Nginx {
    master: Started,
    port: u16,
}

impl Nginx {
    /// The story's configuration, and one location with something to say.
    pub fn start(place: &Testbed, locations: u32) -> anyhow::Result<Self> {
        let directory = place.directory();
        let script = place.source("runs/brkhole/configuration.sh");
        repository::run(Command::new(script).args([&locations.to_string(), &directory]))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let text = fs::read_to_string(place.here("nginx.conf"))?;
        let text = text.replace(":18080", &format!(":{port}"));
        let text = text.replace("location /1 { }", r#"location /1 { return 200 "here\n"; }"#);
        place.write("nginx.conf", text)?;
        fs::copy("/usr/sbin/nginx", place.here(NAME))?;
        let master = Command::new(place.here(NAME))
            .args(["-p", &directory, "-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"])
            .env("LD_PRELOAD", place.here("hole.so"))
            .spawn()?;
        let mut nginx = Self { master: Started(master), port };
        nginx.eventually("it listens", |_| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(nginx)
    }

    fn pid(&self) -> u32 {
        self.master.0.id()
    }

    fn workers(&self) -> Vec<u32> {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// How long it takes until there is a new worker, and the old ones are gone.
    pub fn reload(&mut self) -> anyhow::Result<Duration> {
        let old = self.workers();
        let begun = Instant::now();
        send("-HUP", self.pid())?;
        self.eventually("it reloads", |nginx| {
            let now = nginx.workers();
            !now.is_empty() && !now.iter().any(|pid| old.contains(pid))
        })?;
        Ok(begun.elapsed())
    }

    pub fn weigh(&self) -> anyhow::Result<Snapshot> {
        Ok(Snapshot::of(self.pid().cast_signed())?)
    }

    pub fn worker_rss_bytes(&self) -> anyhow::Result<u64> {
        let worker = self.workers().pop().context("nginx has no worker")?;
        Ok(Snapshot::of(worker.cast_signed())?.rss_bytes)
    }

    pub fn returnable_bytes(&self) -> anyhow::Result<Option<u64>> {
        let process = Process::open(self.pid().cast_signed())?;
        Ok(Examiner::new().examine(&process).state.ok().and_then(|state| state.returnable_bytes))
    }

    fn eventually(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !is_so(self) {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "nginx: {what}: not within {PATIENCE:?}");
            anyhow::ensure!(self.master.0.try_wait()?.is_none(), "nginx: {what}: it has ended");
            sleep(GLANCE);
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It ends its workers; if it doesn't, it is ended without.
        let _ = send("-TERM", self.pid());
        let begun = Instant::now();
        while self.master.0.try_wait().is_ok_and(|status| status.is_none())
            && begun.elapsed() < PATIENCE
        {
            sleep(GLANCE);
        }
    }
}

/// wrk, which asks a hundred times a second on each connection, at most.
pub struct Load(Started);

impl Load {
    pub fn start(place: &Testbed, nginx: &Nginx) -> anyhow::Result<Self> {
        place.write("delay.lua", "function delay() return 10 end\n")?;
        let wrk = Command::new("wrk")
            .args(["-t1", &format!("-c{CONNECTIONS}"), "-d86400s", "--timeout", "60s"])
            .args(["-s", &place.file("delay.lua"), "-H", "Connection: close"])
            .arg(format!("http://127.0.0.1:{}/1", nginx.port))
            .stdout(Stdio::piped())
            .spawn()
            .context("wrk (apt-get install wrk)")?;
        Ok(Self(Started(wrk)))
    }

    /// Requests, and those of them that failed.
    pub fn end(mut self) -> anyhow::Result<[u64; 2]> {
        send("-INT", self.0.0.id())?;
        let output = self.0.0.stdout.take().context("its output is a pipe")?;
        let text = std::io::read_to_string(output)?;
        let number = |word: &str| word.trim_end_matches(',').parse::<u64>().ok();
        let mut requests = None;
        let mut failed = 0;
        for line in text.lines().map(str::trim) {
            let words = line.split(' ');
            if line.contains(" requests in ") {
                requests = words.clone().next().and_then(number);
            } else if line.starts_with("Socket errors:") || line.starts_with("Non-2xx") {
                failed += words.filter_map(number).sum::<u64>();
            }
        }
        Ok([requests.with_context(|| format!("what wrk says: {text}"))?, failed])
    }
}

/// `brkhole trim --watch`.
pub struct Service(Started);

impl Service {
    pub fn start(place: &Testbed, every: &str, above: &str) -> anyhow::Result<Self> {
        let command = Command::new(repository::target().join("release/brkhole"))
            .args(["trim", "--watch", every, "--above", above, "--comm", NAME, "--metrics"])
            .arg(place.here(METRICS))
            .spawn()?;
        Ok(Self(Started(command)))
    }

    /// Ends it, and tells what it has done.
    pub fn end(mut self, place: &Testbed) -> anyhow::Result<ServiceTotals> {
        send("-TERM", self.0.0.id())?;
        let status = self.0.0.wait()?;
        anyhow::ensure!(status.success(), "the service: {status}");
        ServiceTotals::of(&fs::read_to_string(place.here(METRICS))?)
    }
}

/// Sends a signal, by the name that kill(1) has for it.
fn send(signal: &str, pid: u32) -> anyhow::Result<()> {
    repository::run(Command::new("kill").args([signal, &pid.to_string()]))
        .with_context(|| format!("kill {signal} {pid}"))
}

//! One run of the program.

use super::flags::Flags;
use super::inspected::Looks;
use super::{INSPECTIONS, THREADS};
use anyhow::Context;
use heap_meter::environment::Environment;
use heap_meter::process::Process;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What the program said, and what looking into it came to.
#[derive(Debug)]
pub struct Run {
    /// Calls of malloc and free.
    pub operations: f64,
    /// Its own processor time, all threads together.
    pub cpu_seconds: f64,
    pub wall_seconds: f64,
    /// None if it ran alone.
    pub looks: Option<Looks>,
}

impl Run {
    /// Runs it to its end, and looks into it meanwhile if it is to be inspected.
    ///
    /// # Errors
    ///
    /// When it can't be run, fails, or doesn't say what it did.
    pub fn of(
        program: &Path,
        flags: &Flags,
        environment: &Environment,
        is_inspected: bool,
    ) -> anyhow::Result<Self> {
        let budget = flags.cpu_seconds;
        let child = Command::new(program)
            .args([THREADS.to_string(), budget.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut child = KilledOnDrop(child);
        let looks = match is_inspected {
            true => {
                let process = Process::open(child.0.id().cast_signed())?;
                let processors = environment.logical_cpus.unwrap_or(1).max(1);
                let lasts = f64::from(budget) / processors as f64;
                let looks = INSPECTIONS as f64 / f64::from(flags.repeats);
                let pause = Duration::from_secs_f64(lasts / looks);
                let mut is_over = || Ok(child.0.try_wait()?.is_some());
                Some(Looks::until(&process, pause, &mut is_over)?)
            }
            false => None,
        };
        let status = child.0.wait()?;
        anyhow::ensure!(status.success(), "churn: {status}");
        let mut said = String::new();
        let mut output = child.0.stdout.take().context("its output is a pipe")?;
        output.read_to_string(&mut said)?;
        let said: Value = serde_json::from_str(&said).context("what churn says")?;
        let figure = |name: &str| said[name].as_f64().with_context(|| name.to_owned());
        Ok(Self {
            operations: figure("operations")?,
            cpu_seconds: figure("cpu_seconds")?,
            wall_seconds: figure("wall_seconds")?,
            looks,
        })
    }

    /// Operations in a second of its own processor time.
    pub fn per_cpu_second(&self) -> f64 {
        self.operations / self.cpu_seconds
    }

    /// Operations in a second on the clock.
    pub fn per_wall_second(&self) -> f64 {
        self.operations / self.wall_seconds
    }

    /// For the raw data.
    pub fn to_json(&self) -> Value {
        json!({
            "operations": self.operations,
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
            "inspections": self.looks.as_ref().map(Looks::to_json),
        })
    }
}

struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! What it shows: who is killed, when, on what evidence.

use crate::common::{compared, runs};
use crate::oom::harness::{Running, arm, kinds, permitted, results, send};
use serde_json::Value;

const BUDGET: &str = "48MiB";
const BUDGET_BYTES: f64 = (48 << 20) as f64;

#[test]
fn the_budget_is_met_alike_with_and_without_the_hole() {
    if !permitted() {
        return;
    }
    let found = results(&["--budget", BUDGET, "--locations", "400", "--repeats", "1"]);
    for name in ["control", "hole"] {
        let run = &runs(&found, name)[0];
        killed(run);
        let locations = run["locations"].as_f64().unwrap();
        let cost = run["bytes_per_location"].as_f64().unwrap();
        let arithmetic = BUDGET_BYTES / cost;
        // The process itself has a few MiB of so small a budget.
        assert!(
            (0.8..1.02).contains(&(locations / arithmetic)),
            "{name}: {locations} fit, {arithmetic} by {cost} each"
        );
        let reload = &arm(&found, name)["reload"];
        reloaded(reload, locations);
    }
    let (control, hole) = (
        compared(&found, "locations_that_fit", "control"),
        compared(&found, "locations_that_fit", "hole"),
    );
    assert!((control - hole).abs() <= 0.05 * control, "{control} {hole}");

    // The arms are what they say.
    let grown = |name: &str| runs(&found, name)[0]["break_grown_bytes"].as_f64().unwrap();
    assert!(grown("control") > 0.7 * BUDGET_BYTES, "{}", grown("control"));
    assert!(grown("hole") < 8192.0, "{}", grown("hole"));

    let shared = &runs(&found, "shared")[0];
    assert_eq!(shared["ending"]["kind"], "done");
    assert_eq!(shared["locations"], 400);
    assert_eq!(shared["limit"]["after"]["oom_kill"], 0);
    assert_eq!(arm(&found, "shared")["reload"]["survives_locations"], 400);
    for kind in ["not-the-hole", "parsed-once", "starts-but-does-not-reload"] {
        assert!(kinds(&found).contains(&kind), "{kind}: {:?}", kinds(&found));
    }
}

/// The kernel says that it was the OOM killer, and that it was this process.
fn killed(run: &Value) {
    assert_eq!(run["ending"]["kind"], "oom-killed", "{run}");
    assert_eq!(run["process"]["status"], "signal: 9 (SIGKILL)");
    assert_eq!(run["process"]["comm"], "oom");
    let limit = &run["limit"];
    assert_eq!(limit["kind"], "cgroup");
    assert_eq!(limit["limit_bytes"].as_f64(), Some(BUDGET_BYTES));
    assert_eq!(limit["before"]["oom_kill"], 0);
    assert_eq!(limit["after"]["oom_kill"], 1);
    assert!(limit["after"]["limit_met"].as_u64().unwrap() > 0);
    if let Some(peak) = limit["after"]["peak_usage_bytes"].as_f64() {
        assert!((0.95 * BUDGET_BYTES..=BUDGET_BYTES).contains(&peak), "{peak}");
    }
    // Whether the kernel's log can be read, and under which number it knows the process, is the
    // machine's affair; what it says must fit.
    if let Some(words) = run["ending"]["kernel_log"].as_str() {
        assert!(words.contains("Killed process"), "{words}");
        assert!(words.contains("(oom)"), "{words}");
    }
}

/// About half survives; both ends of the bracket were tried, and the bracket is narrow.
fn reloaded(reload: &Value, fits: f64) {
    let survives = reload["survives_locations"].as_u64().unwrap();
    let fails = reload["fails_locations"].as_u64().unwrap();
    assert!((0.4..=0.52).contains(&(survives as f64 / fits)), "{survives} of {fits}");
    assert!(survives < fails && fails - survives <= 2, "{survives} {fails}");
    let probes = reload["probes"].as_array().unwrap();
    let probe = |locations: u64| {
        let found = probes.iter().find(|probe| probe["locations"] == locations);
        found.unwrap_or_else(|| panic!("{locations} was never tried"))
    };
    let lived = probe(survives);
    assert_eq!(lived["ending"]["kind"], "done");
    assert_eq!(lived["loaded"], 2 * survives);
    let ended = probe(fails);
    assert_eq!(ended["ending"]["kind"], "oom-killed");
    assert!(ended["loaded"].as_u64().unwrap() < 2 * fails);
}

#[test]
fn a_sigkill_of_somebody_else_is_no_oom_kill() {
    if !permitted() {
        return;
    }
    let mut running = Running::start(&["--budget", "96MiB", "--repeats", "1", "--format", "json"]);
    let (_, child) = running.at_work(24 << 20);
    send(child, libc::SIGKILL);
    // The hole's run need not be waited for.
    let (_, next) = loop {
        let found = running.at_work(24 << 20);
        if found.1 != child {
            break found;
        }
    };
    assert_ne!(next, child);
    running.signal(libc::SIGINT);
    let output = running.output();
    assert_eq!(output.status.code(), Some(130));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &runs(&found, "control")[0];
    assert_eq!(run["ending"]["kind"], "signalled");
    assert_eq!(run["ending"]["signal"], 9);
    assert_eq!(run["limit"]["after"]["oom_kill"], 0);
    assert!(kinds(&found).contains(&"ended-otherwise"));
    running.nothing_is_left();
}

#[test]
fn raw_results_are_kept_and_every_format_is_printed() {
    if !permitted() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("new");
    let small = ["--budget", "16MiB", "--locations", "1", "--repeats", "2"];
    let kept = results(&[&small[..], &["--out", out.to_str().unwrap()]].concat());
    let read = std::fs::read(out.join("oom.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&read).unwrap(), kept);
    for name in ["kernel", "libc", "openssl", "luajit", "bundle"] {
        assert!(!kept["environment"][name].is_null(), "{name}");
    }
    for metric in ["locations_that_fit", "locations_that_survive_a_reload"] {
        assert_eq!(compared(&kept, metric, "shared"), 1.0);
    }

    let mut csv = Running::start(&[&small[..], &["--format", "csv"]].concat());
    let output = csv.output();
    let text = String::from_utf8(output.stdout).unwrap();
    let columns = |line: &str| line.split(',').count();
    let header = columns(text.lines().next().unwrap());
    assert!(text.lines().all(|line| columns(line) == header), "{text}");
    // Two runs and one reload of each of three arms.
    assert_eq!(text.lines().count(), 1 + 9, "{text}");

    let mut table = Running::start(&small);
    let text = String::from_utf8(table.output().stdout).unwrap();
    for word in ["locations that fit", "≥ 1", "hole/control", "alive at the end, with 1 location"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
}

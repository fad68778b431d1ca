//! nginx under load, trimmed again and again.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use suite::rounds;
use suite::waiting::eventually;

use crate::common::installed;
use crate::trim::allocators::{LIBRARIES, library};
use crate::trim::harness::{figure, reports};
use suite::waiting::children;

const WORKERS: usize = 2;

struct Nginx {
    directory: tempfile::TempDir,
    master: Child,
    port: u16,
}

impl Nginx {
    /// With this library's allocator, or glibc's.
    fn started(preloaded: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let place = directory.path().display();
        std::fs::write(directory.path().join("page.html"), vec![b'a'; 100_000]).unwrap();
        // Anybody else is told that there is no choice.
        let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let user = if root { "user root;\n" } else { "" };
        let files = suite::nginx::temporary_paths(directory.path());
        let configuration = format!(
            "daemon off;\n{user}pid \"{place}/pid\";\nerror_log \"{place}/error.log\" warn;\n\
             worker_processes {WORKERS};\nevents {{ }}\n\
             http {{\naccess_log off;\n{files}keepalive_requests 20;\ngzip on;\n\
             server {{\nlisten 127.0.0.1:{port};\nroot \"{place}\";\n\
             location = /short {{ return 200 short; }}\n}}\n}}\n"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let master = Command::new("nginx")
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(directory.path().join("error.log"))
            .envs(preloaded.map(|library| ("LD_PRELOAD", library)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { directory, master, port };
        eventually("it listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
                && nginx.workers().len() == WORKERS
        });
        nginx
    }

    fn workers(&self) -> Vec<i32> {
        children(self.master.id() as i32)
    }

    fn error_log(&self) -> PathBuf {
        self.directory.path().join("error.log")
    }

    /// Starts asking for a page, by 50 connections with gzip, for longer than any test takes.
    fn load(&self, path: &str) -> Load {
        let wrk = Command::new("wrk")
            .args(["-t1", "-c50", "-d3600s", "--timeout", "20s", "-H"])
            .arg("Accept-Encoding: gzip")
            .arg(format!("http://127.0.0.1:{}/{path}", self.port))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        Load(Some(wrk.unwrap()))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master first, or it would start others.
        let workers = self.workers();
        let _ = self.master.kill();
        for pid in workers {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
        let _ = self.master.wait();
    }
}

/// A load generator.
struct Load(Option<Child>);

impl Load {
    /// Ends it and gives its report.
    fn report(mut self) -> String {
        let child = self.0.take().expect("it runs");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn no_request_fails() {
    if installed("nginx") && installed("wrk") {
        no_request_fails_of(&Nginx::started(None));
    }
}

#[test]
fn no_request_fails_with_another_allocator() {
    for name in LIBRARIES {
        if let Some(library) = library(name)
            && installed("nginx")
            && installed("wrk")
        {
            no_request_fails_of(&Nginx::started(Some(&library)));
        }
    }
}

fn no_request_fails_of(nginx: &Nginx) {
    let mut pids = nginx.workers();
    let loads = [nginx.load("page.html"), nginx.load("short")];
    pids.push(nginx.master.id() as i32);
    let words: Vec<String> = pids.iter().map(ToString::to_string).collect();
    let mut arguments = vec!["--patience", "60"];
    arguments.extend(words.iter().map(String::as_str));
    let (mut attempts, mut longest, mut again) = (0, 0.0_f64, 0);
    // So often each of its processes is trimmed.
    let rounds = rounds(10, 34) as usize;
    for _ in 0..rounds {
        let (status, reports) = reports(&arguments);
        assert_eq!(status, 0, "{reports:#?}");
        for report in &reports {
            let tries = figure(report, "attempts");
            attempts += tries;
            again += u64::from(tries > 1);
            longest = longest.max(report["longest_held_seconds"].as_f64().unwrap());
            if let Some(returnable) = report["allocator_before"]["returnable_bytes"].as_u64() {
                // Of what it counts, some was never touched.
                assert!(figure(report, "returned_bytes") <= returnable, "{report:#}");
            }
        }
    }
    let trims = rounds * pids.len();
    for load in loads {
        let told = load.report();
        println!("{told}");
        let requests = told.lines().find(|line| line.contains(" requests in "));
        assert!(requests.is_some_and(|line| !line.trim().starts_with("0 ")), "{told}");
        for failure in ["Socket errors", "Non-2xx"] {
            assert!(!told.contains(failure), "{told}");
        }
    }
    println!("{trims} trims in {attempts} attempts, {again} needed another, longest {longest} s");
    let mut now = nginx.workers();
    now.push(nginx.master.id() as i32);
    assert_eq!(now, pids, "the same processes");
    let log = std::fs::read_to_string(nginx.error_log()).unwrap_or_default();
    assert_eq!(log, "", "nothing to complain of");
    assert!(Path::new(&format!("/proc/{}", pids[0])).exists());
}

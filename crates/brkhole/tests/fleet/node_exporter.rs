//! A real node_exporter that serves a directory of files.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fleet::member::Ended;

pub const PROGRAM: &str = "prometheus-node-exporter";

/// What it serves of this directory.
pub fn metrics_of(directory: &Path) -> String {
    // Between our looking for a free port and its taking it, somebody else may have.
    for _ in 0..10 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut exporter = Ended(
            Command::new(PROGRAM)
                .arg(format!("--web.listen-address={address}"))
                .args(["--web.disable-exporter-metrics", "--collector.disable-defaults"])
                .arg("--collector.textfile")
                .arg("--collector.textfile.directory")
                .arg(directory)
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let start = Instant::now();
        while exporter.0.try_wait().unwrap().is_none() {
            match get(&address) {
                Ok(metrics) if metrics.contains("node_textfile_scrape_error") => return metrics,
                // Whoever that is, it isn't ours.
                Ok(_) => break,
                Err(error) if error.kind() != ErrorKind::ConnectionRefused => panic!("{error}"),
                Err(_) => assert!(start.elapsed() < Duration::from_secs(60), "it doesn't listen"),
            }
            sleep(Duration::from_millis(20));
        }
    }
    panic!("no free port");
}

fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    // The older version of HTTP: the answer comes in one piece and ends with the connection.
    stream.write_all(b"GET /metrics HTTP/1.0\r\nAccept: text/plain\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains(" 200 "), "{answer}");
    Ok(body.to_owned())
}

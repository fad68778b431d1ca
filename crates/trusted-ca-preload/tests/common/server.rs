//! A TLS server on loopback, played by `openssl s_server`. It ends with its value.

use std::io::BufRead;
use std::process::{Child, Command, Stdio};

use super::Issued;

/// A server that answers every request with a page about the connection.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// The port of 127.0.0.1 that it listens on.
    pub port: u16,
}

impl Server {
    /// Starts one with this certificate, on a port that the kernel picks.
    pub fn start(issued: &Issued) -> Self {
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert"])
            .arg(&issued.certificate)
            .arg("-key")
            .arg(&issued.key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need openssl's command line");
        let mut said = suite::waiting::lines(process.stdout.take().expect("piped"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            let bytes = said.read_line(&mut line).expect("what s_server says");
            assert_ne!(bytes, 0, "openssl s_server ended before it listened");
            if let Some(address) = line.trim().strip_prefix("ACCEPT ") {
                let (_, port) = address.rsplit_once(':').expect("an address and a port");
                break port.parse().expect("a port");
            }
        };
        // Read on, or s_server blocks when its pipe is full.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { process, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone and reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! A browser without a window, told what to do by its DevTools protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// Ends with its process.
pub struct Browser {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<Value>,
    number: u64,
    events: Vec<Value>,
}

impl Browser {
    /// Starts it with a profile of its own in a directory.
    pub fn start(directory: &Path) -> Self {
        // It takes requests from descriptor 3 and answers to 4. Its own sandbox isn't for root.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
            --remote-debugging-pipe --user-data-dir=\"$0\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut process = Command::new("sh")
            .args(["-c", script])
            .arg(directory.join("profile"))
            .env("HOME", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut browser = Self {
            requests: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
            session: None,
            number: 0,
            events: Vec::new(),
        };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.ask("Target.attachToTarget", target);
        browser.session = Some(attached["sessionId"].clone());
        for domain in ["Page", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Loads a page into a window of this width, until its flame graph has begun, too.
    pub fn shows(&mut self, page: &Path, width: u32, scheme: &str) {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": scheme }));
        let window =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", window);
        let address = format!("file://{}", page.display());
        self.ask("Page.navigate", json!({ "url": address }));
        let begun = format!(
            "innerWidth === {width} && document.readyState === 'complete'
                && document.querySelector('iframe')?.contentWindow.svg?.hasAttribute('width') === false"
        );
        suite::waiting::eventually("the page to be shown", || self.evaluated(&begun) == true);
    }

    /// What an expression of JavaScript comes to, which must be a text.
    pub fn text(&mut self, expression: &str) -> String {
        let value = self.evaluated(expression);
        let text = value.as_str().map(str::to_owned);
        text.unwrap_or_else(|| panic!("{expression}: {value}"))
    }

    /// One that must be a number.
    pub fn number(&mut self, expression: &str) -> f64 {
        let value = self.evaluated(expression);
        value.as_f64().unwrap_or_else(|| panic!("{expression}: {value}"))
    }

    fn evaluated(&mut self, expression: &str) -> Value {
        let answer = self
            .ask("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        match answer.get("exceptionDetails") {
            Some(thrown) => thrown["exception"]["description"].clone(),
            None => answer["result"]["value"].clone(),
        }
    }

    /// What it has said on its console since the last time.
    pub fn complaints(&mut self) -> Vec<String> {
        let events = std::mem::take(&mut self.events);
        let of_console = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
        let said = events
            .iter()
            .filter(|event| of_console.iter().any(|method| event["method"] == *method));
        said.map(|event| event["params"].to_string()).collect()
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut request = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            request["sessionId"] = session.clone();
        }
        write!(self.requests, "{request}\0").unwrap();
        loop {
            let mut answer = Vec::new();
            self.answers.read_until(0, &mut answer).unwrap();
            let text = answer.strip_suffix(&[0]).expect("the browser has ended");
            let mut answer: Value = serde_json::from_slice(text).unwrap();
            if answer["id"] != self.number {
                self.events.push(answer);
                continue;
            }
            assert!(answer.get("error").is_none(), "{method}: {answer}");
            return answer["result"].take();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

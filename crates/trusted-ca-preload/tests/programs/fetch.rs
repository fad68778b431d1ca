//! Clients fetch from a TLS server with the right CA, with the right one among many, and with wrong
//! ones.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::material::{Bundles, MACHINE, PYTHON, sample, script};
use crate::common::{Authority, Issued, Ran, Server, installed, same_in_every_way, skipped};

/// A server, and bundles by which it is to be trusted or not.
struct Site {
    _authority: Authority,
    server: Server,
    issued: Issued,
    /// Our authority alone, and at the end of the machine's bundle.
    right: [PathBuf; 2],
    /// Another authority, and the machine's bundle as it is.
    wrong: [PathBuf; 2],
    _bundles: Bundles,
}

impl Site {
    fn new() -> Self {
        let authority = Authority::new("Ours");
        let issued = authority.issue("server");
        let server = Server::start(&issued);
        let root = authority.certificate();
        let (machine, other) = (Path::new(MACHINE), sample("alpha.pem"));
        let mut bundles = Bundles::new();
        let right = [
            bundles.joined("right", &[&root]),
            bundles.joined("right-among-many", &[machine, &root]),
        ];
        let wrong = [bundles.joined("wrong", &[&other]), bundles.joined("wrong-many", &[machine])];
        bundles.settle();
        Self { _authority: authority, server, issued, right, wrong, _bundles: bundles }
    }

    /// Every bundle in every way; gives what was done with the right ones and with the wrong ones.
    fn fetched(&self, client: impl Fn(&str, &Path) -> Command) -> (Vec<Ran>, Vec<Ran>) {
        let port = self.server.port.to_string();
        let with = |bundles: &[PathBuf]| {
            let each = bundles.iter();
            each.flat_map(|bundle| same_in_every_way(|| client(&port, bundle))).collect()
        };
        (with(&self.right), with(&self.wrong))
    }
}

/// The library has no part in a test that it kept out of.
fn took_part(ran: &[Ran]) {
    for each in ran {
        let counts = each.only_counts();
        assert!(counts.loads >= 1, "{counts:?}");
        assert_eq!(counts.passed_on, 0, "{counts:?}");
    }
}

/// A client that says `accepted` on standard output or standard error when it trusts the server,
/// and `refused` when it doesn't, and ends with 0 or something else.
fn client_tells_right_from_wrong(
    client: impl Fn(&str, &Path) -> Command,
    accepted: &str,
    refused: &str,
) {
    tells_right_from_wrong(client, accepted, refused, took_part);
}

/// The same; what the library had to do with it is for somebody else to say.
fn tells_right_from_wrong(
    client: impl Fn(&str, &Path) -> Command,
    accepted: &str,
    refused: &str,
    part: impl Fn(&[Ran]),
) {
    let site = Site::new();
    let (right, wrong) = site.fetched(client);
    for ran in &right {
        assert!(ran.status.success(), "{ran:?}");
        let said = [&ran.stdout, &ran.stderr];
        assert!(said.iter().any(|text| text.contains(accepted)), "{ran:?}");
    }
    for ran in &wrong {
        assert!(!ran.status.success(), "{ran:?}");
        let said = [&ran.stdout, &ran.stderr];
        assert!(said.iter().any(|text| text.contains(refused)), "{ran:?}");
    }
    part(&right);
    part(&wrong);
}

fn scripted(interpreter: &str, name: &str, port: &str, bundle: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(script(name)).arg(port).arg(bundle);
    command
}

/// Whether an interpreter is there with what its script needs; says so if not.
fn interpreter(program: &str, check: &[&str]) -> bool {
    if !installed(program) {
        return false;
    }
    let checked = Command::new(program).args(check).output();
    let ready = checked.is_ok_and(|output| output.status.success());
    if !ready {
        skipped(format_args!("{program} lacks what {check:?} asks for"));
    }
    ready
}

#[test]
fn curl() {
    if !installed("curl") {
        return;
    }
    let client = |port: &str, bundle: &Path| {
        let mut command = Command::new("curl");
        command
            .args(["-q", "-sS", "--fail-early", "--cacert"])
            .arg(bundle)
            .args(["-w", "%{http_code} %{ssl_verify_result}\n"])
            .args(["-o", "/dev/null", "-o", "/dev/null"])
            .args(["localhost", "127.0.0.1"].map(|host| format!("https://{host}:{port}/")));
        command
    };
    client_tells_right_from_wrong(client, "200 0\n200 0\n", "curl: (60) SSL certificate problem");
}

#[test]
fn openssl_s_client() {
    // An error's first field is the address of the thread that met it.
    const SCRIPT: &str = "set -o pipefail
        openssl s_client -brief -verify_return_error -verify_hostname localhost \
        -connect 127.0.0.1:$0 -CAfile \"$1\" 2>&1 | sed -E 's/^[0-9A-F]+:error:/error:/'";
    let client = |port: &str, bundle: &Path| {
        let mut command = Command::new("bash");
        command.args(["-c", SCRIPT, port]).arg(bundle);
        command
    };
    tells_right_from_wrong(client, "Verification: OK", "certificate verify failed", kept_out);
}

/// openssl(1) has `x509 -addreject` and the like.
fn kept_out(ran: &[Ran]) {
    for each in ran {
        let counts = each.only_counts();
        assert!(counts.passed_on >= 1 && counts.loads == counts.passed_on, "{counts:?}");
    }
}

/// It loads by `X509_LOOKUP_load_file`, so the library may or may not have a part in it.
#[test]
fn openssl_verify() {
    let site = Site::new();
    let (right, wrong) = site.fetched(|_, bundle| {
        let mut command = Command::new("openssl");
        command.args(["verify", "-CAfile"]).arg(bundle);
        command.arg(&site.issued.certificate);
        command
    });
    assert!(right.iter().all(|ran| ran.status.success()), "{right:?}");
    assert!(!wrong.iter().any(|ran| ran.status.success()), "{wrong:?}");
}

#[test]
fn python() {
    let client = |port: &str, bundle: &Path| scripted(PYTHON, "fetch.py", port, bundle);
    client_tells_right_from_wrong(client, "200\n200\n", "CERTIFICATE_VERIFY_FAILED");
}

#[test]
fn php() {
    if !interpreter("php", &["-r", "exit(function_exists('curl_init') ? 0 : 1);"]) {
        return;
    }
    let client = |port: &str, bundle: &Path| scripted("php", "fetch.php", port, bundle);
    client_tells_right_from_wrong(
        client,
        "fetched\n200\nfetched\n200\n",
        "SSL certificate problem",
    );
}

#[test]
fn perl() {
    if !interpreter("perl", &["-MIO::Socket::SSL", "-e1"]) {
        return;
    }
    let client = |port: &str, bundle: &Path| scripted("perl", "fetch.pl", port, bundle);
    client_tells_right_from_wrong(client, "HTTP/1.0 200 ok", "certificate verify failed");
}

#[test]
fn ruby() {
    if !interpreter("ruby", &["-ropenssl", "-e1"]) {
        return;
    }
    let site = Site::new();
    let port = site.server.port.to_string();
    for (right, wrong) in site.right.iter().zip(&site.wrong) {
        let [private, shared] = same_in_every_way(|| {
            let mut command = Command::new("ruby");
            command.arg(script("fetch.rb")).arg(&port);
            command.args([right, wrong, &sample("gamma.pem")]);
            command
        });
        for ran in [private, shared] {
            assert!(ran.status.success(), "{ran:?}");
            for line in ran.stdout.lines().filter(|line| !line.contains("missing")) {
                let (name, verdict) = line.split_once(": ").expect("a name and a verdict");
                let trusted = ["200", "TLSv1.3"].contains(&verdict);
                let refused = verdict.contains("certificate verify failed");
                let expected = name.ends_with("right")
                    || ["both, wrong first", "plain", "given"].contains(&name);
                assert_eq!((trusted, refused), (expected, !expected), "{line}");
            }
            let counts = ran.only_counts();
            assert!(counts.shared >= 1, "{counts:?}");
        }
    }
}

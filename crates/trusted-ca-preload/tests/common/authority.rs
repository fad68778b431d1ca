//! A certificate authority for a test, made by openssl's command line in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// An authority: a root that issues for `localhost`, and revokes.
#[derive(Debug)]
pub struct Authority {
    directory: TempDir,
}

/// A server's certificate and its key.
#[derive(Debug, Clone)]
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// A new root with this common name.
    pub fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for certificates");
        let authority = Self { directory };
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "root.key",
            "-out",
            "root.pem",
            "-days",
            "3650",
            "-subj",
            &format!("/O=Example/CN={name}"),
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]);
        authority.write("index.txt", "");
        authority.write("crlnumber", "01\n");
        authority.write(
            "ca.cnf",
            "[ca]\ndefault_ca=here\n[here]\ndatabase=index.txt\ncrlnumber=crlnumber\n\
             default_md=sha256\ndefault_crl_days=3650\nunique_subject=no\n",
        );
        authority
    }

    /// The root's certificate, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.path("root.pem")
    }

    /// A certificate for a server on `localhost` and 127.0.0.1; files are named after `name`.
    pub fn issue(&self, name: &str) -> Issued {
        let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
        let certificate = format!("{name}.pem");
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-subj",
            &format!("/O=Example/CN={name}"),
        ]);
        self.write("san.cnf", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-CAcreateserial",
            "-days",
            "3650",
            "-extfile",
            "san.cnf",
            "-out",
            &certificate,
        ]);
        Issued { certificate: self.path(&certificate), key: self.path(&key) }
    }

    /// A revocation list that names these certificates (and those revoked before).
    pub fn revocations(&self, revoked: &[&Issued]) -> PathBuf {
        for issued in revoked {
            let certificate = issued.certificate.to_str().expect("plain names");
            self.ca(&["-revoke", certificate]);
        }
        self.ca(&["-gencrl", "-out", "crl.pem"]);
        self.path("crl.pem")
    }

    fn ca(&self, arguments: &[&str]) {
        let mut all = vec!["ca", "-config", "ca.cnf", "-cert", "root.pem", "-keyfile", "root.key"];
        all.extend(arguments);
        self.openssl(&all);
    }

    fn openssl(&self, arguments: &[&str]) {
        let Output { status, stderr, .. } = Command::new("openssl")
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .expect("these tests need openssl's command line");
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "openssl {arguments:?}: {said}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the test's own directory is writable");
    }
}

/// Writes one file of several PEM files, one after the other.
pub fn concatenated(to: &Path, files: &[&Path]) {
    let bytes: Vec<u8> =
        files.iter().flat_map(|file| std::fs::read(file).expect("a PEM file")).collect();
    std::fs::write(to, bytes).expect("the test's own directory is writable");
}

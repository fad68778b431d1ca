//! Bundles as programs and people might write them, and as disks might damage them: blocks that
//! are well-formed PEM around contents that may not be what the label says.

use std::fs;

use super::{Dice, data};
use crate::common::{Authority, skipped};
use fuzz_bundles::cases::with_der;

/// The machine's own bundle.
const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";

const LABELS: [&str; 10] = [
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "X509 CRL",
    "CERTIFICATE REQUEST",
    "PKCS7",
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "EC PRIVATE KEY",
    "RSA PRIVATE KEY",
];

/// What bundles are made of.
pub struct Blocks {
    certificates: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
}

impl Blocks {
    /// The samples, certificates of the machine, and two authorities of one name.
    pub fn gathered() -> Self {
        let mut certificates = ["alpha.pem", "beta.pem", "gamma.pem"].map(data).to_vec();
        let namesakes = ["Namesake", "Namesake"].map(Authority::new);
        let read = |path| fs::read(path).expect("made by openssl just now");
        certificates.extend(namesakes.iter().map(|one| read(one.certificate())));
        match fs::read_to_string(MACHINE) {
            Ok(text) => certificates.extend(
                text.split_inclusive("-----END CERTIFICATE-----\n")
                    .filter(|block| block.starts_with("-----BEGIN"))
                    .map(|block| block.as_bytes().to_vec()),
            ),
            Err(error) => skipped(format_args!("{MACHINE}: {error}")),
        }
        let mut others = [
            "alpha.crl.pem",
            "beta.trusted.pem",
            "key.pem",
            "key.traditional.pem",
            "key.traditional-encrypted.pem",
            "key.pkcs8-encrypted.pem",
        ]
        .map(data)
        .to_vec();
        for namesake in &namesakes {
            let revoked = namesake.issue("revoked");
            others.push(read(namesake.revocations(&[&revoked])));
        }
        Self { certificates, others }
    }

    /// One bundle.
    pub fn bundle(&self, dice: &mut Dice) -> Vec<u8> {
        let mut blocks: Vec<Vec<u8>> = (0..=dice.below(4)).map(|_| self.block(dice)).collect();
        if dice.below(3) == 0 {
            let again = dice.one_of(&blocks).clone();
            blocks.push(again);
        }
        // Half of them stay well, or most would be refused for the first thing that is wrong.
        for _ in 0..dice.below(4) {
            let which = dice.below(blocks.len());
            blocks[which] = changed(&blocks[which], dice);
        }
        let mut bytes = blocks.concat();
        match dice.below(12) {
            0 => bytes.truncate(bytes.trim_ascii_end().len()),
            1 => drop(bytes.splice(0..0, *b"\xef\xbb\xbf")),
            2 => bytes.extend_from_slice(b"\n\nthe end, without a newline"),
            3 => bytes.extend_from_slice(&[0; 512]),
            _ => {}
        }
        bytes
    }

    fn block(&self, dice: &mut Dice) -> Vec<u8> {
        match dice.below(5) {
            0 => dice.one_of(&self.others).clone(),
            _ => dice.one_of(&self.certificates).clone(),
        }
    }
}

fn changed(block: &[u8], dice: &mut Dice) -> Vec<u8> {
    let text = String::from_utf8_lossy(block);
    match dice.below(13) {
        0 => relabelled(&text, LABELS[dice.below(LABELS.len())]),
        1 => text.replace('\n', "\r\n").into_bytes(),
        2 => wrapped_at(&text, 1 + dice.below(300)),
        3 => format!("subject=/CN=somebody\n{text}").into_bytes(),
        4 => text.replacen('\n', "\nHeader: value\n\n", 1).into_bytes(),
        5 => [block, &dice.bytes(300)].concat(),
        6 => text.replacen('\n', "\n\n", 1).into_bytes(),
        _ if !is_plain(&text) => block.to_vec(),
        _ => with_der(block, |der| damage(der, dice)),
    }
}

fn damage(der: &mut Vec<u8>, dice: &mut Dice) {
    // What was cut short before stays as it is.
    if der.len() < 20 {
        return;
    }
    let at = dice.below(der.len());
    match dice.below(6) {
        0 | 1 => der[at] ^= 1 << dice.below(8),
        2 => der.truncate(at),
        3 => {
            let length = 1 + dice.below(40);
            der.extend(dice.bytes(length));
        }
        // A serial number, most often: another certificate of the same subject.
        4 => der[12 + dice.below(6)] ^= 0x15,
        _ => {
            let last = der.len() - 1;
            der[last] ^= 0xff;
        }
    }
}

/// Whether there is nothing between begin and end but base64.
fn is_plain(text: &str) -> bool {
    let base64 = |symbol: char| symbol.is_ascii_alphanumeric() || "+/=".contains(symbol);
    let lines = text.split('\n').filter(|line| !line.is_empty());
    text.starts_with("-----BEGIN")
        && text.ends_with("-----\n")
        && lines.filter(|line| !line.chars().all(base64)).count() == 2
}

fn relabelled(text: &str, label: &str) -> Vec<u8> {
    let old = text.split("-----").nth(1).and_then(|begin| begin.strip_prefix("BEGIN "));
    let old = old.expect("a block begins with its label");
    text.replace(&format!("{old}-----"), &format!("{label}-----")).into_bytes()
}

fn wrapped_at(text: &str, width: usize) -> Vec<u8> {
    let mut lines: Vec<&str> = text.lines().collect();
    let (first, last) = (lines.remove(0), lines.pop().expect("an end line"));
    let content = lines.concat().into_bytes();
    let mut block = format!("{first}\n").into_bytes();
    for line in content.chunks(width) {
        block.extend_from_slice(line);
        block.push(b'\n');
    }
    block.extend_from_slice(last.as_bytes());
    block.push(b'\n');
    block
}

//! Damaged bundles, the same in every run.

use crate::{Dice, data};

/// How many of them a test looks at.
pub const BUNDLES: usize = 400;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Pieces that matter to a PEM reader when they turn up in a wrong place.
const PIECES: [&[u8]; 12] = [
    b"\0",
    b"\n",
    b"\r",
    b"\n\n",
    b"=",
    b":",
    b"-----",
    b"-----BEGIN CERTIFICATE-----\n",
    b"-----END CERTIFICATE-----\n",
    b"-----BEGIN X509 CRL-----\n",
    b"\xef\xbb\xbf",
    b"Proc-Type: 4,ENCRYPTED\n",
];

/// A bundle.
#[derive(Debug)]
pub struct Bundle {
    /// What to call it.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// So many bundles, each of a few blocks with a little damage.
pub fn bundles(count: usize) -> impl Iterator<Item = Bundle> {
    let blocks = [
        "alpha.pem",
        "beta.pem",
        "gamma.pem",
        "alpha.crl.pem",
        "beta.trusted.pem",
        "key.pem",
        "key.traditional.pem",
        "key.traditional-encrypted.pem",
        "key.pkcs8-encrypted.pem",
    ]
    .map(data);
    let mut dice = Dice(SEED);
    (0..count).map(move |number| {
        let mut bytes = Vec::new();
        for _ in 0..=dice.below(5) {
            bytes.extend_from_slice(&blocks[dice.below(blocks.len())]);
        }
        for _ in 0..=dice.below(2) {
            damage(&mut bytes, &mut dice);
        }
        let name = format!("bundle {number} of seed {SEED:#x}");
        Bundle { name, bytes }
    })
}

/// A test in which nearly everything is refused, or accepted, would compare little.
pub fn assert_neither_all_nor_none(accepted: usize, bundles: usize) {
    assert!(
        (bundles / 10..bundles * 9 / 10).contains(&accepted),
        "{accepted} of {bundles} accepted"
    );
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let mut at = dice.below(bytes.len() + 1);
    if dice.below(2) == 0 {
        // Between two blocks, where much is allowed.
        let start = b"-----BEGIN";
        let next = bytes[at..].windows(start.len()).position(|window| window == start);
        at = next.map_or(bytes.len(), |offset| at + offset);
    }
    match dice.below(8) {
        0 if at < bytes.len() => bytes[at] = dice.roll() as u8,
        1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        2 => {
            let end = (at + dice.below(100)).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => bytes.truncate(at),
        4 => {
            let copy = bytes[at..(at + dice.below(700)).min(bytes.len())].to_vec();
            let to = dice.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        5 => {
            let filler = vec![b'f'; dice.below(600)];
            bytes.splice(at..at, filler);
        }
        _ => {
            let piece = PIECES[dice.below(PIECES.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}

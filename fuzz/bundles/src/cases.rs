//! The files that bundles turn out to be, good and bad, with the verdict worked out by hand.

use crate::{Dice, data};

/// A verdict that follows from reading the PEM rules, not from running the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Accepted, with this many certificates and CRLs in the store.
    Holds(usize, usize),
    /// Refused, and the store stays empty.
    Refused,
    /// OpenSSL's versions differ; whatever this one says.
    AsThisOpenSsl,
}

/// One file.
#[derive(Debug)]
pub struct Case {
    /// What is special about it.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The verdict of `SSL_CTX_load_verify_locations`: nginx before 1.27.2, and the mapped reader.
    pub before: Expect,
    /// The verdict of nginx since 1.27.2.
    pub since: Expect,
}

use Expect::{AsThisOpenSsl, Holds, Refused};

/// Every case that is nothing but a file's content.
pub fn all() -> Vec<Case> {
    let mut cases = accepted();
    cases.extend(refused());
    cases.extend(told_differently());
    cases.extend(with_nul_bytes());
    cases.extend(with_long_lines());
    cases
}

fn case(name: &'static str, parts: &[&[u8]], before: Expect, since: Expect) -> Case {
    Case { name, bytes: parts.concat(), before, since }
}

fn accepted() -> Vec<Case> {
    let [alpha, beta, gamma] = ["alpha.pem", "beta.pem", "gamma.pem"].map(data);
    let crlf = String::from_utf8(alpha.clone()).expect("PEM").replace('\n', "\r\n");
    let spaces = String::from_utf8(alpha.clone()).expect("PEM").replace('\n', " \t \n");
    let old_name = relabel(&alpha, "CERTIFICATE", "X509 CERTIFICATE");
    let request = relabel(&beta, "CERTIFICATE", "CERTIFICATE REQUEST");
    let same = |name, parts: &[&[u8]], certificates| {
        case(name, parts, Holds(certificates, 0), Holds(certificates, 0))
    };
    vec![
        same("three certificates", &[&alpha, &beta, &gamma], 3),
        same("in another order", &[&gamma, &alpha, &beta], 3),
        same("duplicates", &[&alpha, &beta, &alpha, &alpha], 2),
        same("CRLF line ends", &[crlf.as_bytes(), &beta], 2),
        same("no newline at the end", &[&alpha, beta.trim_ascii_end()], 2),
        same("spaces at line ends", &[spaces.as_bytes()], 1),
        same(
            "text before, between and after",
            &[b"# Alpha\n\n", &alpha, b"Issuer: Beta\n=====\n", &beta, b"the end\n"],
            2,
        ),
        same("the old name X509 CERTIFICATE", &[&old_name, &beta], 2),
        same("a block of another kind", &[&alpha, &request, &gamma], 2),
        same("trust settings", &[&alpha, &data("beta.trusted.pem")], 2),
        same("the same with and without trust settings", &[&beta, &data("beta.trusted.pem")], 1),
        same("a plain private key", &[&alpha, &data("key.pem"), &beta], 2),
        same(
            "an encrypted private key, old form",
            &[&alpha, &data("key.traditional-encrypted.pem"), &beta],
            2,
        ),
        same("an encrypted private key, PKCS#8", &[&data("key.pkcs8-encrypted.pem"), &alpha], 1),
        case("a byte order mark", &[b"\xef\xbb\xbf", &alpha], AsThisOpenSsl, AsThisOpenSsl),
    ]
}

fn refused() -> Vec<Case> {
    let [alpha, beta] = ["alpha.pem", "beta.pem"].map(data);
    let half = &beta[..beta.len() / 2];
    let bad_base64 = replace_line(&beta, 3, "!!!! this is no base64 !!!!");
    let bad_der = with_der(&beta, |der| der[0] = 0x31);
    let wrong_end = relabel(&beta, "END CERTIFICATE", "END SOMETHING");
    let encrypted = replace_line(
        &beta,
        0,
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\
         DEK-Info: AES-128-CBC,00000000000000000000000000000000\n",
    );
    let no = |name, parts: &[&[u8]]| case(name, parts, Refused, Refused);
    vec![
        no("empty", &[]),
        no("one newline", &[b"\n"]),
        no("plain text", &[b"no certificate is in here\nnone at all\n"]),
        no("random bytes", &[&Dice(42).bytes(65_536)]),
        no("cut in the middle of the only certificate", &[half]),
        no("cut in the middle of the last certificate", &[&alpha, half]),
        no("cut certificate before a good one", &[half, b"\n", &alpha]),
        no("bad base64 among good ones", &[&alpha, &bad_base64, &alpha]),
        no("bad DER among good ones", &[&alpha, &bad_der, &alpha]),
        no("wrong end line", &[&alpha, &wrong_end]),
        no(
            "a block without content",
            &[b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
        ),
        no("an encrypted certificate", &[&alpha, &encrypted]),
        no("only a private key", &[&data("key.pem")]),
    ]
}

/// Where nginx's two ways of reading differ by nature.
fn told_differently() -> Vec<Case> {
    let [alpha, beta, crl] = ["alpha.pem", "beta.pem", "alpha.crl.pem"].map(data);
    let bad_crl = with_der(&crl, |der| der[0] = 0x31);
    let bad_key = with_der(&data("key.traditional.pem"), |der| der[0] = 0x31);
    let bad_pkcs8 = with_der(&data("key.pem"), |der| der[0] = 0x31);
    let tail = with_der(&beta, |der| der.extend_from_slice(b"\x30\x03junk"));
    vec![
        case("a CRL among certificates", &[&alpha, &crl, &beta], Holds(2, 1), Holds(2, 0)),
        case("only a CRL", &[&crl], Holds(0, 1), Refused),
        case("the same CRL twice", &[&crl, &alpha, &crl], Holds(1, 1), Holds(1, 0)),
        case("a damaged CRL", &[&alpha, &bad_crl], Refused, Holds(1, 0)),
        case("a damaged private key", &[&alpha, &bad_key], Refused, Holds(1, 0)),
        case("a damaged PKCS#8 key", &[&alpha, &bad_pkcs8], AsThisOpenSsl, Holds(1, 0)),
        case("bytes after a certificate's DER", &[&alpha, &tail], Holds(2, 0), Refused),
    ]
}

/// OpenSSL reads lines with fgets(3) and takes their length with strlen(3): a line that starts
/// with NUL looks like the end of the file.
fn with_nul_bytes() -> Vec<Case> {
    let [alpha, beta] = ["alpha.pem", "beta.pem"].map(data);
    let cut_by_nul = replace_line(&beta, 2, "MIIB\0MIIB");
    let same = |name, parts: &[&[u8]], expect| case(name, parts, expect, expect);
    vec![
        same("a line that starts with NUL, first", &[b"\0\n", &alpha], Refused),
        same("a line that starts with NUL, between", &[&alpha, b"\0text\n", &beta], Holds(1, 0)),
        same("a line that starts with NUL, last", &[&alpha, &beta, b"\0"], Holds(2, 0)),
        same("NUL inside a line of text", &[&alpha, b"te\0xt\n", &beta], Holds(2, 0)),
        same("NUL inside a line of base64", &[&alpha, &cut_by_nul], Refused),
        same("a page of NULs at the end", &[&alpha, &[0; 4096]], Holds(1, 0)),
        same(
            "NUL after the end line's dashes",
            &[alpha.trim_ascii_end(), b"\0\n", &beta],
            Holds(2, 0),
        ),
    ]
}

/// A line is cut every 254 bytes, and what follows is a line of its own.
fn with_long_lines() -> Vec<Case> {
    let [alpha, beta] = ["alpha.pem", "beta.pem"].map(data);
    let unwrapped = unwrap_base64(&alpha);
    let same = |name, parts: &[&[u8]], expect| case(name, parts, expect, expect);
    let mut cases = vec![
        same("a long line of text", &[&[b'x'; 100_000], b"\n", &alpha], Holds(1, 0)),
        same("a start line hidden at byte 254 of a line", &[&[b'x'; 254], &alpha], Holds(1, 0)),
        same("a start line at byte 253 of a line", &[&[b'x'; 253], &alpha, &beta], Holds(1, 0)),
        same("all base64 in one line", &[&unwrapped, &beta], AsThisOpenSsl),
    ];
    // Start lines on either side of the borders of stdio's buffers and of a page.
    for border in [4096_usize, 8192] {
        for offset in [1, 10, 27] {
            let mut text = b"filler of eight\n".repeat(border / 16);
            text.truncate(border - offset - 1);
            text.push(b'\n');
            cases.push(same("across a buffer's border", &[&text, &alpha, &beta], Holds(2, 0)));
        }
    }
    cases
}

fn relabel(pem: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(pem).replace(from, to).into_bytes()
}

fn replace_line(pem: &[u8], number: usize, with: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(pem);
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(index, line)| [if index == number { with } else { line }, "\n"])
        .collect::<String>()
        .into_bytes()
}

fn unwrap_base64(pem: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(pem);
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let base64 = lines[1..lines.len() - 1].concat();
    format!("{first}\n{base64}\n{last}\n").into_bytes()
}

/// Changes the DER inside a PEM block that holds nothing else.
pub fn with_der(pem: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let text = String::from_utf8_lossy(pem);
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let mut der = decode_base64(&lines[1..lines.len() - 1].concat());
    change(&mut der);
    let base64 = encode_base64(&der);
    let mut block = format!("{first}\n");
    for line in base64.as_bytes().chunks(64) {
        block.push_str(&String::from_utf8_lossy(line));
        block.push('\n');
    }
    block.push_str(last);
    block.push('\n');
    block.into_bytes()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decode_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for symbol in text.bytes().filter(|&symbol| symbol != b'=') {
        let value = ALPHABET.iter().position(|&known| known == symbol);
        held = (held << 6) | value.expect("base64") as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut held = [0; 3];
        held[..group.len()].copy_from_slice(group);
        let value = u32::from_be_bytes([0, held[0], held[1], held[2]]);
        for symbol in 0..4 {
            let index = (value >> (18 - 6 * symbol)) & 63;
            let known = ALPHABET[index as usize] as char;
            text.push(if symbol <= group.len() { known } else { '=' });
        }
    }
    text
}

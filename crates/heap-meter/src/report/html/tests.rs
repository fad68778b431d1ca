use super::*;
use heap_diagnosis::{Finding, Severity};
use std::io::Write as _;
use std::process::{Command, Stdio};

const HOSTILE: &str = "</title><script>alert(1)</script>\"' onload='x&lt;\u{1b}[31m\u{202e}";

fn page() -> Page<'static> {
    let hostile = || HOSTILE.to_owned();
    let mut finding = Finding::new("a-kind", Severity::Critical, HOSTILE)
        .evidence(HOSTILE, HOSTILE)
        .evidence("blocker", serde_json::json!({ "name": HOSTILE, "start": "0x7f0000000000" }))
        .evidence("room_bytes", 1_048_576)
        .evidence("worked_seconds", 0.25)
        .evidence("refused", 340.0);
    finding.kind = hostile();
    let columns = [Column::Left(HOSTILE), Column::Right("bytes")];
    Page::new(
        Sections(vec![
            vec![Part::Heading(hostile()), Part::Paragraph(hostile())],
            vec![Part::table(&columns, [[hostile(), "1.00 MiB".to_owned()]])],
            vec![Part::table(&[Column::Left("a"), Column::Left("")], [[hostile(), hostile()]])],
            vec![Part::Paragraph(hostile()), Part::Lines(hostile())],
            vec![Part::Note(hostile())],
            vec![Part::Finding(finding)],
        ]),
        "brkhole 0.1.0",
        hostile(),
    )
}

#[test]
fn nothing_that_was_named_means_anything() {
    let mut page = page();
    page.environment = Some(Environment::here().with(HOSTILE, HOSTILE));
    let html = page.html();
    // Its own one.
    assert_eq!(html.matches("<script").count(), 1, "{html}");
    assert_eq!(html.matches("</title").count(), 1, "{html}");
    let told = "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;' onload='x&amp;lt;\\u{1b}[31m\\u{202e}";
    assert_eq!(html.matches(told).count(), 18, "{html}");
}

#[test]
fn it_fetches_nothing() {
    let html = page().html();
    for word in ["://", "src=", "href=", "url(", "@import", "eval"] {
        assert!(!html.contains(word), "{word}: {html}");
    }
    assert!(html.contains("default-src 'none'; "), "{html}");
}

#[test]
fn figures_can_be_sorted_by() {
    let html = page().html();
    assert_eq!(html.matches("<table class=\"sorts\">").count(), 1);
    assert_eq!(html.matches("<table>").count(), 1, "of names and what belongs to them");
    assert!(html.contains("<th scope=\"col\" class=\"n\">bytes</th>"));
    assert!(html.contains("<td class=\"n\">1.00 MiB</td>"));
}

#[test]
fn evidence_has_its_units() {
    let html = page().html();
    for told in [
        "<dt>room</dt><dd>1.00 MiB</dd>",
        "<dt>worked</dt><dd>250 ms</dd>",
        "<dt>blocker.start</dt><dd>0x7f0000000000</dd>",
        "<dt>refused</dt><dd>340</dd>",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
}

/// Otherwise a browser runs none of them.
#[test]
fn the_policy_knows_the_scripts() {
    let digest = |script: &str| {
        let mut openssl = Command::new("sh")
            .args(["-c", "openssl dgst -sha256 -binary | openssl base64"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        openssl.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let digest = openssl.wait_with_output().unwrap().stdout;
        String::from_utf8(digest).unwrap().trim().to_owned()
    };
    if !suite::installed("openssl") {
        return;
    }
    assert_eq!([SORT, START].map(digest), DIGESTS[..2]);
    #[cfg(feature = "flame")]
    {
        let Figure::Flame(svg, _) = flame(1, usize::MAX) else { panic!("no flame graph") };
        let (_, script) = svg.split_once("<script type=\"text/ecmascript\">").unwrap();
        let (script, _) = script.split_once("</script>").unwrap();
        assert_eq!(digest(&script.replace("<![CDATA[", "").replace("]]>", "")), DIGESTS[2]);
        assert!(svg.contains(START_OF_SVG), "{svg}");
    }
}

/// Of so many functions below main, each with other bytes.
#[cfg(feature = "flame")]
fn flame(functions: u64, most_bytes: usize) -> Figure {
    let stacks: Vec<[std::sync::Arc<str>; 2]> =
        (0..functions).map(|number| [format!("function_{number}").into(), "main".into()]).collect();
    let stacks = stacks.iter().zip(1..).map(|(frames, bytes)| (&frames[..], bytes));
    crate::report::flame::flame_figure(stacks, "", most_bytes).unwrap()
}

#[cfg(feature = "flame")]
#[test]
fn of_a_great_flame_graph_the_narrow_is_left_out() {
    const MOST_BYTES: usize = 64 << 10;
    let Figure::Flame(all, least) = flame(3_000, usize::MAX) else { panic!("no flame graph") };
    assert!(all.len() > 2 * MOST_BYTES && least == 0.01, "{} {least}", all.len());
    let figure = flame(3_000, MOST_BYTES);
    let Figure::Flame(svg, least) = &figure else { panic!("no flame graph") };
    assert!(svg.len() <= MOST_BYTES && svg.contains("main ("), "{}", svg.len());
    let mut page = page();
    page.figures.push(figure.clone());
    let html = page.html();
    assert!(html.contains(&format!("What has less than {least} % is left out.")), "{html}");
    assert!(!html.contains("onload=&quot;"), "{html}");
}

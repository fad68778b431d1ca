//! Whatever is drawn, every label can be read.

use std::time::Duration;

use super::*;
use heap_growth::{Blocker, LayoutPart};
use proc_memory::AddressSpace;

/// A text with the room that it takes.
#[derive(Debug)]
#[expect(dead_code, reason = "a failing test shows the text")]
struct Label {
    text: String,
    x: (f64, f64),
    y: (f64, f64),
}

/// The texts of a picture, as wide as they are in a wide font.
fn labels(svg: &str) -> Vec<Label> {
    let value = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\"")).expect("it has it");
        rest.split('"').next().unwrap().parse::<f64>().unwrap()
    };
    let texts = svg.lines().filter_map(|line| line.strip_prefix("<text"));
    texts
        .map(|line| {
            let (tag, text) = line.split_once('>').unwrap();
            let text = text.trim_end_matches("</text>").replace("&gt;", ">");
            let (at, base, size) = (value(tag, "x"), value(tag, "y"), value(tag, "font-size"));
            let width = text.chars().count() as f64 * size * 0.6;
            let x = match tag.contains("text-anchor") {
                true => (at - width, at),
                false => (at, at + width),
            };
            Label { text, x, y: (base - 0.8 * size, base + 0.2 * size) }
        })
        .collect()
}

fn readable(svg: &str) {
    let labels = labels(svg);
    assert!(labels.len() > 10);
    for (number, one) in labels.iter().enumerate() {
        assert!(one.x.0 >= -1.0 && one.x.1 <= WIDTH + 6.0, "{one:?}");
        for other in &labels[..number] {
            let apart = |a: (f64, f64), b: (f64, f64)| a.1 <= b.0 || b.1 <= a.0;
            let met = !apart(one.x, other.x) && !apart(one.y, other.y);
            assert!(!met, "{one:?} and {other:?}");
        }
    }
}

fn layout(
    parts: &[(u64, u64, GrowthKind)],
    program_break: u64,
    blocker: Option<&str>,
) -> MemoryLayout {
    let parts =
        parts.iter().map(|&(start, bytes, kind)| LayoutPart { range: start..start + bytes, kind });
    let mapping = blocker.map(|line| {
        let space = AddressSpace::parse(line.as_bytes(), None).unwrap();
        space.mappings()[0].clone()
    });
    let mut layout = MemoryLayout::of(4_194_304, parts.collect());
    layout.at = Duration::from_millis(1234);
    layout.growth_bytes = 1_234_567_890;
    layout.greatest_growth_bytes = 1_250_000_000;
    layout.program_break = Some(program_break);
    layout.refused_brks = 1_234_567;
    layout.blocker = mapping.map(|mapping| {
        let mut blocker = Blocker::at(mapping.start..mapping.end);
        blocker.mapping = Some(mapping);
        blocker
    });
    layout
}

const MIB: u64 = 1 << 20;

#[test]
fn every_label_can_be_read() {
    let everywhere: Vec<_> = GrowthKind::ALL
        .into_iter()
        .zip(1..)
        .map(|(kind, n): (GrowthKind, u64)| (n << 44, n * MIB, kind))
        .chain([
            (MIB, 900 * MIB, GrowthKind::Break),
            (1500 * MIB, 500 * MIB, GrowthKind::LowMemory),
        ])
        .collect();
    let mut sorted = everywhere.clone();
    sorted.sort_by_key(|part| part.0);
    let blockers = [
        None,
        Some("38500000-38501000 r--p 00000000 00:00 0\n"),
        Some(
            "7ffff000-80000000 rw-p 00000000 00:00 0    /a/very/long/path/of/some/library.so.1.2.3\n",
        ),
        Some(
            "7fff00000000-7fff00001000 rw-p 00000000 fe:00 9    /a/long/path/of/some/library.so\n",
        ),
    ];
    for blocker in blockers {
        for program_break in [MIB, 901 * MIB, 2047 * MIB, 3 << 44, (7 << 44) + 7 * MIB] {
            let layout = layout(&sorted, program_break, blocker);
            let panel = Panel { name: "control", layout: &layout };
            readable(&address_map("a title", &[panel, panel]));
            let mut few = layout.clone();
            few.parts.truncate(1);
            let panel = Panel { name: "", layout: &few };
            readable(&address_map(&"long title ".repeat(20), &[panel]));
        }
    }
}

#[test]
fn names_mean_nothing_to_xml_and_figures_are_exact() {
    let parts = [(MIB, 8 * MIB, GrowthKind::Break), (1024 * MIB, 3 * MIB, GrowthKind::LowMemory)];
    let layout =
        layout(&parts, 9 * MIB, Some("00900000-00901000 r--p 00000000 fe:00 9    /a<b&c\n"));
    let panel = Panel { name: "a<b", layout: &layout };
    let svg = address_map("sh -c 'x && y'", &[panel]);
    assert!(svg.contains("<title>sh -c 'x &amp;&amp; y'</title>"));
    assert!(svg.contains("a&lt;b&amp;c (r--p, 4.00 KiB)"));
    assert!(!svg.contains("a<b"));
    assert!(svg.contains(">break: 8.00 MiB, below 2 GiB</text>"), "{svg}");
    assert!(svg.contains(">asked for below 2 GiB: 3.00 MiB</text>"), "{svg}");
    // 8 MiB from 1 MiB on, of 2 GiB in 840 pixels: columns 0 to 3, the first not full.
    assert!(svg.contains("break 0x900000") && svg.contains("1,234,567 brks were refused."));
    assert!(svg.contains(&format!("fill=\"{}\"", of_kind(GrowthKind::LowMemory))));
}

//! One run, told by the launcher and told by a log of it, is one story.

use fuzz_events::StraceWriter;
use heap_diagnosis::trace_findings;
use heap_growth::{GrowthKind, Story};
use memory_event::{Event, Sink, What};
use memory_trace::{Launch, Stream, Target};

use crate::read;

fn told<'a>(events: impl IntoIterator<Item = &'a Event>) -> Story {
    let mut story = Story::default();
    events.into_iter().for_each(|event| story.take(event));
    story
}

#[test]
fn the_launcher_and_a_log_tell_the_same() {
    // Several programs, pipes, subshells; perl grows by the break and by large blocks.
    let script = "perl -e 'my @a = map { q(x) x 900 } 1..4000; my $b = q(y) x 3_000_000' | cat; \
                  (cat /etc/passwd | sort) | wc -l; exec ls -l /usr";
    let target = Target::new("sh")
        .args(["-c", script])
        .env("LC_ALL", "C")
        .stdout(Stream::Null)
        .stdin(Stream::Null);
    let launch = Launch::start(&target, Vec::<Event>::new()).unwrap();
    let mut launched = launch.wait().unwrap().sink;
    // How far a file was read, such a log doesn't tell.
    launched.retain(|event| !matches!(event.what, What::Read { .. }));
    let mut writer = StraceWriter::new(Vec::new());
    for event in &launched {
        writer.write(event).unwrap();
    }
    let logged = read("written", &writer.into_inner()).sink;

    let (ours, theirs) = (told(&launched), told(&logged));
    assert_eq!(ours.tally, theirs.tally);
    assert_eq!(ours.fallback, theirs.fallback);
    assert_eq!(ours.processes(), theirs.processes());
    assert!(ours.processes() >= 6, "{}", ours.processes());
    assert_eq!(ours.growth.asked_bytes(), theirs.growth.asked_bytes());
    // What was there before the first call no log tells.
    for kind in GrowthKind::ALL.into_iter().filter(|kind| *kind != GrowthKind::Earlier) {
        let both = [&ours, &theirs].map(|story| story.growth.by_kind()[kind]);
        assert_eq!(both[0], both[1], "{kind:?}");
    }
    let files = |story: &Story| -> Vec<_> {
        let files = story.growth.by_file().into_iter();
        files.map(|file| (file.path.clone(), file.opens, file.asked_bytes)).collect()
    };
    assert_eq!(files(&ours), files(&theirs));
    assert!(files(&ours).iter().any(|(path, ..)| path == b"/etc/passwd"));
    let kinds = |story: &Story| -> Vec<_> {
        trace_findings(story).into_iter().map(|finding| finding.kind).collect()
    };
    assert_eq!(kinds(&ours), kinds(&theirs));
}

//! Many threads that load at once, and children of a program with such threads.

use super::material::{Bundles, MACHINE, python, sample};
use crate::common::{MODES, Ran};

const THREADS: u64 = 16;
const LOADS: u64 = 25;
const CHILDREN: u64 = 50;

#[test]
fn threads_that_load_at_once_get_what_they_asked_for() {
    let mut bundles = Bundles::new();
    let machine = bundles.joined("machine", &[MACHINE.as_ref()]);
    let more = bundles.joined("more", &[MACHINE.as_ref(), &sample("beta.pem")]);
    bundles.settle();
    // By the rule of the script: every third load of a thread adds a certificate.
    let turns = (0..THREADS).flat_map(|thread| (0..LOADS).map(move |turn| thread + turn));
    let adds = turns.filter(|turn| turn % 3 == 0).count();
    let rest = (THREADS * LOADS) as usize - adds;

    for mode in MODES {
        let mut command = python("threads.py");
        command.args([THREADS, LOADS].map(|number| number.to_string())).args([
            &sample("alpha.pem"),
            &machine,
            &more,
        ]);
        let ran = Ran::to_end(&mut command, mode);
        assert!(ran.status.success(), "{mode:?}: {ran:?}");
        let expected = format!(
            "extra added False: 0 more than the bundle, extra found False: {rest} times\n\
             extra added True: 1 more than the bundle, extra found True: {adds} times\n"
        );
        assert_eq!(ran.stdout, expected, "{mode:?}");
        let counts = ran.only_counts();
        assert_eq!(counts.loads, THREADS * LOADS, "{mode:?}: {counts:?}");
        // Threads that arrive together may each parse; later ones have no reason to.
        assert!(counts.parses <= 2 * THREADS, "{mode:?}: {counts:?}");
        let parsed_or_shared = counts.parses + counts.shared;
        assert_eq!(parsed_or_shared, counts.loads, "{mode:?}: {counts:?}");
    }
}

#[test]
fn children_of_a_program_with_loading_threads_come_to_their_end() {
    let mut bundles = Bundles::new();
    let machine = bundles.joined("machine", &[MACHINE.as_ref()]);
    bundles.settle();
    for mode in MODES {
        let mut command = python("forks.py");
        command.arg(CHILDREN.to_string()).arg(&machine);
        let ran = Ran::to_end(&mut command, mode);
        assert!(ran.status.success(), "{mode:?}: {ran:?}");
        assert_eq!(ran.stdout, format!("['0'] {CHILDREN}\n"), "{mode:?}");
        let parent = ran.counts.iter().max_by_key(|counts| counts.loads);
        let counts = parent.expect("the parent loads all the time");
        assert!(counts.shared >= CHILDREN, "{mode:?}: {counts:?}");
        assert_eq!(counts.parses, 1, "{mode:?}: {counts:?}");
    }
}

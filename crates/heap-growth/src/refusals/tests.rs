use super::*;
use proc_memory::AddressSpace;

const MIB: u64 = 1 << 20;
const BREAK: u64 = 0x26b_2000;

fn surroundings(maps: &str) -> Refusal {
    let space = AddressSpace::parse(maps.as_bytes(), None).unwrap();
    let mut around = Refusal::default();
    around.program_break = space.program_break().cloned();
    around.data_bytes = 10 * MIB;
    around.address_space_bytes = 100 * MIB;
    around
}

fn roomy() -> Refusal {
    surroundings(
        "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
         7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/y\n",
    )
}

fn cause_at(program_break: u64, around: Option<&Refusal>, asked_bytes: u64) -> BrkFailure {
    Circumstances {
        program_break: Some(program_break),
        asked_bytes,
        errno: None,
        surroundings: around,
        blocker: None,
        accounts: Accounts::default(),
    }
    .cause()
}

fn cause(around: &Refusal, asked_bytes: u64) -> BrkFailure {
    cause_at(BREAK, Some(around), asked_bytes)
}

fn limit_of(cause: BrkFailure) -> &'static str {
    match cause {
        BrkFailure::Limited(limited) => limited.name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn causes() {
    let blocked = surroundings(
        "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
         026b2000-026b3000 r--p 00000000 00:00 0\n",
    );
    let BrkFailure::Blocked(by) = cause(&blocked, MIB) else {
        panic!("not blocked");
    };
    assert_eq!((by.range.start, by.merged), (BREAK, false));
    assert_eq!(cause(&roomy(), MIB), BrkFailure::Unexplained);
    assert_eq!(cause_at(BREAK, None, MIB), BrkFailure::Unknown);
    let mut data = roomy();
    data.data_limit_bytes = Some(10 * MIB + MIB / 2);
    assert_eq!(limit_of(cause(&data, MIB)), "RLIMIT_DATA");
    assert_eq!(cause(&data, MIB / 2), BrkFailure::Unexplained, "just fits");
    let mut space = roomy();
    space.address_space_limit_bytes = Some(100 * MIB);
    assert_eq!(limit_of(cause(&space, 4096)), "RLIMIT_AS");
}

#[test]
fn far_away_is_not_in_the_way() {
    let wanted = 64 << 40;
    let near = surroundings(
        "02691000-026b2000 rw-p 00000000 00:00 0    [heap]\n\
         7f000000-7f001000 r--p 00000000 00:00 0\n",
    );
    assert!(matches!(cause(&near, 4 << 30), BrkFailure::Blocked(_)));
    let high = surroundings(
        "55d000000000-55d000021000 rw-p 00000000 00:00 0    [heap]\n\
         7f0000000000-7f0000001000 r--p 00000000 fe:00 8    /lib/y\n",
    );
    let high = cause_at(0x55d0_0002_1000, Some(&high), wanted);
    assert_eq!(high, BrkFailure::TooMuch);
}

#[test]
fn a_break_within_the_heap_is_one_that_a_mapping_was_merged_with() {
    let BrkFailure::Blocked(by) = cause_at(BREAK - 0x1_f000, Some(&roomy()), MIB) else {
        panic!("not blocked");
    };
    assert!(by.merged);
    assert_eq!(by.range, BREAK - 0x1_f000..BREAK);
}

#[test]
fn an_error_is_a_filter_s() {
    let circumstances = Circumstances {
        program_break: Some(BREAK),
        asked_bytes: 0,
        errno: Some(libc::EPERM),
        surroundings: None,
        blocker: None,
        accounts: Accounts::default(),
    };
    assert_eq!(circumstances.cause(), BrkFailure::Filter(libc::EPERM));
}

#[test]
fn what_is_unknown_gives_way_to_what_is_known() {
    let refused =
        |cause| Refused { pid: 1, program_break: None, asked_bytes: 0, cause, surroundings: None };
    let mut refusals = Refusals::default();
    for cause in [
        BrkFailure::Unknown,
        BrkFailure::Filter(1),
        BrkFailure::Unknown,
        BrkFailure::Filter(1),
        BrkFailure::TooMuch,
    ] {
        refusals.add(refused(cause));
    }
    let causes: Vec<_> = refusals.all().into_iter().map(|one| one.cause).collect();
    assert_eq!(causes, [BrkFailure::Filter(1), BrkFailure::TooMuch]);
}

//! `--limit rlimit`: an allocation failure, and called that.

use crate::common::{bundle, runs};
use crate::oom::harness::{arm, kinds, results};

#[test]
fn openssl_says_that_it_got_no_memory_and_nothing_is_killed() {
    if bundle().is_none() {
        return;
    }
    let found = results(&[
        "--limit",
        "rlimit",
        "--budget",
        "48MiB",
        "--locations",
        "400",
        "--repeats",
        "1",
    ]);
    for name in ["control", "hole"] {
        let run = &runs(&found, name)[0];
        assert_eq!(run["ending"]["kind"], "allocation-failed", "{run}");
        let error = run["ending"]["error"].as_str().unwrap();
        assert!(error.starts_with("OpenSSL"), "{error}");
        assert!(error.contains("malloc failure"), "{error}");
        // It said so itself, and ended as it wanted.
        assert_eq!(run["process"]["status"], "exit status: 1");
        assert_eq!(run["limit"]["resource"], "RLIMIT_DATA");
        assert_eq!(run["limit"]["limit_bytes"], 48 << 20);
        let data = run["ending"]["data_bytes"].as_u64().unwrap();
        assert!((46 << 20..=48 << 20).contains(&data), "{data}");
        assert!(run["locations"].as_u64().unwrap() > 20, "{run}");
        let reload = &arm(&found, name)["reload"];
        assert!(reload["fails_locations"].is_u64(), "{reload}");
    }
    assert_eq!(runs(&found, "shared")[0]["locations"], 400);
    let kinds = kinds(&found);
    assert!(kinds.contains(&"allocation-failure"), "{kinds:?}");
    let text = found.to_string();
    assert!(!text.contains("oom-killed"), "nothing is called an OOM kill");
}

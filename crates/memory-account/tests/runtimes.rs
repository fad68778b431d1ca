//! Languages' runtimes, against what they say of themselves.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use memory_account::Kind;
use suite::answering::Answering;

use super::target::{MIB, Target, row};

/// A program that says some figures, then waits.
fn told(command: &mut Command) -> (Vec<u64>, Target) {
    command.env_remove("LD_PRELOAD").env_remove("GLIBC_TUNABLES");
    let mut program = Answering::start(command);
    let line = program.hear();
    let numbers = line.split_whitespace().map(|word| word.parse().expect(&line));
    (numbers.collect(), Target::of(program))
}

#[test]
fn php() {
    const SCRIPT: &str = "$kept = []; for ($i = 0; $i < 300000; $i++) $kept[] = [$i, \"s$i\"];
        $large = str_repeat('x', 9 << 20);
        echo memory_get_usage(true), ' ', memory_get_usage(), \"\\n\"; sleep(1000);";
    if !suite::installed("php") {
        return;
    }
    let (told, target) = told(Command::new("php").args(["-n", "-r", SCRIPT]));
    let account = target.account();
    let row = row(&account, "PHP's memory manager");
    let used = row.rss_bytes - row.free_bytes.unwrap();
    println!("{} resident of {}, {used} used of {}", row.rss_bytes, told[0], told[1]);
    // Of the last chunk not all was touched; what is in use is known by the page.
    assert!(row.rss_bytes <= told[0] && row.rss_bytes + 8 * MIB >= told[0]);
    assert!(used + 4 * MIB >= told[1] && used <= told[0], "{account:#?}");
    assert!(account.of_kind(Kind::Unknown) * 20 < account.rss_bytes(), "{account:#?}");
}

/// Between requests PHP keeps the chunks of the last ones.
#[test]
fn idle_php() {
    const SCRIPT: &str =
        "<?php $a = []; for ($i = 0; $i < 300000; $i++) $a[] = \"s$i\"; echo 'done';";
    if !suite::installed("php") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script.php");
    std::fs::write(&script, SCRIPT).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("php");
    command.args(["-n", "-S", &free.to_string()]).arg(&script).stderr(Stdio::null());
    let target = Target::of(Answering::start(&mut command));
    for _ in 0..4 {
        let mut page = String::new();
        suite::waiting::eventually("it answers", || match TcpStream::connect(free) {
            Ok(mut stream) => {
                stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
                stream.read_to_string(&mut page).is_ok_and(|_| page.ends_with("done"))
            }
            Err(_) => false,
        });
    }
    let target = Target::of(target.program);
    let account = target.account();
    let row = row(&account, "PHP's memory manager");
    assert!(row.rss_bytes > 5 * MIB, "{account:#?}");
    assert!(row.rss_bytes - row.free_bytes.unwrap() < 4 * MIB, "{account:#?}");
    assert!(account.of_kind(Kind::Unknown) * 20 < account.rss_bytes(), "{account:#?}");
}

#[test]
fn ruby() {
    const SCRIPT: &str = "kept = (0...300000).map { |i| \"a string, number #{i}, of some length\" }
        size = GC::INTERNAL_CONSTANTS[:HEAP_PAGE_SIZE]
        STDOUT.puts \"#{GC.stat(:heap_allocated_pages) * size} #{GC.stat(:heap_live_slots) * 40}\"
        STDOUT.flush; sleep 1000";
    if !suite::installed("ruby") {
        return;
    }
    let (told, target) = told(Command::new("ruby").args(["--disable-gems", "-e", SCRIPT]));
    let account = target.account();
    let row = row(&account, "Ruby's objects");
    let used = row.rss_bytes - row.free_bytes.unwrap();
    println!("{} resident of {}, {used} used of {}", row.rss_bytes, told[0], told[1]);
    assert!(told[0] > 8 * MIB);
    assert!(row.rss_bytes.abs_diff(told[0]) <= told[0] / 20, "{account:#?}");
    assert!(used.abs_diff(told[1]) <= told[1] / 10, "{account:#?}");
}

/// What node_exporter, which is a Go program, says of itself.
#[test]
fn go() {
    const PROGRAM: &str = "prometheus-node-exporter";
    if !suite::installed(PROGRAM) {
        return;
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--collector.disable-defaults", "--log.level=error"]);
    command.arg(format!("--web.listen-address={free}")).stderr(Stdio::null());
    let target = Target::of(Answering::start(&mut command));
    let mut page = String::new();
    suite::waiting::eventually("it listens", || match TcpStream::connect(free) {
        Ok(mut stream) => {
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
            stream.read_to_string(&mut page).is_ok_and(|length| length > 0)
        }
        Err(_) => false,
    });
    let metric = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().parse::<f64>().unwrap() as u64
    };
    let has = metric("go_memstats_heap_sys_bytes ") - metric("go_memstats_heap_released_bytes ");
    // Now that it is known what it is.
    let target = Target::of(target.program);
    let account = target.account();
    let row = row(&account, "Go's heap");
    println!("{} resident of {has}", row.rss_bytes);
    // Pages that were never touched aren't resident, those of stacks are in it, too.
    assert!(row.rss_bytes > has / 4 && row.rss_bytes < has + 4 * MIB, "{account:#?}");
}

/// LuaJIT within nginx.
#[test]
fn luajit() {
    const MODULE: &str = "/usr/lib/nginx/modules/ngx_http_lua_module.so";
    if !suite::installed("nginx") || !std::path::Path::new(MODULE).exists() {
        return suite::skipped(format_args!("nginx with Lua is not installed"));
    }
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places = kinds.map(|kind| format!("{kind}_temp_path '{}';\n", at(kind))).concat();
    let configuration = format!(
        "load_module /usr/lib/nginx/modules/ndk_http_module.so;\n\
         load_module {MODULE};\n\
         daemon off; master_process off; pid '{}'; error_log '{}' error;\n\
         events {{}}\n\
         http {{ {places} access_log off; lua_package_path '/usr/share/lua/5.1/?.lua;;';\n\
         init_by_lua_block {{\n\
         kept = {{}} for i = 1, 300000 do kept[i] = {{ i, tostring(i) }} end\n\
         collectgarbage() print(' ')\n\
         io.stdout:write(string.format('%d\\n', collectgarbage('count') * 1024)) io.stdout:flush()\n\
         }} }}\n",
        at("pid"),
        at("log"),
    );
    std::fs::write(at("conf"), configuration).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-c", &at("conf"), "-p", &at(""), "-e", &at("log")]);
    let (told, target) = told(&mut command);
    let account = target.account();
    let row = row(&account, "LuaJIT's objects");
    println!("{} resident of {}", row.rss_bytes, told[0]);
    assert!(told[0] > 16 * MIB);
    assert!(row.rss_bytes >= told[0] && row.rss_bytes < told[0] * 3, "{account:#?}");
    assert!(account.of_kind(Kind::Unknown) * 20 < account.rss_bytes(), "{account:#?}");
}

/// `rss`, the heap's size, what of it is in use.
#[test]
#[ignore = "Node.js is too large to be installed for it"]
fn v8() {
    const SCRIPT: &str =
        "kept = []; for (let i = 0; i < 300000; i++) kept.push({ a: i, b: 's' + i });
        const all = process.memoryUsage(); console.log(all.heapTotal, all.heapUsed);
        setInterval(() => {}, 1e6)";
    let (told, target) = told(Command::new("node").args(["-e", SCRIPT]));
    let account = target.account();
    let row = row(&account, "V8's heap");
    println!("{} resident of {}, {} used", row.rss_bytes, told[0], told[1]);
    assert!(row.rss_bytes >= told[1] / 2 && row.rss_bytes < told[0] + 4 * MIB, "{account:#?}");
    assert!(account.of_kind(Kind::Unknown) * 20 < account.rss_bytes(), "{account:#?}");
}

/// What Java has of its heap, from a source file that it compiles itself.
#[test]
#[ignore = "a JDK is too large to be installed for it"]
fn java() {
    const SOURCE: &str = "class Keeps { public static void main(String[] a) throws Exception {
        byte[][] kept = new byte[100000][]; for (int i = 0; i < kept.length; i++) kept[i] = new byte[1000];
        Runtime has = Runtime.getRuntime();
        System.out.println(has.totalMemory() + \" \" + (has.totalMemory() - has.freeMemory()));
        Thread.sleep(1000000); } }";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("Keeps.java");
    std::fs::write(&file, SOURCE).unwrap();
    let (told, target) = told(Command::new("java").arg(file));
    let account = target.account();
    let row = row(&account, "Java's heap");
    println!("{} resident of {}, {} used", row.rss_bytes, told[0], told[1]);
    assert!(row.rss_bytes >= told[1] && row.rss_bytes <= told[0], "{account:#?}");
    // Its metaspace is in no table.
    assert!(account.of_kind(Kind::Unknown) * 10 < account.rss_bytes(), "{account:#?}");
}

//! One plugin in four languages, and the page that takes a newcomer to it.
//!
//! Tests that build in the folders of the examples run one after the other (`.config/nextest.toml`).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::replay::{kept, replayed};
use crate::server::{Server, built, until};

const LANGUAGES: [&str; 4] = ["rust", "javascript", "python", "c"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What is missing to build one of the examples. Where CI runs, nothing may be.
fn missing(language: &str) -> Option<&'static str> {
    let works = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let missing = match language {
        "javascript" if !works("npm") => Some("npm"),
        "python" | "c" if !works("python3") => Some("python3"),
        "python" | "c" if !works("make") => Some("make"),
        _ => None,
    };
    if let Some(program) = missing {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        eprintln!("SKIPPED: the example in {language}, since {program} is not installed");
    }
    missing
}

#[test]
fn the_same_plugin_does_the_same_in_every_language() {
    let examples = root().join("plugins/examples");
    let expected = std::fs::read_to_string(examples.join("rust/expected.txt")).expect("the file");
    for language in LANGUAGES {
        if missing(language).is_some() {
            continue;
        }
        let folder = examples.join(language);
        let file = folder.join("build/wifi.wasm");
        assert!(file.is_file(), "{} is missing: run `cargo xtask plugins --all`", file.display());
        let its_own = std::fs::read_to_string(folder.join("expected.txt")).expect("the file");
        assert_eq!(its_own, expected, "{language}");
        let output = Command::new(env!("CARGO_BIN_EXE_trellis"))
            .current_dir(&folder)
            .args(["plugin", "test", "build/wifi.wasm", "--device", "device.json"])
            .args(["--action", "set-ssid={\"ssid\":\"Guests\"}", "--expect", "expected.txt"])
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{language}: {text}");
    }
}

#[test]
fn the_workflow_that_ships_does_what_its_transcript_says() {
    let folder = root().join("plugins/examples/firmware");
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("the file");
    let commands = blocks(&readme).first().expect("commands").1;
    let (_, test) = commands.split_once("trellis plugin test build/firmware.wasm").expect("it");
    let output = Command::new("bash")
        .args(["-euc", &format!("exec \"$0\" plugin test \"$1\" {test}")])
        .arg(env!("CARGO_BIN_EXE_trellis"))
        .arg(built("examples").join("firmware/firmware.wasm"))
        .current_dir(folder)
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("as expected by"), "{text}");
}

/// A shell with the programs that were built and a server to speak to.
struct Terminal {
    server: Server,
    programs: tempfile::TempDir,
    /// What is done before each command.
    before: String,
    _plugins: Option<tempfile::TempDir>,
}

impl Terminal {
    fn open() -> Self {
        let plugins = tempfile::tempdir().expect("a folder");
        let before = format!(
            "export PATH={}:$PATH TRELLIS_API=http://127.0.0.1:7557 TRELLIS_TOKEN=trellis_...",
            Self::built().display()
        );
        let server = Server::start(plugins.path());
        Self { _plugins: Some(plugins), ..Self::of(server, &before) }
    }

    /// With the page's commands, in its order: they build, make a folder, start the server and say where
    /// it is.
    fn of_page(commands: &[&str]) -> Self {
        let ["cargo build", make, serve, exports @ ..] = commands else {
            panic!("nothing runs {commands:?}")
        };
        let is_export = |it: &&str| it.starts_with("export ");
        assert!(exports.iter().all(is_export), "nothing runs one of {exports:?}");
        // The first was run to build this test. Folders are a test's own, and the programs are where
        // this test's are.
        let folder = tempfile::tempdir().expect("a folder");
        let built = Self::built();
        let own = |command: &str| {
            command
                .replace("/tmp/trellis-", &format!("{}/", folder.path().display()))
                .replace("$PWD/target/debug:", &format!("{}:", built.display()))
                .replace("target/debug/trellis ", &format!("{}/trellis ", built.display()))
        };
        let (make, serve, exports) = (own(make), own(serve), own(&exports.join("\n")));
        let made = Command::new("bash").args(["-euc", &make]).status();
        assert!(made.expect("bash runs").success(), "{make}");
        Self::of(Server::with_command(folder, &serve), &exports)
    }

    fn of(server: Server, before: &str) -> Self {
        // A device that is told nothing else calls where the server listens by default.
        let programs = tempfile::tempdir().expect("a folder");
        let cpe = format!(
            "#!/bin/sh\nexec {} --acs {} \"$@\"\n",
            Self::built().join("cpe").display(),
            server.url()
        );
        std::fs::write(programs.path().join("cpe"), cpe).expect("written");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(programs.path().join("cpe"), executable).expect("executable");
        // Where a page has the ports and the token of its reader's server.
        let before = before
            .replace("127.0.0.1:7557", server.operator())
            .replace("trellis_...", &server.token());
        Self { server, programs, before, _plugins: None }
    }

    fn built() -> PathBuf {
        let trellis = Path::new(env!("CARGO_BIN_EXE_trellis"));
        trellis.parent().expect("a folder").to_owned()
    }

    /// Runs commands and returns what they print.
    fn run(&self, commands: &str, target: Option<&Path>) -> String {
        let programs = self.programs.path().display();
        let mut shell = Command::new("bash");
        shell
            // As on a terminal, where both streams are one.
            .args(["-euo", "pipefail", "-c"])
            .arg(format!("exec 2>&1\n{}\nPATH={programs}:$PATH\n{commands}", self.before))
            .current_dir(root())
            .env_remove("CARGO_TARGET_DIR");
        if let Some(target) = target {
            shell.env("CARGO_TARGET_DIR", target);
        }
        let output = shell.output().expect("bash runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{commands}\n{text}\n{}", self.server.log_text());
        text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_plugin_builds_and_its_test_passes_with_the_commands_that_are_printed() {
    let terminal = Terminal::open();
    let folder = tempfile::tempdir().expect("a folder");
    for (language, lang) in LANGUAGES.into_iter().zip(["rust", "js", "python", "c"]) {
        if missing(language).is_some() {
            continue;
        }
        let name = format!("acme-{lang}");
        let path = folder.path().display();
        let told =
            terminal.run(&format!("trellis plugin new {name} --lang {lang} --path {path}"), None);
        let commands: Vec<&str> = told.lines().filter_map(|it| it.strip_prefix("  ")).collect();
        assert!(commands.len() >= 3, "{told}");
        // What plugins are made of is compiled already.
        let target = Terminal::built().join("../wasm");
        for command in commands {
            let printed = terminal.run(command, Some(&target));
            let wanted = if command.contains("plugin build") {
                format!("/{name}/build/{name}.wasm\n")
            } else if command.contains("plugin test") {
                "as expected by".to_owned()
            } else if command.contains("plugin load") {
                format!("{name} 0.1.0 (")
            } else {
                "test result: ok".to_owned()
            };
            assert!(printed.contains(&wanted), "{command}\n{printed}");
        }
        // The next one is for the same devices.
        terminal.run(&format!("trellis plugin remove {name}"), None);
        let left = terminal.run(&format!("grep -rlI wifi.wasm {path}/{name} || true"), None);
        let left = left.lines().filter(|it| !it.contains("/node_modules/") && !it.contains("/."));
        assert_eq!(left.count(), 0, "a file of {name} speaks of another plugin's");
    }
}

/// The commands that the page gives for the plugin with every hook.
const EVERY_HOOK: [&str; 3] =
    ["trellis plugin new keeper ", "trellis plugin build keeper", "trellis plugin test keeper/"];

/// A block of the page's part on the plugin with every hook.
fn every_hook<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, part) = page.split_once("\n# Every hook in each language\n").expect("the part");
    let found = blocks(part).into_iter().find(|(it, _)| *it == language);
    found.unwrap_or_else(|| panic!("there is no block of {language}")).1
}

/// A command of the page without what it says of the device.
fn bare(command: &str) -> &str {
    command.split_once(" --device").expect("a device").0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_plugin_with_every_hook_does_what_it_says_in_every_language() {
    let page = std::fs::read_to_string(root().join("docs/plugins.md")).expect("the page");
    let commands: Vec<&str> = every_hook(&page, "console")
        .lines()
        .map(|line| line.strip_prefix("$ ").expect("a command"))
        .collect();
    let device = "00D09E-HGW%2D5000-TR181%2D000001";
    for (language, lang, main) in [
        ("rust", "rust", "src/lib.rs"),
        ("javascript", "js", "wifi.js"),
        ("python", "python", "wifi.py"),
        ("c", "c", "wifi.c"),
    ] {
        if missing(language).is_some() {
            continue;
        }
        let terminal = Terminal::open();
        let folder = tempfile::tempdir().expect("a folder");
        let target = Terminal::built().join("../wasm");
        let run = |command: &str| {
            let command = command.replace("LANGUAGE", lang);
            terminal.run(&format!("cd {}; {command}", folder.path().display()), Some(&target))
        };
        run(commands[0]);
        let keeper = folder.path().join("keeper");
        std::fs::write(keeper.join(main), every_hook(&page, language)).expect("written");
        if lang != "rust" {
            std::fs::write(keeper.join("wit/world.wit"), every_hook(&page, "wit"))
                .expect("written");
        }
        run(commands[1]);
        let printed = run(commands[2]);
        assert_eq!(printed, every_hook(&page, "text").to_owned() + "\n", "{language}");
        let device_json = r#"echo '{"parameters": {"Device.Time.Enable": "1"}}' > none.json"#;
        let printed = run(&format!("{device_json}; {} --device none.json", bare(commands[2])));
        let says_why = printed.lines().any(|it| {
            it.starts_with("  = failed (error): ")
                && (it.contains("9005") || it.ends_with("the networks cannot be read"))
        });
        assert!(says_why, "{language}: {printed}");

        // The same on a server, with a device that comes back, and with one that does not.
        run("trellis plugin load keeper/build/keeper.wasm");
        let action = format!("trellis device action {device} reboot --wait 0");
        let shows = |what: &str| run(&format!("trellis device show {device}")).contains(what);
        run("cpe > /dev/null");
        run(&format!("{action}; cpe --sessions 2 > /dev/null"));
        until("the device is back", || shows("\"done\""));
        run(r#"trellis plugin settings keeper '{"seconds": 2}'"#);
        run(&format!("{action}; cpe > /dev/null"));
        until("the device is missed", || shows("\"lost\""));
        assert!(shows("the device did not come back"), "{language}");
        run(r#"trellis plugin settings keeper '{"banned": "4.2.1"}'; cpe > /dev/null"#);
        assert!(terminal.server.log_text().contains("4.2.1 is banned"), "{language}");

        // Each of five sessions and the deadline, and none of it done otherwise again.
        until("the transcripts are kept", || kept(&terminal.server) == 6);
        let found = replayed(&terminal.server, &keeper.join("build/keeper.wasm"));
        // `admit` in five, `provision` in four of them, two actions, one deadline.
        for (what, count) in [("sessions", 6), ("runs", 12), ("same", 12), ("unanswered", 0)] {
            assert_eq!(found[what], count, "{language}, {what}: {found}");
        }
    }
}

/// A fenced block of a page: its language and what is in it.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// Whether what a page shows is in what was printed, line by line in this order. `...` is any text.
fn shown(page: &str, printed: &str) -> Result<(), String> {
    let mut printed = printed.lines();
    for line in page.lines().filter(|line| line.trim() != "...") {
        if !printed.any(|it| alike(line, it)) {
            return Err(format!("{line:?} is not printed, or not after the line before it"));
        }
    }
    Ok(())
}

fn alike(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (steady(shown), steady(printed));
    let mut pieces = shown.split("...");
    let Some(mut rest) = pieces.next().and_then(|first| printed.strip_prefix(first)) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// A line without what differs from run to run: the digests of files, and how long something took.
fn steady(line: &str) -> String {
    let is_digest = |word: &str| {
        let hex = word.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
        hex.is_some_and(|it| it.len() == 12 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let words: Vec<&str> = line.split(' ').collect();
    let told = words.iter().enumerate().map(|(at, word)| {
        let is_time = words.get(at + 1) == Some(&"ms") && word.parse::<f64>().is_ok();
        if is_digest(word) {
            "(digest)"
        } else if is_time {
            "some"
        } else {
            word
        }
    });
    told.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_newcomers_page_works_and_prints_what_the_page_shows() {
    if LANGUAGES.into_iter().any(|language| missing(language).is_some()) {
        return;
    }
    let page = std::fs::read_to_string(root().join("docs/plugins.md")).expect("the page");
    let blocks = blocks(&page);
    let consoles = blocks.iter().filter(|(language, _)| *language == "console");
    let commands = consoles.flat_map(|(_, block)| block.lines());
    let mut commands: Vec<&str> = commands.filter_map(|line| line.strip_prefix("$ ")).collect();
    let all = commands.len();
    commands.retain(|line| !EVERY_HOOK.iter().any(|it| line.starts_with(it)));
    assert_eq!(all, commands.len() + EVERY_HOOK.len(), "each is run by a test");
    let terminal = Terminal::of_page(&commands);
    let mut followed = blocks.iter().skip(1).map(Some).chain([None]);
    let (mut run, mut compared) = (0, 0);
    for (language, block) in &blocks {
        let next = followed.next().expect("as many").filter(|(language, _)| *language == "text");
        match *language {
            "sh" => {
                run += 1;
                let printed = terminal.run(block, None);
                if let Some((_, text)) = next {
                    compared += 1;
                    shown(text, &printed)
                        .unwrap_or_else(|why| panic!("{block}\n{text}\n{why}:\n{printed}"));
                }
            }
            // What opened the terminal, and what another test runs.
            "console" | "text" | "json" | "rust" | "javascript" | "python" | "c" | "wit" => {}
            other => panic!("what is a block of {other:?}?"),
        }
    }
    assert!(run > 15 && compared > 10, "{run} blocks run, {compared} compared");
}

#[test]
fn what_a_page_shows_is_compared_line_by_line() {
    assert!(shown("a ... c\n  b 5 ms", "x\na b c\n  b 17 ms\n").is_ok());
    assert!(shown("v (0123456789ab) on", "v (ba9876543210) on").is_ok());
    assert!(shown("a\nb", "b\na").is_err());
    assert!(shown("a 5", "a 6").is_err());
    assert!(shown("a ... c", "a b d").is_err());
    assert!(shown("a", "a b").is_err());
}

//! The standard, statement by statement: which test proves which, and what came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, ensure};

use crate::plugins;
use crate::steps::{announce, cargo, dim, green, red, root, works};

/// How many statements the list of TR-069 requirements has.
const STATEMENTS: u16 = 145;

/// What is known of one statement.
#[derive(Default)]
struct Statement {
    /// The names of its tests, as sentences, and whether they passed.
    tests: Vec<(String, bool)>,
    /// Why it has none.
    left: Option<String>,
}

/// Runs the tests of all statements, prints the table and writes `docs/conformance.md`.
pub(crate) fn run_all() -> anyhow::Result<()> {
    plugins::build()?;
    announce("running the tests of the standard's statements");
    let mut statements: BTreeMap<u16, Statement> = BTreeMap::new();
    let mut quirks: BTreeMap<u16, Statement> = BTreeMap::new();
    for number in 1..=STATEMENTS {
        statements.entry(number).or_default();
    }
    for (number, why) in left()? {
        statements.entry(number).or_default().left = Some(why);
    }
    run_tests(|name, passed| {
        let mark = if passed { green("passed") } else { red("FAILED") };
        if let Some((number, sentence)) = numbered('s', name) {
            eprintln!("{mark} {number:>3} {sentence}");
            statements.entry(number).or_default().tests.push((sentence, passed));
        } else if let Some((number, sentence)) = numbered('q', name) {
            eprintln!("{mark} quirk {number:>2} {sentence}");
            quirks.entry(number).or_default().tests.push((sentence, passed));
        }
    })?;
    let totals = totals(&statements);
    println!();
    for (number, statement) in &statements {
        println!("{number:>3}  {:<7} {}", colour(statement.result()), statement.sentence());
    }
    println!("\nhabits of real devices");
    for (number, quirk) in &quirks {
        println!("{number:>3}  {:<7} {}", colour(quirk.result()), quirk.sentence());
    }
    println!("\n{totals}; {} habits of real devices", quirks.len());
    let file = root().join("docs/conformance.md");
    std::fs::write(&file, document(&statements, &quirks, &totals))
        .with_context(|| format!("cannot write {}", file.display()))?;
    eprintln!("{}", dim(&format!("written to {}", file.display())));
    let failed = statements
        .values()
        .chain(quirks.values())
        .any(|it| matches!(it.result(), "failed" | "open"));
    ensure!(!failed, "some statements are not true");
    Ok(())
}

/// Runs the tests and tells each one's name and whether it passed, as they end.
fn run_tests(mut told: impl FnMut(&str, bool)) -> anyhow::Result<()> {
    let mut command = cargo();
    if works("cargo", &["nextest", "--version"]) {
        command.args(["nextest", "run", "--locked", "--no-fail-fast", "--color", "never"]);
        command.args(["--failure-output", "final", "--workspace"]);
        command.args(["-E", r"test(/(^|::)[sq]\d{3}_/)"]);
        command.stderr(Stdio::piped());
    } else {
        command.args(["test", "--locked", "--no-fail-fast", "--workspace"]);
        command.args(["--tests"]).stdout(Stdio::piped());
    }
    let mut child = command.spawn().context("cannot start cargo")?;
    let output: Box<dyn std::io::Read> = match (child.stdout.take(), child.stderr.take()) {
        (Some(stdout), _) => Box::new(stdout),
        (None, Some(stderr)) => Box::new(stderr),
        (None, None) => anyhow::bail!("cargo has no output"),
    };
    let mut any_failed = false;
    for line in BufReader::new(output).lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        match (words.next(), words.next_back()) {
            (Some("PASS"), Some(name)) => told(name, true),
            // The last three are how a test ends that does not get to its end.
            (Some("FAIL" | "TIMEOUT" | "SIGABRT" | "SIGSEGV"), Some(name)) => {
                any_failed = true;
                told(name, false);
            }
            (Some("test"), Some("ok")) => told(words.next().unwrap_or_default(), true),
            (Some("test"), Some("FAILED")) => {
                any_failed = true;
                told(words.next().unwrap_or_default(), false);
            }
            _ => {}
        }
    }
    let status = child.wait()?;
    // Whether a test failed is in the table; that they could not run is not.
    ensure!(status.success() || any_failed, "the tests could not be run: {status}");
    Ok(())
}

/// `26` and `new inform supersedes` of `a::b::s026_new_inform_supersedes`.
fn numbered(letter: char, test: &str) -> Option<(u16, String)> {
    let name = test.rsplit("::").next()?.strip_prefix(letter)?;
    let (number, sentence) = name.split_once('_')?;
    let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((number.parse().ok()?, sentence.replace('_', " ")))
}

/// The statements that have no test, and why.
fn left() -> anyhow::Result<Vec<(u16, String)>> {
    let file = root().join("tests/conformance-left.tsv");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    text.lines()
        .map(|line| {
            let (number, why) = line.split_once('\t').context("a line has no tab")?;
            Ok((number.parse().context("no number")?, why.to_owned()))
        })
        .collect()
}

fn totals(statements: &BTreeMap<u16, Statement>) -> String {
    let count = |result: &str| statements.values().filter(|it| it.result() == result).count();
    let tests: usize = statements.values().map(|it| it.tests.len()).sum();
    format!(
        "{} statements: {} passed, {} failed, {} left, {} open; {tests} tests",
        statements.len(),
        count("passed"),
        count("failed"),
        count("left"),
        count("open"),
    )
}

fn document(
    statements: &BTreeMap<u16, Statement>,
    quirks: &BTreeMap<u16, Statement>,
    totals: &str,
) -> String {
    let mut text = format!(
        "# Conformance\n\nWritten by `cargo xtask conformance`. Each statement about what an ACS must \
         do is proven by a test of its number that drives the running server over TCP \
         (`tests/e2e/conformance`).\n\n{totals}.\n\n| number | statement | result |\n| --- | --- | \
         --- |\n"
    );
    for (number, statement) in statements {
        let (sentence, result) = (statement.sentence(), statement.result());
        let _ = writeln!(text, "| {number} | {sentence} | {result} |");
    }
    text.push_str(
        "\n## Habits of real devices\n\nWhat the standard does not have and devices do all the \
         same.\n\n| number | habit | result |\n| --- | --- | --- |\n",
    );
    for (number, quirk) in quirks {
        let (sentence, result) = (quirk.sentence(), quirk.result());
        let _ = writeln!(text, "| {number} | {sentence} | {result} |");
    }
    text
}

fn colour(result: &str) -> String {
    match result {
        "passed" => green(result),
        "failed" => red(result),
        other => dim(other),
    }
}

impl Statement {
    fn result(&self) -> &'static str {
        match (self.tests.is_empty(), self.left.is_some()) {
            (false, _) if self.tests.iter().all(|(_, passed)| *passed) => "passed",
            (false, _) => "failed",
            (true, true) => "left",
            (true, false) => "open",
        }
    }

    fn sentence(&self) -> String {
        let tests: Vec<&str> = self.tests.iter().map(|(sentence, _)| sentence.as_str()).collect();
        match &self.left {
            Some(why) if tests.is_empty() => why.clone(),
            _ => tests.join("; "),
        }
    }
}

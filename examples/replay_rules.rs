//! Runs rules over what was seen before and prints every decision with its reason, so that
//! thresholds can be tuned without inferring again.
//!
//! ```console
//! $ gst-launch-1.0 … objectcounter name=count … count.meta ! queue ! filesink location=seen.jsonl
//! $ cargo run --release --example replay_rules -- rules.json seen.jsonl
//! ```
//!
//! `rules.json` is what `objectcounter rules-file=` takes; `seen.jsonl` holds an observation a
//! line, as the pads `meta` tell them, `-` is standard input; frames that nobody looked at change
//! nothing. Signals are printed as the pad
//! `signal` tells them. With `--signals` only these.

use std::{
    error::Error,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    process::ExitCode,
};

use evr_core::{
    counter::{Counter, Raised, rules_file},
    observed,
    time::seconds,
};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let explains = !arguments.iter().any(|argument| argument == "--signals");
    arguments.retain(|argument| argument != "--signals");
    let [rules, seen] = &arguments[..] else {
        eprintln!("usage: replay_rules [--signals] RULES SEEN.jsonl");
        return ExitCode::FAILURE;
    };
    match replay(rules, seen, explains) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{err}");
            ExitCode::FAILURE
        }
    }
}

fn replay(rules: &str, seen: &str, explains: bool) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(rules).map_err(|err| format!("{rules}: {err}"))?;
    let (found, notes) = rules_file::parse_any(&text).map_err(|err| format!("{rules}: {err}"))?;
    for note in notes {
        eprintln!("{rules}: {note}");
    }
    let mut counter = Counter::new(found);
    counter.explain(explains);
    let lines: Box<dyn BufRead> = match seen {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(BufReader::new(
            File::open(path).map_err(|err| format!("{path}: {err}"))?,
        )),
    };
    let mut out = io::stdout().lock();
    for (n, line) in lines.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() || observed::shows_nothing(line.as_bytes()) {
            continue;
        }
        let (at, observation) = observed::parse(line.as_bytes())
            .map_err(|err| format!("{seen}, line {}: {err}", n + 1))?;
        let Some(signals) = counter.observe(at, &observation) else {
            continue;
        };
        for decision in counter.decisions() {
            let time = at.map_or("?".into(), |at| format!("{:.3}", seconds(at)));
            let because = decision.because.join("; ");
            writeln!(
                out,
                "{time} {} {:?}: {because}",
                decision.rule, decision.verdict
            )?;
        }
        tell(&mut out, &signals)?;
    }
    tell(&mut out, counter.end().as_slice())?;
    Ok(())
}

fn tell(out: &mut impl Write, signals: &[Raised]) -> io::Result<()> {
    for signal in signals {
        writeln!(out, "{}", signal.line)?;
    }
    Ok(())
}

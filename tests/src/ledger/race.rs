//! Commands that race for a few ledgers, and the same command given again and again.

use std::sync::Arc;
use std::time::Instant;

use cim_core::command::Command;
use cim_core::text::Text;
use cim_host::clock;
use cim_host::repository::{Executed, Outcome, Repository};
use cim_host::store::EventStore;

use super::{Ledger, LedgerCommand, ledger_id, ledgers};

const COMMANDS: u64 = 1_000;
const LEDGERS: u64 = 50;

/// Executes 1 000 commands on 50 ledgers at the same time, by a repository on each of `stores`, which are
/// handles on one store; checks that each has taken effect once, and gives the conflicts that there were.
///
/// # Panics
///
/// When a command is lost, or takes effect twice.
#[allow(clippy::print_stdout, reason = "tests say what they have done")]
pub async fn race(name: &str, stores: &[Arc<dyn EventStore>]) -> u64 {
    let programs: Vec<Repository<Ledger>> = stores.iter().map(ledgers).collect();
    let started = Instant::now();
    let tasks = (0..COMMANDS).map(|number| {
        let program = programs[number as usize % programs.len()].clone();
        let ledger = ledger_id(number / programs.len() as u64 % LEDGERS);
        tokio::spawn(async move {
            let command = LedgerCommand::post(&format!("command-{number}"));
            program.execute(&ledger, command).await
        })
    });
    let (mut retries, mut most) = (0, 0);
    for task in tasks.collect::<Vec<_>>() {
        let executed = task.await.expect("no panic");
        let executed = executed.unwrap_or_else(|error| panic!("{}: {error}", error.code()));
        assert_eq!(executed.outcome, Outcome::Stored);
        retries += u64::from(executed.retries);
        most = most.max(executed.retries);
    }
    let took = started.elapsed();

    let (mut postings, mut accounts) = (0, 0);
    for number in 0..LEDGERS {
        let loaded = ledgers(&stores[0]).load(&ledger_id(number)).await;
        let loaded = loaded.expect("loaded");
        let state = &loaded.state;
        assert!(state.accounts.values().all(|sum| *sum == 1), "{state:?}");
        assert_eq!(
            loaded.version().map(|version| version.get()),
            Some(state.postings)
        );
        postings += state.postings;
        accounts += state.accounts.len() as u64;
    }
    assert_eq!((postings, accounts), (COMMANDS, COMMANDS));
    let stats: Vec<_> = programs.iter().map(Repository::stats).collect();
    let executed: u64 = stats.iter().map(|stats| stats.executed).sum();
    let conflicts: u64 = stats.iter().map(|stats| stats.conflicts).sum();
    assert_eq!(executed, COMMANDS);
    assert_eq!(conflicts, retries, "each conflict was followed by a retry");
    println!(
        "{name}: {COMMANDS} commands on {LEDGERS} ledgers by {} repositories in {:.2} s, {conflicts} \
         conflicts, at most {most} for one command",
        programs.len(),
        took.as_secs_f64(),
    );
    repeated(&programs).await;
    conflicts
}

/// Gives one command to all repositories at the same time, several times.
async fn repeated(programs: &[Repository<Ledger>]) {
    let source = Text::new("test").expect("a text");
    let post = LedgerCommand::post("repeated");
    let command = Command::new(post, clock::event_id(), clock::now(), source);
    let id = ledger_id(LEDGERS);
    let give = || async {
        let tasks = programs.iter().map(|program| {
            let (program, id, command) = (program.clone(), id.clone(), command.clone());
            tokio::spawn(async move { program.execute_command(&id, command).await })
        });
        let mut answers: Vec<Executed<Ledger>> = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            answers.push(task.await.expect("no panic").expect("executed"));
        }
        answers
    };
    let first = give().await;
    let close = programs[0].execute(&id, LedgerCommand::Close).await;
    close.expect("closed");
    let later = give().await;
    assert!(
        later
            .iter()
            .all(|answer| answer.outcome == Outcome::Repeated)
    );
    for answer in first.iter().chain(&later) {
        assert_eq!(answer.events, first[0].events);
        assert_eq!(answer.position, first[0].position);
        assert_eq!(answer.state.accounts.get("repeated"), Some(&1));
    }
}

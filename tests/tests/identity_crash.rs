//! Keystore and event store agree, wherever between them a command is killed.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cim_tests::random::Random;

use self::keys_command::Identities;

#[path = "support/keys.rs"]
mod keys_command;

const KILLS: u32 = 100;

/// The longest that a command is left alone, in microseconds; half of them are done before.
const LONGEST: u64 = 120_000;

/// The longest that one is left alone behind its first seed.
const LONGEST_BEHIND_SEED: u64 = 12_000;

/// The keys with a seed of a kind of file: `nk` for those that are kept, `pending` for those that an
/// event may not name yet.
fn seeds(identities: &Identities, extension: &str) -> BTreeSet<String> {
    let folder = identities.path().join("identity/keystore");
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            let name = path.file_stem().expect("a name");
            name.to_str().expect("a key").to_owned()
        })
        .collect()
}

/// The keys that events name, with their state.
fn keys(identities: &Identities) -> Vec<(String, String)> {
    let lists = [
        ("operator", "operators"),
        ("account", "accounts"),
        ("user", "users"),
        ("signing-key", "signing_keys"),
    ];
    let lists = lists.map(|(noun, field)| identities.json(&[noun, "list"])[field].take());
    lists
        .iter()
        .flat_map(|list| list.as_array().expect("a list"))
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().expect("a text").to_owned();
            (text("key"), text("state"))
        })
        .collect()
}

/// The keystore leads: whatever an event names and may sign has its seed.
fn check_keystore_leads(identities: &Identities) {
    let kept = &seeds(identities, "nk") | &seeds(identities, "pending");
    for (key, state) in keys(identities) {
        let has_seed = kept.contains(&key);
        assert!(
            state == "revoked" || has_seed,
            "{key} is {state}, and has no seed"
        );
    }
}

#[test]
fn keystore_and_events_agree_after_a_hundred_kills() {
    let identities = Identities::init(&["--keystore", "plain"]);
    let mut random = Random::new(0x1de7_71c5);
    let (mut killed, mut behind_seed, mut number) = (0, 0, 0);
    while killed < KILLS {
        number += 1;
        let name = format!("account-{number}");
        let command = match random.below(4) {
            0 => vec!["account", "create", &name],
            1 => vec!["user", "rotate", "app"],
            2 => vec!["account", "rotate", "APP"],
            _ => vec!["user", "creds", "app"],
        };
        let mut command = identities.command(&command);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let before = seeds(&identities, "pending");
        let mut child = command.spawn().expect("`cim` starts");
        let longest = match number % 4 {
            // Between keystore and events there is little time.
            1.. => {
                let started = Instant::now();
                while started.elapsed() < Duration::from_micros(LONGEST)
                    && seeds(&identities, "pending").is_subset(&before)
                {
                    std::thread::sleep(Duration::from_micros(100));
                }
                LONGEST_BEHIND_SEED
            }
            0 => LONGEST,
        };
        std::thread::sleep(Duration::from_micros(random.below(longest)));
        child.kill().expect("our own child");
        let ended = child.wait().expect("our own child");
        let has_seed = !seeds(&identities, "pending").is_subset(&before);
        behind_seed += u32::from(ended.code().is_none() && has_seed);
        killed += u32::from(ended.code().is_none());
        if number % 10 == 0 {
            check_keystore_leads(&identities);
        }
        assert!(
            number < 20 * KILLS,
            "{killed} of {number} commands were killed in time"
        );
    }
    assert!(
        behind_seed > 0,
        "no command was killed between its keys and its events"
    );
    // The next command that changes anything settles what it finds.
    identities.keys(&["account", "create", "last"]);
    let (kept, pending) = (seeds(&identities, "nk"), seeds(&identities, "pending"));
    let named = keys(&identities);
    for (key, state) in &named {
        assert_eq!(kept.contains(key), state != "revoked", "{key} is {state}");
        assert!(!pending.contains(key), "{key} was not confirmed");
    }
    let named: BTreeSet<String> = named.into_iter().map(|(key, _)| key).collect();
    assert!(kept.is_subset(&named), "a seed that no event names is kept");
    identities.keys(&["user", "creds", "app"]);
}

//! The fuzz targets on their seeds and on mutations of these, the same each time.
//!
//! `cargo xtask soak` lets libFuzzer search for more.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use cim_tests::fuzz::{TARGETS, Target};
use cim_tests::random::Random;

/// How many mutations each target gets.
const MUTATIONS: usize = 5000;

/// Bytes that are worth a try: the grammar of our formats, and the borders of CBOR's heads.
const TELLING: &[u8] =
    b"\0\n\r\t \"#%*+,-./019:=>AZ[\\]_az{}\x17\x18\x1b\x40\x5f\x7f\x80\xa0\xb1\xd8\xf6\xff";

#[test]
fn every_target_has_a_function_and_seeds() {
    let functions: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), functions, "targets and functions");
    assert_eq!(names("corpus"), functions, "folders of seeds and functions");
    for name in functions {
        let target = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs")));
        let target = target.expect("a target can be read");
        assert!(
            target.contains(&format!("cim_tests::fuzz::{name}(data)")),
            "{name}: {target}"
        );
        assert!(!seeds(&name).is_empty(), "`{name}` has no seeds");
        let manifest = fs::read_to_string(folder("Cargo.toml")).expect("the manifest");
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "`{name}` is no binary"
        );
    }
}

#[test]
fn the_laws_hold_for_the_seeds() {
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            check(name, target, &seed);
        }
    }
}

#[test]
fn the_laws_hold_for_mutations_of_the_seeds() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        let mut random = Random::new(name.len() as u64);
        for _ in 0..MUTATIONS {
            let mut input = seeds[below(&mut random, seeds.len())].clone();
            for _ in 0..=below(&mut random, 3) {
                mutate(&mut input, &seeds, &mut random);
            }
            check(name, target, &input);
        }
    }
}

/// Runs the target; when it panics, says of which input.
#[track_caller]
fn check(name: &str, target: Target, input: &[u8]) {
    if panic::catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("`{name}` fails on b\"{}\"", input.escape_ascii());
    }
}

/// Changes a place of the input: other bytes, fewer, more, or some of another seed.
fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = below(random, input.len() + 1);
    let end = (at + 1 + below(random, 8)).min(input.len());
    let telling = TELLING[below(random, TELLING.len())];
    match below(random, 8) {
        0 => input.insert(at, telling),
        1 => drop(input.drain(at..end)),
        2 => input.truncate(at),
        3 => {
            let repeated = input[at..end].to_vec();
            input.splice(at..at, repeated);
        }
        4 => {
            let other = &seeds[below(random, seeds.len())];
            let from = below(random, other.len() + 1);
            let to = (from + below(random, 64)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        5 if at < input.len() => input[at] ^= 1 << below(random, 8),
        6 if at < input.len() => input[at] = input[at].wrapping_add(1),
        _ if at < input.len() => input[at] = telling,
        _ => input.push(telling),
    }
}

fn below(random: &mut Random, limit: usize) -> usize {
    random.below(limit as u64) as usize
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder("corpus").join(name))
        .expect("a target has a folder of seeds")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read(file).expect("a seed can be read"))
        .collect()
}

/// The names in a folder, without their extensions.
fn names(name: &str) -> Vec<String> {
    let names: BTreeSet<_> = fs::read_dir(folder(name))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.into_iter().collect()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

//! Named steps: run in order, each timed; one that fails does not stop the rest.

use std::time::Instant;

use crate::failure::{Failure, USAGE};

/// One check with a name that can be asked for.
pub(crate) struct Step<'a> {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) run: Box<dyn Fn() -> Result<(), Failure> + 'a>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        name: impl Into<String>,
        about: impl Into<String>,
        run: impl Fn() -> Result<(), Failure> + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            run: Box::new(run),
        }
    }
}

/// Prints each step's name and what it checks.
pub(crate) fn list(steps: &[Step<'_>]) {
    let width = width(steps);
    for step in steps {
        println!("{:width$}  {}", step.name, step.about);
    }
}

/// Keeps the steps that were asked for; none means all.
///
/// # Errors
///
/// A name that no step has.
pub(crate) fn select<'a>(steps: Vec<Step<'a>>, names: &[String]) -> Result<Vec<Step<'a>>, Failure> {
    if let Some(name) = names
        .iter()
        .find(|name| steps.iter().all(|step| step.name != **name))
    {
        let known: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        return Err(Failure::new(format!("unknown step `{name}`"))
            .help(format!("the steps are: {}", known.join(", ")))
            .exit(USAGE));
    }
    Ok(steps
        .into_iter()
        .filter(|step| names.is_empty() || names.contains(&step.name))
        .collect())
}

/// Runs all of them and prints a summary.
///
/// # Errors
///
/// At least one step failed; the others have run all the same.
pub(crate) fn run_all(task: &str, steps: &[Step<'_>]) -> Result<(), Failure> {
    let start = Instant::now();
    let mut results = Vec::new();
    for step in steps {
        println!("\n==> {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = (step.run)();
        if let Err(failure) = &result {
            eprint!("{failure}");
        }
        results.push((step, start.elapsed(), result));
    }

    println!("\n==> summary");
    let width = width(steps);
    for (step, time, result) in &results {
        let seconds = time.as_secs_f64();
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{verdict:6}  {:width$} {seconds:8.1} s", step.name);
    }
    let failed: Vec<&str> = results
        .iter()
        .filter(|(_, _, result)| result.is_err())
        .map(|(step, _, _)| step.name.as_str())
        .collect();
    let total = start.elapsed().as_secs_f64();
    println!("{:width$}         {total:8.1} s", "all");
    println!(
        "{} passed, {} failed",
        results.len() - failed.len(),
        failed.len()
    );
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} of {} steps failed",
        failed.len(),
        results.len()
    ))
    .help(format!(
        "run only these again: cargo xtask {task} {}",
        failed.join(" ")
    )))
}

fn width(steps: &[Step<'_>]) -> usize {
    steps.iter().map(|step| step.name.len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn runs_the_rest_after_a_failure() {
        let count = Cell::new(0);
        let steps = [
            Step::new("a", "fails", || Err(Failure::new("no"))),
            Step::new("b", "passes", || {
                count.set(count.get() + 1);
                Ok(())
            }),
        ];
        let failure = run_all("test", &steps).expect_err("one step fails");
        assert_eq!(failure.message(), "1 of 2 steps failed");
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn refuses_an_unknown_step() {
        let steps = vec![Step::new("fmt", "", || Ok(()))];
        let failure = select(steps, &["fnt".to_owned()])
            .err()
            .expect("no step has this name");
        assert_eq!(failure.message(), "unknown step `fnt`");
        assert_eq!(failure.code(), USAGE);
    }
}

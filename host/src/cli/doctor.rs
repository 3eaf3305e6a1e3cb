//! `cim doctor`.

use clap::Args;
use serde_json::{Value, json};

use super::failure::{Exit, Failure};
#[cfg(feature = "jetstream")]
use super::jetstream::ServerArgs;
use super::output::{Output, count, say};
use super::place::Place;
use crate::doctor::{self, Finding, Severity, worst};
#[cfg(feature = "jetstream")]
use crate::jetstream::doctor::{Examination, examine, judge};
#[cfg(feature = "jetstream")]
use crate::jetstream::plan::StreamPlan;
#[cfg(feature = "jetstream")]
use crate::jetstream::{JetStreamClient, Login, Source};
use crate::open::sqlite_path;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim doctor
  cim doctor --store nats://localhost:4222 --monitor http://localhost:8222
  cim doctor --json

It changes nothing. The exit code is 7 when something is unsafe.")]
pub(crate) struct Doctor {
    #[cfg(feature = "jetstream")]
    #[command(flatten)]
    server: ServerArgs,
    /// The creds of a user of NATS' system account, who sees the servers' settings
    #[cfg(feature = "jetstream")]
    #[arg(long, value_name = "FILE")]
    system_creds: Option<std::path::PathBuf>,
    /// The monitoring port of a server, which tells its settings; may be given for each
    #[cfg(feature = "jetstream")]
    #[arg(long, value_name = "URL")]
    monitor: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let (target, findings) = self.examine(place).await?;
        let verdict = worst(&findings);
        if self.json {
            out.json(&document(&target, &findings))?;
        } else {
            for finding in &findings {
                print(finding, out)?;
            }
        }
        out.flush()?;
        if !self.json {
            say(&summary(&target, &findings));
        }
        if verdict == Severity::Unsafe {
            let mut failure = Failure::new(Exit::Unhealthy, "unsafe", "something is unsafe");
            failure.quiet = true;
            return Err(failure);
        }
        Ok(())
    }

    async fn examine(&self, place: &Place) -> Result<(String, Vec<Finding>), Failure> {
        #[cfg(feature = "jetstream")]
        if self.is_about_nats(place) {
            return self.examine_nats(place).await;
        }
        let path = sqlite_path(&place.url)?;
        let max_events = place.config.event_store.max_events_per_aggregate;
        let facts = doctor::examine(&path, max_events)?;
        Ok((place.url.clone(), doctor::judge(&facts)))
    }

    #[cfg(feature = "jetstream")]
    fn is_about_nats(&self, place: &Place) -> bool {
        crate::open::is_nats_url(&place.url)
            || self.server.is_given()
            || self.system_creds.is_some()
            || !self.monitor.is_empty()
    }

    #[cfg(feature = "jetstream")]
    async fn examine_nats(&self, place: &Place) -> Result<(String, Vec<Finding>), Failure> {
        let server = self.server.connect(place).await?;
        let store = server.store_stream(&place.config);
        let plans = StreamPlan::from_config(&place.config, Some(&store))?;
        let system = match &self.system_creds {
            None => None,
            Some(path) => {
                let mut options = server.options.clone();
                options.login = Login::Creds(Source::File(path.clone()));
                options.login_origin = None;
                options.stream = None;
                Some(JetStreamClient::connect(&options).await?)
            }
        };
        let facts = examine(Examination {
            client: &server.client,
            options: &server.options,
            system: system.as_ref(),
            monitors: &self.monitor,
            plans: &plans,
            // Without a folder there is no index to look at.
            index_folder: crate::open::index_folder().ok(),
            max_events_per_aggregate: place.config.event_store.max_events_per_aggregate,
        })
        .await?;
        Ok((server.url(), judge(&facts)))
    }
}

fn print(finding: &Finding, out: &mut Output) -> Result<(), Failure> {
    let Finding {
        severity,
        code,
        what,
        meaning,
        mend,
    } = finding;
    out.line(&format!("{severity:<7}  {code}: {what}"))?;
    out.line(&format!("         {meaning}"))?;
    if let Some(mend) = mend {
        out.line(&format!("         mend: {mend}"))?;
    }
    Ok(())
}

fn summary(target: &str, findings: &[Finding]) -> String {
    let of = |severity| {
        let found = findings.iter();
        found.filter(|one| one.severity == severity).count() as u64
    };
    let (risks, warnings) = (of(Severity::Unsafe), of(Severity::Warning));
    match (risks, warnings) {
        (0, 0) => format!("`{target}` is well."),
        (0, warnings) => format!("`{target}` is safe, with {}.", count(warnings, "warning")),
        (risks, warnings) => format!(
            "`{target}` is not safe: {risks} unsafe, {}.",
            count(warnings, "warning")
        ),
    }
}

fn document(target: &str, findings: &[Finding]) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "severity": finding.severity.as_str(),
            "code": finding.code,
            "what": finding.what,
            "meaning": finding.meaning,
            "mend": finding.mend,
        })
    };
    json!({
        "schema": "cim.doctor/v1",
        "target": target,
        "verdict": worst(findings).as_str(),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

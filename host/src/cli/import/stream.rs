//! `cim import URL/STREAM --format cim-headers`.

use std::path::Path;
use std::sync::Arc;

use cim_core::subject::{Field, StoreTemplate, SubjectTemplate};
use serde_json::{Value, json};

use super::{Format, Import, document, refuse, report};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{Output, count, progress, say};
use crate::cli::place::{Absent, Place};
use crate::import::adopt::{self, AdoptError, Adoption, Layout, Reader, Source};
use crate::jetstream::plan::{NotAStore, parse_store};
use crate::jetstream::{
    JetStreamClient, JetStreamPort, NatsOptions, Process, StreamInfo, messages,
};
use crate::open;

impl Import {
    /// Whether it is told to import a stream.
    pub(super) fn is_stream(&self) -> Result<bool, Failure> {
        let is_url = self.file.to_str().is_some_and(open::is_nats_url);
        match self.format {
            None => Ok(is_url),
            Some(Format::CimHeaders) => Ok(true),
            Some(_) if is_url => Err(Failure::usage(
                "`--format` names a format of files, found a stream",
            )
            .help("streams are imported with `--format cim-headers`")),
            Some(_) => Ok(false),
        }
    }

    pub(super) async fn import_stream(
        &self,
        place: &Place,
        out: &mut Output,
    ) -> Result<(), Failure> {
        refuse(
            &[
                (self.type_field.is_some(), "--type-field"),
                (self.time_field.is_some(), "--time-field"),
            ],
            "a stream",
            "the headers of its messages say it: leave the option out",
        )?;
        let (options, name) = stream(&self.file, place)?;
        // A stream that cannot be imported must not leave an empty store behind.
        let store = match place.open(Absent::Refuse).await {
            Ok(store) => Some(store),
            Err(failure) if failure.exit == Exit::NotFound => None,
            Err(failure) => return Err(failure),
        };
        let template = match &store {
            Some(store) => store.info().template.clone(),
            None => place.config.template()?.unwrap_or_default(),
        };
        let reader = Reader {
            layout: self.layout(place, &template)?,
            id_field: self.id_field.clone(),
            id_encode: self.id_encode,
            template,
        };
        let port: Arc<dyn JetStreamPort> = Arc::new(JetStreamClient::connect(&options).await?);
        let info = look(&*port, &name, &options.url()).await?;
        let last = info.state.last_seq;
        let open = |from| messages(Arc::clone(&port), &name, from..=last, self.filter.clone());
        let source = Source {
            stream: &name,
            open: &open,
        };

        let bar = progress("checking");
        bar.set_length(info.state.messages);
        let checked = adopt::check(
            store.as_deref(),
            &reader,
            &source,
            self.late.into(),
            &mut |read| bar.set_position(read),
        )
        .await;
        bar.finish_and_clear();
        let checked = checked?;
        let store = match store {
            Some(store) => store,
            None => place.open_or_create_for(checked.namespaces()).await?,
        };
        let bar = progress("importing");
        let adoption = adopt::store(&*store, &reader, &source, checked, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
        bar.finish_and_clear();
        let adoption = adoption?;
        store.close().await?;
        self.report_adoption(&adoption, out)
    }

    /// How the subjects of the stream are built.
    fn layout(&self, place: &Place, template: &StoreTemplate) -> Result<Layout, Failure> {
        let Some(text) = &self.subject else {
            refuse(
                &[(self.entity.is_some(), "--entity")],
                "subjects that name the entity",
                "the entity stands in the subject: leave the option out, or say with `--subject \
                 TEMPLATE` how subjects without it are built",
            )?;
            return Layout::new(template.template().clone()).map_err(wrong_template);
        };
        let no_constants: [(&str, &str); 0] = [];
        let shown = SubjectTemplate::parse(text, no_constants).map_err(wrong_template)?;
        let (namespace, entity) = match &self.entity {
            Some(entity) if !shown.shows(Field::Entity) => {
                let (namespace, entity) = place.entity(entity, template)?;
                (namespace, Some(entity))
            }
            Some(_) => {
                let message = format!("`--entity` does not go with the subjects `{text}`");
                return Err(Failure::usage(message)
                    .help("the entity stands in the subject: leave the option out"));
            }
            None => (place.namespace(template)?, None),
        };
        if entity.is_none() && !shown.shows(Field::Entity) {
            return Err(Failure::usage("`--entity` is missing").help(format!(
                "the subjects `{text}` do not name it: name it, for example `--entity key`"
            )));
        }
        let [organization, unit, domain] = namespace.tokens();
        let constants = [
            (Field::Organization, Some(organization)),
            (Field::Unit, Some(unit)),
            (Field::Domain, Some(domain)),
            (Field::Entity, entity.as_ref().map(|entity| entity.as_str())),
        ];
        let constants = constants
            .into_iter()
            .filter(|(field, _)| !shown.shows(*field))
            .filter_map(|(field, value)| Some((field.name(), value?)));
        let layout = SubjectTemplate::parse(text, constants).and_then(Layout::new);
        let layout = layout.map_err(wrong_template)?;
        if !layout.shows_id() && self.id_field.is_none() {
            return Err(Failure::usage("`--id-field` is missing").help(format!(
                "the subjects `{text}` have no id: name the field of the body that has it, for \
                 example `--id-field /key_id`"
            )));
        }
        Ok(layout)
    }

    fn report_adoption(&self, adoption: &Adoption, out: &mut Output) -> Result<(), Failure> {
        let Adoption {
            imported,
            repeated,
            without_offset,
            cut,
        } = adoption;
        if self.json {
            let mut all = document(imported);
            let more = json!({
                "repeated": repeated,
                "times_without_offset": without_offset,
                "times_cut": cut,
            });
            if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
                all.extend(more);
            }
            return out.json(&all);
        }
        report(
            imported,
            "the stream has no messages of these subjects",
            out,
        )?;
        if *repeated > 0 {
            say(&format!(
                "Passed over messages that say an earlier one again: {repeated} in this stream."
            ));
        }
        if *without_offset > 0 {
            say(&format!(
                "Times without an offset are read as UTC: {without_offset} in this stream."
            ));
        }
        if *cut > 0 {
            say(&format!(
                "Times are kept in microseconds: {} finer, and what is finer was cut off.",
                match cut {
                    1 => "1 was".to_owned(),
                    cut => format!("{cut} were"),
                }
            ));
        }
        Ok(())
    }
}

/// Where the stream is, and its name.
fn stream(file: &Path, place: &Place) -> Result<(NatsOptions, String), Failure> {
    let help = "write `nats://HOST[:PORT]/STREAM`, for example \
                `nats://localhost:4222/KEYS_EVENTS`";
    let Some(url) = file.to_str().filter(|url| open::is_nats_url(url)) else {
        let message = format!("`{}` is not the URL of a stream", file.display());
        return Err(Failure::usage(message).help(help));
    };
    let options = NatsOptions::resolve(Some(url), &place.config, &Process)?;
    let Some(name) = options.stream.clone() else {
        let message = format!("`{}` names no stream", options.url());
        return Err(Failure::usage(message).help(help));
    };
    Ok((options, name))
}

/// What the server says of the stream; one of a store has its own command.
async fn look(port: &dyn JetStreamPort, name: &str, url: &str) -> Result<StreamInfo, Failure> {
    let Some(info) = port.stream_info(name).await? else {
        let message = format!("there is no stream at `{url}`");
        return Err(Failure::new(Exit::NotFound, "stream-not-found", message)
            .help("`cim stream info` lists those that are there"));
    };
    match parse_store(&info.config) {
        Err(NotAStore::Missing { .. }) => Ok(info),
        Ok(_) | Err(NotAStore::Strange { .. }) => {
            Err(Failure::usage(format!("`{url}` is a store already"))
                .help(format!("copy it with its CIDs: `cim copy {url} TO-URL`")))
        }
    }
}

fn wrong_template(error: cim_core::subject::TemplateError) -> Failure {
    Failure::of(Exit::Usage, error.code(), &error).help(
        "a template is a subject with fields in braces, for example \
         `keys.events.{entity}.{operation}`; the fields are organization, unit, domain, entity, id \
         and operation",
    )
}

impl From<AdoptError> for Failure {
    fn from(error: AdoptError) -> Self {
        let (code, help, message) = (error.code(), error.help(), error.to_string());
        let mut failure = match error {
            AdoptError::Messages { bad, first, .. } => {
                let told: u64 = first.iter().map(|bad| bad.count).sum();
                let mut failure = Self::new(Exit::Failed, code, message);
                failure.causes = first.iter().map(ToString::to_string).collect();
                if told < bad {
                    let more = count(bad - told, "more message");
                    failure.causes.push(format!("… and {more}"));
                }
                failure
            }
            AdoptError::Stream { source, .. } => {
                let mut failure = Self::from(source);
                failure.causes.insert(0, failure.message);
                failure.message = message;
                failure
            }
            AdoptError::Gone { .. } => Self::new(Exit::Failed, code, message),
            AdoptError::Import(error) => Self::from(*error),
        };
        failure.help = help.or(failure.help);
        failure
    }
}

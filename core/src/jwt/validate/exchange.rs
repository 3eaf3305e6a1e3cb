//! What is refused about what accounts give to and take from each other.

use super::{Finding, Findings, ServerVersion, subject};
use crate::jwt::activation::ActivationClaims;
use crate::jwt::claims::Claims;
use crate::jwt::export::{Export, Exported, Sampling};
use crate::jwt::import::Import;
use crate::jwt::token::Token;

/// Checks what the account `importer` imports.
pub(super) fn check_imports(imports: &[Import], importer: &str, findings: &mut Findings) {
    for (at, import) in imports.iter().enumerate() {
        let path = format!("nats.imports[{at}]");
        if import.exported == Some(Exported::Service) {
            let local = local(import);
            let is_rival = |other: &&Import| {
                other.exported == Some(Exported::Service)
                    && (other.account == import.account || findings.server.has_jwt_2_8_0())
            };
            let rival = imports[..at].iter().filter(is_rival).find(|other| {
                let other = self::local(other);
                subject::contains(&other, &local) || subject::contains(&local, &other)
            });
            if let Some(rival) = rival {
                let text = format!("`{local}` overlaps with `{}`", self::local(rival));
                findings.error("import-overlap", &path, text);
            }
        }
        check_import(import, importer, &path, findings);
    }
}

/// Where a service that is imported is asked.
fn local(import: &Import) -> String {
    match (import.to.as_str(), import.local_subject.as_str()) {
        ("", "") => import.subject.clone(),
        ("", local) => subject::without_references(local),
        (to, _) => to.to_owned(),
    }
}

fn check_import(import: &Import, importer: &str, path: &str, findings: &mut Findings) {
    let of = |field: &str| format!("{path}.{field}");
    match import.exported {
        None => {
            let text = "expected `stream` or `service`, found none";
            findings.error("kind-missing", &of("type"), text);
        }
        Some(Exported::Service) if import.allows_trace => {
            let text = "only streams that are imported allow traces";
            findings.error("import-trace", &of("allow_trace"), text);
        }
        Some(_) => {}
    }
    if import.account.is_empty() {
        let text = "expected the account that exports it, found none";
        findings.error("import-account-missing", &of("account"), text);
    }
    if !import.to.is_empty() {
        findings.warning(
            "import-to",
            &of("to"),
            "`to` is old; `local_subject` is its new form",
        );
    }
    subject::check(&import.subject, &of("subject"), findings);
    if !import.local_subject.is_empty() {
        let path = of("local_subject");
        subject::check_renamed(&import.local_subject, &import.subject, &path, findings);
        if !import.to.is_empty() {
            let text = "expected either `to` or `local_subject`, found both";
            findings.error("import-to", &path, text);
        }
    }
    if import.is_shared && import.exported != Some(Exported::Service) {
        findings.error(
            "import-share",
            &of("share"),
            "only services are told who asks",
        );
    }
    if !import.activation.is_empty() {
        check_token(import, importer, &of("token"), findings);
    }
}

fn check_token(import: &Import, importer: &str, path: &str, findings: &mut Findings) {
    let read = Token::read(&import.activation).and_then(|token| token.claims());
    let claims: Claims<ActivationClaims> = match read {
        Ok(claims) => claims,
        Err(error) => {
            findings.error("activation-invalid", path, error.to_string());
            return;
        }
    };
    let mut refuse = |text: &str| findings.error("activation-wrong", path, text);
    if ![&claims.issuer, &claims.body.issuer_account].contains(&&import.account) {
        refuse("the activation is not of the account that exports");
    }
    if claims.subject != importer {
        refuse("the activation is for another account");
    }
    if claims.body.exported != import.exported {
        refuse("the activation is for a service and the import a stream, or the other way round");
    }
    let imported = match (import.exported, import.to.as_str()) {
        (Some(Exported::Service), to) if !to.is_empty() => to,
        _ => &import.subject,
    };
    if !subject::contains(&claims.body.import_subject, imported) {
        refuse("the activation is for other subjects");
    }
    for Finding { code, text, .. } in claims.findings(ServerVersion::default(), None) {
        findings.error(code, path, text);
    }
}

pub(super) fn check_exports(exports: &[Export], findings: &mut Findings) {
    for (at, export) in exports.iter().enumerate() {
        check_export(export, &format!("nats.exports[{at}]"), findings);
    }
    for (at, export) in exports.iter().enumerate() {
        let is_service = |export: &Export| export.exported == Some(Exported::Service);
        let rival = exports.iter().enumerate().find(|(other, rival)| {
            *other != at
                && is_service(rival) == is_service(export)
                && subject::contains(&rival.subject, &export.subject)
        });
        if let Some((_, rival)) = rival {
            let text = format!(
                "`{}` is part of the export `{}`",
                export.subject, rival.subject
            );
            findings.error(
                "export-overlap",
                &format!("nats.exports[{at}].subject"),
                text,
            );
        }
    }
}

fn check_export(export: &Export, path: &str, findings: &mut Findings) {
    let of = |field: &str| format!("{path}.{field}");
    let is_service = export.exported == Some(Exported::Service);
    let is_stream = export.exported == Some(Exported::Stream);
    if export.exported.is_none() {
        let text = "expected `stream` or `service`, found none";
        findings.error("kind-missing", &of("type"), text);
    }
    let response = export.response_type.as_str();
    if is_service && !["", "Singleton", "Stream", "Chunked"].contains(&response) {
        let text = format!("expected `Singleton`, `Stream` or `Chunked`, found `{response}`");
        findings.error("response-type-invalid", &of("response_type"), text);
    }
    if is_stream && !response.is_empty() {
        findings.error(
            "response-of-stream",
            &of("response_type"),
            "a stream answers nothing",
        );
    }
    if is_stream && export.allows_trace {
        let text = "only services that are exported allow traces";
        findings.error("export-trace", &of("allow_trace"), text);
    }
    if let Some(latency) = &export.latency {
        let path = of("service_latency");
        if !is_service {
            findings.error("latency-of-stream", &path, "only services have a latency");
        }
        if let Sampling::Percent(percent) = latency.sampling
            && !(1..=100).contains(&percent)
        {
            let text = format!("expected 1 to 100 percent or `headers`, found {percent}");
            findings.error("sampling-invalid", &format!("{path}.sampling"), text);
        }
        let path = format!("{path}.results");
        subject::check(&latency.results, &path, findings);
        if subject::has_wildcards(&latency.results) {
            let text = "expected one subject, found wildcards";
            findings.error("subject-wildcards", &path, text);
        }
    }
    let threshold = export.response_threshold;
    if threshold < 0 || (threshold > 0 && !is_service) {
        let text = "expected a time, and of services alone";
        findings.error("threshold-invalid", &of("response_threshold"), text);
    }
    subject::check(&export.subject, &of("subject"), findings);
    let position = export.account_token_position;
    let token = position
        .checked_sub(1)
        .and_then(|at| usize::try_from(at).ok());
    if position > 0 && token.and_then(|at| export.subject.split('.').nth(at)) != Some("*") {
        let text = format!(
            "expected the place of a `*` in `{}`, found {position}",
            export.subject
        );
        findings.error(
            "token-position-invalid",
            &of("account_token_position"),
            text,
        );
    }
    super::account::check_info(&export.description, &export.info_url, path, findings);
}

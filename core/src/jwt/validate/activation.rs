//! What is refused about an activation.

use super::user::check_account;
use super::{Findings, subject};
use crate::jwt::activation::ActivationClaims;
use crate::jwt::claims::Claims;

pub(in crate::jwt) fn check(claims: &Claims<ActivationClaims>, findings: &mut Findings) {
    let ActivationClaims {
        import_subject,
        exported,
        issuer_account,
        ..
    } = &claims.body;
    if exported.is_none() {
        findings.error(
            "kind-missing",
            "nats.kind",
            "expected `stream` or `service`, found none",
        );
    }
    subject::check(import_subject, "nats.subject", findings);
    check_account(issuer_account, "nats.issuer_account", findings);
}

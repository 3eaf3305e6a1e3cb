//! The verdict on a token of any kind, by all that is known beside it.

use super::account::AccountClaims;
use super::activation::ActivationClaims;
use super::body::Kind;
use super::claims::Claims;
use super::error::JwtError;
use super::operator::OperatorClaims;
use super::token::Token;
use super::trust::{Login, Trust, login_findings};
use super::user::UserClaims;
use super::validate::{Finding, Level, ServerVersion};

/// What a verdict rests on, beside the token.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The account that a user is of; without it, only what the user's token says is looked at.
    pub account: Option<&'a Claims<AccountClaims>>,
    /// The operator that the server trusts; without it, whoever has signed an account had the right to.
    pub operator: Option<&'a Claims<OperatorClaims>>,
    /// The server's version.
    pub server: ServerVersion,
    /// When, and for a user how it connects.
    pub login: Login<'a>,
}

/// Whether a server would take a token: start with an operator, have an account, log a user in, allow an
/// import.
///
/// What tools refuse about an operator, and servers do not look at, is a warning.
///
/// # Errors
///
/// [`JwtError`] when a field of the token is not what it should be, and [`JwtError::Kind`] when an
/// account is given for a token that is not a user's.
pub fn judge(token: &Token, known: &Known<'_>) -> Result<Vec<Finding>, JwtError> {
    let Known {
        account,
        operator,
        server,
        ref login,
    } = *known;
    let kind = token.kind();
    if account.is_some() && kind != Kind::User {
        return Err(JwtError::Kind {
            expected: Some(Kind::User),
            found: kind.name().to_owned(),
        });
    }
    let trust = operator.map(Trust::of);
    let at = login.at;
    match kind {
        Kind::Operator => {
            let claims: Claims<OperatorClaims> = token.claims()?;
            let mut findings = claims.findings_at_start(server);
            let of_tools = claims.findings(server, Some(at));
            findings.extend(of_tools.into_iter().map(|finding| Finding {
                level: Level::Warning,
                ..finding
            }));
            Ok(findings)
        }
        Kind::Account => {
            let claims: Claims<AccountClaims> = token.claims()?;
            Ok(match trust {
                Some(trust) => claims.findings_for(&trust, server, at),
                None => claims.findings(server, Some(at)),
            })
        }
        Kind::User => match account {
            Some(account) => {
                let trust = trust.unwrap_or_else(|| Trust::of_whoever_signed(account));
                login_findings(token, account, &trust, server, login)
            }
            None => {
                let claims: Claims<UserClaims> = token.claims()?;
                Ok(claims.findings(server, Some(at)))
            }
        },
        Kind::Activation => {
            let claims: Claims<ActivationClaims> = token.claims()?;
            Ok(claims.findings(server, Some(at)))
        }
    }
}

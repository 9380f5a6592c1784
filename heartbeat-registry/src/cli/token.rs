//! Making, listing and revoking tokens.

use std::io::{self, Write};

use serde::Serialize;

use super::args::{CreateTokenArgs, ListTokensArgs, RevokeTokenArgs, TokenCommand};
use super::{Failed, NOT_FOUND, UNHEALTHY, USAGE, output};
use crate::clock::{Clock, SystemClock};
use crate::http::{Secret, Token, TokenFile, TokenFileError};

/// What is shown of a token: all but its hash.
#[derive(Debug, Serialize)]
pub(super) struct ShownToken {
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) created: jiff::Timestamp,
    pub(super) note: Option<String>,
}

pub(super) fn token(command: TokenCommand) -> Result<(), Failed> {
    match command {
        TokenCommand::Create(args) => create(args),
        TokenCommand::List(args) => list(&args),
        TokenCommand::Revoke(args) => revoke(&args),
    }
}

fn create(CreateTokenArgs { of, name, scope, note }: CreateTokenArgs) -> Result<(), Failed> {
    let secret = Secret::generate().map_err(|error| Failed::new(&error, UNHEALTHY))?;
    let mut token =
        Token::new(&name, scope, &secret, SystemClock::new().wall()).map_err(|error| Failed::new(&error, USAGE))?;
    if let Some(note) = note {
        token = token.with_note(note);
    }
    TokenFile::at(of.tokens).add(&token).map_err(failed)?;
    let told = writeln!(io::stdout(), "{}", secret.expose());
    told.map_err(|error| {
        let message = format!("the token could not be printed ({error}), and nobody has it: revoke {name}");
        Failed { message, code: UNHEALTHY }
    })?;
    output::tell(&format!("this is the token {name}; it is not shown again"));
    Ok(())
}

fn list(ListTokensArgs { of, output }: &ListTokensArgs) -> Result<(), Failed> {
    let tokens = TokenFile::at(&of.tokens).tokens().map_err(failed)?;
    let shown: Vec<ShownToken> = tokens.iter().map(ShownToken::of).collect();
    output::many(*output, &shown, || output::tokens(&shown))
}

fn revoke(RevokeTokenArgs { of, name }: &RevokeTokenArgs) -> Result<(), Failed> {
    if TokenFile::at(&of.tokens).remove(name).map_err(failed)? {
        output::tell(&format!("revoked {name}: registries that use the file refuse it within a second"));
        return Ok(());
    }
    Err(Failed { message: format!("no token {name:?} in {}", of.tokens.display()), code: NOT_FOUND })
}

impl ShownToken {
    fn of(token: &Token) -> Self {
        Self {
            name: token.name().to_owned(),
            scopes: token.scopes().iter().map(ToString::to_string).collect(),
            created: token.created(),
            note: token.note().map(str::to_owned),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: TokenFileError) -> Failed {
    Failed::new(&error, if error.is_usage() { USAGE } else { UNHEALTHY })
}

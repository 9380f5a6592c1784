//! Commands that ask a registry, or operate it.

use std::path::Path;

use daemon_lifecycle::program::Output;
use heartbeat_contract::{Directive, EventId, EventStats, HealthState, Kind, MemberId, MemberView, ProtectionsPage};

use super::args::{DrainArgs, EventsArgs, From, HistoryArgs, ListArgs, MemberArgs, ProtectionArgs, ReadCommand};
use super::output;
use super::verify::verify;
use super::{AUTH, Failed, NOT_FOUND, UNHEALTHY, UNREACHABLE, USAGE};
use crate::client::{Client, ClientError};
use crate::history_query::HistoryQuery;
use crate::query::MembersQuery;

pub(super) async fn read(command: ReadCommand) -> Result<(), Failed> {
    match command {
        ReadCommand::List(args) => list(args).await,
        ReadCommand::Show(args) => show(args).await,
        ReadCommand::Stats(from) => stats(from).await,
        ReadCommand::History(args) => history(args).await,
        ReadCommand::Explain(args) => explain(args).await,
        ReadCommand::Drain(args) => drain(args).await,
        ReadCommand::Forget(args) => forget(args).await,
        ReadCommand::Events(args) => events(args).await,
        ReadCommand::Protection(args) => protection(args).await,
        ReadCommand::Verify(args) => verify(args).await,
    }
}

async fn list(ListArgs { kind, state, hive, zone, from }: ListArgs) -> Result<(), Failed> {
    let query = MembersQuery { states: state, hive, zone, ..MembersQuery::default() };
    let mut members = client(&from)?.all_members(&kind, &query).await.map_err(failed)?;
    members.sort_by(|a, b| a.id.cmp(&b.id));
    output::many(from.output, &members, || output::members(&members))
}

async fn show(MemberArgs { id, kind, from }: MemberArgs) -> Result<(), Failed> {
    let member = client(&from)?.member(&kind, &id).await.map_err(failed)?;
    output::one(from.output, &member, || output::member(&member))?;
    unhealthy(&member)
}

async fn stats(from: From) -> Result<(), Failed> {
    let stats = client(&from)?.stats().await.map_err(failed)?;
    output::one(from.output, &stats, || output::stats(&stats))
}

async fn history(HistoryArgs { member, after, before }: HistoryArgs) -> Result<(), Failed> {
    let MemberArgs { id, kind, from } = member;
    let query = HistoryQuery { from: after, to: before };
    let page = client(&from)?.history(&kind, &id, &query).await.map_err(failed)?;
    match from.output {
        Output::Jsonl => output::many(from.output, &page.beats, String::new),
        _ => output::one(from.output, &page, || output::history(&page)),
    }
}

async fn explain(MemberArgs { id, kind, from }: MemberArgs) -> Result<(), Failed> {
    let explanation = client(&from)?.explain(&kind, &id).await.map_err(failed)?;
    output::one(from.output, &explanation, || output::sentences(&explanation.words))
}

async fn drain(DrainArgs { member, shutdown, withdraw }: DrainArgs) -> Result<(), Failed> {
    let MemberArgs { id, kind, from } = member;
    let directive = if shutdown { Directive::Shutdown } else { Directive::Drain };
    let client = client(&from)?;
    if withdraw {
        let only = shutdown.then_some(directive);
        return take_back(&client, &kind, &id, only).await;
    }
    let asked = client.ask(&kind, &id, directive).await.map_err(failed)?;
    output::one(from.output, &asked, || output::asked(&id, &asked))
}

/// Takes back one directive, or all that are asked.
async fn take_back(client: &Client, kind: &Kind, id: &MemberId, only: Option<Directive>) -> Result<(), Failed> {
    let mut asked = client.member(kind, id).await.map_err(failed)?.directives;
    asked.retain(|directive| only.is_none_or(|only| only == *directive));
    if asked.is_empty() {
        let what = only.map_or_else(|| "anything".to_owned(), |only| only.to_string());
        return Err(Failed { message: format!("{id} is not asked for {what}"), code: NOT_FOUND });
    }
    for directive in asked {
        client.withdraw(kind, id, directive).await.map_err(failed)?;
        output::tell(&format!("{id} is no longer asked for {directive}"));
    }
    Ok(())
}

async fn forget(MemberArgs { id, kind, from }: MemberArgs) -> Result<(), Failed> {
    client(&from)?.forget(&kind, &id).await.map_err(failed)?;
    output::tell(&format!("{id} is forgotten; if it beats again, it is a new member"));
    Ok(())
}

async fn protection(ProtectionArgs { confirm, release, from }: ProtectionArgs) -> Result<(), Failed> {
    let client = client(&from)?;
    let ended = match (confirm, release) {
        (Some(zone), _) => client.confirm_protection(&zone).await,
        (_, Some(zone)) => client.release_protection(&zone).await,
        (None, None) => {
            let ProtectionsPage { protections } = client.protections().await.map_err(failed)?;
            if protections.is_empty() {
                output::tell("no protection is running");
            }
            return output::many(from.output, &protections, || output::protections(&protections));
        }
    };
    let ended = ended.map_err(failed)?;
    output::one(from.output, &ended, || output::protections(std::slice::from_ref(&ended)))
}

async fn events(EventsArgs { since, limit, follow, from }: EventsArgs) -> Result<(), Failed> {
    if follow {
        return super::follow::follow(&client(&from)?, since, from.output).await;
    }
    let client = client(&from)?;
    let since = match since {
        Some(since) => since,
        None => newest(&client, limit).await?,
    };
    let page = client.events(Some(&since), limit.into()).await.map_err(failed)?;
    if page.reset {
        output::tell(&format!("some events are no longer kept, or are of another log: showing from {}", page.oldest));
    }
    output::many(from.output, &page.events, || output::events(&page.events))?;
    if let Some(last) = page.events.last().filter(|last| last.n + 1 < page.next) {
        let more = page.next - 1 - last.n;
        output::tell(&format!("{more} more: --since {}", last.n));
    }
    Ok(())
}

/// After which event the newest ones come; tells if there are older ones.
async fn newest(client: &Client, limit: u16) -> Result<EventId, Failed> {
    let EventStats { oldest, next, .. } = client.stats().await.map_err(failed)?.events;
    let before_oldest = oldest.saturating_sub(1);
    let n = next.saturating_sub(1).saturating_sub(limit.into()).max(before_oldest);
    if n > before_oldest {
        output::tell(&format!("{} older ones: --since {before_oldest}", n - before_oldest));
    }
    Ok(EventId { log: None, n })
}

/// `show` ends with 1 if the member is critical or failed, so that scripts can ask.
fn unhealthy(member: &MemberView) -> Result<(), Failed> {
    match member.state {
        HealthState::Critical | HealthState::Failed => {
            Err(Failed { message: format!("{} is {}", member.id, member.state), code: UNHEALTHY })
        }
        _ => Ok(()),
    }
}

pub(super) fn client(from: &From) -> Result<Client, Failed> {
    let client = Client::new(&from.registry).map_err(failed)?;
    match &from.token_file {
        Some(path) => client.with_bearer_token(&token(path)?).map_err(failed),
        None => Ok(client),
    }
}

fn token(path: &Path) -> Result<String, Failed> {
    let failed = |why: &dyn std::fmt::Display| Failed {
        message: format!("the token file {}: {why}", path.display()),
        code: USAGE,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let mut words = text.split_whitespace();
    match (words.next(), words.next()) {
        (Some(token), None) => Ok(token.to_owned()),
        _ => Err(failed(&"expected a token and nothing else")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn failed(error: ClientError) -> Failed {
    let code = match error.status() {
        Some(401 | 403) => AUTH,
        _ if error.is_not_found() => NOT_FOUND,
        _ if error.is_unreachable() => UNREACHABLE,
        None if error.is_usage() => USAGE,
        _ => UNHEALTHY,
    };
    let mut failed = Failed::new(&error, code);
    if error.status() == Some(401) {
        failed.message.push_str(": give one with --token-file FILE or HEARTBEAT_TOKEN_FILE");
    }
    failed
}

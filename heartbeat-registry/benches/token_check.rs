//! A hundred checks of a token against a file of as many, for counting instructions:
//! `valgrind --tool=callgrind --toggle-collect='*token_checks*' token_check first|last|wrong`.

use std::hint::black_box;

use heartbeat_registry::ManualClock;
use heartbeat_registry::http::{Secret, Token, Tokens};
use jiff::Timestamp;

const TOKENS: usize = 100;
const CHECKS: usize = 100;

fn main() {
    let secrets: Vec<Secret> = (0..TOKENS).map(|_| secret()).collect();
    let lines = secrets.iter().enumerate().map(|(n, secret)| format!("{}\n", token(n, secret)));
    let path = std::env::temp_dir().join(format!("token-check-{}.jsonl", std::process::id()));
    std::fs::write(&path, lines.collect::<String>()).expect("the folder for temporary files can be written");
    let tokens = Tokens::open_by(&path, ManualClock::new(Timestamp::UNIX_EPOCH)).expect("it was written just now");
    std::fs::remove_file(&path).expect("it was written just now");

    let presented = match std::env::args().find(|argument| ["first", "last"].contains(&argument.as_str())) {
        Some(place) if place == "first" => secrets[0].clone(),
        Some(_) => secrets[TOKENS - 1].clone(),
        None => secret(),
    };
    println!("{} of {CHECKS} checks found a holder", token_checks(&tokens, presented.expose()));
}

fn secret() -> Secret {
    Secret::generate().expect("this machine has randomness")
}

fn token(n: usize, secret: &Secret) -> Token {
    let scopes = vec!["read".parse().expect("it is a scope")];
    Token::new(&format!("token-{n}"), scopes, secret, Timestamp::UNIX_EPOCH).expect("letters and digits make a name")
}

#[inline(never)]
fn token_checks(tokens: &Tokens, presented: &str) -> usize {
    (0..CHECKS).filter(|_| black_box(tokens.holder(presented)).is_some()).count()
}

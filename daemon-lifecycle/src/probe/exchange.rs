//! From a question to what became of it.

use http_body_util::Empty;
use hyper::{
    Request,
    body::Bytes,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, USER_AGENT},
    http,
};

use super::{
    answer::{Answer, judge},
    classify::by_hyper,
    connection::{Failure, Open, Said, Stream},
    dial,
    error::ProbeError,
    failure::ProbeFailure,
    resolve::{Admits, resolve},
    target::{HttpTarget, Place, Target},
};
use crate::clock::TimeLimit;

/// Whom to trust over TLS, in builds that have it.
#[derive(Clone, Default)]
pub(super) struct Trust {
    #[cfg(feature = "rustls")]
    pub(super) tls: Option<super::tls::Tls>,
}

/// Who is asked, and how to get there.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) target: &'a Target,
    pub(super) admits: Option<&'a Admits>,
    pub(super) trust: &'a Trust,
}

/// A connection that is kept from one question to the next, once there is one.
#[derive(Default)]
pub(super) struct Kept(Option<Open>);

impl Question<'_> {
    /// Asks once. Without `kept` over a connection of its own: one that stands may be just closing, which would look like
    /// a failure. Where a kept one does so before an answer has come, this asks once more over a new one, in what is left
    /// of the time.
    pub(super) async fn ask(self, limit: TimeLimit, mut kept: Option<&mut Kept>) -> Result<Answer, ProbeError> {
        let Some(http) = &self.target.http else {
            return self.connect(limit).await.map(|_| Answer::default());
        };
        let request = request(http, kept.is_some())
            .map_err(|error| ProbeError::new(self.target, ProbeFailure::Other).with_source(error))?;
        let (said, mut open) = match kept.as_mut().and_then(|kept| kept.0.take()) {
            Some(mut open) => match open.ask(request.clone(), limit).await {
                Ok(said) => (said, open),
                Err(Failure::Unanswered(_)) => self.ask_anew(request, limit).await?,
                Err(failure) => return Err(self.failed(failure)),
            },
            None => self.ask_anew(request, limit).await?,
        };
        let again = kept.filter(|_| open.can_go_on());
        match again {
            Some(kept) => kept.0 = Some(open),
            None => open.close(limit).await,
        }
        judge(self.target, &said.head, &said.body)
    }

    async fn ask_anew(self, request: Request<Empty<Bytes>>, limit: TimeLimit) -> Result<(Said, Open), ProbeError> {
        let stream = self.connect(limit).await?;
        let answered = async {
            let mut open = Open::over(stream).await?;
            Ok((open.ask(request, limit).await?, open))
        };
        answered.await.map_err(|failure| self.failed(failure))
    }

    async fn connect(self, limit: TimeLimit) -> Result<Box<dyn Stream>, ProbeError> {
        let Self { target, admits, .. } = self;
        match &target.place {
            Place::Host { host, port } => {
                let addresses = resolve(target, host, *port, admits, limit).await?;
                let stream = dial::tcp(target, &addresses, limit).await?;
                self.encrypted(host, stream, limit, self.trust).await
            }
            Place::Socket(_) if admits.is_some() => {
                Err(ProbeError::new(target, ProbeFailure::NotAdmitted)
                    .with_detail("a socket has no address".to_owned()))
            }
            #[cfg(unix)]
            Place::Socket(path) => Ok(Box::new(dial::socket(target, path, limit).await?)),
            #[cfg(not(unix))]
            Place::Socket(_) => Err(ProbeError::new(target, ProbeFailure::InvalidUrl)),
        }
    }

    #[cfg(feature = "rustls")]
    async fn encrypted(
        self,
        host: &str,
        stream: tokio::net::TcpStream,
        limit: TimeLimit,
        trust: &Trust,
    ) -> Result<Box<dyn Stream>, ProbeError> {
        if !self.target.http.as_ref().is_some_and(|http| http.tls) {
            return Ok(Box::new(stream));
        }
        Ok(Box::new(super::tls::agree(self.target, host, stream, limit, trust.tls.as_ref()).await?))
    }

    #[cfg(not(feature = "rustls"))]
    async fn encrypted(
        self,
        _: &str,
        stream: tokio::net::TcpStream,
        _: TimeLimit,
        _: &Trust,
    ) -> Result<Box<dyn Stream>, ProbeError> {
        Ok(Box::new(stream))
    }

    fn failed(self, failure: Failure) -> ProbeError {
        match failure {
            Failure::Unanswered(error) | Failure::CutOff(error) => {
                ProbeError::new(self.target, by_hyper(&error)).with_source(error)
            }
            Failure::Late => ProbeError::new(self.target, ProbeFailure::Timeout),
        }
    }
}

fn request(target: &HttpTarget, keep: bool) -> Result<Request<Empty<Bytes>>, http::Error> {
    let mut request = Request::get(&target.path_and_query)
        .header(HOST, &target.authority)
        .header(USER_AGENT, concat!("daemon-lifecycle/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/health+json, application/json;q=0.9, */*;q=0.5");
    if !keep {
        request = request.header(CONNECTION, "close");
    }
    if let Some(authorization) = &target.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.body(Empty::new())
}

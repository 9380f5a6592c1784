//! The references as processes.

use std::net::Ipv4Addr;

use axum::Router;
use tokio::net::TcpListener;

use crate::outcome::Outcome;

/// Serves an app on a free port until the process is ended. Tells where, and has as many threads, as the registry's
/// binary does.
pub(crate) fn forever(app: Router) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        axum::serve(listener, app).await?;
        Ok(())
    })
}

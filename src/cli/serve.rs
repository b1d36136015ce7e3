//! `chung serve`: the service, from its start to its orderly end.
//!
//! The order of the end: readiness says no, the public listener closes, running requests finish (or the drain's time is over),
//! loops stop, the operators' listener closes, connections are given back, and last the private server stops.

use super::{
    environment::{self, Opened},
    keys,
};
use crate::app::{App, Queues};
use crate::config::Config;
use crate::{http, telemetry, work};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Runs the service until a signal comes.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::log_to(std::io::stderr(), &config.log).map_err(|reason| anyhow::anyhow!("log: {reason}"))?;
    let metrics = telemetry::count().context("metrics")?;
    let _ = config.partners()?;
    let opened = Opened::new(&config).await?;
    let (app, queues) = environment::app(&config, opened.store.clone())?;
    let (stop, stopping) = watch::channel(false);
    app.keys.turn(app.clock.now());
    let ring = app.keys.clone();
    let mut running = Running::start(
        app,
        queues,
        config.listen,
        Some(Internal { listen: config.internal_listen, metrics }),
        stopping,
    )
    .await?;
    running.loops.spawn(keys::follow(config.keys.clone(), ring));
    tracing::info!(listen = %running.address, origin = %config.origin, "serving");
    interrupted().await?;
    tracing::info!("stopping");
    let _nobody_listens = stop.send(true);
    running.finish(config.limits.drain_timeout()).await;
    opened.close().await;
    Ok(())
}

/// The operators' port.
pub struct Internal {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
}

/// How often what was measured is added up, so that it takes no room where nobody asks for it.
const UPKEEP: Duration = Duration::from_secs(5);

async fn add_up(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

/// Listeners and loops of one service in this process.
pub struct Running {
    /// Where the public interfaces listen.
    pub address: SocketAddr,
    listeners: JoinSet<std::io::Result<()>>,
    /// The operators' listener, which says that the service stops until it has, and what ends it.
    internal: Option<(watch::Sender<bool>, JoinSet<std::io::Result<()>>)>,
    loops: JoinSet<()>,
}

impl Running {
    /// Starts listening and looping; `stopping` turns true when the listeners shall close.
    pub async fn start(
        app: App,
        queues: Queues,
        listen: SocketAddr,
        internal: Option<Internal>,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let public = bind(listen).await?;
        let address = public.local_addr()?;
        let mut listeners = JoinSet::new();
        listeners.spawn(http::listen::listen(public, http::router::router(app.clone()), stopping.clone()));
        let mut loops = JoinSet::new();
        let internal = match internal {
            None => None,
            Some(Internal { listen, metrics }) => {
                loops.spawn(add_up(metrics.clone()));
                let router = http::internal::router(app.clone(), stopping, move || metrics.render());
                let (end, ending) = watch::channel(false);
                let mut listener = JoinSet::new();
                listener.spawn(http::listen::listen(bind(listen).await?, router, ending));
                Some((end, listener))
            }
        };
        for each in work::loops(&app, queues) {
            loops.spawn(each);
        }
        Ok(Self { address, listeners, internal, loops })
    }

    /// Lets running requests finish for at most `patience`, then ends everything.
    pub async fn finish(mut self, patience: Duration) {
        let all = async { while self.listeners.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
        self.loops.shutdown().await;
        if let Some((end, mut listener)) = self.internal {
            let _nobody_listens = end.send(true);
            let last = async { while listener.join_next().await.is_some() {} };
            let _ended_anyway = tokio::time::timeout(Duration::from_secs(1), last).await;
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Waits for SIGTERM or an interrupt from the terminal.
pub async fn interrupted() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

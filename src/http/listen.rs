//! Listening until told to stop; what runs by then is finished.

use axum::Router;
use std::future::Future;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Serves `router` until `stopping` turns true, then closes the listener and waits for the running requests.
pub fn listen(
    listener: TcpListener,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) -> impl Future<Output = std::io::Result<()>> + Send {
    let told = async move {
        let _sender_gone = stopping.wait_for(|stop| *stop).await;
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    async move { axum::serve(listener, service).with_graceful_shutdown(told).await }
}

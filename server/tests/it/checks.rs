//! Checks of the companion's own code that nothing else here would miss (`server/CHECKS.md`
//! has them all): each test fails when the check that it names is taken out.

mod cut;
mod endings;
mod login;
mod provider_logout;
mod records;
mod tickets;

use server::serve::serve;
use tokio::net::TcpListener;

use crate::harness::World;

/// Runs the companion from the signal on, until it has ended.
async fn ends_in_good_order(world: &World) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    world.state.closing().begin();
    let served = serve(
        listener,
        server::app(world.state.clone()),
        world.state.closing(),
    );
    served.await.unwrap();
}

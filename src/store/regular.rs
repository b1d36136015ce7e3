//! Regulars: those few who ask the same all day long, each over a connection of its own.
//!
//! A connection keeps its plans, and what it read lately, at hand. Taken from the pool that all share, each question would
//! come to another one, and each of those would plan it anew whenever statistics change. A regular whose connection is taken
//! asks over the shared pool: nobody waits for one, and nothing depends on having one.

use super::Store;
use sqlx::PgPool;
use std::sync::Arc;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regular {
    /// The writer of settled payments.
    Settling,
    /// The writer of bills.
    Bills,
    /// The writers of answers about people.
    Verifying,
    /// The look at whether clients may still ask.
    Standing,
    /// The look for what is due.
    Due,
    /// The sequencer of the audit log.
    Sequence,
}

impl Regular {
    const ALL: [Self; 6] =
        [Self::Settling, Self::Bills, Self::Verifying, Self::Standing, Self::Due, Self::Sequence];

    /// How many connections: as many as it asks over at once.
    const fn connections(self) -> u32 {
        match self {
            Self::Verifying => 2,
            Self::Settling | Self::Bills | Self::Standing | Self::Due | Self::Sequence => 1,
        }
    }
}

/// Their connections, each opened when it is first asked for.
#[derive(Clone)]
pub(super) struct Regulars(Arc<[PgPool; Regular::ALL.len()]>);

impl Regulars {
    /// To the database of that pool, in the same way.
    pub(super) fn beside(pool: &PgPool) -> Self {
        let own = |regular: Regular| {
            let options = pool.options().clone().max_connections(regular.connections());
            options.connect_lazy_with((*pool.connect_options()).clone())
        };
        Self(Arc::new(Regular::ALL.map(own)))
    }

    /// The pool of each.
    pub(super) fn pools(&self) -> impl Iterator<Item = &PgPool> {
        self.0.iter()
    }

    /// Gives the connections back.
    pub(super) async fn close(&self) {
        for pool in self.pools() {
            pool.close().await;
        }
    }
}

impl Store {
    /// Where a regular asks: over its own connection if that is free.
    pub(super) fn pool_of(&self, regular: Regular) -> &PgPool {
        // The order of `ALL` is that of the declaration.
        let own = &self.regulars.0[regular as usize];
        let idle = u32::try_from(own.num_idle()).unwrap_or_default();
        if own.size().saturating_sub(idle) < regular.connections() { own } else { &self.pool }
    }
}

//! Whoever watches how long a sign-in takes learns nothing of the number: what is done for one that nobody has, or whose holder may
//! not sign in, is what is done for any other. Work is counted, not time: statements of the database, draws of chance, messages.

use super::*;
use chung::base::entropy::{Entropy, SeededEntropy};
use chung::config::Limits;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::subscriber::set_default;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Every statement that the database was asked, in order.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut said = Said(String::new());
            event.record(&mut said);
            self.0.lock().unwrap().push(said.0);
        }
    }
}

/// What an event says of a statement, without its time and its rows.
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if ["summary", "db.statement"].contains(&field.name()) {
            self.0 += &format!("{}={value:?} ", field.name());
        }
    }
}

/// Counts how often chance is asked, and for how many bytes.
struct Counted(SeededEntropy, Arc<Mutex<(usize, usize)>>);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.1.lock().unwrap();
        *drawn = (drawn.0 + 1, drawn.1 + bytes.len());
        self.0.fill(bytes);
    }
}

/// What was done for one step of a sign-in.
#[derive(Debug, PartialEq, Eq)]
struct Work {
    status: u16,
    statements: Vec<String>,
    drawn: (usize, usize),
    messages: i64,
}

struct Watched {
    scene: Scene,
    statements: Statements,
    drawn: Arc<Mutex<(usize, usize)>>,
}

impl Watched {
    async fn set(statements: Statements) -> Self {
        let drawn = Arc::new(Mutex::new((0, 0)));
        let counted = drawn.clone();
        let world = TestApp::start_as(Limits::default(), |parts, _| {
            parts.entropy = Arc::new(Counted(SeededEntropy::new(1), counted));
        })
        .await;
        world
            .register(&[
                "079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
                "079085000457,,Trần Văn Khóa,1985,male,0912345219,79,locked,,1,",
                "079085000459,,Phạm Văn Đầu,1985,male,0912345221,79,active,,1,",
            ])
            .await;
        let portal = portal(&world, "hcmc", Assurance::Low).await;
        Self { scene: Scene { world, portal }, statements, drawn }
    }

    /// What is done while that happens.
    async fn work(&self, step: impl AsyncFnOnce() -> Answer) -> (Work, Answer) {
        let messages = async || self.scene.world.count("outbox where topic = 'message'").await;
        let before = messages().await;
        self.statements.0.lock().unwrap().clear();
        *self.drawn.lock().unwrap() = (0, 0);
        let answer = step().await;
        let statements = std::mem::take(&mut *self.statements.0.lock().unwrap());
        let drawn = *self.drawn.lock().unwrap();
        let messages = messages().await - before;
        (Work { status: answer.status, statements, drawn, messages }, answer)
    }

    /// A sign-in by that number, and wrong codes until none is left: the work of each step.
    async fn sign_in(&self, number: &str, way: &str) -> Vec<Work> {
        let citizen = self.scene.world.stranger();
        let page = follow(&citizen, &self.scene.request(&[])).await;
        let form = async || {
            let form = [
                ("form_token", page.form_field("form_token")),
                ("number", number.to_owned()),
                ("way", way.to_owned()),
            ];
            submit(&citizen, &page, "", &form).await
        };
        let (typed, page) = self.work(form).await;
        let mut done = vec![typed];
        for _ in 0..5 {
            let (wrong, _) = self.work(async || self.scene.code(&citizen, &page, "000000").await).await;
            done.push(wrong);
        }
        done
    }
}

#[tokio::test]
async fn the_work_of_a_sign_in_does_not_tell_whether_a_number_is_known() {
    let statements = Statements::default();
    // Where there is one subscriber only, what other tests' threads meet first is decided by theirs, which have none, and
    // would be heard nowhere.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let _watching = set_default(tracing_subscriber::registry().with(statements.clone()));
    let watched = Watched::set(statements).await;
    for (way, queued) in [("sms", 1), ("app", 0)] {
        // Somebody else first: connections and caches are warm for all that are compared.
        watched.sign_in("079085000459", way).await;
        let known = watched.sign_in(HOA, way).await;
        assert!(known[0].statements.len() > 5, "they are counted: {known:?}");
        assert!(known[0].drawn.0 > 1 && known[0].messages == queued, "{:?}", known[0]);
        assert_eq!(known.iter().map(|step| step.status).collect::<Vec<_>>(), [200, 422, 422, 422, 422, 422]);
        for other in [NOBODY, LOCKED] {
            let done = watched.sign_in(other, way).await;
            for (nth, (one, other)) in known.iter().zip(&done).enumerate() {
                assert_eq!(one, other, "step {nth} by {way}");
            }
        }
    }
}

//! Alarms whose handlers leave their turn.

use tokio::sync::Semaphore;

use super::*;
use crate::object::Turns;

/// What an alarm waits for, and what it gets there.
struct Outside {
    answers: Semaphore,
    fails: AtomicUsize,
    begun: AtomicUsize,
}

/// Writes down what happens.
struct Pager(Arc<Outside>);

impl Pager {
    fn note(ctx: &mut Context, line: &str) -> Result<()> {
        let mut lines: Vec<String> = ctx.storage().get("lines")?.unwrap_or_default();
        lines.push(line.to_owned());
        ctx.storage().put("lines", &lines)
    }
}

impl DurableObject for Pager {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let number = request.uri().query().and_then(|query| query.parse::<i64>().ok());
        match request.uri().path() {
            "/set" => ctx.set_alarm(ctx.now_ms() + number.unwrap_or_default() * 1000)?,
            "/alarm" => return Ok(Response::new(format!("{:?}", ctx.alarm()?).into())),
            "/leave" => ctx.leave_alarm(|_: Turns<Self>| async { Ok(()) })?,
            _ => {
                let lines: Vec<String> = ctx.storage().get("lines")?.unwrap_or_default();
                return Ok(Response::new(lines.join(", ").into()));
            }
        }
        Ok(Response::new(Body::empty()))
    }

    async fn alarm(&mut self, info: AlarmInfo, ctx: &mut Context) -> Result<()> {
        assert_eq!(ctx.alarm()?, None, "none is set while it runs");
        Self::note(ctx, &format!("begun {}", info.retry_count))?;
        let outside = self.0.clone();
        outside.begun.fetch_add(1, Ordering::SeqCst);
        ctx.leave_alarm(move |object: Turns<Self>| async move {
            outside.answers.acquire().await.expect("it is never closed").forget();
            if outside.fails.load(Ordering::SeqCst) > 0 {
                outside.fails.fetch_sub(1, Ordering::SeqCst);
                return Err(Error::conflict("not yet"));
            }
            object
                .turn(|_, ctx| {
                    assert_eq!(ctx.alarm()?, None, "none is set while it runs");
                    Self::note(ctx, "ended")
                })
                .await
        })
    }
}

struct Pagers {
    post: Post,
    outside: Arc<Outside>,
}

impl Pagers {
    fn new() -> Self {
        let (answers, fails, begun) = (Semaphore::new(0), Default::default(), Default::default());
        let outside = Arc::new(Outside { answers, fails, begun });
        let app = App::new().class("Pager", {
            let outside = outside.clone();
            move || Pager(outside.clone())
        });
        Self { post: Post::of(app, Arc::new(ManualClock::default())), outside }
    }

    async fn get(&self, server: &Server, uri: &str) -> Result<String> {
        let object = Tenant::local().object("Pager", "a").expect("a good id");
        let request = http::Request::post(uri).body(Body::empty()).expect("a request");
        self.post.fetch(server, object, request).await
    }

    async fn lines(&self, server: &Server) -> String {
        self.get(server, "/lines").await.expect("it answers")
    }

    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.post.pass(Duration::from_secs(1)).await;
        }
    }

    fn begun(&self) -> usize {
        self.outside.begun.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn an_alarm_that_has_left_its_turn_runs_once_and_others_are_served_meanwhile() {
    for ownership in BOTH {
        let pagers = Pagers::new();
        let server = pagers.post.server_with(ownership).await;
        pagers.get(&server, "/set?5").await.expect("it is set");
        pagers.pass(10).await;
        assert_eq!(pagers.lines(&server).await, "begun 0");
        assert_eq!(pagers.get(&server, "/alarm").await.expect("it answers"), "None");
        // Far longer than it is believed to be under way at first.
        pagers.pass(500).await;
        assert_eq!(pagers.begun(), 1, "{ownership:?}");
        pagers.outside.answers.add_permits(1);
        pagers.pass(5).await;
        assert_eq!(pagers.lines(&server).await, "begun 0, ended");
        pagers.pass(2000).await;
        assert_eq!(pagers.lines(&server).await, "begun 0, ended", "{ownership:?}");
        assert_eq!(pagers.post.keys(MARKERS).await.len(), 0);
    }
}

#[tokio::test]
async fn an_alarm_that_fails_outside_of_its_turn_runs_again() {
    for ownership in BOTH {
        let pagers = Pagers::new();
        let server = pagers.post.server_with(ownership).await;
        pagers.outside.fails.store(2, Ordering::SeqCst);
        pagers.outside.answers.add_permits(3);
        pagers.get(&server, "/set?5").await.expect("it is set");
        pagers.pass(60).await;
        let lines = pagers.lines(&server).await;
        assert_eq!(lines, "begun 0, begun 1, begun 2, ended", "{ownership:?}");
        assert_eq!(pagers.get(&server, "/alarm").await.expect("it answers"), "None");
    }
}

#[tokio::test]
async fn an_alarm_that_was_under_way_at_a_crash_runs_again() {
    for ownership in BOTH {
        let pagers = Pagers::new();
        let server = pagers.post.server_with(ownership).await;
        pagers.get(&server, "/set?5").await.expect("it is set");
        pagers.pass(10).await;
        assert_eq!(pagers.begun(), 1);
        server.crash();
        let other = pagers.post.server_with(ownership).await;
        pagers.pass(200).await;
        assert_eq!(pagers.begun(), 2, "{ownership:?}");
        pagers.outside.answers.add_permits(2);
        pagers.pass(200).await;
        assert_eq!(pagers.lines(&other).await, "begun 0, begun 0, ended", "{ownership:?}");
    }
}

#[tokio::test]
async fn an_alarm_that_is_set_while_one_is_under_way_takes_its_place() {
    for ownership in BOTH {
        let pagers = Pagers::new();
        let server = pagers.post.server_with(ownership).await;
        pagers.get(&server, "/set?5").await.expect("it is set");
        pagers.pass(10).await;
        pagers.get(&server, "/set?20").await.expect("it is set");
        pagers.outside.fails.store(1, Ordering::SeqCst);
        pagers.outside.answers.add_permits(2);
        pagers.pass(10).await;
        assert_ne!(pagers.get(&server, "/alarm").await.expect("it answers"), "None");
        pagers.pass(40).await;
        let lines = pagers.lines(&server).await;
        assert_eq!(lines, "begun 0, begun 0, ended", "the failure of the first is of no matter");
    }
}

#[tokio::test]
async fn what_is_no_alarm_can_not_leave_one() {
    let pagers = Pagers::new();
    let server = pagers.post.server().await;
    let error = pagers.get(&server, "/leave").await.expect_err("it is a request");
    assert_eq!(error.code(), "NO_ALARM");
}

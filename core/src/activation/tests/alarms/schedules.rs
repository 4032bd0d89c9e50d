//! Schedules: many of an object, beside its alarm.

use super::*;
use crate::object::Schedule;

/// Writes down what runs when, in minutes since it was first asked.
struct Planner;

impl Planner {
    fn note(ctx: &mut Context, line: String) -> Result<()> {
        let begun_ms = ctx.storage().get::<i64>("begun_ms")?.unwrap_or_default();
        let minute = (ctx.now_ms() - begun_ms) / 60_000;
        let mut lines: Vec<String> = ctx.storage().get("lines")?.unwrap_or_default();
        lines.push(format!("{minute} {line}"));
        ctx.storage().put("lines", &lines)
    }
}

impl DurableObject for Planner {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if ctx.storage().get::<i64>("begun_ms")?.is_none() {
            let now_ms = ctx.now_ms();
            ctx.storage().put("begun_ms", &now_ms)?;
        }
        let query = request.uri().query().unwrap_or_default().replace('+', " ");
        let (name, when) = query.split_once('=').unwrap_or((&query, ""));
        match request.uri().path() {
            "/at" => {
                let minutes: i64 = when.parse().expect("a number");
                let at_ms = ctx.now_ms() + minutes * 60_000;
                ctx.schedule(name, at_ms, &(name, minutes))?;
            }
            "/cron" => ctx.schedule(name, when, "cron")?,
            "/cancel" => {
                let cancelled = ctx.cancel_schedule(name)?;
                return Ok(Response::new(cancelled.to_string().into()));
            }
            "/alarm" => ctx.set_alarm(ctx.now_ms() + 120_000)?,
            "/fails" => ctx.storage().put("fails", &2)?,
            "/delete-all" => ctx.delete_all()?,
            "/list" => {
                let list = ctx.schedules()?;
                let found = ctx.find_schedule(name)?.is_some();
                let names: Vec<String> = list.into_iter().map(|of| of.name).collect();
                return Ok(Response::new(format!("{} {found}", names.join(",")).into()));
            }
            _ => {
                let lines: Vec<String> = ctx.storage().get("lines")?.unwrap_or_default();
                return Ok(Response::new(lines.join("\n").into()));
            }
        }
        Ok(Response::new(Body::empty()))
    }

    async fn alarm(&mut self, info: AlarmInfo, ctx: &mut Context) -> Result<()> {
        Self::note(ctx, format!("alarm {}", info.retry_count))
    }

    async fn scheduled(&mut self, schedule: Schedule, ctx: &mut Context) -> Result<()> {
        assert_eq!(ctx.caller().object(), Some(ctx.id()), "it acts for itself");
        let payload: serde_json::Value = schedule.payload()?;
        let is_left = ctx.find_schedule(&schedule.name)?.is_some();
        assert_eq!(is_left, schedule.cron.is_some(), "only what is repeated is left");
        let fails: u32 = ctx.storage().get("fails")?.unwrap_or(0);
        Self::note(ctx, format!("{} {payload} {}", schedule.name, schedule.retry_count))?;
        if schedule.retry_count < fails {
            return Err(Error::conflict("not yet"));
        }
        Ok(())
    }
}

/// A world with planners.
struct Plans(Bells);

impl Plans {
    fn new() -> Self {
        let (clock, running) = (Arc::new(ManualClock::default()), Arc::new(Running::default()));
        let app = App::new().class("Planner", || Planner).class("Deaf", || Careless);
        Self(Bells { post: Post::of(app, clock), running })
    }

    async fn try_ask(&self, server: &Server, uri: &str) -> Result<String> {
        let planner = Tenant::local().object("Planner", "a").expect("a good id");
        let request = http::Request::post(uri).body(Body::empty()).expect("a request");
        self.0.post.fetch(server, planner, request).await
    }

    async fn ask(&self, server: &Server, uri: &str) -> String {
        self.try_ask(server, uri).await.expect("it answers")
    }

    async fn minutes(&self, minutes: u64) {
        self.0.pass(minutes * 60).await;
    }
}

/// A class without a handler of schedules.
struct Careless;

impl DurableObject for Careless {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if request.uri().path() == "/look" {
            let query = "SELECT error FROM _dotdo_schedule WHERE retries > 0";
            let error: Option<String> = ctx.sql().exec(query, ())?.first()?;
            return Ok(Response::new(error.unwrap_or_default().into()));
        }
        ctx.schedule("x", ctx.now_ms(), &())?;
        Ok(Response::new(Body::empty()))
    }
}

#[tokio::test]
async fn schedules_run_at_their_times_beside_the_alarm_and_can_be_cancelled() {
    for ownership in BOTH {
        let plans = Plans::new();
        let server = plans.0.post.server_with(ownership).await;
        plans.ask(&server, "/at?late=3").await;
        plans.ask(&server, "/at?early=1").await;
        plans.ask(&server, "/at?never=1").await;
        plans.ask(&server, "/at?moved=1").await;
        plans.ask(&server, "/at?moved=4").await;
        plans.ask(&server, "/alarm").await;
        assert_eq!(plans.ask(&server, "/list?early").await, "early,late,moved,never true");
        assert_eq!(plans.ask(&server, "/cancel?never").await, "true");
        assert_eq!(plans.ask(&server, "/cancel?never").await, "false");
        plans.minutes(10).await;
        let expected = [
            "1 early [\"early\",1] 0",
            "2 alarm 0",
            "3 late [\"late\",3] 0",
            "4 moved [\"moved\",4] 0",
        ];
        assert_eq!(plans.ask(&server, "/lines").await, expected.join("\n"), "{ownership:?}");
        assert_eq!(plans.ask(&server, "/list?early").await, " false");
        assert_eq!(plans.0.markers().await, 0);
    }
}

#[tokio::test]
async fn a_cron_expression_repeats_a_schedule_until_it_is_cancelled() {
    for ownership in BOTH {
        let plans = Plans::new();
        let server = plans.0.post.server_with(ownership).await;
        plans.ask(&server, "/cron?often=*/2+*+*+*+*").await;
        plans.minutes(5).await;
        assert_eq!(plans.ask(&server, "/cancel?often").await, "true");
        plans.minutes(5).await;
        let lines = plans.ask(&server, "/lines").await;
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(lines.lines().all(|line| line.ends_with("often \"cron\" 0")), "{lines}");
        for bad in ["/cron?x=every+day", "/cron?x=0+0+30+2+*", "/at?=1"] {
            let error = plans.try_ask(&server, bad).await.expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
        }
    }
}

#[tokio::test]
async fn a_schedule_that_fails_runs_again_and_the_others_run_meanwhile() {
    for ownership in BOTH {
        let plans = Plans::new();
        let server = plans.0.post.server_with(ownership).await;
        plans.ask(&server, "/at?a=1").await;
        plans.ask(&server, "/fails").await;
        plans.minutes(3).await;
        // What failed was rolled back, and each try knows how many failed before.
        assert_eq!(plans.ask(&server, "/lines").await, "1 a [\"a\",1] 2", "{ownership:?}");
        assert_eq!(plans.ask(&server, "/list?a").await, " false");
    }
}

#[tokio::test]
async fn the_schedules_of_a_crashed_server_are_run_by_another_and_missed_times_are_one_run() {
    for ownership in BOTH {
        let plans = Plans::new();
        let server = plans.0.post.server_with(ownership).await;
        plans.ask(&server, "/cron?often=*+*+*+*+*").await;
        plans.ask(&server, "/at?once=5").await;
        server.crash();
        plans.minutes(10).await;
        let other = plans.0.post.server_with(ownership).await;
        plans.0.pass(61).await;
        let lines = plans.ask(&other, "/lines").await;
        let of = |name: &str| lines.lines().filter(|line| line.contains(name)).count();
        assert_eq!((of("once"), of("often")), (1, 2), "{ownership:?}: {lines}");
    }
}

#[tokio::test]
async fn an_object_that_deletes_all_has_no_schedules() {
    let plans = Plans::new();
    let server = plans.0.post.server().await;
    plans.ask(&server, "/cron?often=*+*+*+*+*").await;
    plans.ask(&server, "/delete-all").await;
    plans.minutes(5).await;
    assert_eq!(plans.ask(&server, "/lines").await, "");
    assert_eq!(plans.ask(&server, "/list?often").await, " false");
}

#[tokio::test]
async fn a_schedule_of_a_class_without_a_handler_waits_for_one() {
    let plans = Plans::new();
    let server = plans.0.post.server().await;
    let ask = |uri| {
        let deaf = Tenant::local().object("Deaf", "a").expect("a good id");
        let request = http::Request::post(uri).body(Body::empty()).expect("a request");
        plans.0.post.fetch(&server, deaf, request)
    };
    ask("/").await.expect("it is set");
    plans.minutes(1).await;
    let error = ask("/look").await.expect("it is asked");
    assert!(error.starts_with("NO_SCHEDULE_HANDLER: "), "{error}");
}

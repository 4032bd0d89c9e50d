//! A lobby for games of tic-tac-toe: two players each, any number of spectators, over WebSockets.
//! A game goes on where it was when a player's connection breaks or the server is replaced: the
//! board is in the database, and a player who comes back has the same side.
//!
//! In a browser: `new WebSocket("ws://127.0.0.1:8787/do/game-7/play?as=ada")`. The first two names
//! play, others watch. A client sends a field, `0` to `8`; everybody gets the game after each move:
//! `{"board": "X..O.....", "turn": "ada", "winner": null}`.

use std::process::ExitCode;

use dotdo::sockets::{SocketMessage, WebSocket};
use dotdo::{
    App, Class, Context, DurableObject, IntoResponse, Json, Matcher, Request, RequestExt, Response,
    Result, ResultExt,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The fields that win.
const LINES: [[usize; 3]; 8] =
    [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];

#[derive(Default)]
struct Game;

impl Class for Game {
    const NAME: &'static str = "Game";
}

/// A game: its players, and their moves in order.
#[derive(Default, Serialize, Deserialize)]
struct Table {
    players: Vec<String>,
    moves: Vec<usize>,
}

impl Table {
    fn load(ctx: &mut Context) -> Result<Self> {
        Ok(ctx.storage().get("table")?.unwrap_or_default())
    }

    /// The field's owner: 0, 1, or nobody.
    fn owner(&self, field: usize) -> Option<usize> {
        self.moves.iter().position(|moved| *moved == field).map(|number| number % 2)
    }

    fn winner(&self) -> Option<&String> {
        let has_won = |side| {
            LINES.iter().any(|line| line.iter().all(|field| self.owner(*field) == Some(side)))
        };
        (0..2).find(|side| has_won(*side)).and_then(|side| self.players.get(side))
    }

    fn turn(&self) -> Option<&String> {
        let is_over = self.winner().is_some() || self.moves.len() == 9;
        self.players.get(self.moves.len() % 2).filter(|_| !is_over)
    }

    /// The game as everybody sees it.
    fn text(&self) -> String {
        let field = |field| match self.owner(field) {
            Some(0) => 'X',
            Some(_) => 'O',
            None => '.',
        };
        let board: String = (0..9).map(field).collect();
        json!({ "board": board, "turn": self.turn(), "winner": self.winner() }).to_string()
    }

    /// Why this player can't move there; `None` when they can.
    fn refusal(&self, player: &str, field: usize) -> Option<&'static str> {
        match self.turn() {
            _ if field > 8 => Some("expected a field from 0 to 8"),
            _ if self.players.len() < 2 => Some("the other player is not here yet"),
            None => Some("the game is over"),
            Some(turn) if turn != player => Some("it is not your turn"),
            Some(_) if self.owner(field).is_some() => Some("the field is taken"),
            Some(_) => None,
        }
    }
}

impl DurableObject for Game {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.get("/play") {
            let name = request.query("as").or_invalid("`as`: expected a name")?;
            sit_down(&request, &name, ctx)
        } else if let Some([]) = on.get("/watching") {
            let watching = ctx.sockets(Some("spectator"))?.len();
            Json(watching).into_response()
        } else {
            on.otherwise()
        }
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let (mut table, name) = (Table::load(ctx)?, socket.attachment::<String>()?);
        let name = name.unwrap_or_default();
        let field = message.text().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        if let Some(refusal) = table.refusal(&name, field) {
            return socket.send(ctx, json!({ "error": refusal }).to_string());
        }
        table.moves.push(field);
        ctx.storage().put("table", &table)?;
        ctx.broadcast(None, table.text())
    }
}

fn sit_down(request: &Request, name: &str, ctx: &mut Context) -> Result<Response> {
    let (mut socket, mut table) = (request.websocket()?, Table::load(ctx)?);
    let is_player = table.players.iter().any(|player| player == name);
    if !is_player && table.players.len() < 2 {
        table.players.push(name.to_owned());
        ctx.storage().put("table", &table)?;
    }
    let plays = table.players.iter().any(|player| player == name);
    ctx.accept(&mut socket, &[if plays { "player" } else { "spectator" }])?;
    socket.set_attachment(ctx, name)?;
    ctx.broadcast(None, table.text())?;
    Ok(socket.upgraded())
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().register::<Game>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}

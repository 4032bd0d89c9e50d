//! `game.rs`

use dotdo::testing::{TestServer, TestSocket};
use serde_json::{Value, json};

use crate::programs::game::app;

async fn play(server: &TestServer, name: &str) -> TestSocket {
    let socket = server.get(&format!("/do/game-7/play?as={name}")).websocket().await;
    socket.unwrap_or_else(|answer| panic!("{name}: {}", answer.text()))
}

async fn next(socket: &TestSocket) -> Value {
    serde_json::from_str(&socket.text().await).expect("JSON")
}

#[tokio::test]
async fn two_play_and_others_watch_and_a_crash_does_not_end_the_game() {
    let mut server = TestServer::start(app()).await;
    let ada = play(&server, "ada").await;
    ada.send("4").await;
    assert_eq!(next(&ada).await["board"], ".........");
    assert_eq!(next(&ada).await, json!({"error": "the other player is not here yet"}));
    let bob = play(&server, "bob").await;
    let eve = play(&server, "eve").await;
    assert_eq!(server.get("/do/game-7/watching").await.json::<u64>(), 1);
    for (player, field, expected) in [
        (&ada, "4", "....X...."),
        (&ada, "0", "it is not your turn"),
        (&eve, "0", "it is not your turn"),
        (&bob, "4", "the field is taken"),
        (&bob, "nine", "expected a field from 0 to 8"),
        (&bob, "0", "O...X...."),
        (&ada, "2", "O.X.X...."),
    ] {
        player.send(field).await;
        // What was sent before comes first.
        loop {
            let answer = next(player).await;
            if [&answer["error"], &answer["board"]].iter().any(|text| **text == expected) {
                break;
            }
        }
    }
    server.crash().await;
    let (ada, bob) = (play(&server, "ada").await, play(&server, "bob").await);
    assert_eq!(next(&bob).await, json!({"board": "O.X.X....", "turn": "bob", "winner": null}));
    bob.send("1").await;
    ada.send("6").await;
    loop {
        let game = next(&ada).await;
        if game["winner"] == "ada" {
            assert_eq!(game, json!({"board": "OOX.X.X..", "turn": null, "winner": "ada"}));
            break;
        }
    }
    ada.send("8").await;
    assert_eq!(next(&ada).await, json!({"error": "the game is over"}));
}

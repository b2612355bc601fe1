//! Gitea's and Forgejo's answers, under `/api/v1`: no token of theirs has an end.

use serde_json::json;

use super::State;
use super::http::{Request, Response};

pub(super) fn answer(state: &State, request: &Request) -> Response {
    let documentation = format!("{}/api/swagger", state.url);
    let refused = |status, message: &str| {
        Response::json(status, &json!({"message": message, "url": documentation}))
    };
    let Some(secret) = request.secret() else {
        return refused(401, "token is required");
    };
    let Some(token) = state.token(&secret).filter(|token| !token.is_dead()) else {
        return refused(401, "user does not exist [uid: 0, name: ]");
    };
    match request.path.strip_prefix("/api/v1").unwrap_or("") {
        "/version" => Response::json(200, &json!({"version": "1.24.0"})),
        "/user" if token.has("read:user") || token.has("all") => {
            Response::json(200, &json!({"id": 1, "login": "alice", "is_admin": false}))
        }
        "/user" => {
            let scopes = token.scopes.join(",");
            let message = format!(
                "token does not have at least one of required scope(s), required=[read:user], token scope={scopes}"
            );
            refused(403, &message)
        }
        _ => refused(404, "The target couldn't be found."),
    }
}

//! GitLab's answers, under `/api/v4`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};

use super::http::{Request, Response};
use super::{Fate, State, Token};

pub(super) fn answer(state: &mut State, request: &Request) -> Response {
    let path = request.path.strip_prefix("/api/v4").unwrap_or("");
    let Some(secret) = request.secret() else {
        return Response::json(401, &json!({"message": "401 Unauthorized"}));
    };
    let Some(token) = state.token(&secret).cloned() else {
        return Response::json(401, &json!({"message": "401 Unauthorized"}));
    };
    if path == "/personal_access_tokens/self/rotate" && request.method == "POST" {
        return rotate(state, &token, request);
    }
    if token.is_dead() && !state.tells_of_the_dead {
        return dead(&token);
    }
    match (&request.method[..], path) {
        _ if token.fate == Fate::OtherKind => {
            Response::json(400, &json!({"message": "400 Bad request"}))
        }
        ("GET", "/personal_access_tokens/self") => Response::json(200, &described(&token)),
        ("DELETE", "/personal_access_tokens/self") => {
            state.change(&token.name, |token| token.fate = Fate::Revoked);
            Response::new(204)
        }
        ("GET", "/user") if token.has("api") || token.has("read_user") => Response::json(
            200,
            &json!({"id": 1, "username": "alice", "state": "active"}),
        ),
        ("GET", "/user") => no_scope("api read_user"),
        ("GET", path) if path.starts_with("/projects/") => {
            if token.fate == Fate::SeesNoRepository {
                return Response::json(404, &json!({"message": "404 Project Not Found"}));
            }
            Response::json(200, &json!({"id": 1, "path_with_namespace": "acme/r"}))
        }
        _ => Response::json(404, &json!({"error": "404 Not Found"})),
    }
}

fn dead(token: &Token) -> Response {
    let query = if token.fate == Fate::Revoked {
        "Token was revoked. You have to re-authorize from the user."
    } else {
        "Token is expired. You can either do re-authorization or token refresh."
    };
    let realm = format!(
        "Bearer realm=\"Protected by OAuth 2.0\", error=\"invalid_token\", error_description=\"{query}\""
    );
    Response::json(
        401,
        &json!({"error": "invalid_token", "error_description": query}),
    )
    .with("WWW-Authenticate", realm)
}

fn no_scope(wanted: &str) -> Response {
    let body = json!({
        "error": "insufficient_scope",
        "error_description": "The request requires higher privileges than provided by the access token.",
        "scope": wanted,
    });
    Response::json(403, &body)
}

fn described(token: &Token) -> Value {
    json!({
        "id": token.number,
        "name": token.name,
        "description": null,
        "revoked": token.fate == Fate::Revoked,
        "created_at": "2026-01-02T03:04:05.678Z",
        "scopes": token.scopes,
        "user_id": 1,
        "last_used_at": "2026-11-20T08:00:00.000Z",
        "active": !token.is_dead(),
        "expires_at": token.ends.map(day),
    })
}

/// The day at whose start, in UTC, it ends.
fn day(ends: u64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(ends.cast_signed()).unwrap();
    moment
        .date()
        .format(&format_description!("[year]-[month]-[day]"))
        .unwrap()
}

/// The old one dies with the answer. Whoever comes with one that is revoked already is a thief: nobody of its family lives on.
fn rotate(state: &mut State, token: &Token, request: &Request) -> Response {
    if token.fate == Fate::Revoked {
        for relative in &mut state.tokens {
            if relative.family == token.family {
                relative.fate = Fate::Revoked;
            }
        }
        return dead(token);
    }
    if token.is_dead() {
        return dead(token);
    }
    if !token.has("api") && !token.has("self_rotate") {
        return no_scope("api self_rotate");
    }
    let today = OffsetDateTime::now_utc().date();
    let ends = match wanted_end(request) {
        None => today + Duration::days(7),
        Some(Ok(date)) if date > today && date <= today + Duration::days(365) => date,
        Some(_) => {
            return Response::json(
                400,
                &json!({"message": "400 Bad request - Expiration date must be in the future, within 365 days"}),
            );
        }
    };
    state.change(&token.name, |token| token.fate = Fate::Revoked);
    let number = state.tokens.len() + 1;
    let new = Token {
        name: format!("{}+", token.name),
        secret: format!("glpat-rotated-{number}.{}", state.url.len() * 7919 + number),
        ends: Some(
            ends.midnight()
                .assume_utc()
                .unix_timestamp()
                .cast_unsigned(),
        ),
        number,
        ..token.clone()
    };
    let mut body = described(&new);
    body["token"] = json!(new.secret);
    state.tokens.push(new);
    Response::json(200, &body)
}

/// In the body, as JSON or as a form, or behind the question mark.
fn wanted_end(request: &Request) -> Option<Result<Date, ()>> {
    let text = if let Ok(body) = serde_json::from_slice::<Value>(&request.body) {
        body.get("expires_at")
            .and_then(Value::as_str)
            .map(str::to_owned)
    } else {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let pairs = form.split('&').chain(request.query.split('&'));
        let pairs: BTreeMap<_, _> = pairs.filter_map(|pair| pair.split_once('=')).collect();
        pairs.get("expires_at").map(|value| (*value).to_owned())
    }?;
    Some(Date::parse(&text, &format_description!("[year]-[month]-[day]")).map_err(drop))
}

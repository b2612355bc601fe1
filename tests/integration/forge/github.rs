//! GitHub's answers, as an Enterprise Server gives them: under `/api/v3` of its own host.

use serde_json::{Value, json};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::http::{Request, Response};
use super::{Dates, Fate, State, Token};

const DOCUMENTATION: &str = "https://docs.github.com/rest";

pub(super) fn answer(state: &mut State, request: &Request) -> Response {
    let path = request.path.strip_prefix("/api/v3").unwrap_or("");
    if path == "/credentials/revoke" {
        return revoke(state, request);
    }
    let Some(secret) = request.secret() else {
        return refused(401, "Requires authentication");
    };
    if state.is_locked_out() {
        return refused(
            403,
            "Maximum number of login attempts exceeded. Please try again later.",
        );
    }
    let Some(token) = state
        .token(&secret)
        .filter(|token| !token.is_dead())
        .cloned()
    else {
        state.failed_attempts += 1;
        return refused(401, "Bad credentials");
    };
    match token.fate {
        Fate::NeedsSso => {
            let message = "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.";
            let link = format!("{}/orgs/acme/sso?authorization_request=AAAA", state.url);
            return refused(403, message).with("X-GitHub-SSO", format!("required; url={link}"));
        }
        Fate::LivesTooLong => {
            return refused(
                403,
                "The 'acme' organization forbids access via a personal access token (classic) if the token's lifetime is greater than 366 days. Please adjust your token's lifetime at the following URL: https://github.com/settings/tokens",
            );
        }
        _ => {}
    }
    match path {
        "" | "/" | "/meta" => ok(
            state,
            &token,
            &json!({"verifiable_password_authentication": false}),
        ),
        "/user" => ok(
            state,
            &token,
            &json!({"login": "alice", "id": 1, "type": "User"}),
        ),
        "/rate_limit" => {
            let core = json!({"limit": 5000, "remaining": 4999, "reset": 1_700_000_000, "used": 1});
            ok(
                state,
                &token,
                &json!({"resources": {"core": core}, "rate": core}),
            )
        }
        _ => repository(state, &token, path),
    }
}

fn repository(state: &State, token: &Token, path: &str) -> Response {
    let is_there = path.starts_with("/repos/") && token.fate != Fate::SeesNoRepository;
    // A classic token without `repo` sees public repositories only, and ours is none.
    let may_see = token.is_fine_grained() || token.has("repo");
    if !is_there || !may_see {
        return with_facts(state, token, refused(404, "Not Found"));
    }
    let may_push = token.fate != Fate::MayNotPush;
    let permissions = json!({"admin": false, "push": may_push, "pull": true});
    ok(
        state,
        token,
        &json!({"name": "r", "private": true, "permissions": permissions}),
    )
}

fn ok(state: &State, token: &Token, body: &Value) -> Response {
    with_facts(state, token, Response::json(200, body))
}

/// What every answer to a good token tells of it.
fn with_facts(state: &State, token: &Token, mut response: Response) -> Response {
    response = response.with("Server", "GitHub.com");
    if token.is_fine_grained() {
        response = response.with("X-Accepted-GitHub-Permissions", "metadata=read");
    } else {
        response = response
            .with("X-OAuth-Scopes", token.scopes.join(", "))
            .with("X-Accepted-OAuth-Scopes", "");
    }
    let moment = match (state.dates, token.ends) {
        // The trap: whatever the end is, this is said.
        (Dates::OfTheRequest, _) => Some(OffsetDateTime::now_utc()),
        (_, None) => None,
        (_, Some(ends)) => OffsetDateTime::from_unix_timestamp(ends.cast_signed()).ok(),
    };
    if let Some(moment) = moment {
        let utc = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
        let local = format_description!(
            "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
        );
        let text = match state.dates {
            Dates::Utc => moment.format(&utc),
            Dates::Offset | Dates::OfTheRequest => moment
                .to_offset(UtcOffset::from_hms(2, 0, 0).unwrap())
                .format(&local),
        };
        response = response.with("GitHub-Authentication-Token-Expiration", text.unwrap());
    }
    response
}

fn refused(status: u16, message: &str) -> Response {
    let body = json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()});
    Response::json(status, &body).with("Server", "GitHub.com")
}

/// github.com wants no authentication here, and 403 is for those who bring one; Enterprise Server wants it.
fn revoke(state: &mut State, request: &Request) -> Response {
    if request.method != "POST" {
        return refused(404, "Not Found");
    }
    let secret = request.secret();
    let is_known = secret
        .as_deref()
        .and_then(|secret| state.token(secret))
        .is_some();
    match (state.revocation_wants_authentication, secret.is_some()) {
        (false, true) => return refused(403, "This endpoint does not support authentication"),
        (true, _) if !is_known => return refused(401, "Requires authentication"),
        _ => {}
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(credentials) = body.get("credentials").and_then(Value::as_array) else {
        return refused(422, "Validation Failed");
    };
    for secret in credentials.iter().filter_map(Value::as_str) {
        if let Some(token) = state.tokens.iter_mut().find(|token| token.secret == secret) {
            token.fate = Fate::Revoked;
        }
    }
    // It says the same whether it knew them or not.
    Response::json(202, &json!({})).with("Server", "GitHub.com")
}

//! What `import` asks of its sources.

use crate::credential::query::Query;
use crate::helper::issuer::{DefaultUsername, Issuers};
use crate::helper::storages::Storages;
use crate::neighbour::environment;

/// The username for a token without a known forge. GitHub, GitLab, Gitea and Azure DevOps accept any.
const ANY_USER: &str = "x-access-token";

/// The username for the token in `variable`, if the forge of `wanted` accepts one that is not the token's own.
pub fn username_of(
    issuers: &Issuers,
    wanted: Option<&Query>,
    variable: &str,
) -> Option<&'static str> {
    let token = environment::token(variable).ok()?;
    match issuers.username(&wanted?.key()?, &token, Some(variable)) {
        DefaultUsername::Known(name) => Some(name),
        DefaultUsername::Own => None,
        DefaultUsername::Unknown => Some(ANY_USER),
    }
}

/// The queries for git's cache, which does not list its contents: `wanted`, and the keys of the storages.
pub fn cache_queries(storages: &Storages, wanted: Option<&Query>) -> Vec<Query> {
    let mut queries: Vec<Query> = wanted.map(Query::duplicate).into_iter().collect();
    let listed = storages.list_all().map(|outcome| outcome.value);
    for (_, listed) in listed.unwrap_or_default() {
        queries.push(Query::of(&listed.key));
    }
    queries
}

//! The law as a table, from the roof down: each room, and the rooms that it may import.
//! `UPDATE_LAW=1 cargo test --locked --test integration -- import_law` writes this file anew from the imports in `src`.

/// A room is a path below `src`. The longest path in the first column owns a file: to split a room, add a line for its part.
#[rustfmt::skip]
pub const ROOMS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", &["cli"]),
    ("tasks", &[]),
    ("cli", &["config", "credential", "daemon", "desktop", "files", "forge", "git", "helper", "helper/issuer", "helper/lookup", "helper/token_state", "journal", "neighbour/configured", "neighbour/registry", "platform", "protocol", "secret", "storage", "tasks/accounts", "tasks/calls", "tasks/clean", "tasks/doctor", "tasks/import", "tasks/location", "tasks/login", "tasks/reminder", "tasks/rotation", "tasks/setup", "tasks/status", "tasks/target", "terminal", "time", "trace"]),
    ("tasks/accounts", &["config", "credential", "git", "storage", "terminal"]),
    ("tasks/calls", &["config", "credential", "git", "helper", "platform", "storage", "terminal", "time"]),
    ("tasks/clean", &["config", "credential", "helper", "helper/issuer", "journal", "neighbour", "neighbour/configured", "neighbour/registry", "storage", "time"]),
    ("tasks/doctor", &["config", "credential", "files", "forge", "forge/http", "git", "helper", "helper/issuer", "helper/lookup", "neighbour", "platform", "protocol", "secret", "storage", "terminal", "time"]),
    ("tasks/import", &["config", "credential", "helper", "helper/issuer", "journal", "neighbour", "neighbour/registry", "secret", "storage", "time"]),
    ("tasks/location", &["credential", "helper", "storage", "storage/memory", "time"]),
    ("tasks/login", &["config", "credential", "forge", "git", "helper", "helper/issuer", "helper/lookup", "journal", "secret", "storage", "terminal", "time"]),
    ("tasks/reminder", &["helper", "helper/lookup", "helper/token_state"]),
    ("tasks/rotation", &["credential", "files", "forge", "forge/http", "git", "helper", "helper/issuer", "helper/lookup", "journal", "platform", "secret", "storage", "terminal", "time"]),
    ("tasks/setup", &["config", "credential", "desktop", "files", "git", "platform", "terminal"]),
    ("tasks/status", &["config", "credential", "git", "helper", "helper/token_state", "platform", "storage", "terminal"]),
    ("tasks/target", &["config", "credential", "helper", "storage"]),
    ("helper/token_state", &["config", "credential", "forge", "helper", "helper/lookup", "journal", "storage"]),
    ("neighbour/registry", &["credential", "files", "neighbour", "neighbour/configured", "storage/keychain", "trace"]),
    ("helper/lookup", &["config", "credential", "forge", "forge/http", "helper", "helper/issuer", "journal", "platform", "protocol", "secret", "storage", "terminal", "time", "trace"]),
    ("neighbour", &["credential", "daemon", "files", "neighbour/configured", "neighbour/yaml", "platform", "protocol", "secret", "storage", "storage/keychain"]),
    ("forge/http", &["credential", "forge", "git", "secret", "terminal", "trace"]),
    ("helper", &["config", "credential", "daemon", "forge", "helper/issuer", "journal", "platform", "protocol", "secret", "storage", "storage/keychain", "storage/memory", "time", "trace"]),
    ("neighbour/configured", &["config", "credential", "git", "storage"]),
    ("neighbour/yaml", &[]),
    ("daemon", &["credential", "files", "platform", "protocol", "secret", "storage", "storage/memory", "terminal", "time", "trace"]),
    ("helper/issuer", &["config", "credential", "forge", "journal", "secret"]),
    ("storage/keychain", &["credential", "desktop", "files", "platform", "protocol", "secret", "storage", "trace"]),
    ("config", &["credential", "files", "forge", "platform", "secret", "storage", "storage/file", "storage/memory", "terminal", "time", "trace"]),
    ("desktop", &["credential", "platform"]),
    ("journal", &["credential", "files", "forge", "protocol", "secret", "terminal", "trace"]),
    ("forge", &["credential", "secret"]),
    ("storage/file", &["credential", "files", "protocol", "secret", "storage"]),
    ("storage/memory", &["credential", "platform", "secret", "storage", "time"]),
    ("protocol", &["credential", "git", "secret"]),
    ("storage", &["credential", "files", "terminal", "trace"]),
    ("files", &["platform", "secret", "terminal"]),
    ("git", &["credential", "platform", "secret", "terminal", "trace"]),
    ("credential", &["platform", "secret", "terminal", "time"]),
    ("trace", &["platform"]),
    ("terminal", &["platform", "secret"]),
    ("time", &["platform"]),
    ("secret", &["platform"]),
    ("platform", &[]),
];

/// Files outside the rooms for the system (`law::SYSTEM_ROOMS`) that use it directly. This list shrinks to nothing.
#[rustfmt::skip]
pub const SYSTEM_FILES: &[&str] = &[
];

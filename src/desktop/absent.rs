//! A system whose notifications are not supported yet.

use super::notification::{Notification, NotifyError};

pub(super) fn send(_notifications: &[Notification]) -> Result<(), NotifyError> {
    Err(NotifyError::Unsupported)
}

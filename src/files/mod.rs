//! Files: our own, and those of other programs.

pub mod external;
pub mod owned;
pub mod places;

//! A token in a variable of the environment that the user names. No other file reads a secret from the environment.

use std::env;

use zeroize::Zeroizing;

use super::{Error, Neighbour, Place, Reading};
use crate::credential::pasted::{self, Flaw};
use crate::credential::query::Query;
use crate::secret::Secret;

/// A variable and the query of its token.
#[derive(Debug)]
pub struct Environment {
    pub(super) variable: String,
    /// The URL and the user of the token. Without a user it is not read.
    pub(super) wanted: Query,
}

/// The token in `variable`, without what a paste puts around it.
pub fn token(variable: &str) -> Result<Secret, Error> {
    let unset = || Error::Unset(variable.to_owned());
    let value = env::var_os(variable).ok_or_else(unset)?;
    let value = Zeroizing::new(value.into_encoded_bytes());
    let token = pasted::cleaned(&value);
    match pasted::flaw(token) {
        None => Ok(Secret::new(token)),
        Some(Flaw::Empty) => Err(unset()),
        Some(flaw) => Err(Error::Unfit {
            variable: variable.to_owned(),
            flaw,
        }),
    }
}

impl Neighbour for Environment {
    fn name(&self) -> &'static str {
        "env"
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        match token(&self.variable) {
            Ok(_) if self.wanted.username.is_none() => {
                reading
                    .troubles
                    .push(Error::Nameless(self.variable.clone()));
            }
            Ok(token) => {
                let said = Query {
                    password: Some(token),
                    ..self.wanted.duplicate()
                };
                let place = Place::Variable(self.variable.clone());
                reading.take(Some(said), &place, None);
            }
            Err(error) => reading.troubles.push(error),
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    /// Reads the variable. Its token is only read, never removed.
    fn reading(variable: &str, wanted: Query) -> Reading {
        let variable = variable.to_owned();
        let environment = Environment { variable, wanted };
        let reading = environment.read();
        for found in &reading.found {
            assert!(environment.remove(found).is_err());
        }
        reading
    }

    #[test]
    fn a_variable_that_is_not_set_is_said() {
        let wanted = url::parse(b"https://alice@one.test").unwrap();
        let unset = reading("SURELY_NOT_SET", wanted);
        assert!(matches!(unset.troubles[..], [Error::Unset(_)]));
    }

    #[test]
    fn a_token_without_its_user_is_not_taken() {
        let wanted = url::parse(b"https://one.test").unwrap();
        let reading = reading("CARGO_PKG_NAME", wanted);
        assert!(reading.found.is_empty());
        assert!(matches!(reading.troubles[..], [Error::Nameless(_)]));
    }

    #[test]
    fn a_variable_is_a_token_for_one_url() {
        // Set by cargo for every test.
        let wanted = url::parse(b"https://alice@one.test").unwrap();
        let reading = reading("CARGO_PKG_NAME", wanted);
        assert_eq!(
            reading.found[0].secret().unwrap().expose(),
            b"git-credential-pat"
        );
    }
}

//! A token in a variable of the environment that the user names. No other file reads a secret from the environment.

use std::env;

use zeroize::Zeroizing;

use super::{Error, Found, Neighbour, Place, Reading};
use crate::credential::pasted::{self, Flaw};
use crate::credential::query::Query;
use crate::secret::Secret;

/// A variable and the query of its token.
#[derive(Debug)]
pub struct Environment {
    variable: String,
    wanted: Query,
}

impl Environment {
    /// `variable` holds the token of `wanted`'s user for its URL. Without a user it is not read.
    pub fn variable(variable: String, wanted: Query) -> Self {
        Self { variable, wanted }
    }
}

/// The token in `variable`, without what a paste puts around it.
pub fn token(variable: &str) -> Result<Secret, Error> {
    let unset = || Error::Unset(variable.to_owned());
    let value = Zeroizing::new(
        env::var_os(variable)
            .ok_or_else(unset)?
            .into_encoded_bytes(),
    );
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
                let variable = self.variable.clone();
                reading.troubles.push(Error::Nameless(variable));
            }
            Ok(token) => {
                let said = Query {
                    password: Some(token),
                    ..self.wanted.duplicate()
                };
                let place = Place::Variable(self.variable.clone());
                reading.take(Found::new(said, place.clone()), &place, None);
            }
            Err(error) => reading.troubles.push(error),
        }
        reading
    }

    fn remove(&self, _: &Found) -> Result<usize, Error> {
        Err(Error::ReadOnly("the environment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    #[test]
    fn a_variable_that_is_not_set_is_said() {
        let wanted = url::parse(b"https://alice@one.test").unwrap();
        let unset = Environment::variable("SURELY_NOT_SET".to_owned(), wanted);
        assert!(matches!(unset.read().troubles[..], [Error::Unset(_)]));
    }

    #[test]
    fn a_token_without_its_user_is_not_taken() {
        let wanted = url::parse(b"https://one.test").unwrap();
        let nameless = Environment::variable("CARGO_PKG_NAME".to_owned(), wanted);
        let reading = nameless.read();
        assert!(reading.found.is_empty());
        assert!(matches!(reading.troubles[..], [Error::Nameless(_)]));
    }

    #[test]
    fn a_variable_is_a_token_for_one_url() {
        // Set by cargo for every test.
        let wanted = url::parse(b"https://alice@one.test").unwrap();
        let set = Environment::variable("CARGO_PKG_NAME".to_owned(), wanted);
        let reading = set.read();
        assert_eq!(
            reading.found[0].secret().unwrap().expose(),
            b"git-credential-pat"
        );
        assert!(set.remove(&reading.found[0]).is_err());
    }
}

//! A variable of the environment that a person names: the one place from which a variable's value becomes a secret.

use std::env;
use std::os::unix::ffi::OsStringExt;

use zeroize::Zeroizing;

use super::{Error, Found, Neighbour, Place, Reading};
use crate::credential::description::Description;
use crate::credential::pasted::{self, Flaw};
use crate::secret::Secret;

/// A variable, and what its token is for.
#[derive(Debug)]
pub struct Environment {
    variable: String,
    wanted: Description,
}

impl Environment {
    /// `variable` holds the token of `wanted`'s user for its URL.
    pub fn variable(variable: String, wanted: Description) -> Self {
        Self { variable, wanted }
    }
}

impl Neighbour for Environment {
    fn name(&self) -> &'static str {
        "env"
    }

    fn places(&self) -> Vec<Place> {
        vec![Place::Variable(self.variable.clone())]
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let value = env::var_os(&self.variable).map(|value| Zeroizing::new(value.into_vec()));
        let token = value.as_deref().map(|value| pasted::cleaned(value));
        let flaw = token.and_then(pasted::flaw);
        match token {
            Some(token) if flaw.is_none() => {
                let said = Description {
                    password: Some(Secret::new(token)),
                    ..self.wanted.duplicate()
                };
                let place = Place::Variable(self.variable.clone());
                reading.take(Found::new(said, place.clone()), &place, None);
            }
            _ => reading.troubles.push(match flaw {
                None | Some(Flaw::Empty) => Error::Unset(self.variable.clone()),
                Some(flaw) => Error::Unfit {
                    variable: self.variable.clone(),
                    flaw,
                },
            }),
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

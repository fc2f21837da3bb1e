//! What a check says when its own configuration is not ready.

use crate::check::Finding;
use crate::config::Setup;
use crate::detail::Detail;
use crate::reason::{MALFORMED_CONFIG, MISSING_CONFIG};

/// The settings, or the finding that names every variable that is missing or malformed.
pub fn ready<T>(setup: &Setup<T>) -> Result<&T, Finding> {
    match setup {
        Setup::Ready(settings) => Ok(settings),
        Setup::Missing(variables) => {
            let list = Detail::new().list(variables.iter().copied());
            Err(Finding::new(&MISSING_CONFIG).detail(list))
        }
        Setup::Malformed(problems) => {
            let mut joined = Detail::new();
            for problem in problems {
                if !joined.is_empty() {
                    joined = joined.text("; ");
                }
                joined = joined.then(&problem.detail());
            }
            Err(Finding::new(&MALFORMED_CONFIG).detail(joined))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Problem;

    #[test]
    fn names_every_missing_variable() {
        let setup = Setup::<()>::Missing(vec!["R2_BUCKET", "R2_ACCOUNT_ID"]);
        let finding = ready(&setup).unwrap_err();
        assert_eq!(finding.reason, &MISSING_CONFIG);
        assert_eq!(finding.detail.to_string(), "R2_BUCKET, R2_ACCOUNT_ID");
    }

    #[test]
    fn names_every_problem() {
        let problem = |variable| Problem {
            variable,
            wrong: Detail::new().text("has ").number(3).text(" characters"),
            accepted: "32",
        };
        let setup = Setup::<()>::Malformed(vec![problem("A"), problem("B")]);
        let finding = ready(&setup).unwrap_err();
        assert_eq!(finding.reason, &MALFORMED_CONFIG);
        assert_eq!(
            finding.detail.to_string(),
            "A has 3 characters; accepted: 32; B has 3 characters; accepted: 32"
        );
    }
}

//! What was to be reached, beside what was: the last table of a run, told and never asserted.

use crate::numbers::Sample;

/// Whether a goal is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Met,
    /// Says by how much.
    Missed(String),
    /// There was no goal, only a figure to state.
    Stated,
    /// The run cannot tell, and why.
    Unknown(&'static str),
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::Met => f.write_str("met"),
            Verdict::Missed(by) => write!(f, "**missed** {by}"),
            Verdict::Stated => f.write_str("stated"),
            Verdict::Unknown(why) => write!(f, "no verdict: {why}"),
        }
    }
}

/// The rows of one run.
#[derive(Debug, Default)]
pub struct Goals {
    rows: Vec<[String; 4]>,
    /// Why no figure of the run counts.
    void: Option<&'static str>,
}

impl Goals {
    /// No rows yet. `brief` runs reach no verdict.
    pub fn new(brief: bool) -> Self {
        Goals {
            rows: Vec::new(),
            void: brief.then_some("a brief run"),
        }
    }

    /// A ratio that should be at most `goal`, by its median. `void` says why this one does not count.
    pub fn ratio(&mut self, figure: &str, ratio: &Sample, goal: f64, void: Option<&'static str>) {
        self.most(figure, "×", ratio.median(), goal, &ratio.spread(3), void);
    }

    /// Something that should be at most `goal`, in the same unit; `told` is what it was, in words.
    pub fn at_most(&mut self, figure: &str, unit: &str, value: f64, goal: f64, told: &str) {
        self.most(figure, unit, value, goal, told, None);
    }

    fn most(
        &mut self,
        figure: &str,
        unit: &str,
        value: f64,
        goal: f64,
        told: &str,
        void: Option<&'static str>,
    ) {
        let verdict = match void {
            Some(why) => Verdict::Unknown(why),
            None if value <= goal => Verdict::Met,
            None if value > goal => {
                Verdict::Missed(format!("by {:.1} %", 100.0 * (value / goal - 1.0)))
            }
            None => Verdict::Unknown("not measured"),
        };
        self.push(figure, &format!("≤ {goal} {unit}"), told, verdict);
    }

    /// Something that should hold; `told` is what was seen.
    pub fn holds(&mut self, figure: &str, goal: &str, holds: bool, told: &str) {
        let verdict = if holds {
            Verdict::Met
        } else {
            Verdict::Missed(String::new())
        };
        self.push(figure, goal, told, verdict);
    }

    /// Something to be stated without a goal.
    pub fn stated(&mut self, figure: &str, told: &str) {
        self.push(figure, "–", told, Verdict::Stated);
    }

    /// Something that this run did not measure.
    pub fn unknown(&mut self, figure: &str, goal: &str, why: &'static str) {
        self.push(figure, goal, "–", Verdict::Unknown(why));
    }

    fn push(&mut self, figure: &str, goal: &str, told: &str, verdict: Verdict) {
        let verdict = self.void.map_or(verdict, Verdict::Unknown);
        let row = [figure, goal, told, verdict.to_string().trim()].map(str::to_owned);
        self.rows.push(row);
    }

    /// Prints all, as they can be pasted into docs/performance.md.
    pub fn print(&self) {
        println!("\ngoals\n\n| figure | goal | measured | verdict |\n|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(goals: &Goals) -> Vec<&str> {
        goals.rows.iter().map(|row| row[3].as_str()).collect()
    }

    #[test]
    fn the_goal_itself_is_met_and_nothing_is_rounded_in_its_favour() {
        let mut goals = Goals::new(false);
        goals.at_most("a", "ms", 10.0, 10.0, "10");
        goals.at_most("b", "ms", 10.001, 10.0, "10.0");
        goals.at_most("c", "ms", f64::NAN, 10.0, "NaN");
        goals.ratio("d", &Sample::new(vec![1.2, 1.0, 1.1]), 1.0, None);
        let wanted = [
            "met",
            "**missed** by 0.0 %",
            "no verdict: not measured",
            "**missed** by 10.0 %",
        ];
        assert_eq!(verdicts(&goals), wanted);
        assert_eq!(goals.rows[3][2], "1.100 (1.100 to 1.200)");
    }

    #[test]
    fn what_does_not_count_gets_no_verdict() {
        let sample = Sample::new(vec![1.0]);
        let mut goals = Goals::new(false);
        goals.ratio("void", &sample, 1.1, Some("VOID"));
        goals.holds("held", "yes", false, "no");
        let mut brief = Goals::new(true);
        brief.ratio("void", &sample, 1.1, None);
        brief.stated("stated", "1");
        assert_eq!(verdicts(&goals), ["no verdict: VOID", "**missed**"]);
        assert_eq!(verdicts(&brief), ["no verdict: a brief run"; 2]);
    }
}

//! The jobs of a day: when each begins, how long it takes, how it ends. A pure function of a seed.

use std::time::Duration;

use fastrand::Rng;

/// How many begin in each hour: a quiet night, a busy day.
const CURVE: [u32; 24] = [
    8, 6, 4, 4, 4, 8, 40, 160, 300, 380, 400, 400, 340, 360, 400, 420, 400, 360, 300, 260, 220,
    140, 40, 12,
];

/// A model, its share of the jobs in percent, and how long it takes: from, to, in seconds.
const MODELS: [(&str, u32, u64, u64); 3] = [
    ("matting-fast", 40, 20, 60),
    (SLOW_MODEL, 35, 60, 180),
    (LONG_MODEL, 25, 180, 400),
];

/// The model that is slow in the afternoon.
pub(crate) const SLOW_MODEL: &str = "matting-hd";
/// The model with an SLO of its own: it is never quick.
pub(crate) const LONG_MODEL: &str = "matting-4k";

/// In what begins then, every third job fails: minutes of the day.
const INCIDENT: (u64, u64) = (10 * 60, 10 * 60 + 45);
/// In what begins then, [`SLOW_MODEL`] takes as long as this, in seconds.
const SLOWNESS: (u64, u64) = (15 * 60, 16 * 60 + 15);
const SLOW_SECONDS: (u64, u64) = (420, 600);
/// Every so many jobs one fails on any day; spread out, so that no quiet quarter has two.
const ORDINARY_FAILURE: usize = 100;

const INCIDENT_FAILURE: Failure = Failure {
    code: "gpu_out_of_memory",
    message: "the worker ran out of GPU memory",
};
const ORDINARY_FAILURES: [Failure; 2] = [
    Failure {
        code: "invalid_video",
        message: "the video has no frames that can be decoded",
    },
    Failure {
        code: "download_failed",
        message: "the video's URL answered 403",
    },
];

/// One job. Times are since midnight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    /// Its place in the day.
    pub(crate) number: usize,
    pub(crate) model: &'static str,
    pub(crate) started: Duration,
    pub(crate) ended: Duration,
    /// `None`: it ended well.
    pub(crate) failure: Option<Failure>,
}

/// Why a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

/// The jobs in the order in which they begin. All of them end before midnight.
pub(crate) fn of_a_day(seed: u64) -> Vec<Job> {
    let mut rng = Rng::with_seed(seed);
    let mut jobs = Vec::new();
    for (hour, &count) in (0_u64..).zip(&CURVE) {
        // Evenly over the hour, each somewhere in its own share of it.
        let share = 3_600_000 / u64::from(count);
        for place in 0..u64::from(count) {
            let millis = hour * 3_600_000 + place * share + rng.u64(0..share);
            jobs.push(job(&mut rng, jobs.len(), Duration::from_millis(millis)));
        }
    }
    jobs.retain(|job| job.ended < Duration::from_hours(24));
    jobs
}

fn job(rng: &mut Rng, number: usize, started: Duration) -> Job {
    let during = |(from, to): (u64, u64)| (from..to).contains(&(started.as_secs() / 60));
    let (model, mut seconds) = model(rng);
    if model == SLOW_MODEL && during(SLOWNESS) {
        seconds = SLOW_SECONDS;
    }
    let millis = rng.u64(seconds.0 * 1000..seconds.1 * 1000);
    let failure = if during(INCIDENT) && number.is_multiple_of(3) {
        Some(INCIDENT_FAILURE)
    } else if number % ORDINARY_FAILURE == ORDINARY_FAILURE / 2 {
        rng.choice(ORDINARY_FAILURES)
    } else {
        None
    };
    Job {
        number,
        model,
        started,
        ended: started + Duration::from_millis(millis),
        failure,
    }
}

/// One by its share.
fn model(rng: &mut Rng) -> (&'static str, (u64, u64)) {
    let mut ticket = rng.u32(0..100);
    for (name, share, from, to) in MODELS {
        if ticket < share {
            return (name, (from, to));
        }
        ticket -= share;
    }
    let (name, _, from, to) = MODELS[0];
    (name, (from, to))
}

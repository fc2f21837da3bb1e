//! The states of signals, from one evaluation to the next.

use infra_health::jobs::signals::board::State;
use infra_health::jobs::store::Kept;

use super::on_both;
use super::place::Place;

on_both!(
    states_outlive_the_process,
    a_later_evaluation_of_another_replica_stays,
    what_was_not_judged_for_a_day_is_forgotten,
);

const DAY: i64 = 86_400_000;

fn kept(name: &str, state: State, evaluated_at: i64) -> Kept {
    Kept {
        name: name.to_owned(),
        state,
        since: evaluated_at - 10,
        over_since: (state == State::Firing).then_some(evaluated_at - 20),
        evaluated_at,
    }
}

async fn states_outlive_the_process(place: Place) {
    let store = place.open().await;
    assert_eq!(store.kept().await.unwrap(), []);
    let mut all = State::ALL.map(|state| kept(state.as_str(), state, 1_000));
    store.keep(&all).await.unwrap();
    store.keep(&[]).await.unwrap();
    store.close().await;
    let store = place.open().await;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(store.kept().await.unwrap(), all);
}

async fn a_later_evaluation_of_another_replica_stays(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    let later = kept("rate", State::Firing, 2_000);
    one.keep(std::slice::from_ref(&later)).await.unwrap();
    let earlier = [
        kept("rate", State::Ok, 1_999),
        kept("new", State::Ok, 1_999),
    ];
    other.keep(&earlier).await.unwrap();
    assert_eq!(one.kept().await.unwrap(), [earlier[1].clone(), later]);
    // Of the same moment the last word counts.
    let same = kept("rate", State::Pending, 2_000);
    other.keep(std::slice::from_ref(&same)).await.unwrap();
    assert_eq!(one.kept().await.unwrap()[1], same);
}

async fn what_was_not_judged_for_a_day_is_forgotten(place: Place) {
    let store = place.open().await;
    let old = [
        kept("gone", State::Ok, 1_000),
        kept("young", State::Ok, 1_001),
        kept("judged", State::Ok, 1_000),
    ];
    store.keep(&old).await.unwrap();
    let newest = kept("judged", State::Firing, 1_001 + DAY);
    store.keep(std::slice::from_ref(&newest)).await.unwrap();
    let names: Vec<String> = store
        .kept()
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names, ["judged", "young"]);
}

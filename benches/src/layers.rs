//! Whose time it is: folded stacks, as `perf` and `inferno` make them, by layer and by function.

use std::collections::{BTreeMap, BTreeSet};

use crate::numbers::count;

/// How many functions of a layer are named.
const TOP: usize = 6;

/// Percent; what takes less is not named.
const LEAST: f64 = 0.1;

/// Whose code a function is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Kernel,
    Tokio,
    Hyper,
    /// This service: its connection table and its counting socket.
    Serve,
    /// This service: from a parsed request to its response.
    Hop,
    /// This service: everything else, the monitor above all.
    Rest,
    Std,
    Libc,
    Others,
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Layer::Kernel => "kernel",
            Layer::Tokio => "tokio, mio",
            Layer::Hyper => "hyper, http, bytes",
            Layer::Serve => "service: connections (serve)",
            Layer::Hop => "service: the hop (http, its handler)",
            Layer::Rest => "service: the rest",
            Layer::Std => "Rust's standard library",
            Layer::Libc => "libc, allocator, vDSO",
            Layer::Others => "other crates",
        }
    }

    fn of(function: &str) -> Layer {
        if function.ends_with("_[k]") {
            return Layer::Kernel;
        }
        // `<a::B as c::D>::e` is a's, whatever is between its brackets.
        let path = function.trim_start_matches(['<', '&', '*', '[']);
        let path = path.trim_start_matches("mut ").trim_start_matches("dyn ");
        let Some((krate, rest)) = path.split_once("::") else {
            return Layer::Libc;
        };
        match krate {
            "tokio" | "mio" => Layer::Tokio,
            "hyper" | "hyper_util" | "http" | "http_body_util" | "http_body" | "httparse"
            | "bytes" => Layer::Hyper,
            "infra_health" if rest.starts_with("serve::") => Layer::Serve,
            "infra_health" if rest.starts_with("http::") || rest.starts_with("app::listeners") => {
                Layer::Hop
            }
            "infra_health" => Layer::Rest,
            "std" | "core" | "alloc" => Layer::Std,
            _ => Layer::Others,
        }
    }
}

/// Time in something: itself, and with everything that it called.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Time {
    own: u64,
    inclusive: u64,
}

/// Time of all stacks.
#[derive(Debug, Default)]
pub struct Shares {
    all: u64,
    layers: BTreeMap<Layer, Time>,
    functions: BTreeMap<String, Time>,
}

impl Shares {
    /// Of lines like `outer;inner 123`.
    pub fn of<'a>(stacks: impl Iterator<Item = &'a str>) -> Self {
        let mut shares = Shares::default();
        for line in stacks {
            let Some((stack, time)) = line.rsplit_once(' ') else {
                continue;
            };
            shares.add(stack, time.parse().unwrap_or(0));
        }
        shares
    }

    fn add(&mut self, stack: &str, time: u64) {
        self.all += time;
        // A function that calls itself is counted once; the first frame is the thread's name.
        let functions: BTreeSet<_> = stack.split(';').skip(1).collect();
        let layers: BTreeSet<_> = functions.iter().map(|name| Layer::of(name)).collect();
        for function in functions {
            let entry = self.functions.entry(function.to_owned()).or_default();
            entry.inclusive += time;
        }
        for layer in layers {
            self.layers.entry(layer).or_default().inclusive += time;
        }
        if let Some(innermost) = stack.split(';').skip(1).last() {
            self.layers.entry(Layer::of(innermost)).or_default().own += time;
            self.functions.entry(innermost.to_owned()).or_default().own += time;
        }
    }

    /// Prints what each layer takes, and its most expensive functions.
    pub fn print(&self) {
        let percent = |time: u64| 100.0 * count(time) / count(self.all);
        println!(
            "\n| layer | itself, % | with what it calls, % | most of it itself |\n|---|---|---|---|"
        );
        for (&layer, time) in &self.layers {
            let top = self.top(layer, |time| time.own);
            println!(
                "| {} | {:.1} | {:.1} | {} |",
                layer.name(),
                percent(time.own),
                percent(time.inclusive),
                self.list(&top, |time| time.own)
            );
        }
        println!("\n| layer | most of it with what it calls |\n|---|---|");
        for &layer in self.layers.keys() {
            let top = self.top(layer, |time| time.inclusive);
            println!(
                "| {} | {} |",
                layer.name(),
                self.list(&top, |time| time.inclusive)
            );
        }
    }

    /// The functions of a layer that take most.
    fn top(&self, layer: Layer, of: impl Fn(&Time) -> u64) -> Vec<(&str, Time)> {
        let mut functions: Vec<_> = self
            .functions
            .iter()
            .filter(|(name, time)| Layer::of(name) == layer && of(time) > 0)
            .map(|(name, time)| (name.as_str(), *time))
            .collect();
        functions.sort_by_key(|(_, time)| std::cmp::Reverse(of(time)));
        functions.truncate(TOP);
        functions
    }

    fn list(&self, functions: &[(&str, Time)], of: impl Fn(&Time) -> u64) -> String {
        let percent = |time| 100.0 * count(of(time)) / count(self.all);
        let told = functions
            .iter()
            .map(|(name, time)| (short(name), percent(time)))
            .filter(|(_, percent)| *percent >= LEAST)
            .map(|(name, percent)| format!("`{name}` {percent:.1}"));
        told.collect::<Vec<_>>().join(", ")
    }
}

/// Without what is between brackets, and without the mark of the kernel's functions. What is dropped is named.
fn short(function: &str) -> String {
    let function = function.trim_end_matches("_[k]");
    if let Some(dropped) = function.strip_prefix("core::ptr::drop_in_place<") {
        return format!("drop {}", short(dropped.trim_end_matches('>')));
    }
    let mut short = String::new();
    let mut depth = 0_usize;
    // `<a::B as c::D>::e`: the first bracket is part of the name.
    let (inside, name) = match function.strip_prefix('<') {
        Some(rest) => (true, rest),
        None => (false, function),
    };
    for letter in name.chars() {
        match letter {
            '<' => depth += 1,
            '>' if depth == 0 && inside => {}
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => short.push(letter),
            _ => {}
        }
    }
    short.replace("::::", "::").replace('|', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_whose_they_are_whatever_they_are_made_of() {
        for (function, layer) in [
            ("do_syscall_64_[k]", Layer::Kernel),
            ("__libc_recv", Layer::Libc),
            ("<tokio::net::TcpStream as hyper::Read>::poll", Layer::Tokio),
            (
                "<hyper::proto::Server<S,infra_health::http::Front>>::poll",
                Layer::Hyper,
            ),
            ("http::header::map::HeaderMap<T>::get", Layer::Hyper),
            (
                "<infra_health::serve::io::Tracked as tokio::io::AsyncRead>::poll_read",
                Layer::Serve,
            ),
            (
                "<infra_health::app::listeners::Served as infra_health::serve::Handler>::call",
                Layer::Hop,
            ),
            ("infra_health::http::front::Front::handle", Layer::Hop),
            ("infra_health::monitor::runner::run", Layer::Rest),
            ("core::ptr::drop_in_place<http::Request>", Layer::Std),
            ("ulid::Ulid::new", Layer::Others),
        ] {
            assert_eq!(Layer::of(function), layer, "{function}");
        }
    }

    #[test]
    fn time_is_counted_once_a_stack() {
        let stacks = [
            "worker;tokio::run;hyper::poll;infra_health::http::front::handle;malloc 3",
            "worker;tokio::run;tokio::run;hyper::poll 5",
        ];
        let shares = Shares::of(stacks.into_iter());
        let time = |own, inclusive| Time { own, inclusive };
        assert_eq!(shares.all, 8);
        assert_eq!(shares.layers[&Layer::Tokio], time(0, 8));
        assert_eq!(shares.layers[&Layer::Hyper], time(5, 8));
        assert_eq!(shares.layers[&Layer::Hop], time(0, 3));
        assert_eq!(shares.layers[&Layer::Libc], time(3, 3));
        assert_eq!(shares.functions["tokio::run"], time(0, 8));
    }

    #[test]
    fn names_are_cut_to_what_can_be_read() {
        for (function, wanted) in [
            ("recv_[k]", "recv"),
            ("<a::B<C<D>> as e::F<G>>::h", "a::B as e::F::h"),
            ("a::b::<impl c::D>::e", "a::b::e"),
            ("core::ptr::drop_in_place<a::B<C>>", "drop a::B"),
        ] {
            assert_eq!(short(function), wanted);
        }
    }
}
